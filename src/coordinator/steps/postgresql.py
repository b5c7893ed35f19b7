"""Steps on PostgreSQL: remove units down to one, and back up the database."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from coordinator import errors, ports, this
from coordinator.engine import facts, operation, settings, step
from coordinator.parts import pgbackrest
from coordinator.steps import site, tasks

"""Facts of how it was before: unit to machine, and unit to its storage, as JSON."""
PRIMARY = 'postgresql-primary'
NEWEST_LABEL, LABEL = 'postgresql-newest-label', 'postgresql-label'
_FULL = {'type': 'full'}
_ASKED = 'get-primary-asked'
"""Fact: the last get-primary task whose answer was doubted."""
_DOUBTED = 'get-primary-doubted'
"""Fact: since when the last answer is doubted."""
_AMONG = 'get-primary-among'
"""Fact: the units that were there when get-primary was asked last."""
NEWEST_UNIT = 'postgresql-newest-unit'
"""Fact: the highest number of a unit when the last one was removed."""
_FAILOVER_SECONDS = 30
_AGREEMENT_SECONDS = 400
"""Status lines follow a failover on the next update-status, five minutes apart by default."""


def shown_primaries(app: ports.Application) -> list[ports.Unit]:
    """Return the units whose status says that they are the primary, in whatever health.

    After a backup of its own a unit says nothing until its next hook, minutes later. The only
    member of a cluster is its primary all the same.
    """
    units = list(app.units.values())
    if len(units) == 1 and units[0].workload == 'active' and not units[0].message:
        return units
    return [unit for unit in units if unit.message.startswith('Primary')]


# --- Scale down ------------------------------------------------------------------------------


def mark_scale_down(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember units, machines and storage before the first unit goes."""
    watermark = tasks.newest(world, 'get-primary')
    if facts.UNITS.known(op):
        # A second attempt: what counts is how it was before the first.
        return step.Mark(watermark)
    app = site.look(world, op.settings.postgresql)
    units = {unit.name: unit.machine for unit in app.units.values() if unit.alive}
    storage = _storage(world, units)
    return step.Mark(watermark, {**facts.UNITS.put(units), **facts.STORAGE.put(storage)})


def _storage(world: ports.World, units: Iterable[str]) -> dict[str, list[str]]:
    """Return which storage each of these units has."""
    storage: dict[str, list[str]] = {name: [] for name in units}
    for item in world.juju.storage():
        for unit in {item.owner, *item.attached_to} & storage.keys():
            storage[unit].append(item.id)
    return storage


def allowed(op: operation.Operation) -> str:
    """Return what may block PostgreSQL without being in the way of the operation."""
    return site.ANOTHER_CLUSTER if op.kind == 'restore-all' else ''


def scale_down(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Take units away one at a time until only the primary is left.

    MAAS follows the primary, so whoever keeps it spares MAAS a restart. Raft knows its members
    by name: the next one may only go when the last one is gone and the rest have settled.
    """
    if op.strategy != settings.SCALE_DOWN:
        return step.Done()
    app = site.look(world, op.settings.postgresql)
    settling = site.settling(op, app, allowed(op))
    if settling:
        return settling
    if len(app.units) == 1:
        return step.Done({PRIMARY: next(iter(app.units))})
    primary = _primary(op, world, app)
    if isinstance(primary, step.Wait):
        return primary
    # Leadership would move if the leader went first: it goes last among those that go.
    leaving = max(
        (unit for unit in app.units.values() if unit.name != primary),
        key=lambda unit: (not unit.leader, number(unit.name)),
    )
    _heed_additions(op, app)
    known = facts.STORAGE.of(op)
    if leaving.name not in known:
        # Somebody added it since: what it leaves behind must be known before it goes.
        storage = facts.STORAGE.put({**known, **_storage(world, [leaving.name])})
        return step.Wait(f'{leaving.name} was added in the meantime', facts=storage)
    world.juju.remove_unit(leaving.name)
    noted = {PRIMARY: primary, NEWEST_UNIT: newest(app.units)}
    return step.Wait(f'{leaving.name} is being removed', facts=noted)


def newest(units: Iterable[str]) -> str:
    """Return the highest number among units. Juju gives each number once."""
    return str(max(map(number, units), default=-1))


def _heed_additions(op: operation.Operation, app: ports.Application) -> None:
    """Do not remove units forever while something adds them again.

    Raises:
        StepError: more units were added meanwhile than there were at the start.
    """
    before = facts.UNITS.of(op)
    added = int(newest(app.units)) - int(newest(before))
    if added > len(before):
        way_out = (
            'pause it until the restore has ended'
            if op.kind == 'restore-all'
            else f'pause it, or keep all units: {_keep_all()}'
        )
        raise errors.StepError(
            f'{added} units were added to {app.name} while it was scaled down from {len(before)}. '
            f'Something maintains its number of units, such as Terraform: {way_out}'
        )


def _keep_all() -> str:
    return f'juju config {this.application()} postgresql-backup-strategy=replica'


def _primary(
    op: operation.Operation, world: ports.World, app: ports.Application
) -> str | step.Wait:
    """Return the primary, as Patroni says it by way of get-primary.

    The units' status lines tell it too, but may be minutes old. Both must agree before a unit
    goes: a failover that happens now is waited for, and get-primary asked again.
    """
    asked = int(op.fact(_ASKED) or 0)
    task = tasks.find(op, world, app.name, 'get-primary', {}, after=asked)
    among = ' '.join(sorted(app.units))
    if task is None or op.fact(_AMONG) != among:
        # Since a unit has gone the primary may be another one, even if the record of its going
        # was lost.
        task = world.juju.run_action(min(app.units, key=number), 'get-primary', {})
    if not task.ended:
        why = f'{task.unit} is reporting the primary (task {task.id})'
        waiting = tasks.awaiting(op, world, [task], why, tasks.replacing(app.name))
        return dataclasses.replace(waiting, facts={**waiting.facts, _AMONG: among})
    if task.status != 'completed':
        tasks.judge(task)
    primary = task.results.get('primary', '')
    if primary not in app.units:
        why = f'get-primary on {task.unit} (task {task.id}) named {primary or "no primary"}'
        return _asking_again(op, task, why, _FAILOVER_SECONDS)
    shown = [unit.name for unit in shown_primaries(app)]
    # A unit that is blocked cannot show besides that it is the primary.
    told = app.units[primary].message != site.ANOTHER_CLUSTER
    if told and shown != [primary]:
        why = (
            f'get-primary (task {task.id}) says {primary}, juju status shows '
            f'{" and ".join(shown) or "none"} as the primary'
        )
        return _asking_again(op, task, why, _AGREEMENT_SECONDS)
    return primary


def _asking_again(op: operation.Operation, task: ports.Task, why: str, seconds: int) -> step.Wait:
    """Wait for a while, then have the question put again."""
    noted = tasks.patience(op, _DOUBTED, seconds)
    # One fact for all answers: Patroni may be silent for hours, and the record is small.
    used_up = {_ASKED: str(task.id), _DOUBTED: ''}
    return step.Wait(f'{why}: asking again', task.id, noted or used_up)


def number(unit: str) -> int:
    """Return the number of a unit, by which units are ordered."""
    return int(unit.rpartition('/')[2])


# --- Back up ---------------------------------------------------------------------------------


def stanza(op: operation.Operation, world: ports.World) -> str:
    """Return the stanza of this model's cluster."""
    return pgbackrest.stanza(world.model_name, op.settings.postgresql)


def mark_back_up(op: operation.Operation, world: ports.World) -> step.Mark:
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
            asked = world.juju.run_action(min(app.units, key=number), 'get-primary', {})
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
    other = min((name for name in app.units if name != task.unit), key=number)
    left = (
        f'{task.unit} made the backup and has become the primary. If juju show-unit {task.unit} '
        'shows connectivity: "off", MAAS cannot reach its database. Make another unit the '
        f'primary: juju run {other} promote-to-primary scope=unit'
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
    settling = site.settling(op, app, allowed(op))
    if settling:
        return settling
    if len(app.units) == 1:
        return next(iter(app.units))
    if op.strategy != settings.REPLICA:
        raise errors.StepError(
            f'{app.name} has {len(app.units)} units again: something adds units, such as '
            'Terraform, but the primary must be the only unit while it is backed up. Run '
            f'backup-all again while nothing adds units, or keep all units: {_keep_all()}'
        )
    primary = _primary(op, world, app)
    if isinstance(primary, step.Wait):
        return primary
    return min((name for name in app.units if name != primary), key=number)


def cancel_back_up(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: no backup goes on after the operation has given it up."""
    return tasks.cancel(op, world, op.settings.postgresql, 'create-backup', _FULL)
