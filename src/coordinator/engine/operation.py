"""The record of one operation: plain, frozen, and small enough for a databag.

The record holds step names, never positions, so that a charm of another revision can read it.
Its methods are the only transitions, and none of them reads the world.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Mapping
from typing import Any

from coordinator import errors, plain, times
from coordinator.engine import formats, settings

FORGIVEN = 'forgiven-task'
"""Fact: a resumed operation ignores failed tasks up to this id."""
RESUMED = 'resumed-at'
"""Fact: the age at which the operation was resumed. Its time limits start again from there."""

OPEN, HELD, COMPLETE, FAILED, ABORTED = 'open', 'held', 'complete', 'failed', 'aborted'

# States of a step.
TO_DO, DOING, DONE, BROKEN, UNDOING, UNDONE = (
    'to-do',
    'doing',
    'done',
    'failed',
    'undoing',
    'undone',
)


def age_of(fact: str) -> int | None:
    """Read an age that a fact holds; None for one that an older revision wrote as a time."""
    return int(fact) if fact.isdecimal() else None


DATABASE_EXPIRED = 'database-expired'
"""Fact: number of backup sets whose database part has expired, '' if none."""
BACKUP_ID = 'backup-id'
"""Fact: the id of the set, if another operation had already taken the operation's own id."""
STRATEGY = 'postgresql-strategy'
"""Fact: the strategy that the checks have chosen, if the option is `auto`."""
NEWEST_MADE = 'newest-made'
"""Fact: the newest complete set that this application had made when a restore began."""
ADOPTED = 'adopted-id'
"""Parameter: the id of the set that adopt-backup makes."""
REHEARSAL = 'rehearsal'
"""Parameter: the restore is tried in a throw-away model."""
PROOF = 'proof'
"""Fact: what a comparison of MAAS with a set has shown, in a sentence for people."""
NOT_PROVEN = 'not proven'
"""How it begins if nothing could be compared."""
TAKEN_OVER = 'taken-over'
"""Fact: the record comes out of the history in S3, where others may write."""
THROWAWAY = 'throw-away-model'
"""Fact: name of the model, in which nothing may write to the repository of the site."""


@dataclasses.dataclass(frozen=True)
class StepEntry:
    """State of one step."""

    name: str
    state: str = TO_DO
    attempts: int = 0
    since: str = ''
    """When the current attempt or undo began, for people."""
    began: int | None = None
    """The operation's age at that time in seconds, from which deadlines count; None until the
    first dispatch.
    """
    started: str = ''
    ended: str = ''
    reason: str = ''
    """Why the step waits, or why it failed."""
    task: int | None = None
    """Id of the Juju task that the step waits for, or waited for last."""

    @property
    def begun(self) -> bool:
        """Whether the step may have had an effect whose undo has not started."""
        # Between two attempts a step is `to-do` again, but the effects of the first attempt still
        # exist.
        return self.state in (DOING, DONE, BROKEN) or (self.state == TO_DO and bool(self.started))

    @property
    def seconds(self) -> int | None:
        """How long it took, from its first attempt on; None if that is not known."""
        return times.between(self.started, self.ended)


def _uncounted(entry: StepEntry) -> bool:
    return bool(entry.since) and entry.began is None


@dataclasses.dataclass(frozen=True)
class Overflow:
    """A message in full that the record has no room for."""

    step: str
    text: str


@dataclasses.dataclass(frozen=True)
class Operation:
    """One run of a plan."""

    id: str
    """For backup-all it is the backup id as well."""
    kind: str
    settings: settings.Settings
    steps: tuple[StepEntry, ...]
    started: str
    step: str
    """Name of the current step; of the last one if the operation has ended."""
    status: str = OPEN
    undoing: bool = False
    outcome: str = FAILED
    """The final status once everything is undone."""
    watermark: int = 0
    ended: str = ''
    error: str = ''
    """The first error, for people."""
    problems: tuple[str, ...] = ()
    """Further problems for the operator: what is missing or left over."""
    warnings: tuple[str, ...] = ()
    """Warnings of the checks; they do not stop the operation."""
    age: int = dataclasses.field(default=0, compare=False)
    """Duration of the operation in seconds, measured by its dispatches; may be minutes behind."""
    generation: int = dataclasses.field(default=0, compare=False)
    """Number of records stored before this one. It shows whether a late writer has stored an older
    record."""
    cut: int = 0
    """Number of messages that were cut or left out so far. The history has them in full."""
    said: tuple[Overflow, ...] = dataclasses.field(default=(), compare=False)
    """Full messages of this dispatch, for the history; not part of the record."""
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Parameters of the action; a secret only as its URI."""

    @property
    def backup_id(self) -> str:
        """Id of the backup set that it makes.

        It is the operation's own id, unless it adopts an earlier backup, or another model has
        already taken that id: then it is that of a later second.
        """
        return self.facts.get(BACKUP_ID) or self.parameters.get(ADOPTED, self.id)

    @property
    def rehearses(self) -> bool:
        """Whether it only tries a restore: the repository belongs to another site."""
        return REHEARSAL in self.parameters

    @property
    def strategy(self) -> str:
        """How PostgreSQL is backed up: as configured, or as the checks have chosen."""
        return self.facts.get(STRATEGY, self.settings.strategy)

    @classmethod
    def new(
        cls,
        operation_id: str,
        kind: str,
        step_names: tuple[str, ...],
        config: settings.Settings,
        now: datetime.datetime,
        parameters: Mapping[str, str] | None = None,
    ) -> Operation:
        """Return an operation before its first step."""
        return cls(
            id=operation_id,
            kind=kind,
            settings=config,
            steps=tuple(StepEntry(name) for name in step_names),
            started=times.stamp(now),
            step=step_names[0],
            parameters=parameters or {},
        )

    @property
    def open(self) -> bool:
        """Whether dispatches advance it."""
        return self.status == OPEN

    @property
    def terminal(self) -> bool:
        """Whether it has ended, so that its record never changes again."""
        return self.status not in (OPEN, HELD)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """What is left to do although the operation is complete."""
        if self.status != COMPLETE:
            return ()
        return tuple(entry.reason for entry in self.steps if entry.state == BROKEN)

    @property
    def at(self) -> str:
        """Its id, its step and the Juju task of the step, for logs."""
        task = self.current.task
        return f'{self.id}: {self.step}' + (f' (task {task})' if task is not None else '')

    @property
    def current(self) -> StepEntry:
        """The record of the current step."""
        return self.entry(self.step)

    def entry(self, name: str) -> StepEntry:
        """Return the record of a step; KeyError when there is none."""
        for entry in self.steps:
            if entry.name == name:
                return entry
        raise KeyError(name)

    @property
    def seconds(self) -> dict[str, int]:
        """How long each step took that has ended."""
        spent = {entry.name: entry.seconds for entry in self.steps}
        return {name: seconds for name, seconds in spent.items() if seconds is not None}

    def fact(self, name: str, default: str = '') -> str:
        """Return a fact that an earlier step or look has left."""
        return self.facts.get(name, default)

    def following(self, names: tuple[str, ...]) -> Operation:
        """Return the record with the steps of a plan that another revision has changed.

        Steps that are new are still to do; those that are gone stay, for people to see.
        """
        known = tuple(entry.name for entry in self.steps)
        if known == names:
            return self
        entries = {entry.name: entry for entry in self.steps}
        gone = tuple(entry for entry in self.steps if entry.name not in names)
        steps = tuple(entries.get(name, StepEntry(name)) for name in names)
        return dataclasses.replace(self, steps=gone + steps)

    def begun_outside(self, names: tuple[str, ...]) -> list[str]:
        """Return the started steps that are not in the plan, so that it cannot undo them."""
        return [entry.name for entry in self.steps if entry.begun and entry.name not in names]

    # --- Transitions -------------------------------------------------------------------

    def aged(self, age: int) -> Operation:
        """Return the operation at this age. A step without a starting age starts now."""
        older = dataclasses.replace(self, age=age)
        entry = self.current
        return older._with_step(self.step, began=age) if _uncounted(entry) else older

    def _with_step(self, name: str, **changes: Any) -> Operation:
        steps = tuple(
            dataclasses.replace(entry, **changes) if entry.name == name else entry
            for entry in self.steps
        )
        return dataclasses.replace(self, steps=steps)

    def putting_aside(self, step: str, text: str) -> Operation:
        """Keep a message that the record has no room for: the history gets it."""
        message = Overflow(step, plain.one_line(text, errors.LONGEST))
        return dataclasses.replace(self, cut=self.cut + 1, said=(*self.said, message))

    def _saying(self, text: str) -> Operation:
        """Keep a message for the history if the record neither has it nor has room for it."""
        line = plain.one_line(text)
        held = (self.error, *self.problems, *self.warnings, *(e.reason for e in self.steps))
        if line == plain.one_line(text, errors.LONGEST) or line in held:
            return self
        return self.putting_aside(self.step, text)

    def remembering(self, facts: Mapping[str, str]) -> Operation:
        """Add facts."""
        return dataclasses.replace(self, facts={**self.facts, **facts}) if facts else self

    def beginning(
        self, watermark: int, facts: Mapping[str, str], now: datetime.datetime
    ) -> Operation:
        """Record the intent: from now on the current step may have had its effect."""
        entry = self.current
        begun = self._with_step(
            self.step,
            state=DOING,
            attempts=entry.attempts + 1,
            since=times.stamp(now),
            began=self.age,
            started=entry.started or times.stamp(now),
            reason='',
            task=None,
        )
        return dataclasses.replace(begun, watermark=watermark).remembering(facts)

    def waiting(self, reason: str, now: datetime.datetime, task: int | None = None) -> Operation:
        """Record why the current step waits. The result is equal if nothing has changed."""
        entry = self.current
        return self._saying(reason)._with_step(
            self.step,
            reason=plain.one_line(reason),
            task=task if task is not None else entry.task,
            since=entry.since or times.stamp(now),
            began=entry.began if entry.since else self.age,
        )

    def attempt_failed(self, reason: str) -> Operation:
        """Start another attempt of the current step, with a new intent.

        An attempt that could not start counts as well; otherwise the attempts would never end.
        """
        entry = self.current
        return self._saying(reason)._with_step(
            self.step,
            state=TO_DO,
            attempts=entry.attempts + (entry.state == TO_DO),
            reason=plain.one_line(reason),
            since='',
            began=None,
        )

    def step_ended(self, state: str, now: datetime.datetime, reason: str = '') -> Operation:
        """Record that the current step is done, failed or undone."""
        return self._saying(reason)._with_step(
            self.step,
            state=state,
            ended=times.stamp(now),
            reason=plain.one_line(reason),
            since='',
            began=None,
        )

    def moving_to(self, step: str) -> Operation:
        """Make another step the current one."""
        return dataclasses.replace(self, step=step, watermark=0)

    def turning_back(self, error: str, outcome: str = FAILED) -> Operation:
        """Undo from the current step back. Problems left to do are not the error."""
        first = '' if self.error in self.problems else self.error
        return dataclasses.replace(
            self._saying(error),
            undoing=True,
            outcome=outcome,
            error=first or plain.one_line(error),
        )

    def aborting(self, now: datetime.datetime) -> Operation:
        """Undo because the operator aborts. A running undo gets a new deadline."""
        # An operation that was already being undone after a failure remains `failed`.
        outcome = self.outcome if self.undoing else ABORTED
        back = self.turning_back('aborted by the operator', outcome)
        if back.current.state == UNDOING:
            back = back._with_step(self.step, since=times.stamp(now), began=None)
        return dataclasses.replace(back, status=OPEN)

    def going_on(self, why: str, now: datetime.datetime) -> Operation:
        """Continue with a step that can no longer be undone."""
        onward = self.with_problem(f'not aborted: {why}')
        return dataclasses.replace(
            onward._with_step(
                self.step, state=DOING, since=times.stamp(now), began=self.age, reason=''
            ),
            undoing=False,
            outcome=FAILED,
            error='',
        )

    def forced_to_end(self, now: datetime.datetime, remains: Iterable[str]) -> Operation:
        """End without an undo; `remains` is what the operator must know."""
        ended = self.with_problem(
            f'ended by force at {self.step} ({self.current.state}): nothing was undone'
        )
        for line in remains:
            ended = ended.with_problem(line)
        return ended.ending(ABORTED, now)

    def undo_begins(self, now: datetime.datetime) -> Operation:
        """Record that the current step is being undone."""
        return self._with_step(
            self.step, state=UNDOING, since=times.stamp(now), began=self.age, reason=''
        )

    def with_problem(self, text: str) -> Operation:
        """Add something that the operator should know; the first one is the error as well."""
        line, op = plain.one_line(text), self._saying(text)
        for problem in self.problems[: 1 - formats.MOST_PROBLEMS]:
            op = op.putting_aside(self.step, problem)
        problems = (*self.problems, line)[-formats.MOST_PROBLEMS :]
        return dataclasses.replace(op, problems=problems, error=self.error or line)

    def warned(self, text: str) -> Operation:
        """Add a risk that the operator should know of."""
        line = plain.one_line(text)
        if line in self.warnings:
            return self
        if len(self.warnings) == formats.MOST_PROBLEMS:
            return self.putting_aside(self.step, text)
        return dataclasses.replace(self._saying(text), warnings=(*self.warnings, line))

    def held(self, reason: str) -> Operation:
        """Hold the operation at this step until a person resumes or aborts it."""
        return dataclasses.replace(
            self._saying(reason)._with_step(self.step, reason=plain.one_line(reason)),
            status=HELD,
            error=self.error or plain.one_line(reason),
        )

    def resumed(
        self, now: datetime.datetime, parameters: Mapping[str, str] | None = None
    ) -> Operation:
        """Continue the held step, with new attempts and a new deadline."""
        entry = self.current
        since = times.stamp(now) if entry.state in (DOING, UNDOING) else ''
        forgiven = {FORGIVEN: str(entry.task)} if entry.task is not None else {}
        return dataclasses.replace(
            self._with_step(
                self.step, attempts=min(entry.attempts, 1), since=since, began=None, reason=''
            ),
            status=OPEN,
            # The cause of the hold is fixed, but an operation that is being undone has still
            # failed.
            error=self.error if self.undoing else '',
            parameters={**self.parameters, **(parameters or {})},
        ).remembering({**forgiven, RESUMED: str(self.age)})

    def ending(self, status: str, now: datetime.datetime) -> Operation:
        """End the operation. A complete one has no error, but something may be left to do."""
        error = '' if status == COMPLETE else self.error
        return dataclasses.replace(self, status=status, ended=times.stamp(now), error=error)

    # --- JSON ----------------------------------------------------------------------------

    def to_json(self) -> str:
        """Return the record as stored; equal operations give equal text."""
        # Not `dataclasses.asdict`: its deep copy would cost more than all else here.
        raw = {
            **vars(self),
            'format': formats.FORMAT,
            'settings': self.settings.to_dict(),
            'steps': [vars(entry) for entry in self.steps],
            'facts': dict(self.facts),
            'parameters': dict(self.parameters),
        }
        del raw['said']
        return json.dumps(raw, sort_keys=True, separators=(',', ':'), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Operation:
        """Read a record of any format up to today's; fields that are not known are ignored.

        Raises:
            ForeignRecordError: a newer version wrote it, or it is no operation record.
        """
        try:
            raw = formats.read(text)
            known = {field.name for field in dataclasses.fields(cls)} - {'said'}
            values = {key: value for key, value in raw.items() if key in known}
            values['settings'] = settings.Settings.from_dict(raw['settings'])
            step_fields = {field.name for field in dataclasses.fields(StepEntry)}
            values['steps'] = tuple(
                StepEntry(**{k: v for k, v in entry.items() if k in step_fields})
                for entry in raw['steps']
            )
            values['problems'] = tuple(raw['problems'])
            values['warnings'] = tuple(raw['warnings'])
            found = cls(**values)
            found.entry(found.step)  # KeyError if the current step is none of its steps.
            return found
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise errors.ForeignRecordError(
                f'the operation record in the peer relation cannot be read ({error!r}): '
                'no revision of this charm writes such a record'
            ) from error
