"""What an operator may do with an operation that is under way: resume it, or abort it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from coordinator import errors, ports
from coordinator.engine import operation
from coordinator.operations import plans


def resumed(
    op: operation.Operation | None, now: datetime.datetime, parameters: Mapping[str, str]
) -> operation.Operation:
    """Return the held operation such that it goes on.

    Raises:
        PreconditionError: none is held.
    """
    if op is None or op.status != operation.HELD:
        raise errors.PreconditionError(f'no operation is held: {_state(op)}')
    return op.resumed(now, parameters)


def aborted(
    op: operation.Operation | None,
    now: datetime.datetime,
    *,
    force: bool = False,
    world: ports.World | None = None,
) -> operation.Operation:
    """Return the open or held operation, set to undo what it did.

    With `force` it ends at once and undoes nothing. What is left over is read from `world`, or
    from the record if there is no world.

    Raises:
        PreconditionError: none is under way, or it cannot be undone.
    """
    if op is None or op.terminal:
        raise errors.PreconditionError(f'no operation is running: {_state(op)}')
    if force:
        return op.forced_to_end(now, _remains(op, world))
    plan = plans.of(op)
    if plan is None or plan.find(op.step) is None:
        raise errors.PreconditionError(
            f'this revision of the charm does not know step {op.step} of {op.kind}, '
            'and cannot undo it: refresh to the revision that started it, '
            'or end it without an undo with force=true'
        )
    task = op.current.task if plan.past_pivot(op.step) and not op.undoing else None
    if plan.beyond_pivot(op.step) or task is not None:
        begun = 'has begun' if plan.beyond_pivot(op.step) else f'task {task} may have begun'
        # Only a held operation needs a person.
        onward = (
            'fix what show-operation names, then run resume-operation'
            if op.status == operation.HELD
            else 'let it continue, and follow it with show-operation'
        )
        raise errors.PreconditionError(
            f'{op.kind} {op.id} is at {op.step} and {begun} to replace data, '
            f'so it cannot be undone: {onward}, or end it without an undo with force=true'
        )
    return op.aborting(now)


def _remains(op: operation.Operation, world: ports.World | None) -> list[str]:
    plan = plans.of(op)
    return plan.remains(op, world) if plan is not None else []


def _state(op: operation.Operation | None) -> str:
    return 'there is none' if op is None else f'{op.kind} {op.id} is {op.status}'
