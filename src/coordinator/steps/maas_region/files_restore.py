"""Steps that make each region restore its files, each with a separate controller id."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from coordinator import errors, ports
from coordinator.engine import facts, operation, step
from coordinator.steps import other_databases, relations, site, tasks
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.postgresql import database_restore, new_path
from coordinator.steps.s3_integrators import aiming

_FIRST = 'restore-maas-watermark'
"""Fact: the newest task before the first attempt."""
_READY = 'postgresql-ready'
"""Fact: PostgreSQL needs nothing more, although regions still restore."""
_REGION_ATTEMPTS = 3
_RESTORING = 'restoring: '
"""How it is said that each region has begun, or is done."""


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task; another attempt keeps to what the first has done."""
    first = op.fact(_FIRST) or str(tasks.newest(world, 'restore-backup'))
    return step.Mark(int(first), {_FIRST: first})


def mark_detach(op: operation.Operation, world: ports.World) -> step.Mark:
    """Assign a controller id to each region while an undo is still possible."""
    mark = relations.mark_detach(op, world)
    if facts.CONTROLLERS.known(op):
        return mark
    status = world.juju.status()
    # Nothing is replaced yet: one that was related since the check is asked for as well.
    other_databases.check(status, op.settings, op.parameters)
    app = site.application(status, op.settings.maas)
    ids = chosen_set.of(op).maas.controllers
    if len(app.units) != len(ids):
        raise errors.StepError(
            f'{app.name} has {len(app.units)} units now, but the set has {len(ids)} '
            'controllers: add or remove units until the numbers are equal (juju add-unit, '
            'juju remove-unit), then run restore-all again'
        )
    given = dict(zip(sorted(app.units, key=site.number), ids, strict=True))
    return step.Mark(mark.watermark, {**mark.facts, **facts.CONTROLLERS.put(given)})


def restore(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Make all regions restore at the same time. If one fails, only that region repeats it."""
    waiting = tasks.runs_on(op, world, 'restore-backup')
    if waiting is not None and waiting.reason.startswith(_RESTORING):
        # All regions have begun.
        return waiting
    given = facts.CONTROLLERS.of(op)
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    app = site.application(status, op.settings.maas)
    again = relations.keep_detached(op, world, status)
    if again is not None:
        return again
    if set(given) != set(app.units):
        return _other_regions(app, given)
    backup_id = chosen_set.of(op).maas.backup_id
    begun = [
        task
        for task in world.juju.tasks('restore-backup')
        if task.id > op.watermark and task.parameters.get('backup-id') == backup_id
    ]
    running: list[ports.Task] = []
    for unit, controller in given.items():
        own = [task for task in begun if _is_for(task, unit, controller)]
        # The task's status decides: a restore that failed calls itself finished in its results.
        if any(task.status == 'completed' for task in own):
            continue
        if own and not own[-1].ended:
            running.append(own[-1])
            continue
        # The charm would report the backup id as invalid.
        moved = aiming.moved(op, world, op.settings.s3_maas)
        if moved:
            raise errors.StepError(moved)
        failed = [task for task in own if not tasks.is_forgiven(op, task)]
        if len(failed) >= _REGION_ATTEMPTS:
            tasks.judge(world.juju.task(own[-1].id))
        task = world.juju.run_action(
            unit, 'restore-backup', {'backup-id': backup_id, 'controller-id': controller}
        )
        return step.Wait(f'{unit} starts to restore (task {task.id})', task.id)
    if running:
        names = ', '.join(f'{task.unit} (task {task.id})' for task in running)
        after = relations.replacing(app.name)
        waits = tasks.awaiting(op, world, running, f'{_RESTORING}{names}', after)
        return dataclasses.replace(waits, facts={**waits.facts, **_meanwhile(op, world)})
    return step.Done()


def _meanwhile(op: operation.Operation, world: ports.World) -> Mapping[str, str]:
    """Move PostgreSQL's backups while the regions restore; return the facts to store.

    MAAS is down until both are done. What is in the way is left to the steps that follow.
    """
    if op.fact(_READY):
        return {}
    try:
        proof = database_restore.await_restored(op, world)
        if isinstance(proof, step.Wait) or proof.facts:
            # They decide what comes next, so they are stored first.
            return proof.facts
        moving = new_path.renew_postgresql(op, world)
    except errors.StepError:
        return {}
    return moving.facts if isinstance(moving, step.Wait) else {_READY: 'true'}


def _other_regions(app: ports.Application, given: Mapping[str, str]) -> step.Wait:
    """Pass the controller ids of regions that are gone on to those that came in their place.

    Raises:
        StepError: there are more or fewer regions than controller ids.
    """
    gone = sorted(given.keys() - app.units.keys(), key=site.number)
    come = sorted(app.units.keys() - given.keys(), key=site.number)
    if len(gone) != len(come):
        raise errors.StepError(
            f'{app.name} has {len(app.units)} units, but the set has {len(given)} controllers: '
            f'the restore began with {", ".join(sorted(given))}. '
            f'Add or remove units until there are {len(given)}, then run resume-operation'
        )
    kept = {unit: controller for unit, controller in given.items() if unit not in gone}
    passed_on = {new: given[old] for old, new in zip(gone, come, strict=True)}
    return step.Wait(
        f'{", ".join(come)} restore in place of {", ".join(gone)}',
        facts=facts.CONTROLLERS.put({**kept, **passed_on}),
    )


def _is_for(task: ports.Task, unit: str, controller: str) -> bool:
    return task.unit == unit and task.parameters.get('controller-id') == controller
