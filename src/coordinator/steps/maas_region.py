"""Steps on the MAAS region controllers: what MAAS keeps outside its database."""

from __future__ import annotations

import re

from coordinator import errors, maas_backup, operation, ports, step
from coordinator.steps import tasks

BACKUP_ID = 'maas-backup-id'
CHANGED = 'maas-backups-changed'
_ID = re.compile(r'\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z')


def mark_back_up(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task, and when a backup in S3 last changed."""
    tasks.refuse_while_running(world, op.settings.maas, 'create-backup')
    changed = maas_backup.latest_change(world.maas_store)
    return step.Mark(tasks.newest(world, 'create-backup'), {CHANGED: changed})


def back_up(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have the leading region controller store images, preseeds and controller ids."""
    task = tasks.find(op, world, op.settings.maas, 'create-backup', {})
    if task is None:
        # Juju may have lost the task together with its unit: the bucket has the last word.
        left = _finished(op, world)
        if left:
            return step.Done({BACKUP_ID: left})
        task = world.juju.run_action(world.juju.leader(op.settings.maas), 'create-backup', {})
    if not task.ended:
        return step.Wait(f'{task.unit} is backing up its files (task {task.id})', task.id)
    backup_id = _named_by(world, task) or _finished(op, world)
    if backup_id:
        return step.Done({BACKUP_ID: backup_id})
    waiting = tasks.await_objects(op, task)
    if waiting is not None:
        return waiting
    if 'not the leader' in task.message:
        raise errors.RetryStepError(f'{task.unit} ceased to lead meanwhile (task {task.id})')
    tasks.judge(task)


def _named_by(world: ports.World, task: ports.Task) -> str:
    """Return the id that a completed task names at the end of a sentence, if it is in S3."""
    if task.status != 'completed':
        return ''
    named = _ID.search(task.results.get('backups', ''))
    return named.group() if named and _is_finished(world, named.group()) else ''


def _finished(op: operation.Operation, world: ports.World) -> str:
    """Return the newest backup that is finished and newer than the mark, or ''."""
    candidates = maas_backup.changed_since(world.maas_store, op.fact(CHANGED))
    return next((name for name in reversed(candidates) if _is_finished(world, name)), '')


def _is_finished(world: ports.World, backup_id: str) -> bool:
    try:
        maas_backup.read(world.maas_store, backup_id)
    except (maas_backup.UnfinishedError, errors.NotFound):
        return False
    return True


def cancel_back_up(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: no backup goes on after the operation has given it up."""
    return tasks.cancel(op, world, op.settings.maas, 'create-backup', {})
