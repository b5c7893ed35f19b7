"""Backup sets in the repository: where they lie, list, commit, withdraw.

A set exists while its manifest does. So the manifest is written after everything else, and
taken away before anything else.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import functools
from collections.abc import Sequence

from coordinator import errors, keys, manifest, ports

_SETS = 'coordinator/backup-sets/'
_MANIFEST = '/manifest.json'
_READERS = 8
"""Manifests read at the same time: S3 answers slowly, but many at once."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A backup set as listed: its manifest, or why that cannot be read."""

    backup_id: str
    manifest: manifest.Manifest | None
    problem: str = ''


def check_id(backup_id: str) -> str:
    """Return the id if it is one: only such ids ever become part of a key.

    Raises:
        PreconditionError: it is not of the form 2026-08-22T10:15:00Z.
    """
    if not keys.ID.fullmatch(backup_id):
        raise errors.PreconditionError(
            f'{backup_id[:40]!r} is no backup id: ids look like 2026-08-22T10:15:00Z, '
            'list-backups shows them'
        )
    return backup_id


def manifest_key(backup_id: str) -> str:
    """Key of a set's manifest."""
    return f'{_SETS}{check_id(backup_id)}{_MANIFEST}'


def sealed_key(backup_id: str) -> str:
    """Key of a set's sealed passwords."""
    return f'{_SETS}{check_id(backup_id)}/secrets.age'


def ids(store: ports.ObjectStore) -> list[str]:
    """Return the ids of all sets, oldest first."""
    names = (item.key.removeprefix(_SETS) for item in store.list(_SETS))
    found = (name.removesuffix(_MANIFEST) for name in names if name.endswith(_MANIFEST))
    return [backup_id for backup_id in found if keys.ID.fullmatch(backup_id)]


def entries(store: ports.ObjectStore) -> list[Entry]:
    """Return all sets, oldest first; a damaged manifest is an entry with its problem."""
    return read(store, ids(store))


def read(store: ports.ObjectStore, wanted: Sequence[str]) -> list[Entry]:
    """Return the entries of these sets, in their order."""
    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(functools.partial(_entry, store), wanted))


def _entry(store: ports.ObjectStore, backup_id: str) -> Entry:
    try:
        return Entry(backup_id, opened(store, backup_id))
    except (errors.StepError, errors.ForeignRecordError) as error:
        return Entry(backup_id, None, str(error))


def opened(store: ports.ObjectStore, backup_id: str) -> manifest.Manifest:
    """Return the manifest of a set.

    Raises:
        NotFound: there is no such set.
        ForeignRecordError: its manifest is of a newer version.
        StepError: its manifest is damaged, or that of another set.
    """
    key = manifest_key(backup_id)
    found = manifest.parse(store.get(key), key)
    if found.backup_id != backup_id:
        raise errors.StepError(
            f'{key} is the manifest of {found.backup_id}: it was exchanged, do not restore from it'
        )
    return found


def commit(store: ports.ObjectStore, contents: manifest.Manifest) -> None:
    """Make a set exist: one PUT, equal however often it is repeated."""
    store.put(manifest_key(contents.backup_id), contents.to_json())


def withdraw(store: ports.ObjectStore, backup_id: str) -> None:
    """Make a set not exist."""
    store.delete(manifest_key(backup_id))
