"""Finds objects of a backup set that cannot be read because S3 keeps them in an archive."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from coordinator import archives, errors, ports
from coordinator.parts import pgbackrest
from coordinator.sets import catalogue, manifest
from coordinator.steps.backup_set import set_objects


def archived(wanted: manifest.Manifest, repository: ports.ObjectStore, world: ports.World) -> str:
    """Return which objects must be thawed before the set can be restored, and how; '' if none.

    A missing object is ignored here: other checks report it.

    Args:
        wanted: the set's manifest.
        repository: where that lies.
        world: for the stores that hold both parts.
    """
    files = set_objects.maas_store(wanted, world)
    database = set_objects.postgresql_store(wanted, world)
    found = [
        (repository, _asked(repository, [catalogue.sealed_key(wanted.backup_id)])),
        (files, _asked(files, [item.key for item in wanted.maas.objects])),
        (database, archives.found(database, _of_database(wanted, database))),
    ]
    return '; '.join(_advice(store, items) for store, items in found if items)


def check(wanted: manifest.Manifest, repository: ports.ObjectStore, world: ports.World) -> str:
    """Make sure that nothing of a set must be thawed first; raises ObjectArchived."""
    if why := archived(wanted, repository, world):
        raise errors.ObjectArchived(why)
    return 'no object of the set is in an archive of S3'


def _asked(store: ports.ObjectStore, keys: Sequence[str]) -> list[ports.StoredObject]:
    found: list[ports.StoredObject] = []
    for key in keys:
        with contextlib.suppress(errors.NotFound):
            item = store.head(key)
            found += [item] if item.archive else []
    return found


def _of_database(
    wanted: manifest.Manifest, store: ports.ObjectStore
) -> Iterator[ports.StoredObject]:
    """Yield the objects of the database backup, and the WAL that it needs."""
    part = wanted.postgresql
    yield from store.list(f'backup/{part.stanza}/{part.label}/')
    try:
        listed = {backup.label: backup for backup in pgbackrest.backups(store, part.stanza)}
    except errors.NotFound:
        return
    backup = listed.get(part.label)
    if backup is None or not backup.wal_start or not backup.wal_stop:
        return
    archive = f'archive/{part.stanza}/{backup.archive}/'
    # Names of segments, 24 hexadecimal digits, are in order; the first 16 name their folder.
    first, last = backup.wal_start, backup.wal_stop
    for folder in store.folders(archive):
        if first[:16] <= folder <= last[:16]:
            for item in store.list(f'{archive}{folder}/'):
                if first <= item.key.rpartition('/')[2][:24] <= last:
                    yield item


def _advice(store: ports.ObjectStore, items: Sequence[ports.StoredObject]) -> str:
    path = store.place['path']
    keys = [f'{path}/{item.key}' if path else item.key for item in items]
    return archives.advice(store.place['bucket'], keys, items[0].archive)
