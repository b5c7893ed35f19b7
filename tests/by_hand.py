"""Backups that were made by hand: a pair that no backup set names yet."""

from __future__ import annotations

from coordinator.engine import operation
from coordinator.parts import maas_backup, pgbackrest
from coordinator.steps import adopting
from tests import restores, simulation


def backed_up() -> simulation.Simulation:
    """Return a small site that was backed up, without what the coordinator knows of that."""
    sim = restores.backed_up(regions=1, postgresql_units=1)
    store = sim.world.maas_store
    for item in list(store.list('coordinator/')):
        store.delete(item.key)
    sim.clock.advance(3600)
    return sim


def pair(sim: simulation.Simulation) -> dict[str, str]:
    """Return the ids of both backups, as the parameters of the action."""
    *_, database = pgbackrest.backups(sim.world.postgresql_store, 'maas.postgresql')
    *_, files = maas_backup.ids(sim.world.maas_store)
    return {adopting.MAAS: files, adopting.POSTGRESQL: database.id}


def adopting_them() -> simulation.Simulation:
    """Return a site at the beginning of adopt-backup."""
    sim = backed_up()
    given = pair(sim)
    sim.begin('adopt-backup', **given, **{operation.ADOPTED: given[adopting.POSTGRESQL]})
    return sim
