"""Removes units of PostgreSQL one at a time, until only the primary is left."""

from __future__ import annotations

from collections.abc import Iterable

from coordinator import errors, ports, this
from coordinator.engine import facts, operation, settings, step
from coordinator.steps import site, tasks
from coordinator.steps.postgresql import primary

PRIMARY = 'postgresql-primary'
NEWEST_UNIT = 'postgresql-newest-unit'
"""Fact: the highest number of a unit when the last one was removed."""


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
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
    kept = primary.ask(op, world, app)
    if isinstance(kept, step.Wait):
        return kept
    # Leadership would move if the leader went first: it goes last among those that go.
    leaving = max(
        (unit for unit in app.units.values() if unit.name != kept),
        key=lambda unit: (not unit.leader, site.number(unit.name)),
    )
    _heed_additions(op, app)
    known = facts.STORAGE.of(op)
    if leaving.name not in known:
        # Somebody added it since: what it leaves behind must be known before it goes.
        storage = facts.STORAGE.put({**known, **_storage(world, [leaving.name])})
        return step.Wait(f'{leaving.name} was added in the meantime', facts=storage)
    world.juju.remove_unit(leaving.name)
    noted = {PRIMARY: kept, NEWEST_UNIT: newest(app.units)}
    return step.Wait(f'{leaving.name} is being removed', facts=noted)


def newest(units: Iterable[str]) -> str:
    """Return the highest number among units. Juju gives each number once."""
    return str(max(map(site.number, units), default=-1))


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
            else f'pause it, or keep all units: {keep_all()}'
        )
        raise errors.StepError(
            f'{added} units were added to {app.name} while it was scaled down from {len(before)}. '
            f'Something maintains its number of units, such as Terraform: {way_out}'
        )


def keep_all() -> str:
    """Return the command that backs PostgreSQL up without removing units."""
    return f'juju config {this.application()} postgresql-backup-strategy=replica'
