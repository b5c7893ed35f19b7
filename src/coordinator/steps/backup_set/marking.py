"""Steps that protect the set from deletion during a restore, whichever model would delete it.

A restore first writes the mark and then checks that the manifest exists. A deletion first deletes
the manifest and then checks for marks. So at least one of the two notices the other.
"""

from __future__ import annotations

import contextlib

from coordinator import errors, ports
from coordinator.engine import operation, step
from coordinator.record import repository
from coordinator.sets import catalogue, marks
from coordinator.steps import tasks
from coordinator.steps.backup_set import chosen_set

_KEY = 'in-use-mark'
"""Fact: key of the mark, set while it may be there."""
_LATE = 'unmark-since'
"""Fact: since when S3 has refused to delete the mark."""
_PATIENCE = 600


def announce(op: operation.Operation, world: ports.World) -> step.Mark:
    """Note the key of the mark before it is written."""
    backup_id = chosen_set.of(op).backup_id
    name = marks.use_name(world.model_uuid, op.id)
    return step.Mark(facts={_KEY: catalogue.folder(backup_id) + name})


def mark(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Mark the set as in use, and check that it still exists."""
    store, backup_id = repository.of(op, world), chosen_set.of(op).backup_id
    store.put(op.fact(_KEY), b'')
    try:
        catalogue.opened(store, backup_id)
    except errors.NotFound:
        raise errors.StepError(
            f'backup set {backup_id} was deleted in the meantime: '
            'list-backups shows the sets that are left'
        ) from None
    return step.Done()


def unmark(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Remove the mark; also the undo."""
    if op.fact(_KEY):
        repository.of(op, world).delete(op.fact(_KEY))
    return step.Done({_KEY: ''})


def unmark_at_last(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Remove the mark at the end of a restore; if S3 is unreachable, only leave a note."""
    try:
        return unmark(op, world)
    except errors.TransientError as error:
        facts = tasks.patience(op, _LATE, _PATIENCE)
        if facts is not None:
            return step.Wait('the mark on the backup set is being removed from S3', facts=facts)
        return step.Done(left=f'{_left(op)}: {error}')
    except errors.StepError as error:
        return step.Done(left=f'{_left(op)}: {error}')


def forget(op: operation.Operation, world: ports.World) -> None:
    """Remove the mark of an operation that was ended by force.

    If S3 refuses, the mark expires in a week.
    """
    if op.fact(_KEY):
        with contextlib.suppress(errors.CoordinatorError):
            unmark(op, world)


def remains(op: operation.Operation) -> list[str]:
    """Return what may be left of it when an operation ends as it is."""
    return [_left(op)] if op.fact(_KEY) else []


def _left(op: operation.Operation) -> str:
    backup_id = chosen_set.of(op).backup_id
    days = marks.COUNTS_FOR.days
    return (
        f'backup set {backup_id} may still be marked as in use, and cannot be deleted for {days} '
        f'days unless you delete the mark, {op.fact(_KEY)} in the repository'
    )
