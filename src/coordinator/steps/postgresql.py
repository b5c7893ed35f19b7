"""Steps on PostgreSQL: down to one unit, back up, back to as many as before."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence

from coordinator import errors, operation, pgbackrest, ports, step
from coordinator.steps import machines, site, tasks

UNITS, STORAGE = 'postgresql-units', 'postgresql-storage'
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
_NEWEST = 'postgresql-newest-unit'
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
    if op.fact(UNITS):
        # A second attempt: what counts is how it was before the first.
        return step.Mark(watermark)
    app = site.look(world, op.settings.postgresql)
    units = {unit.name: unit.machine for unit in app.units.values() if unit.alive}
    storage = _storage(world, units)
    return step.Mark(watermark, {UNITS: json.dumps(units), STORAGE: json.dumps(storage)})


def _storage(world: ports.World, units: Iterable[str]) -> dict[str, list[str]]:
    """Return which storage each of these units has."""
    storage: dict[str, list[str]] = {name: [] for name in units}
    for item in world.juju.storage():
        for unit in {item.owner, *item.attached_to} & storage.keys():
            storage[unit].append(item.id)
    return storage


def _allowed(op: operation.Operation) -> str:
    """Return what may block PostgreSQL without being in the way of the operation."""
    return site.ANOTHER_CLUSTER if op.kind == 'restore-all' else ''


def scale_down(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Take units away one at a time until only the primary is left.

    MAAS follows the primary, so whoever keeps it spares MAAS a restart. Raft knows its members
    by name: the next one may only go when the last one is gone and the rest have settled.
    """
    if op.settings.strategy != 'scale-down':
        return step.Done()
    app = site.look(world, op.settings.postgresql)
    settling = site.settling(op, app, _allowed(op))
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
    known: dict[str, list[str]] = json.loads(op.fact(STORAGE))
    if leaving.name not in known:
        # Somebody added it since: what it leaves behind must be known before it goes.
        storage = json.dumps({**known, **_storage(world, [leaving.name])})
        return step.Wait(f'{leaving.name} came in addition', facts={STORAGE: storage})
    world.juju.remove_unit(leaving.name)
    facts = {PRIMARY: primary, _NEWEST: _newest(app.units)}
    return step.Wait(f'{leaving.name} is being removed', facts=facts)


def _newest(units: Iterable[str]) -> str:
    """Return the highest number among units. Juju gives each number once."""
    return str(max(map(number, units), default=-1))


def _heed_additions(op: operation.Operation, app: ports.Application) -> None:
    """Do not go on for ever against somebody who adds the units again that are removed.

    Raises:
        StepError: as many units were added meanwhile as there were.
    """
    before: dict[str, str] = json.loads(op.fact(UNITS))
    added = int(_newest(app.units)) - int(_newest(before))
    if added > len(before):
        way_out = (
            'pause it until the restore has ended'
            if op.kind == 'restore-all'
            else 'keep all units with postgresql-backup-strategy=replica, or pause it'
        )
        raise errors.StepError(
            f'{added} units were added to {app.name} while it was scaled down from {len(before)}: '
            f'something keeps its number of units, such as Terraform: {way_out}'
        )


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
        why = f'{task.unit} is asked for the primary (task {task.id})'
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
    facts = tasks.patience(op, _DOUBTED, seconds)
    # One fact for all answers: Patroni may be silent for hours, and the record is small.
    used_up = {_ASKED: str(task.id), _DOUBTED: ''}
    return step.Wait(f'{why}: it is asked again', task.id, facts or used_up)


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
    a finished backup: what the repository lists is what counts. A newer label is this cluster's
    own, as the charm refuses a repository of another model or another cluster.
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
        on_a_replica = op.settings.strategy == 'replica' and len(app.units) > 1
        return _role_after(op, world, app, task, done) if task and on_a_replica else done
    if task is None:
        unit = _backup_unit(op, world, app)
        if isinstance(unit, step.Wait):
            return unit
        return _backing_up(op, world, world.juju.run_action(unit, 'create-backup', _FULL))
    waiting = tasks.await_objects(op, task)
    if waiting is not None:
        return waiting
    if op.settings.strategy == 'replica' and 'is the cluster primary' in task.message:
        raise errors.RetryStepError(f'{task.unit} became the primary meanwhile (task {task.id})')
    tasks.judge(task)


def _role_after(
    op: operation.Operation,
    world: ports.World,
    app: ports.Application,
    task: ports.Task,
    done: step.Done,
) -> step.Outcome:
    """Tell the operator if the unit that made the backup became the primary meanwhile.

    The charm closes a replica to connections while it makes a backup. Some revisions open it again
    only if it is a replica still: after a failover MAAS has lost its database.
    """
    try:
        asked = tasks.find(op, world, app.name, 'get-primary', {}, after=task.id)
        if asked is None:
            asked = world.juju.run_action(min(app.units, key=number), 'get-primary', {})
        if not asked.ended:
            why = f'{asked.unit} is asked for the primary (task {asked.id})'
            then = f'juju run {app.name}/leader get-primary asks again'
            return tasks.awaiting(op, world, [asked], why, then)
    except errors.StepError as error:
        # The backup is good, whatever this comes to.
        return step.Done(done.facts, left=f'whether {task.unit} is still a replica: {error}')
    if asked.results.get('primary') != task.unit:
        return done
    other = min((name for name in app.units if name != task.unit), key=number)
    left = (
        f'{task.unit} made the backup and became the primary meanwhile: if it still refuses '
        f'connections, MAAS has lost its database. juju show-unit {task.unit} then shows '
        f'connectivity: "off"; let another unit be the primary: juju run {other} '
        'promote-to-primary scope=unit'
    )
    return step.Done(done.facts, left=left)


def _backing_up(op: operation.Operation, world: ports.World, task: ports.Task) -> step.Wait:
    """Wait for the database backup.

    Raises:
        NeedsDecision: the only unit is lost. New units would find no member to copy the data
            from, and begin a database that is empty: nobody but a person may want that.
        AgentLost: a unit is lost, and others have the data.
    """
    app, before = op.settings.postgresql, json.loads(op.fact(UNITS, '{}'))
    reason = f'{task.unit} is backing up the database (task {task.id})'
    alone = op.settings.strategy == 'scale-down' and len(before) > 1
    if not alone:
        return tasks.awaiting(op, world, [task], reason, tasks.replacing(app))
    then = (
        f'{app} has 1 of {len(before)} units, and only {{unit}} has the database. If its machine '
        'comes back, run resume-operation. If not: juju remove-unit --force {unit}, then '
        f'abort-operation requests {len(before)} new units; their database is empty until '
        'restore-all restores the last backup set'
    )
    try:
        return tasks.awaiting(op, world, [task], reason, then)
    except errors.AgentLost as error:
        raise errors.NeedsDecision(str(error), error.task) from error


def _backup_unit(
    op: operation.Operation, world: ports.World, app: ports.Application
) -> str | step.Wait:
    """Return the unit to back up on: the only one, or else a replica."""
    settling = site.settling(op, app, _allowed(op))
    if settling:
        return settling
    if len(app.units) == 1:
        return next(iter(app.units))
    if op.settings.strategy != 'replica':
        raise errors.StepError(
            f'{app.name} has {len(app.units)} units again, somebody added some, such as '
            'Terraform: only one may be there while the primary is backed up. Keep all units with '
            'postgresql-backup-strategy=replica, or run backup-all again while nothing adds units'
        )
    primary = _primary(op, world, app)
    if isinstance(primary, step.Wait):
        return primary
    return min((name for name in app.units if name != primary), key=number)


def cancel_back_up(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: no backup goes on after the operation has given it up."""
    return tasks.cancel(op, world, op.settings.postgresql, 'create-backup', _FULL)


# --- Back to as many as before ---------------------------------------------------------------


def request_scale(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Request the units that are missing; nobody waits for them here."""
    status = world.juju.status()
    app = site.application(status, op.settings.postgresql)
    missing = _missing(op, app)
    if missing > 0:
        before: dict[str, str] = json.loads(op.fact(UNITS))
        # Only a machine that others use stays: the rest die with their unit, listed or not.
        used = machines.kept(status)
        # Juju 3.6 adds units one by one and may stop half-way: no machine gets a second one.
        taken = {unit.machine for unit in app.units.values()}
        free = [m for m in dict.fromkeys(before.values()) if m in used - taken]
        world.juju.add_units(app.name, missing, free[:missing])
    return step.Done()


def await_scale(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Wait until every unit is back and streams, then remove what the old ones left behind.

    The old units' storage is the last copy of a replica's data until the database backup is
    known to be good: without one it stays, and the operator is told.
    """
    app = site.look(world, op.settings.postgresql)
    incomplete = _incomplete(op, app)
    if incomplete:
        return incomplete
    left = _left_behind(op, world, app)
    good = op.fact(LABEL) or (op.kind == 'restore-all' and not op.undoing)
    if left and good:
        world.juju.remove_storage(left)
        # What Juju has agreed to remove is no longer counted above: nothing is left to wait for.
        left = []
    notes: list[str] = []
    surplus = -_missing(op, app)
    if surplus > 0:
        notes.append(
            f'{app.name} has {surplus} unit(s) more than before: juju remove-unit, if nobody '
            'wanted them'
        )
    notes.append(_storage_note(left))
    return step.Done(left='; '.join(filter(None, notes)))


def _storage_note(left: Sequence[str]) -> str:
    """Tell of storage that nobody has; '' if there is none."""
    if not left:
        return ''
    return (
        'storage of the units that were removed is still there, as no copy of the database is '
        f'known to be good: juju remove-storage {" ".join(left)}'
    )


def restore_scale(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo of scaling down: request what is missing, then wait for it."""
    if not op.fact(UNITS):
        return step.Done()
    app = site.look(world, op.settings.postgresql)
    before: dict[str, str] = json.loads(op.fact(UNITS))
    if all(name in app.units and app.units[name].alive for name in before):
        # None has gone, so there is nothing to put back, in whatever state they are. One that
        # somebody added meanwhile may have.
        return step.Done(left=_storage_note(_left_behind(op, world, app)))
    if _missing(op, app) > 0:
        _heed_removals(op, app)
        request_scale(op, world)
        return step.Wait(f'units of {app.name} were requested')
    return await_scale(op, world)


def _heed_removals(op: operation.Operation, app: ports.Application) -> None:
    """Request no more units than there were: somebody may remove them as fast as they come.

    Raises:
        StepError: so many were requested already.
    """
    wanted = len(json.loads(op.fact(UNITS)))
    added = int(_newest(app.units)) - int(op.fact(_NEWEST) or _newest(json.loads(op.fact(UNITS))))
    if added >= wanted:
        raise errors.StepError(
            f'{added} units were added to {app.name}, and units were removed again: something '
            'keeps its number of units, such as Terraform. Pause it, add what is missing '
            f'({_missing_units(app, _missing(op, app))}), then run resume-operation'
        )


def left_over(op: operation.Operation, world: ports.World) -> list[str]:
    """Return what is missing of PostgreSQL now, and what its removed units have left."""
    if not op.fact(UNITS):
        return []
    app = site.look(world, op.settings.postgresql)
    missing = _missing(op, app)
    lines = [_missing_units(app, missing)] if missing > 0 else []
    left = _left_behind(op, world, app)
    if left:
        when = '' if op.fact(LABEL) else ', to be kept until a backup of the database is complete'
        lines.append(
            f'storage of removed units of {app.name} is left over{when}: juju remove-storage '
            f'{" ".join(left)}'
        )
    return lines


def remains(op: operation.Operation) -> list[str]:
    """Return how PostgreSQL was, and what its units leave, when an operation ends as it is."""
    before: dict[str, str] = json.loads(op.fact(UNITS, '{}'))
    if len(before) < 2 or op.settings.strategy != 'scale-down':
        return []
    app = op.settings.postgresql
    lines = [f'{app} had {len(before)} unit(s): juju status {app}, juju add-unit {app}']
    storage: dict[str, list[str]] = json.loads(op.fact(STORAGE, '{}'))
    going = [i for unit, ids in storage.items() if unit != op.fact(PRIMARY) for i in ids]
    if going:
        lines.append(
            f'storage that removed units leave behind may be there: {" ".join(sorted(going))}: '
            'juju storage, juju remove-storage'
        )
    return lines


def _missing(op: operation.Operation, app: ports.Application) -> int:
    wanted = len(json.loads(op.fact(UNITS, '{}')))
    if op.parameters.get('postgresql-units') and not op.undoing:
        wanted = int(op.parameters['postgresql-units'])
    return wanted - sum(unit.alive for unit in app.units.values())


def _incomplete(op: operation.Operation, app: ports.Application) -> step.Wait | None:
    """Return what keeps the application from being as it was, if anything does."""
    missing = _missing(op, app)
    if missing > 0:
        return step.Wait(_missing_units(app, missing))
    settling = site.settling(op, app, _allowed(op) if op.undoing else '', waits=True)
    if settling:
        return settling
    primaries = [unit for unit in app.units.values() if unit.message == 'Primary']
    blocked = any(unit.message == site.ANOTHER_CLUSTER for unit in app.units.values())
    # A single unit is the primary, even if create-backup has just wiped that from its status.
    if len(app.units) > 1 and not blocked and len(primaries) != 1:
        return step.Wait(
            f'{app.name} shows {len(primaries)} healthy primaries: see juju status {app.name}'
        )
    return None


def _missing_units(app: ports.Application, missing: int) -> str:
    there = sum(unit.alive for unit in app.units.values())
    number = f' -n {missing}' if missing > 1 else ''
    return f'{app.name} has {there} of {there + missing} units: juju add-unit {app.name}{number}'


def _left_behind(op: operation.Operation, world: ports.World, app: ports.Application) -> list[str]:
    """Return storage of removed units that is still in the model and that nobody has."""
    before: dict[str, list[str]] = json.loads(op.fact(STORAGE, '{}'))
    candidates = {item for unit, ids in before.items() if unit not in app.units for item in ids}
    return sorted(
        item.id
        for item in world.juju.storage()
        if item.id in candidates and not item.owner and not item.attached_to and item.alive
    )
