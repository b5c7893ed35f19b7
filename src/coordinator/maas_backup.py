"""Reads what maas-region's create-backup leaves in S3, and says whether a backup is whole.

maas-region owns everything below `backup/`; nothing here changes an object.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Sequence

from coordinator import errors, keys, ports

METADATA, CONTROLLERS = 'backup_metadata.json', 'controllers.txt'
ARCHIVES = ('image-storage.tar.gz', 'preseeds.tar.gz')
OBJECTS = (METADATA, CONTROLLERS, *ARCHIVES)
_CONTROLLER = re.compile(r'[A-Za-z0-9]{1,64}')


class UnfinishedError(errors.StepError):
    """What is in S3 is no finished backup, or not yet."""


@dataclasses.dataclass(frozen=True)
class Backup:
    """A finished files backup: four objects, and `success` in its metadata."""

    id: str
    maas_version: str
    controllers: tuple[str, ...]
    """System ids of the region controllers, sorted."""
    objects: tuple[ports.StoredObject, ...]

    @property
    def bytes(self) -> int:
        """Size of all objects."""
        return sum(item.size for item in self.objects)


def folder(backup_id: str) -> str:
    """Beginning of the keys of a backup's objects."""
    return f'backup/{backup_id}/'


def ids(store: ports.ObjectStore) -> Sequence[str]:
    """Return the ids of all backups, finished or not, as their folders are named."""
    return store.folders('backup/')


def latest_change(store: ports.ObjectStore) -> str:
    """Return when S3 last saw a backup's metadata change, by S3's own clock, or ''.

    The ids cannot say what is new: they are a unit's local time.
    """
    return max((_changed(item) for item in _metadata(store)), default='')


def changed_since(store: ports.ObjectStore, mark: str) -> list[str]:
    """Return the ids of backups whose metadata S3 saw change later than `latest_change` said."""
    return sorted(_id(item) for item in _metadata(store) if _changed(item) > mark)


def _metadata(store: ports.ObjectStore) -> list[ports.StoredObject]:
    """Return the metadata of what is named as maas-region names its backups."""
    return [
        item
        for item in store.list('backup/')
        if item.key == f'backup/{_id(item)}/{METADATA}' and keys.ID.fullmatch(_id(item))
    ]


def _id(item: ports.StoredObject) -> str:
    return item.key.split('/')[1]


def _changed(item: ports.StoredObject) -> str:
    return item.modified.isoformat(timespec='seconds')


def read(store: ports.ObjectStore, backup_id: str) -> Backup:
    """Read a finished backup.

    Raises:
        UnfinishedError: an object is missing or empty, or the backup did not succeed.
        StepError: S3 does not let it be read: nothing is known of it.
    """
    path = folder(backup_id)
    present = {item.key.removeprefix(path): item for item in store.list(path)}
    for name in OBJECTS:
        if name not in present:
            raise UnfinishedError(f'{path}{name} is missing: the backup is not finished')
        if not present[name].size:
            raise UnfinishedError(f'{path}{name} is empty: the backup is not usable')
    version = version_in(store.get(path + METADATA), path + METADATA)
    controllers = controllers_in(store.get(path + CONTROLLERS), path + CONTROLLERS)
    return Backup(
        id=backup_id,
        maas_version=version,
        controllers=controllers,
        objects=tuple(present[name] for name in OBJECTS),
    )


def version_in(metadata: bytes, source: str) -> str:
    """Return the MAAS version out of a backup's metadata; `source` names it in errors.

    Raises:
        UnfinishedError: it cannot be read, or the backup did not succeed.
    """
    try:
        found = json.loads(metadata)
        success = found['success'] is True
        version = str(found.get('maas_snap_version', ''))
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise UnfinishedError(f'{source} cannot be read: {error!r}') from None
    if not success:
        raise UnfinishedError(f'{source} says that the backup did not succeed')
    return version


def controllers_in(listed: bytes, source: str) -> tuple[str, ...]:
    """Return the ids of the region controllers, sorted; `source` names the list in errors.

    Raises:
        UnfinishedError: it holds anything else.
    """
    controllers = listed.decode(errors='replace').split()
    if not all(_CONTROLLER.fullmatch(name) for name in controllers):
        raise UnfinishedError(f'{source} holds more than ids of controllers')
    return tuple(sorted(controllers))
