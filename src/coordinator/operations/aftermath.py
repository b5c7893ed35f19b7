"""What is still left to do after an operation that has ended, as the site shows it now.

The operation's own record never changes. What is found here is kept beside it.
"""

from __future__ import annotations

import logging

from coordinator import errors, ports
from coordinator.engine import operation, step
from coordinator.operations import plans
from coordinator.steps.postgresql import scaling

logger = logging.getLogger(__name__)


def left(op: operation.Operation, world: ports.World) -> list[str]:
    """Return what a person must still do after an ended operation; empty if nothing.

    What the controller shows is checked. The rest, such as objects in S3, is what the record
    says of it.

    Raises:
        CoordinatorError: the controller does not answer.
    """
    plan = plans.PLANS[plans.named(op.kind, op.parameters)]
    # It may be of a revision with fewer steps.
    op = op.following(plan.names)
    begun = [each for each in plan.steps if op.entry(each.name).begun or _undone(op, each)]
    if op.status == operation.COMPLETE:
        begun = [each for each in begun if op.entry(each.name).state == operation.BROKEN]
    lines = [line for each in reversed(begun) for line in _of(each, op, world)]
    if any(each.left_over is scaling.left_over for each in begun):
        lines.append(scaling.unwell(op, world))
    # Two steps may look at the same thing.
    return list(dict.fromkeys(filter(None, lines)))


def seen(op: operation.Operation, world: ports.World) -> list[str] | None:
    """Return the same; None if it cannot be found out now."""
    try:
        return left(op, world)
    except Exception as error:
        # Whatever it is: no hook of a site that is at rest may fail for it.
        logger.info('%s: cannot find out what is left to do: %s', op.at, _reason(error))
        return None


def _reason(error: Exception) -> str:
    ours = isinstance(error, errors.CoordinatorError)
    return str(error) if ours else f'internal error ({type(error).__name__})'


def _undone(op: operation.Operation, each: step.Step) -> bool:
    return op.entry(each.name).state in (operation.UNDOING, operation.UNDONE)


def _of(each: step.Step, op: operation.Operation, world: ports.World) -> list[str]:
    entry = op.entry(each.name)
    if each.left_over is not None:
        return list(each.left_over(op, world))
    if op.status == operation.COMPLETE:
        return [entry.reason]
    # What was undone properly has left nothing that nobody can see.
    return list(each.remains(op)) if each.remains and entry.state != operation.UNDONE else []
