"""Steps and plans: what a step is, and what it returns."""

from __future__ import annotations

import dataclasses
import datetime
import logging
from collections.abc import Callable, Mapping, Sequence

from coordinator import errors, plain, ports
from coordinator.engine import operation, settings

logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Done:
    """The step has reached its goal. Facts are strings that later steps need."""

    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    left: str = ''
    """What the operator must still do; '' if nothing."""
    warnings: Sequence[str] = ()
    """Risks that the operator should know of; they do not stop the operation."""

    def __post_init__(self) -> None:
        # They are logged as they are, so quotes from other charms must already be plain.
        plain_ones = tuple(plain.one_line(text, errors.LONGEST) for text in self.warnings)
        object.__setattr__(self, 'warnings', plain_ones)


@dataclasses.dataclass(frozen=True)
class Wait:
    """The step has not reached its goal yet: a later dispatch enters it again."""

    reason: str
    """For people. It must be **the same while nothing changes**; otherwise every dispatch would
    store a checkpoint."""
    task: int | None = None
    """Id of the Juju task that the step waits for."""
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Facts that later dispatches need."""

    def __post_init__(self) -> None:
        # It quotes what other charms say, and is logged as it is.
        object.__setattr__(self, 'reason', plain.one_line(self.reason, errors.LONGEST))


Outcome = Done | Wait


@dataclasses.dataclass(frozen=True)
class Mark:
    """State of the world just before the first effect of a step, which caused all newer things."""

    watermark: int = 0
    """The newest Juju task id."""
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


Handler = Callable[[operation.Operation, ports.World], Outcome]
Deadline = Callable[[settings.Settings], datetime.timedelta]


def minutes(count: int) -> Deadline:
    """Return a deadline that is the same for all settings."""
    return lambda _: datetime.timedelta(minutes=count)


_QUARTER_HOUR = minutes(15)


@dataclasses.dataclass(frozen=True)
class Step:
    """One named, repeatable piece of a plan.

    `do` may be called any number of times from the last checkpoint. It checks the world before it
    acts, and has at most one effect per call.
    """

    name: str
    tells: str
    """What it does, for the dry run; `report` fills in the model's names and numbers."""
    do: Handler
    mark: Callable[[operation.Operation, ports.World], Mark] | None = None
    """Reads the world without any effect. Its result is stored before `do` is called."""
    undo: Handler | None = None
    """Reverses what `do` did, as far as it got. Called any number of times, like `do`."""
    deadline: Deadline = _QUARTER_HOUR
    """For one attempt."""
    undo_deadline: Deadline = _QUARTER_HOUR
    remains: Callable[[operation.Operation], Sequence[str]] | None = None
    """Returns what may be left over or missing if neither the step nor its undo ended. It only
    uses the record, because the world may not answer then."""
    left_over: Callable[[operation.Operation, ports.World], Sequence[str]] | None = None
    """Returns what is left over or missing in the world now. If it succeeds, it replaces
    `remains`."""
    attempts: int = 3
    only_looks: bool = False
    """Whether `do` has no effect. Such a step needs no intent, so it may follow in the same
    dispatch."""
    tolerated: bool = False
    """Whether the operation continues if the step fails, and only reports it."""

    def remaining(self, op: operation.Operation, world: ports.World | None) -> Sequence[str]:
        """Return what the step has left over, from the world, or else from the record."""
        if self.left_over is not None and world is not None:
            try:
                return self.left_over(op, world)
            except Exception as error:
                # No error here may prevent the end of an operation.
                logger.warning(
                    '%s: cannot find out what is left over: %s', op.at, type(error).__name__
                )
        return self.remains(op) if self.remains is not None else ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """The ordered steps of one kind of operation."""

    kind: str
    steps: tuple[Step, ...]
    pivot: str = ''
    """From this step on an error holds the operation instead of undoing it."""
    commit: str = ''
    """Once this step is done, an undo only reverses later steps."""

    def reached(self, op: operation.Operation) -> bool:
        """Whether an operation at its end has achieved the purpose of the plan.

        It has published, or restored and verified. Anything else that failed was tolerated and is
        left to do. A plan without such a step needs all of its steps.
        """
        goal = self.commit or self.pivot
        return bool(goal) and op.entry(goal).state == operation.DONE

    @property
    def names(self) -> tuple[str, ...]:
        """The steps' names, in order."""
        return tuple(step.name for step in self.steps)

    def find(self, name: str) -> Step | None:
        """Return the step of this name, if the plan has it."""
        return next((step for step in self.steps if step.name == name), None)

    def remains(self, op: operation.Operation, world: ports.World | None = None) -> list[str]:
        """Return what the operator must know if an operation ends without an undo."""
        # A held operation may be of a revision with fewer steps.
        op = op.following(self.names)
        lines = (line for step in reversed(self.steps) for line in step.remaining(op, world))
        # Two steps may report the same thing.
        return list(dict.fromkeys(lines))

    def beyond_pivot(self, name: str) -> bool:
        """Whether a step comes after the pivot: the pivot itself may not have done anything."""
        return self.past_pivot(name) and name != self.pivot

    def past_pivot(self, name: str) -> bool:
        """Whether a failure in this step can no longer be undone."""
        return bool(self.pivot) and self.names.index(name) >= self.names.index(self.pivot)
