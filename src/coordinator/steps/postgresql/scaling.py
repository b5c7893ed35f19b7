"""Steps that bring PostgreSQL back to as many units as before, and clean up after the old ones."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator import errors, ports
from coordinator.engine import facts, operation, settings, step
from coordinator.steps import site
from coordinator.steps.postgresql import database_backup, machines, scaling_down

_RESTORED = 'await-postgresql'
"""The step of a restore after which the database is the restored one."""


def request_scale(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Request the missing units, without waiting for them."""
    status = world.juju.status()
    app = site.application(status, op.settings.postgresql)
    missing = _missing(op, app)
    if missing > 0:
        before = facts.UNITS.of(op)
        # Juju keeps a machine only if something else uses it; the others are removed with their
        # unit.
        used = machines.kept(status)
        # Juju 3.6 adds units one by one and may stop half-way: never put two units on one machine.
        taken = {unit.machine for unit in app.units.values()}
        free = [m for m in dict.fromkeys(before.values()) if m in used - taken]
        world.juju.add_units(app.name, missing, free[:missing])
    return step.Done()


def await_scale(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Wait until all units are there and replicate, then remove the storage of the old units.

    That storage is the last copy of a replica's data until a new backup of the database is known
    to be good. Without one the storage is kept and reported.
    """
    app = site.look(world, op.settings.postgresql)
    incomplete = _incomplete(op, app)
    if incomplete:
        return incomplete
    left = _left_behind(op, world, app)
    if left and _copy_is_good(op):
        world.juju.remove_storage(left)
        # Juju has accepted the removal, so it is no longer reported as left over.
        left = []
    notes: list[str] = []
    surplus = -_missing(op, app)
    if surplus > 0:
        notes.append(
            f'{app.name} has {surplus} unit(s) more than before. If you do not need them: '
            'juju remove-unit'
        )
    notes.append(_storage_note(left))
    return step.Done(left='; '.join(filter(None, notes)))


def _copy_is_good(op: operation.Operation) -> bool:
    """Whether the database is safe without the storage of removed units."""
    restored = any(e.name == _RESTORED and e.state == operation.DONE for e in op.steps)
    return bool(op.fact(database_backup.LABEL)) or (restored and not op.undoing)


def _storage_note(left: Sequence[str]) -> str:
    """Return a note about storage without a unit; '' if there is none."""
    if not left:
        return ''
    return (
        'storage of removed units was kept, because no new backup of the database is complete: '
        f'juju remove-storage {" ".join(left)}'
    )


def restore_scale(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo of scaling down: request what is missing, then wait for it."""
    if not facts.UNITS.known(op):
        return step.Done()
    app = site.look(world, op.settings.postgresql)
    before = facts.UNITS.of(op)
    if all(name in app.units and app.units[name].alive for name in before):
        # No original unit is gone, so there is nothing to undo, whatever their state. A unit that
        # was added and removed meanwhile may have left storage.
        return step.Done(left=_storage_note(_left_behind(op, world, app)))
    if _missing(op, app) > 0:
        _heed_removals(op, app)
        request_scale(op, world)
        return step.Wait(f'units of {app.name} were requested')
    return await_scale(op, world)


def _heed_removals(op: operation.Operation, app: ports.Application) -> None:
    """Request no more units than there were, in case something keeps removing them.

    Raises:
        StepError: that many were requested already.
    """
    before = facts.UNITS.of(op)
    newest = op.fact(scaling_down.NEWEST_UNIT) or scaling_down.newest(before)
    added = int(scaling_down.newest(app.units)) - int(newest)
    if added >= len(before):
        raise errors.StepError(
            f'{added} units were added to {app.name}, and units were removed again: something, '
            'such as Terraform, maintains its number of units. Pause it, add the missing units '
            f'({_missing_units(app, _missing(op, app))}), then run resume-operation'
        )


def left_over(op: operation.Operation, world: ports.World) -> list[str]:
    """Return which units are missing now, and the storage that removed units have left."""
    if not facts.UNITS.known(op):
        return []
    app = site.look(world, op.settings.postgresql)
    missing = _missing(op, app)
    lines = [_missing_units(app, missing)] if missing > 0 else []
    left = _left_behind(op, world, app)
    if left:
        unless = ', and must be kept until a backup of the database is complete'
        when = '' if _copy_is_good(op) else unless
        lines.append(
            f'storage of removed units of {app.name} is left over{when}: juju remove-storage '
            f'{" ".join(left)}'
        )
    return lines


def unwell(op: operation.Operation, world: ports.World) -> str:
    """Return what to do about a unit that does not work, once no unit is missing; or ''."""
    if not facts.UNITS.known(op):
        return ''
    app = site.look(world, op.settings.postgresql)
    return '' if _missing(op, app) > 0 else site.unwell(app, scaling_down.allowed(op))


def remains(op: operation.Operation) -> list[str]:
    """Return how many units there were and what they may leave behind, from the record."""
    before = facts.UNITS.of(op)
    if len(before) < 2 or op.strategy != settings.SCALE_DOWN:
        return []
    app = op.settings.postgresql
    lines = [f'{app} had {len(before)} unit(s): juju status {app}, juju add-unit {app}']
    storage = facts.STORAGE.of(op)
    primary = op.fact(scaling_down.PRIMARY)
    going = [i for unit, ids in storage.items() if unit != primary for i in ids]
    if going:
        lines.append(
            f'storage of removed units may be left over: {" ".join(sorted(going))}: juju storage, '
            'juju remove-storage'
        )
    return lines


def _missing(op: operation.Operation, app: ports.Application) -> int:
    wanted = len(facts.UNITS.of(op))
    if op.parameters.get('postgresql-units') and not op.undoing:
        wanted = int(op.parameters['postgresql-units'])
    return wanted - sum(unit.alive for unit in app.units.values())


def _incomplete(op: operation.Operation, app: ports.Application) -> step.Wait | None:
    """Return what is still missing before the application is as it was; None if nothing is."""
    missing = _missing(op, app)
    if missing > 0:
        return step.Wait(_missing_units(app, missing))
    settling = site.settling(op, app, scaling_down.allowed(op) if op.undoing else '', waits=True)
    if settling:
        return settling
    primaries = [unit for unit in app.units.values() if unit.message == 'Primary']
    blocked = any(unit.message == site.ANOTHER_CLUSTER for unit in app.units.values())
    # A single unit is the primary, even if create-backup has just cleared that from its status.
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
    """Return storage of removed units that is still in the model without a unit."""
    before = facts.STORAGE.of(op)
    candidates = {item for unit, ids in before.items() if unit not in app.units for item in ids}
    return sorted(
        item.id
        for item in world.juju.storage()
        if item.id in candidates and not item.owner and not item.attached_to and item.alive
    )
