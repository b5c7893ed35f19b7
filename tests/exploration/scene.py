"""What is found on a site, and in S3: to compare later with earlier."""

from __future__ import annotations

import collections
import dataclasses

from coordinator import errors
from coordinator.parts import maas_backup, pgbackrest
from rehearsal import site
from rehearsal.standins import system_users
from tests import backup_sets, simulation


@dataclasses.dataclass(frozen=True)
class Scene:
    """How a site is at some moment."""

    units: int
    crowded: frozenset[str]
    """Machines with more than one PostgreSQL unit."""
    restarts: int
    fingerprint: object
    relations: frozenset[tuple[str, ...]]
    aims: dict[str, dict[str, str]]
    storage: frozenset[str]
    """What no unit has."""
    system_users: str
    """The option by which an administrator gives PostgreSQL its passwords."""
    secrets: frozenset[str]
    objects: frozenset[str]
    sets: dict[str, set[str]]
    """Every object of each backup set."""
    labels: frozenset[str]
    files: frozenset[str]
    newest_task: int


def look(sim: simulation.Simulation) -> Scene:
    """Look at a site."""
    juju = sim.model
    return Scene(
        units=len(sim.postgresql_units()),
        crowded=_crowded(sim),
        restarts=sim.site.maas_restarts,
        fingerprint=sim.site.fingerprint(),
        relations=frozenset(
            tuple(sorted(f'{app}:{end.name}' for app, end in relation.endpoints.items()))
            for relation in juju.relations.values()
        ),
        aims={
            name: {key: str(sim.world.juju.config(name)[key]) for key in ('bucket', 'path')}
            for name in (site.S3_MAAS, site.S3_POSTGRESQL)
        },
        storage=frozenset(s.id for s in sim.world.juju.storage() if not s.owner and s.alive),
        system_users=str(juju.application(site.POSTGRESQL).settings.get(system_users.OPTION, '')),
        secrets=frozenset(s.label for s in juju.secrets.values() if s.owner.startswith('model-')),
        objects=frozenset(objects(sim)),
        sets={name: owned(sim, name) for name in backup_sets.listed(sim)},
        labels=frozenset(labels(sim)),
        files=frozenset(files(sim)),
        newest_task=max(juju.tasks, default=0),
    )


def _crowded(sim: simulation.Simulation) -> frozenset[str]:
    units = sim.model.application(site.POSTGRESQL).units.values()
    count = collections.Counter(unit.machine.id for unit in units if unit.life == 'alive')
    return frozenset(machine for machine, number in count.items() if number > 1)


def in_use(sim: simulation.Simulation) -> str:
    """Return the label of the secret that `system-users` names, '' if there is none."""
    uri = str(sim.model.application(site.POSTGRESQL).settings.get(system_users.OPTION, ''))
    return next((s.label for s in sim.model.secrets.values() if s.uri == uri), '')


def objects(sim: simulation.Simulation) -> list[str]:
    """Return the keys of all objects in the repository."""
    return [item.key for item in sim.world.maas_store.list('')]


def owned(sim: simulation.Simulation, backup_id: str) -> set[str]:
    """Return the keys of a set's objects."""
    try:
        return backup_sets.owned(sim.world.maas_store, backup_id)
    except errors.CoordinatorError:
        # An operator has damaged it.
        return set()


def labels(sim: simulation.Simulation) -> set[str]:
    """Return the labels of the good database backups."""
    stanza = pgbackrest.stanza(sim.model.name, site.POSTGRESQL)
    try:
        listed = pgbackrest.backups(sim.world.postgresql_store, stanza)
    except errors.NotFound:
        return set()
    return {backup.label for backup in listed if not backup.error}


def files(sim: simulation.Simulation) -> set[str]:
    """Return the ids of the finished files backups, but those of another live model."""
    store = sim.world.maas_store
    return {name for name in maas_backup.ids(store) if _finished(sim, name)}


def _finished(sim: simulation.Simulation, name: str) -> bool:
    try:
        backup = maas_backup.read(sim.world.maas_store, name)
    except errors.StepError:
        return False
    return sim.neighbour is None or not controllers(sim).isdisjoint(backup.controllers)


def controllers(sim: simulation.Simulation) -> set[str]:
    """Return the ids of the region controllers."""
    return {state['system-id'] for state in sim.site.maas.states.values()}
