"""The person who runs the operations: begins them, follows them, does what they ask for."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import random
import time
from collections.abc import Callable, Generator
from typing import Any

from coordinator.engine import operation
from coordinator.record import schedules
from rehearsal import model, site, story
from rehearsal.agent import context, tool_server
from tests.chaos import checks, due_run, faults, schedule
from tests.embedded import charmed_maas

Json = charmed_maas.Json

_LONGEST = 600.0
"""Seconds for one operation: each request whose answer was lost is waited for half a minute."""
_SETTLING = 180.0
"""Seconds until everything is at rest again: Juju takes its time to run a failed hook again."""
_TRIES = 6
_RESUMES = 4
_WELL = ('active', 'blocked')
_RESTORE_FAILED = ('Failed to restore backup', 'cannot restore PITR')


Say = Callable[[str], object]


class Lost(Exception):
    """Something is not as it must be; says what."""


@dataclasses.dataclass(frozen=True)
class Result:
    """What came of an operation."""

    drawn: schedule.Operation
    status: str
    """How it ended; empty: it did not."""
    seconds: float
    resumed: int
    """How often it was held, and resumed."""
    struck: collections.Counter[str]
    lost: tuple[str, ...]

    def __str__(self) -> str:
        held = f', resumed {self.resumed} times' if self.resumed else ''
        return (
            f'{self.status or "no end"} after {self.seconds:.0f} s, '
            f'{self.struck.total()} faults{held}'
            + ''.join(f'\n    LOST: {sentence}' for sentence in self.lost)
        )


class Operator:
    """One person, and the site that is in their care."""

    def __init__(self, maas: charmed_maas.CharmedMaas, say: Say):
        self.maas = maas
        self._running = maas.running
        self._say = say
        self.ended: checks.Ended | None = None
        """The last operation that came to its end."""
        self._at_backup: dict[str, Json] = {}
        self._former_secrets: list[str] = []
        self._identity = ''
        self._by_hand: set[int] = set()
        self._resumed = 0
        self._aborted = False
        self._run: due_run.DueRun | None = None

    # --- One operation ---------------------------------------------------------------------------

    def perform(self, drawn: schedule.Operation) -> Result:
        """Run one operation to its end, and see what is left of it."""
        begun = time.monotonic()
        self._prepare(drawn)
        before = checks.Before.of(self.maas)
        self._resumed, self._aborted, self._run = 0, False, None
        befalling = faults.Faults(self.maas, drawn, self._say)
        status, lost = '', list[str]()
        try:
            self._begin(drawn, befalling)
            self._follow(drawn, befalling)
            befalling.end()
            if self._run is not None:
                self._run.end()
            record = self._rest()
            status = record['status']
            self.ended = checks.Ended(
                record,
                before,
                self._at_backup,
                tuple(self._former_secrets),
                frozenset(self._by_hand),
            )
            lost = checks.lost(self.maas, self.ended)
            if self._run is not None:
                lost += self._run.lost(record)
            if not lost:
                self._clear_up()
        except (Lost, TimeoutError, AssertionError) as problem:
            lost.append(f'{problem} {self._state()}')
        finally:
            befalling.end()
        seconds = time.monotonic() - begun
        return Result(drawn, status, seconds, self._resumed, befalling.struck, tuple(lost))

    def _state(self) -> str:
        record = self.maas.record()
        if not record:
            return '(no operation)'
        reason = next(e['reason'] for e in record['steps'] if e['name'] == record['step'])
        return f'({record["id"]} is {record["status"]} at {record["step"]}: {reason})'

    # --- Before ----------------------------------------------------------------------------------

    def _prepare(self, drawn: schedule.Operation) -> None:
        """Let MAAS go on; for a restore in a fresh model lose the one that there is."""
        strategy = 'replica' if drawn.kind == schedule.REPLICA else 'scale-down'
        values = {'postgresql-backup-strategy': strategy}
        self.maas.change(lambda: self.maas.model.set_config(charmed_maas.APP, values))
        name = f'before-{drawn.number}-{len(self._at_backup)}'
        self._running.call(self.maas.site.add_machine, name)
        self._running.call(self.maas.site.add_image, f'custom/{name}')
        if drawn.kind == schedule.FRESH:
            self._former_secrets += story.secrets(self._running)
            self._running.deploy_afresh()
            self.maas.model.idle_after = 0.1
            self._identity = ''
        self._settle()
        if not self._identity:
            self._identity = story.give_identity(self._running)

    def _begin(self, drawn: schedule.Operation, befalling: faults.Faults) -> None:
        """Ask for the operation until it is begun: a request may be killed, or find no leader."""
        before = self.maas.record()
        if due_run.possible(drawn) and self._is_begun_by_a_schedule(before):
            return
        parameters: dict[str, Any] = {}
        if drawn.restores:
            wanted = self._wanted_set(drawn)
            parameters = {'backup_id': wanted, 'identity': self._identity, 'confirm': True}
        fingerprint = self._running.call(lambda: self.maas.site.fingerprint())
        action = 'restore-all' if drawn.restores else 'backup-all'
        task = None
        for attempt in range(_TRIES):
            killed_at = drawn.killed_at if attempt == 0 else 0
            with self._killing_request(killed_at, befalling):
                task = self._running.run_action(charmed_maas.LEADER, action, **parameters)
            if task.status == 'completed':
                break
            if self.maas.record() != before:
                raise Lost(f'{action} failed ({task.message}), and has begun all the same')
        record = self.maas.record()
        if task is None or task.status != 'completed':
            raise Lost(f'{action} was refused: {task.message if task else "never asked"}')
        if record == before:
            raise Lost(f'{action} was accepted, and has not begun')
        if not drawn.restores:
            self._at_backup[record['id']] = fingerprint

    def _is_begun_by_a_schedule(self, before: Json) -> bool:
        """Have a schedule begin the operation; return whether it did, or missed its run."""
        fingerprint = self._running.call(lambda: self.maas.site.fingerprint())
        self._run = due_run.DueRun(self.maas)
        self._run.set()
        run = self._run.begins()
        record = self.maas.record()
        if run.outcome == schedules.MISSED:
            self._say(f'the run of {run.due} is missed: {run.reason}')
            return False
        if record == before or record['id'] != run.operation:
            raise Lost(f'the run of {run.due} has begun {run.operation}, which is not there')
        self._at_backup[record['id']] = fingerprint
        return True

    def _wanted_set(self, drawn: schedule.Operation) -> str:
        known = [name for name in self.maas.sets() if name in self._at_backup]
        dice = random.Random(drawn.seed)
        return dice.choice(known) if drawn.earlier_set else known[-1]

    @contextlib.contextmanager
    def _killing_request(self, killed_at: int, befalling: faults.Faults) -> Generator[None]:
        """Kill the action's process at one of its hook tools; 0 spares it."""
        agent, left = self._running.agent, killed_at
        before = agent.on_tool

        def tool(run: context.Context, call: tool_server.Call) -> None:
            nonlocal left
            if run.event.task is not None:
                left -= 1
                if left == 0:
                    befalling.struck['request-killed'] += 1
                    agent.kill_running(run.unit)
            elif before is not None:
                before(run, call)

        if killed_at:
            agent.on_tool = tool
        yield
        agent.on_tool = before

    # --- While it runs ---------------------------------------------------------------------------

    def _follow(self, drawn: schedule.Operation, befalling: faults.Faults) -> None:
        """Let happen what is drawn, and act when the operation is held."""
        end = time.monotonic() + _LONGEST
        while self.maas.record()['status'] in (operation.OPEN, operation.HELD):
            left = end - time.monotonic()
            if left <= 0:
                raise Lost(f'no end within {_LONGEST:.0f} s')

            def news() -> bool:
                record = self.maas.record()
                return (
                    record['status'] != operation.OPEN
                    or befalling.due(record)
                    or self._would_abort(drawn, record)
                )

            with contextlib.suppress(TimeoutError):
                self._running.until(news, min(left, befalling.seconds_left()))
            record = self.maas.record()
            befalling.go_on(record)
            if record['status'] == operation.HELD:
                self._relieve(drawn, befalling, record)
            elif self._would_abort(drawn, record):
                self._abort()

    def _would_abort(self, drawn: schedule.Operation, record: Json) -> bool:
        return not self._aborted and bool(drawn.abort_at) and record['step'] == drawn.abort_at

    def _abort(self) -> bool:
        """Run abort-operation; return whether it was accepted."""
        self._aborted = True
        task = self._running.run_action(charmed_maas.LEADER, 'abort-operation')
        self._say(f'abort-operation: {task.output.get("status") or task.message}')
        return task.status == 'completed'

    def _relieve(self, drawn: schedule.Operation, befalling: faults.Faults, record: Json) -> None:
        """Mend what holds the operation, and let it go on or back."""
        self._say(f'held: {record["error"]}')
        if not record['error']:
            raise Lost('it is held and does not say why')
        befalling.heal()
        self._running.until(lambda: faults.others_settled(self.maas), _SETTLING)
        if self.maas.record()['status'] != operation.HELD:
            return
        if drawn.aborts_when_held and not self._aborted and self._abort():
            return
        if self._resumed >= _RESUMES:
            raise Lost(f'it is held again, after {_RESUMES} times: {record["error"]}')
        self._mend_by_hand(record)
        task = self._running.run_action(charmed_maas.LEADER, 'resume-operation')
        self._say(f'resume-operation: {task.output.get("status") or task.message}')
        self._resumed += task.status == 'completed'

    def _mend_by_hand(self, record: Json) -> None:
        """Do what a failed restore of the database asks for."""
        reason = next(e['reason'] for e in record['steps'] if e['name'] == record['step'])
        if not any(words in reason for words in _RESTORE_FAILED):
            return
        wanted = reason.partition('restore backup-id=')[2].partition(',')[0]
        (unit,) = self.maas.units(site.POSTGRESQL)
        self._running.call(self.maas.model.set_status, self.maas.model.unit(unit), 'active')
        task = self._running.run_action(unit, 'restore', backup_id=wanted)
        self._say(f'restore by hand: {task.status} {task.message}')
        self._by_hand.add(task.id)

    # --- Afterwards ------------------------------------------------------------------------------

    def _rest(self) -> Json:
        """Wait until everything is at rest; return the record."""
        self._running.until(lambda: not self.maas.pacemakers(), _SETTLING)
        self._settle()
        return self._running.operation()

    def _settle(self) -> None:
        self._running.until(lambda: not site.unsettled(self.maas.model, _WELL), _SETTLING)

    def _clear_up(self) -> None:
        """Do what an operation that ended badly leaves to the operator."""
        for storage in filter(None, story.no_storage_left(self._running).split(', ')):
            self._running.call(self.maas.model.remove_storage, storage)
        wanted, names = self._running.layout.postgresql_units, self.maas.units(site.POSTGRESQL)
        if len(names) < wanted:
            missing = wanted - len(names)
            self._running.call(self.maas.model.add_units, site.POSTGRESQL, missing)
        for name in names[wanted:]:
            self._running.call(self.maas.model.remove_unit, name)
        self._settle()

    def is_well(self) -> bool:
        """Whether all of MAAS works: in a fresh model it does when something was restored."""

        def units() -> list[model.Unit]:
            return list(self.maas.model.units.values())

        return all(
            unit.workload.current == 'active'
            for unit in self._running.call(units)
            if unit.application.name != charmed_maas.APP
        )
