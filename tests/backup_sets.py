"""Backup sets for tests: more of them than one wants to wait for, all complete."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Collection

from coordinator import ports
from coordinator.parts import maas_backup
from coordinator.sets import catalogue, manifest, rules
from tests import simulation

DAYS = ('2026-08-18', '2026-08-19', '2026-08-20', '2026-08-21')


def name(day: str) -> str:
    """Return the id of the set of a day."""
    return f'{day}T10:15:00Z'


def simulate(
    policy: rules.Policy, days: Collection[str] = DAYS, **site: object
) -> simulation.Simulation:
    """Return a site with a set of each of these days, and one of now that a backup made."""
    sim = simulation.Simulation(**{'regions': 1, 'postgresql_units': 1, **site})  # type: ignore[arg-type]
    sim.run()
    for day in days:
        add(sim, name(day))
    sim.clock.advance(60)
    sim.config = dataclasses.replace(sim.config, retention=policy)
    return sim


def add(sim: simulation.Simulation, backup_id: str, **changes: object) -> manifest.Manifest:
    """Store another set like the one that was backed up, with files of its own."""
    store = sim.world.maas_store
    source = catalogue.opened(store, made(sim))
    for item in source.maas.objects:
        store.put(renamed(item.key, backup_id), store.get(item.key, limit=1 << 30))
    sealed = f'sealed for {backup_id}'.encode()
    store.put(catalogue.sealed_key(backup_id), sealed)
    objects = [
        item.model_copy(update={'key': renamed(item.key, backup_id)})
        for item in source.maas.objects
    ]
    maas = source.maas.model_copy(update={'backup_id': backup_id, 'objects': tuple(objects)})
    copy = source.model_copy(
        update={
            'backup_id': backup_id,
            'maas': maas,
            'passwords': source.passwords.model_copy(
                update={
                    'sealed': manifest.Object(
                        key=catalogue.sealed_key(backup_id),
                        size=len(sealed),
                        sha256=hashlib.sha256(sealed).hexdigest(),
                    )
                }
            ),
            **changes,
        }
    )
    signer = sim.world.signer
    signed = copy.signed(signer.keys()[0], signer.sign(copy.purpose, copy.digest))
    catalogue.commit(store, signed)
    return signed


def renamed(key: str, backup_id: str) -> str:
    """Return the key of an object of a files backup in another one."""
    return maas_backup.folder(backup_id) + key.rpartition('/')[2]


def made(sim: simulation.Simulation) -> str:
    """Return the id of the set that the site's own backup has made."""
    first = json.loads(sim.saved[0])
    return str(first['id'])


def listed(sim: simulation.Simulation) -> list[str]:
    """Return the ids of all sets that there are."""
    return catalogue.ids(sim.world.maas_store)


def keys(store: ports.ObjectStore) -> set[str]:
    """Return the keys of all objects."""
    return {item.key for item in store.list('')}


def owned(store: ports.ObjectStore, backup_id: str) -> set[str]:
    """Return the keys of a set's objects: its own, and those of its files."""
    files = catalogue.opened(store, backup_id).maas.backup_id
    folders = (catalogue.folder(backup_id), maas_backup.folder(files))
    return {key for key in keys(store) if key.startswith(folders)}
