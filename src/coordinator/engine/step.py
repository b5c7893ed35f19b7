"""What a step is, and what it may answer."""

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
    """What the operator must still do himself, when there is such a thing."""
    warnings: Sequence[str] = ()
    """Risks that the operator should know of; they do not stop the operation."""

    def __post_init__(self) -> None:
        # They are logged as they are, so quotes from other charms must already be plain.
        plain_ones = tuple(plain.one_line(text, errors.LONGEST) for text in self.warnings)
        object.__setattr__(self, 'warnings', plain_ones)


@dataclasses.dataclass(frozen=True)
class Wait:
    """Not yet: a later dispatch looks again."""

    reason: str
    """For people; **stable while nothing changes**, or every look would be a checkpoint."""
    task: int | None = None
    """The Juju task that is waited for."""
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What was learned so far and must outlive this dispatch."""

    def __post_init__(self) -> None:
        # It quotes what other charms say, and is logged as it is.
        object.__setattr__(self, 'reason', plain.one_line(self.reason, errors.LONGEST))


Outcome = Done | Wait


@dataclasses.dataclass(frozen=True)
class Mark:
    """How the world looked just before a step's first effect: what is newer is the step's own."""

    watermark: int = 0
    """The newest Juju task id."""
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)


Handler = Callable[[operation.Operation, ports.World], Outcome]
Deadline = Callable[[settings.Settings], datetime.timedelta]


def minutes(count: int) -> Deadline:
    """Return a deadline that no setting changes."""
    return lambda _: datetime.timedelta(minutes=count)


_QUARTER_HOUR = minutes(15)


@dataclasses.dataclass(frozen=True)
class Step:
    """One named, repeatable piece of a plan.

    `do` may be entered any number of times, from the last checkpoint on: it looks before it
    acts and has at most one effect each time.
    """

    name: str
    tells: str
    """What it does, for the dry run; `report` fills in the model's names and numbers."""
    do: Handler
    mark: Callable[[operation.Operation, ports.World], Mark] | None = None
    """Looks, without any effect; its answer is stored before `do` is entered."""
    undo: Handler | None = None
    """Puts back what `do` did, as far as it got; re-entered like `do`."""
    deadline: Deadline = _QUARTER_HOUR
    """For one attempt."""
    undo_deadline: Deadline = _QUARTER_HOUR
    remains: Callable[[operation.Operation], Sequence[str]] | None = None
    """What may be left of it, or missing, when neither it nor its undo came to an end: out of the
    record alone, as the world may not answer then."""
    left_over: Callable[[operation.Operation, ports.World], Sequence[str]] | None = None
    """What is left over or missing, as the world shows it now; reported instead of `remains`."""
    attempts: int = 3
    only_looks: bool = False
    """`do` leaves nothing behind, so it needs no intent: it may follow in the same dispatch."""
    tolerated: bool = False
    """Its failure is reported, but does not stop what follows."""

    def remaining(self, op: operation.Operation, world: ports.World | None) -> Sequence[str]:
        """Return what the step has left over, from the world, or else from the record."""
        if self.left_over is not None and world is not None:
            try:
                return self.left_over(op, world)
            except Exception as error:
                # Whatever the error is, it must not keep an operation from ending.
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
    """Once this step is done, it and those before it stay done: only later ones are undone."""

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
        """Return what the operator must know of an operation that ends as it is."""
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
