"""Steps that back up the database, on one unit of PostgreSQL."""

from __future__ import annotations

from coordinator import errors, ports, this
from coordinator.engine import facts, operation, settings, step
from coordinator.parts import pgbackrest
from coordinator.steps import site, tasks
from coordinator.steps.postgresql import primary, scaling_down

NEWEST_LABEL, LABEL = 'postgresql-newest-label', 'postgresql-label'
_FULL = {'type': 'full'}


def stanza(op: operation.Operation, world: ports.World) -> str:
    """Return the stanza of this model's cluster."""
    return pgbackrest.stanza(world.model_name, op.settings.postgresql)


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task and the newest label: what is newer is ours."""
    tasks.refuse_while_running(world, op.settings.postgresql, 'create-backup')
    listed = pgbackrest.backups(world.postgresql_store, stanza(op, world))
    newest = max((backup.label for backup in listed), default='')
    return step.Mark(tasks.newest(world, 'create-backup', 'get-primary'), {NEWEST_LABEL: newest})


def back_up(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have one unit make a full backup, and find it in the repository.

    The action's result holds no id, and a task that failed because its agent died may have left
    a finished backup: the repository decides. A newer label belongs to this cluster, as the
    charm refuses a repository of another model or another cluster.
    """
    task = tasks.find(op, world, op.settings.postgresql, 'create-backup', _FULL)
    if task is not None and not task.ended:
        return _backing_up(op, world, task)
    app = site.look(world, op.settings.postgresql)
    backup = pgbackrest.first_full_after(
        world.postgresql_store, stanza(op, world), after=op.fact(NEWEST_LABEL)
    )
    if backup is not None:
        done = step.Done({LABEL: backup.label})
        on_a_replica = op.strategy == settings.REPLICA and len(app.units) > 1
        return _role_after(op, world, app, task, done) if task and on_a_replica else done
    if task is None:
        unit = _backup_unit(op, world, app)
        if isinstance(unit, step.Wait):
            return unit
        return _backing_up(op, world, world.juju.run_action(unit, 'create-backup', _FULL))
    waiting = tasks.await_objects(op, task)
    if waiting is not None:
        return waiting
    if op.strategy == settings.REPLICA and 'is the cluster primary' in task.message:
        raise errors.RetryStepError(
            f'{task.unit} became the primary in the meantime (task {task.id})'
        )
    tasks.judge(task)


def _role_after(
    op: operation.Operation,
    world: ports.World,
    app: ports.Application,
    task: ports.Task,
    done: step.Done,
) -> step.Outcome:
    """Report if the unit that made the backup has become the primary.

    The charm closes a replica to connections while it makes a backup. Some revisions open it again
    only if it is still a replica: after a failover, MAAS has lost its database.
    """
    try:
        asked = tasks.find(op, world, app.name, 'get-primary', {}, after=task.id)
        if asked is None:
            asked = world.juju.run_action(min(app.units, key=site.number), 'get-primary', {})
        if not asked.ended:
            why = f'{asked.unit} is reporting the primary (task {asked.id})'
            then = f'juju run {app.name}/leader get-primary asks again'
            return tasks.awaiting(op, world, [asked], why, then)
    except errors.StepError as error:
        # The backup is good, whatever this comes to.
        return step.Done(
            done.facts,
            left=(
                f'{task.unit} made the backup and may have become the primary ({error}): juju run '
                f'{task.unit} get-primary shows it'
            ),
        )
    if asked.results.get('primary') != task.unit:
        return done
    other = min((name for name in app.units if name != task.unit), key=site.number)
    left = (
        f'{task.unit} made the backup and has become the primary. If juju show-unit {task.unit} '
        'shows connectivity: "off", MAAS cannot reach its database. '
        f'Make another unit the primary: juju run {other} promote-to-primary scope=unit'
    )
    return step.Done(done.facts, left=left)


def _backing_up(op: operation.Operation, world: ports.World, task: ports.Task) -> step.Wait:
    """Wait for the database backup.

    Raises:
        NeedsDecision: the only unit is lost. New units would find no member to copy the data from
            and start with an empty database, which only a person may decide.
        AgentLost: a unit is lost, and others have the data.
    """
    app, before = op.settings.postgresql, facts.UNITS.of(op)
    reason = f'{task.unit} is backing up the database (task {task.id})'
    alone = op.strategy == settings.SCALE_DOWN and len(before) > 1
    if not alone:
        return tasks.awaiting(op, world, [task], reason, tasks.replacing(app))
    then = (
        f'{app} has 1 of {len(before)} units, and only {{unit}} has the database. If its machine '
        'comes back, run resume-operation. If not: juju remove-unit --force {unit}, then '
        f'{this.command("abort-operation")} requests {len(before)} new units; their database is '
        'empty until restore-all restores the last backup set'
    )
    try:
        return tasks.awaiting(op, world, [task], reason, then)
    except errors.AgentLost as error:
        raise errors.NeedsDecision(str(error), error.task) from error


def _backup_unit(
    op: operation.Operation, world: ports.World, app: ports.Application
) -> str | step.Wait:
    """Return the unit to back up on: the only one, or else a replica."""
    settling = site.settling(op, app, scaling_down.allowed(op))
    if settling:
        return settling
    if len(app.units) == 1:
        return next(iter(app.units))
    if op.strategy != settings.REPLICA:
        raise errors.StepError(
            f'{app.name} has {len(app.units)} units again: something adds units, '
            'such as Terraform, but the primary must be the only unit while it is backed up. '
            'Run backup-all again while nothing adds units, or keep all units: '
            f'{scaling_down.keep_all()}'
        )
    found = primary.ask(op, world, app)
    if isinstance(found, step.Wait):
        return found
    return min((name for name in app.units if name != found), key=site.number)


def cancel(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: no backup continues after the operation has abandoned it."""
    return tasks.cancel(op, world, op.settings.postgresql, 'create-backup', _FULL)
