"""Brings the faults of an operation about when it is their time, and heals them."""

from __future__ import annotations

import collections
import dataclasses
import pathlib
import random
import sys
import time
from collections.abc import Callable, Mapping

from coordinator.operations import plans
from rehearsal import model, site
from rehearsal.agent import child
from rehearsal.controller import faults as controller_faults
from tests.chaos import schedule
from tests.embedded import charmed_maas, killers

Heal = Callable[[], object]
BENT = str(pathlib.Path(__file__).with_name('bent.py'))
"""The script that runs another one on a machine that is not well."""
_COORDINATORS_OBJECTS = '/maas-backups/maas/coordinator/'
_WITHOUT_END = 1_000_000
"""More requests than there will be."""
_STEPS_AT_ONCE = 3.0
"""Seconds after which another unit leads in place of one whose process is stopped."""
KILLED = 'process-killed'


@dataclasses.dataclass
class _Lasting:
    """A fault that is to be healed."""

    until: float
    """By the monotonic clock."""
    heal: Heal


class Faults:
    """The faults of one operation. All methods are for the thread that follows it."""

    def __init__(
        self,
        maas: charmed_maas.CharmedMaas,
        drawn: schedule.Operation,
        say: Callable[[str], object],
    ):
        self._maas = maas
        self._running = maas.running
        self._say = say
        self._dice = random.Random(drawn.seed)
        self._waiting = list(drawn.faults)
        self._armed: list[tuple[float, schedule.Fault]] = []
        self._lasting: list[_Lasting] = []
        self._bends: dict[str, list[str]] = {}
        """What is wrong with the machine of each unit, as options of `bent.py`."""
        self._killed_before = killers.killed(maas)
        self.struck: collections.Counter[str] = collections.Counter()
        """How many faults there were, by kind."""
        if drawn.killer == 'random':
            killers.RandomKiller(maas, drawn.seed)
        elif drawn.killer == 'checkpoints':
            killers.CheckpointKiller(maas)
        self._strike: Mapping[str, Callable[[schedule.Fault], Heal | None]] = {
            schedule.PACEMAKER: self._kill_pacemakers,
            schedule.STOPPED: self._stop_process,
            schedule.CONTROLLER: self._take_controller,
            schedule.REQUEST: self._lose_request,
            schedule.S3_GONE: self._kill_s3,
            schedule.S3_ANSWERS: self._spoil_answers,
            schedule.DISK_FULL: self._fill_disk,
            schedule.LEADER: self._move_leader,
            schedule.CLOCK: self._shift_clock,
            schedule.AGENT: self._restart_agent,
        }

    # --- When ------------------------------------------------------------------------------------

    def due(self, record: charmed_maas.Json) -> bool:
        """Whether the operation has come to where a fault waits for it."""
        return any(_reached(fault.step, record) for fault in self._waiting)

    def seconds_left(self) -> float:
        """Return the seconds until something is to be done."""
        times = [at for at, _ in self._armed] + [lasting.until for lasting in self._lasting]
        return max(min(times, default=float('inf')) - time.monotonic(), 0.0)

    def go_on(self, record: charmed_maas.Json) -> None:
        """Do what is due: strike and heal."""
        now = time.monotonic()
        for fault in [f for f in self._waiting if _reached(f.step, record)]:
            self._waiting.remove(fault)
            self._armed.append((now + fault.delay, fault))
        for lasting in [item for item in self._lasting if item.until <= now]:
            self._lasting.remove(lasting)
            lasting.heal()
        for armed in [item for item in self._armed if item[0] <= now]:
            self._armed.remove(armed)
            self._bring_about(armed[1])

    def _bring_about(self, fault: schedule.Fault) -> None:
        self._say(str(fault))
        heal = self._strike[fault.kind](fault)
        if heal is not None:
            self._lasting.append(_Lasting(time.monotonic() + fault.seconds, heal))

    def heal(self) -> None:
        """Let everything be well that is not, and go on."""
        while self._lasting:
            self._lasting.pop().heal()

    def end(self) -> None:
        """Heal, and let nothing happen any more."""
        self._waiting.clear()
        self._armed.clear()
        self.heal()
        agent = self._running.agent
        agent.on_dispatch = agent.on_tool = None
        killed = killers.killed(self._maas) - self._killed_before
        if killed:
            self.struck[KILLED] = killed

    # --- Processes and units ---------------------------------------------------------------------

    def _kill_pacemakers(self, fault: schedule.Fault) -> None:
        def kill() -> int:
            living = [s.child for s in self._running.agent.systemd.services.values() if s.child]
            for process in living:
                process.kill_group()
            return len(living)

        self.struck[fault.name] += self._running.call(kill)

    def _stop_process(self, fault: schedule.Fault) -> Heal:
        """SIGSTOP the leader's next dispatch in its midst; it goes on when this is healed."""
        agent, before = self._running.agent, self._running.agent.on_dispatch
        resumes: list[Heal] = []
        over = False

        def dispatched(unit: model.Unit, event: model.Event, process: child.Child) -> None:
            if before is not None:
                before(unit, event, process)
            if unit.leader and event.task is None and not over:
                delay = self._dice.uniform(0.05, 1.0)
                self._maas.model.clock.later(delay, lambda: stop(unit, event))

        def stop(unit: model.Unit, event: model.Event) -> None:
            if unit.running is not event or resumes or over:
                return
            resumes.append(agent.pause_running(unit))
            self.struck[fault.name] += 1
            if fault.detail == schedule.ELSEWHERE:
                self._maas.model.clock.later(_STEPS_AT_ONCE, self._elect_another)

        def resume() -> None:
            nonlocal over
            over = True
            for each in resumes:
                each()

        agent.on_dispatch = dispatched
        return lambda: self._running.call(resume)

    def _move_leader(self, fault: schedule.Fault) -> None:
        self.struck[fault.name] += self._running.call(self._elect_another)

    def _elect_another(self) -> int:
        """Let another unit lead, if there is one; on the model's thread."""
        leader = self._maas.leader
        others = [name for name in leader.application.units if name != leader.name]
        if others:
            self._maas.model.set_leader(self._dice.choice(others))
        return bool(others)

    def _restart_agent(self, fault: schedule.Fault) -> None:
        names = self._maas.units(fault.detail)
        if names:
            self._running.call(self._maas.model.restart_agent, self._dice.choice(names))
            self.struck[fault.name] += 1

    def _fill_disk(self, fault: schedule.Fault) -> Heal:
        return self._bend(fault, self._maas.leader, '--full')

    def _shift_clock(self, fault: schedule.Fault) -> Heal:
        return self._bend(fault, self._maas.leader, f'--hours={fault.detail}')

    def _bend(self, fault: schedule.Fault, unit: model.Unit, option: str) -> Heal:
        options = self._bends.setdefault(unit.name, [])

        def interpret() -> None:
            # -P: what lies beside the script is none of the charm's business.
            command = (sys.executable, '-P', BENT, *options) if options else ()
            self._running.agent.interpret(unit, *command)

        def heal() -> None:
            options.remove(option)
            self._running.call(interpret)

        options.append(option)
        self._running.call(interpret)
        self.struck[fault.name] += 1
        return heal

    # --- The controller --------------------------------------------------------------------------

    def _take_controller(self, fault: schedule.Fault) -> Heal:
        controller, thread = self._running.controller, self._running.thread
        thread.run(controller.stop())
        self.struck[fault.name] += 1
        return lambda: thread.run(controller.start())

    def _lose_request(self, fault: schedule.Fault) -> Heal:
        kind, request = fault.detail.split()
        lost = controller_faults.Fault(controller_faults.Kind(kind), request)
        self._running.call(self._running.faults.add, lost)

        def heal() -> None:
            self._running.call(self._running.faults.clear)
            self.struck[fault.name] += lost.count == 0

        return heal

    # --- S3 --------------------------------------------------------------------------------------

    def _kill_s3(self, fault: schedule.Fault) -> Heal:
        self._running.s3.stop()
        self.struck[fault.name] += 1
        return self._running.s3.start

    def _spoil_answers(self, fault: schedule.Fault) -> Heal | None:
        kind, _, number = fault.detail.partition(' ')
        count = int(number or _WITHOUT_END)
        everywhere = bool(fault.seconds < schedule.TO_THE_END) or self._dice.random() < 0.5
        s3 = self._running.s3
        if not s3.running:
            return None
        method = 'PUT' if kind in schedule.FULL else ''
        s3.fault(kind, count, method, '/' if everywhere else _COORDINATORS_OBJECTS)

        def heal() -> None:
            # A server that was killed meanwhile has forgotten it.
            rules = s3.rules if s3.running else []
            if rules:
                self.struck[fault.name] += rules[0].count < count
                s3.clear_faults()

        return heal


def _reached(name: str, record: charmed_maas.Json) -> bool:
    """Whether an operation has come to a step, or beyond it."""
    names = plans.PLANS[record['kind']].names if record else ()
    if not record or record['step'] not in names:
        return False
    return names.index(record['step']) >= names.index(name)


def others_settled(maas: charmed_maas.CharmedMaas) -> bool:
    """Whether the other charms' units are at rest; on the model's thread."""
    # While the database is away regions wait for it.
    busy = site.unsettled(maas.model, ('active', 'blocked', 'waiting'))
    return not [line for line in busy if not line.startswith(charmed_maas.APP)]
