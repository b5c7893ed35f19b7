"""Steps that keep the set of a restore from being deleted meanwhile, whichever model would do it.

The mark goes first, and the manifest is looked for after it. Who deletes a set takes its manifest
away first, and looks for marks after that. So one of the two always sees the other.
"""

from __future__ import annotations

import contextlib

from coordinator import catalogue, errors, marks, operation, ports, step
from coordinator.steps import repository, restore_checks, tasks

_KEY = 'in-use-mark'
"""Fact: key of the mark, set while it may be there."""
_LATE = 'unmark-since'
"""Fact: since when S3 does not let the mark be removed."""
_PATIENCE = 600


def announce(op: operation.Operation, world: ports.World) -> step.Mark:
    """Note under which key the mark is going to be."""
    backup_id = restore_checks.backup_set(op).backup_id
    name = marks.use_name(world.model_uuid, op.id)
    return step.Mark(facts={_KEY: catalogue.folder(backup_id) + name})


def mark(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Say that this restore uses the set, and make sure that it is still there."""
    store, backup_id = repository.of(op, world), restore_checks.backup_set(op).backup_id
    store.put(op.fact(_KEY), b'')
    try:
        catalogue.opened(store, backup_id)
    except errors.NotFound:
        raise errors.StepError(
            f'backup set {backup_id} was deleted meanwhile: list-backups shows what is there'
        ) from None
    return step.Done()


def unmark(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Say that it uses the set no more: also the undo."""
    if op.fact(_KEY):
        repository.of(op, world).delete(op.fact(_KEY))
    return step.Done({_KEY: ''})


def unmark_at_last(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Say so after all else is done: S3 that does not answer makes no restore a failed one."""
    try:
        return unmark(op, world)
    except errors.TransientError as error:
        facts = tasks.patience(op, _LATE, _PATIENCE)
        if facts is not None:
            return step.Wait('the mark on the backup set is to be removed from S3', facts=facts)
        return step.Done(left=f'{_left(op)}: {error}')
    except errors.StepError as error:
        return step.Done(left=f'{_left(op)}: {error}')


def forget(op: operation.Operation, world: ports.World) -> None:
    """Take the mark off when the operation was ended by force; S3 may refuse, a week ends it."""
    if op.fact(_KEY):
        with contextlib.suppress(errors.CoordinatorError):
            unmark(op, world)


def remains(op: operation.Operation) -> list[str]:
    """Return what may be left of it when an operation ends as it is."""
    return [_left(op)] if op.fact(_KEY) else []


def _left(op: operation.Operation) -> str:
    backup_id = restore_checks.backup_set(op).backup_id
    days = marks.COUNTS_FOR.days
    return (
        f'backup set {backup_id} may still be marked as in use, and cannot be deleted for {days} '
        f'days: {op.fact(_KEY)} in the repository is the mark'
    )
