"""Steps that have PostgreSQL restore the database of a backup set."""

from __future__ import annotations

import dataclasses
from typing import NoReturn

from coordinator import errors, ports
from coordinator.engine import operation, step
from coordinator.steps import relations, site, tasks
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.postgresql import (
    evidence,
    password_change,
    passwords,
)
from coordinator.steps.s3_integrators import aiming


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task, and what tells afterwards whether there was a restore."""
    tasks.refuse_while_running(world, op.settings.postgresql, evidence.RESTORE)
    newest = tasks.newest(world, evidence.RESTORE)
    first = {evidence.FIRST: op.fact(evidence.FIRST) or str(newest)}
    before = evidence.before(op, world)
    if op.rehearses and not evidence.archives_nothing(op.remembering(before)):
        raise errors.StepError(
            f'{op.settings.postgresql} does not show that the repository of the set is '
            f"another cluster's ({site.ANOTHER_CLUSTER}), so it could write there: rehearse in a "
            'new model'
        )
    return step.Mark(newest, {**first, **before})


def restore(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have PostgreSQL begin its restore. That it has begun is all that the action tells."""
    parameters = {'backup-id': chosen_set.of(op).postgresql.backup_id}
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    app = site.application(status, op.settings.postgresql)
    task = tasks.find(op, world, app.name, evidence.RESTORE, parameters, exactly=True)
    if task is None:
        if evidence.proven(op, world):
            # A task that had failed has restored the database after all.
            return step.Done()
        waits_for = relations.keep_detached(op, world, status) or _not_ready(op, world, app)
        if waits_for is not None:
            return waits_for
        task = world.juju.run_action(next(iter(app.units)), evidence.RESTORE, parameters)
    if not task.ended:
        why = f'{task.unit} starts to restore the database (task {task.id})'
        return tasks.awaiting(op, world, [task], why, relations.replacing(app.name))
    if task.status == 'completed' or evidence.proven(op, world):
        return step.Done()
    _judge(op, world, app, task)


def _not_ready(
    op: operation.Operation, world: ports.World, app: ports.Application
) -> step.Wait | None:
    """Make sure, right before it begins, that nothing but this restore touches the database.

    Raises:
        StepError: something has changed since the check.
    """
    evidence.refuse_others(op, world)
    moved = aiming.moved(op, world)
    if moved:
        raise evidence.stopping(op, world, moved)
    if len(app.units) != 1:
        why = f'{app.name} has {len(app.units)} units again: remove all but one (juju remove-unit)'
        raise evidence.stopping(op, world, why)
    unit = next(iter(app.units.values()))
    if not unit.leader:
        return step.Wait(f'{unit.name} is not the leader yet')
    if evidence.restoring(app):
        wanted = chosen_set.of(op).postgresql.backup_id
        return step.Wait(
            f'{evidence.shown(app)}, but no task of this operation is running: '
            'waiting until that ends. '
            f'If no restore is running there: juju run {unit.name} restore backup-id={wanted}'
        )
    changed = passwords.differing(
        chosen_set.of(op).passwords.hashes, passwords.in_force(world, app.name)
    )
    if changed:
        why = (
            f'the passwords of {", ".join(changed)} were changed after {app.name} '
            'had taken over those of the set: '
            f'check juju config {app.name} {password_change.OPTION}'
        )
        raise evidence.stopping(op, world, why)
    return None


def _judge(
    op: operation.Operation, world: ports.World, app: ports.Application, task: ports.Task
) -> NoReturn:
    """Raise the error that a failed task means for the operation."""
    if evidence.was_no_leader(task):
        raise errors.RetryStepError(
            f'{task.unit} was not the leader yet (task {task.id})', task.id
        )
    told = f'task {task.id} {task.status}: {task.message.rstrip(".") or "no reason given"}'
    if tasks.was_cut_short(task):
        raise errors.RetryStepError(f'restore on {task.unit} was interrupted ({told})', task.id)
    if evidence.refused(task):
        why = f'{task.unit} refused to restore the database ({told})'
        raise evidence.stopping(op, world, why, task.id)
    raise errors.StepError(
        evidence.unproven(op, f'{evidence.shown(app)} and {told}') + '. '
        'When it no longer shows a restore, run resume-operation: it checks the archive again, '
        'and restores the database if the archive shows no restore',
        task.id,
    )


def nothing_restored(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo of beginning the restore: only possible as long as none was begun.

    One that was interrupted in an earlier attempt has begun as well.
    """
    # Without a mark nothing was begun; other restores do not belong to this operation.
    task = evidence.may_have_begun(op, world) if op.fact(evidence.FIRST) else None
    if task is not None:
        raise errors.BegunError(
            f'task {task.id} on {task.unit} had started to restore the database', task.id
        )
    return step.Done()


def await_restored(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Wait until PostgreSQL has restored: active, or blocked for its repository alone."""
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    again = relations.keep_detached(op, world, status)
    if again is not None:
        return again
    app = site.application(status, op.settings.postgresql)
    wanted = chosen_set.of(op).postgresql.backup_id
    for unit in app.units.values():
        if unit.message.startswith(('Failed to restore backup', 'cannot restore PITR')):
            raise errors.StepError(
                f'{unit.name}: {unit.message}. juju debug-log --include {unit.name} shows why. '
                f'Fix it, clear the status (juju exec --unit {unit.name} "status-set active"), '
                f'run juju run {unit.name} restore backup-id={wanted}, then resume-operation'
            )
    settling = site.settling(op, app, site.ANOTHER_CLUSTER)
    if settling:
        # Whatever it showed before: it still restores.
        again = {**settling.facts, evidence.UNPROVEN_SINCE: ''}
        return dataclasses.replace(settling, facts=again)
    evidence.refuse_others(op, world)
    proof = evidence.await_proof(op, world, app)
    if isinstance(proof, step.Wait) and (moved := aiming.moved(op, world)):
        # The restored cluster archives where the integrator leads: no proof can come.
        raise errors.StepError(f'{moved}. MAAS is detached. Then run resume-operation')
    return proof
