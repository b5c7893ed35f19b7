"""Steps on the MAAS region controllers: what MAAS keeps outside its database."""

from __future__ import annotations

from coordinator import errors, object_keys, ports
from coordinator.engine import operation, step
from coordinator.parts import maas_backup
from coordinator.record import repository
from coordinator.sets import catalogue
from coordinator.steps import tasks
from coordinator.steps.maas_region import turns

BACKUP_ID = 'maas-backup-id'
CHANGED = 'maas-backups-changed'
_REQUESTED = 'maas-backup-requested'
"""Fact: the last request for a backup below this path, as it was at the mark."""


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task, S3's last change, and who began the last backup."""
    tasks.refuse_while_running(world, op.settings.maas, 'create-backup')
    facts = {
        CHANGED: maas_backup.latest_change(world.maas_store),
        _REQUESTED: _request(maas_backup.last_request(world.maas_store)),
    }
    return step.Mark(tasks.newest(world, 'create-backup'), {**facts, **turns.announcing(op)})


def _request(found: maas_backup.Request | None) -> str:
    return f'{found.stored.modified.isoformat()} {found.stored.etag}' if found else ''


def back_up(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have the leading region controller store images, preseeds and controller ids."""
    task = tasks.find(op, world, op.settings.maas, 'create-backup', {})
    if task is None:
        # Juju may have lost the task together with its unit: the bucket has the last word.
        left = _proven(op, world)
        if left:
            turns.give_up(op, world)
            return step.Done({BACKUP_ID: left, **turns.taken_back()})
        waiting = turns.await_turn(op, world)
        if waiting is not None:
            return waiting
        task = world.juju.run_action(world.juju.leader(op.settings.maas), 'create-backup', {})
    waiting = turns.pass_on(op, world, task)
    if waiting is not None:
        return waiting
    if not task.ended:
        why = f'{task.unit} is backing up its files (task {task.id})'
        # An undo needs no decision: PostgreSQL's units were requested, and the undo waits for
        # them.
        return tasks.awaiting(op, world, [task], why, tasks.replacing(op.settings.maas))
    backup_id = _named_by(world, task) or _proven(op, world, task.unit)
    if backup_id:
        return step.Done({BACKUP_ID: backup_id})
    waiting = tasks.await_objects(op, task)
    if waiting is not None:
        return waiting
    if 'not the leader' in task.message:
        raise errors.RetryStepError(f'{task.unit} is no longer the leader (task {task.id})')
    tasks.judge(task)


def _named_by(world: ports.World, task: ports.Task) -> str:
    """Return the id that a completed task names at the end of a sentence, if it is in S3."""
    if task.status != 'completed':
        return ''
    named = object_keys.ID.search(task.results.get('backups', ''))
    return named.group() if named and _is_finished(world, named.group()) else ''


def _proven(op: operation.Operation, world: ports.World, unit: str = '') -> str:
    """Return a backup that is provably ours although no task names it; '' if there is none.

    Other models may back up below the same path, and a backup does not name its model. But each
    backup begins by overwriting the last request. So a backup is ours if that request is of our
    unit, if only this backup has changed since the mark and began right after the request, and if
    no other model uses the repository. Times of S3 are compared only with each other, and so are
    times of the unit.
    """
    store = world.maas_store
    request = maas_backup.last_request(store)
    # An operation that an older revision began has not noted what was there before.
    if request is None or _request(request) == op.fact(_REQUESTED, _request(request)):
        return ''
    said = (request.model, request.application) == (world.model_name, op.settings.maas)
    changed = maas_backup.changed_since(store, op.fact(CHANGED))
    if not said or unit not in ('', request.unit) or len(changed) != 1:
        return ''
    (name,) = changed
    if not request.may_have_made(name) or not _is_finished(world, name):
        return ''
    found = maas_backup.read(store, name)
    began = min(item.modified for item in found.objects)
    ours = found.unit == request.unit and began >= request.stored.modified
    return name if ours and _is_alone(op, world) else ''


def _is_alone(op: operation.Operation, world: ports.World) -> bool:
    """Whether everything in the repository belongs to this model."""
    entries = catalogue.with_failed(repository.of(op, world))
    return all(entry.model_uuid == world.model_uuid for entry in entries)


def _is_finished(world: ports.World, backup_id: str) -> bool:
    try:
        maas_backup.read(world.maas_store, backup_id)
    except (maas_backup.UnfinishedError, errors.NotFound):
        return False
    return True


def cancel(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: no backup continues after the operation has abandoned it."""
    outcome = tasks.cancel(op, world, op.settings.maas, 'create-backup', {})
    if isinstance(outcome, step.Wait):
        return outcome
    turns.give_up(op, world)
    return step.Done(turns.taken_back())


def remains(op: operation.Operation) -> list[str]:
    """Return what may be left of a backup when an operation ends as it is."""
    return [*tasks.remains(op), *turns.remains(op)]
