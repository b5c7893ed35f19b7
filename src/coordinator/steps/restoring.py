"""Steps that put the data of a backup set in place: PostgreSQL's, and each region's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import NoReturn

from coordinator import errors, ports
from coordinator.engine import facts, operation, step
from coordinator.record import repository
from coordinator.steps import (
    aiming,
    maas_status,
    other_databases,
    passwords,
    postgresql,
    relations,
    restore_checks,
    restored,
    site,
    tasks,
)

_FIRST = 'restore-maas-watermark'
"""Fact: the newest task before the first attempt."""
_READY = 'postgresql-ready'
"""Fact: PostgreSQL needs nothing more, although regions still restore."""
_REGION_ATTEMPTS = 3
_RESTORING = 'restoring: '
"""How it is said that each region has begun, or is done."""


def apply_passwords(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Give PostgreSQL the passwords that the restored database expects."""
    return passwords.apply(op, world, restore_checks.backup_set(op), repository.of(op, world))


def take_passwords_back(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: give PostgreSQL the passwords that were in force."""
    # Not the parameter, which may be `latest`.
    return passwords.take_back(op, world, restore_checks.backup_set(op).backup_id)


def password_remains(op: operation.Operation) -> list[str]:
    """Return which secrets are in the model when an operation ends as it is."""
    if passwords.OPTION_BEFORE not in op.facts:
        return []
    return passwords.remains(op, restore_checks.backup_set(op).backup_id)


# --- PostgreSQL ------------------------------------------------------------------------------


def mark_postgresql(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task, and what tells afterwards whether there was a restore."""
    tasks.refuse_while_running(world, op.settings.postgresql, restored.RESTORE)
    newest = tasks.newest(world, restored.RESTORE)
    first = {restored.FIRST: op.fact(restored.FIRST) or str(newest)}
    return step.Mark(newest, {**first, **restored.before(op, world)})


def restore_postgresql(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have PostgreSQL begin its restore. That it has begun is all that the action tells."""
    parameters = {'backup-id': restore_checks.backup_set(op).postgresql.backup_id}
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    app = site.application(status, op.settings.postgresql)
    task = tasks.find(op, world, app.name, restored.RESTORE, parameters, exactly=True)
    if task is None:
        if restored.proven(op, world):
            # A task that had failed has restored the database after all.
            return step.Done()
        waits_for = relations.keep_detached(op, world, status) or _not_ready(op, world, app)
        if waits_for is not None:
            return waits_for
        task = world.juju.run_action(next(iter(app.units)), restored.RESTORE, parameters)
    if not task.ended:
        why = f'{task.unit} starts to restore the database (task {task.id})'
        return tasks.awaiting(op, world, [task], why, _replacing(app.name))
    if task.status == 'completed' or restored.proven(op, world):
        return step.Done()
    _judge(op, world, app, task)


def _not_ready(
    op: operation.Operation, world: ports.World, app: ports.Application
) -> step.Wait | None:
    """Make sure, right before it begins, that nothing but this restore touches the database.

    Raises:
        StepError: something has changed since the check.
    """
    restored.refuse_others(op, world)
    moved = aiming.moved(op, world)
    if moved:
        raise restored.stopping(op, world, moved)
    if len(app.units) != 1:
        why = f'{app.name} has {len(app.units)} units again: remove all but one (juju remove-unit)'
        raise restored.stopping(op, world, why)
    unit = next(iter(app.units.values()))
    if not unit.leader:
        return step.Wait(f'{unit.name} is not the leader yet')
    if restored.restoring(app):
        wanted = restore_checks.backup_set(op).postgresql.backup_id
        return step.Wait(
            f'{restored.shown(app)}, but no task of this operation is running: waiting until that '
            f'ends. If no restore is running there: juju run {unit.name} restore '
            f'backup-id={wanted}'
        )
    changed = passwords.differing(
        restore_checks.backup_set(op).passwords.hashes, passwords.in_force(world, app.name)
    )
    if changed:
        why = (
            f'the passwords of {", ".join(changed)} were changed after {app.name} had taken over '
            f'those of the set: check juju config {app.name} {passwords.OPTION}'
        )
        raise restored.stopping(op, world, why)
    return None


def _judge(
    op: operation.Operation, world: ports.World, app: ports.Application, task: ports.Task
) -> NoReturn:
    """Raise the error that a failed task means for the operation."""
    if restored.was_no_leader(task):
        raise errors.RetryStepError(
            f'{task.unit} was not the leader yet (task {task.id})', task.id
        )
    told = f'task {task.id} {task.status}: {task.message.rstrip(".") or "no reason given"}'
    if tasks.was_cut_short(task):
        raise errors.RetryStepError(f'restore on {task.unit} was interrupted ({told})', task.id)
    if restored.refused(task):
        why = f'{task.unit} refused to restore the database ({told})'
        raise restored.stopping(op, world, why, task.id)
    raise errors.StepError(
        restored.unproven(op, f'{restored.shown(app)} and {told}')
        + '. When it no longer shows a restore, run resume-operation: it checks the archive '
        'again, and restores the database if the archive shows no restore',
        task.id,
    )


def nothing_restored(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo of beginning the restore: only possible as long as none was begun.

    One that was interrupted in an earlier attempt has begun as well.
    """
    # Without a mark nothing was begun; other restores do not belong to this operation.
    task = restored.may_have_begun(op, world) if op.fact(restored.FIRST) else None
    if task is not None:
        raise errors.BegunError(
            f'task {task.id} on {task.unit} had started to restore the database', task.id
        )
    return step.Done()


def await_postgresql(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Wait until PostgreSQL has restored: active, or blocked for its repository alone."""
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    again = relations.keep_detached(op, world, status)
    if again is not None:
        return again
    app = site.application(status, op.settings.postgresql)
    wanted = restore_checks.backup_set(op).postgresql.backup_id
    for unit in app.units.values():
        if unit.message.startswith(('Failed to restore backup', 'cannot restore PITR')):
            raise errors.StepError(
                f'{unit.name}: {unit.message}. juju debug-log --include {unit.name} shows why. '
                f'Fix it, clear the status (juju exec --unit {unit.name} "status-set active"), '
                'run juju '
                f'run {unit.name} restore backup-id={wanted}, then resume-operation'
            )
    settling = site.settling(op, app, site.ANOTHER_CLUSTER)
    if settling:
        # Whatever it showed before: it still restores.
        again = {**settling.facts, restored.UNPROVEN_SINCE: ''}
        return dataclasses.replace(settling, facts=again)
    restored.refuse_others(op, world)
    proof = restored.await_proof(op, world, app)
    if isinstance(proof, step.Wait) and (moved := aiming.moved(op, world)):
        # The restored cluster archives where the integrator leads: no proof can come.
        raise errors.StepError(f'{moved}. MAAS is detached. Then run resume-operation')
    return proof


# --- The regions -----------------------------------------------------------------------------


def mark_detach(op: operation.Operation, world: ports.World) -> step.Mark:
    """Give each region a controller id of its own, while everything can still be put back."""
    mark = relations.mark_detach(op, world)
    if facts.CONTROLLERS.known(op):
        return mark
    status = world.juju.status()
    # Nothing is replaced yet: one that was related since the check is asked for as well.
    other_databases.check(status, op.settings, op.parameters)
    app = site.application(status, op.settings.maas)
    ids = restore_checks.backup_set(op).maas.controllers
    if len(app.units) != len(ids):
        raise errors.StepError(
            f'{app.name} has {len(app.units)} units now, but the set {len(ids)} controllers: add '
            'or remove units until the numbers are equal (juju add-unit, juju remove-unit), then '
            'run restore-all again'
        )
    given = dict(zip(sorted(app.units, key=postgresql.number), ids, strict=True))
    return step.Mark(mark.watermark, {**mark.facts, **facts.CONTROLLERS.put(given)})


def mark_maas(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task; another attempt keeps to what the first has done."""
    first = op.fact(_FIRST) or str(tasks.newest(world, 'restore-backup'))
    return step.Mark(int(first), {_FIRST: first})


def restore_maas(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have all regions restore at the same time; one that fails is tried again alone."""
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
    backup_id = restore_checks.backup_set(op).maas.backup_id
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
        # The charm would call the backup id invalid, and be right in its own way.
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
        waits = tasks.awaiting(op, world, running, f'{_RESTORING}{names}', _replacing(app.name))
        return dataclasses.replace(waits, facts={**waits.facts, **_meanwhile(op, world)})
    return step.Done()


def _meanwhile(op: operation.Operation, world: ports.World) -> Mapping[str, str]:
    """Move PostgreSQL's backups while the regions restore; return the facts to store.

    MAAS is down until both are done. What is in the way is left to the steps that follow.
    """
    if op.fact(_READY):
        return {}
    try:
        proof = await_postgresql(op, world)
        if isinstance(proof, step.Wait) or proof.facts:
            # They decide what comes next, so they are stored first.
            return proof.facts
        moving = aiming.renew_postgresql(op, world)
    except errors.StepError:
        return {}
    return moving.facts if isinstance(moving, step.Wait) else {_READY: 'true'}


def _replacing(application: str) -> str:
    """Return what to do about a unit that is lost while MAAS is detached."""
    return (
        'MAAS is detached from its database. If the machine comes back, run resume-operation. If '
        f'not: juju remove-unit --force {{unit}}, juju add-unit {application}, then '
        'resume-operation: the new unit restores in its place'
    )


def _other_regions(app: ports.Application, given: Mapping[str, str]) -> step.Wait:
    """Pass the controller ids of regions that are gone on to those that came in their place.

    Raises:
        StepError: there are more or fewer regions than controller ids.
    """
    gone = sorted(given.keys() - app.units.keys(), key=postgresql.number)
    come = sorted(app.units.keys() - given.keys(), key=postgresql.number)
    if len(gone) != len(come):
        raise errors.StepError(
            f'{app.name} has {len(app.units)} units, but the set {len(given)} controllers: '
            f'the restore began with {", ".join(sorted(given))}. Add or remove units '
            f'until there are {len(given)}, then run resume-operation'
        )
    kept = {unit: controller for unit, controller in given.items() if unit not in gone}
    passed_on = {new: given[old] for old, new in zip(gone, come, strict=True)}
    return step.Wait(
        f'{", ".join(come)} restore in place of {", ".join(gone)}',
        facts=facts.CONTROLLERS.put({**kept, **passed_on}),
    )


def _is_for(task: ports.Task, unit: str, controller: str) -> bool:
    return task.unit == unit and task.parameters.get('controller-id') == controller


def verify(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Ask every region how MAAS is, and compare the site with the set."""
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    if relations.database(status, op.settings) is None:
        endpoints = ' '.join(facts.ENDPOINTS.of(op))
        raise errors.StepError(f'MAAS lost its database again: juju integrate {endpoints}')
    maas = site.application(status, op.settings.maas)
    wanted = len(restore_checks.backup_set(op).maas.controllers)
    alive = sum(unit.alive for unit in maas.units.values())
    if alive != wanted:
        raise errors.StepError(
            f'{maas.name} has {alive} units, but the set has {wanted} controllers: '
            'MAAS is restored and '
            'attached. Add or remove units until the numbers are equal (juju add-unit, juju '
            'remove-unit), then run resume-operation'
        )
    if len(maas.units) != wanted:
        return step.Wait(f'{len(maas.units) - wanted} unit(s) of {maas.name} are being removed')
    told = maas_status.ask(op, world, maas)
    if isinstance(told, step.Wait):
        return told
    settling = site.settling(op, maas)
    # Units that did not come back have been reported, and waited for long enough.
    if not settling and op.record('restore-postgresql-scale').state == operation.DONE:
        settling = site.settling(op, site.application(status, op.settings.postgresql))
    return settling or told
