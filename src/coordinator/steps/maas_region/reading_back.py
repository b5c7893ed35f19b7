"""Checks that maas-region itself can read the set's files backup, before it must restore it.

Objects in S3 do not prove that. Revisions before 333 cut digits off ids below some paths, one
damaged folder breaks the whole list and every restore, and a region may reach S3 by another route
than this unit.
"""

from __future__ import annotations

from coordinator import errors, integrators, ports
from coordinator.engine import operation, step
from coordinator.parts import maas_backup
from coordinator.steps import site, tasks
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.s3_integrators import aiming

_ACTION = 'list-backups'
_ASKED = 'list-backups-asked'
"""Fact: the newest task whose answer was not good enough."""
_DOUBTED = 'list-backups-doubted'
"""Fact: since when the answers are not good enough."""
_ARRIVES_WITHIN = 120
"""Seconds: how long an integrator's change takes to arrive at maas-region."""
_PAUSES = 'list-backups-pauses'
"""Fact: since when nobody was asked again."""
_PAUSE_SECONDS = 20
FINISHED = 'finished'


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task."""
    return step.Mark(tasks.newest(world, _ACTION))


def ask(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have every region list the files backups, and find the set's among those finished."""
    app = site.look(world, op.settings.maas)
    oldest = max(op.watermark, int(op.fact(_ASKED) or 0))
    asked = {
        task.unit: task
        for task in world.juju.tasks(_ACTION)
        if task.id > oldest and not tasks.is_forgiven(op, task)
    }
    units = sorted(app.units, key=site.number)
    for unit in units:
        if unit not in asked:
            task = world.juju.run_action(unit, _ACTION, {})
            return step.Wait(f'{unit} is listing its backups (task {task.id})', task.id)
    for unit in units:
        if not asked[unit].ended:
            waits = f'{unit} is listing its backups (task {asked[unit].id})'
            return tasks.awaiting(op, world, [asked[unit]], waits, tasks.replacing(app.name))
    for unit in units:
        why = _unreadable(op, world, world.juju.task(asked[unit].id))
        if why:
            return _again(op, world, why, max(task.id for task in asked.values()))
    return step.Done()


def _unreadable(op: operation.Operation, world: ports.World, task: ports.Task) -> str:
    """Return why a region could not restore the set's files; '' if it could.

    Raises:
        RetryStepError: its task was interrupted.
    """
    if task.status != 'completed':
        try:
            tasks.judge(task)
        except errors.RetryStepError:
            raise
        except errors.StepError as error:
            return '. '.join(filter(None, (str(error), _breaking(world))))
    backup_id = chosen_set.of(op).maas.backup_id
    status = listed(task.results.get('backups', '')).get(backup_id)
    if status == FINISHED:
        return ''
    found = f'as {status}' if status else 'not at all'
    where = integrators.where(world.maas_store.place)
    return (
        f'{task.unit} lists files backup {backup_id} of {where} {found} instead of as {FINISHED} '
        f'(task {task.id}), so it could not restore it: '
        f'juju run {task.unit} {_ACTION} shows the list. '
        'Revisions of maas-region before 333 remove digits from ids if the path contains digits: '
        f'juju refresh {op.settings.maas}'
    )


def _breaking(world: ports.World) -> str:
    """Return which folder breaks the list, as far as that can be seen from here."""
    try:
        broken = maas_backup.breaking(world.maas_store)
    except errors.CoordinatorError:
        return ''
    if not broken:
        return ''
    where = integrators.where(world.maas_store.place)
    return (
        f'{maas_backup.folder(broken[0])} in {where} is empty or has metadata that is not JSON, '
        'so maas-region can neither list nor restore any backup: '
        f'delete it from the bucket, then run the restore again ({len(broken)} such folder(s))'
    )


def listed(table: str) -> dict[str, str]:
    """Return the status of each backup, by its id, out of what the action prints."""
    rows = [[cell.strip() for cell in line.split('|')] for line in table.splitlines()]
    head = next((row for row in rows if row[:1] == ['backup-id']), [])
    if 'status' not in head:
        return {}
    column = head.index('status')
    return {row[0]: row[column] for row in rows if len(row) > column and row != head}


def _again(op: operation.Operation, world: ports.World, why: str, newest: int) -> step.Wait:
    """Ask the regions again if the integrator has just been aimed at the set.

    Raises:
        StepError: the new settings must have reached them by now.
    """
    if op.settings.s3_maas not in aiming.aimed(op):
        raise errors.StepError(why)
    facts = tasks.patience(op, _DOUBTED, _ARRIVES_WITHIN)
    if facts is None:
        raise errors.StepError(why)
    again = {_ASKED: str(newest), _PAUSES: ''}
    pauses = tasks.patience(op, _PAUSES, _PAUSE_SECONDS)
    return step.Wait(why, facts={**facts, **(pauses or again)})
