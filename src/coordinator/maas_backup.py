"""Reads what maas-region's create-backup leaves in S3, and says whether a backup is whole.

maas-region owns everything below `backup/`; nothing here changes an object.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from coordinator import errors, ports

METADATA = 'backup_metadata.json'
OBJECTS = (METADATA, 'controllers.txt', 'image-storage.tar.gz', 'preseeds.tar.gz')


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
    return sorted(item.key.split('/')[1] for item in _metadata(store) if _changed(item) > mark)


def _metadata(store: ports.ObjectStore) -> list[ports.StoredObject]:
    return [item for item in store.list('backup/') if item.key.endswith(f'/{METADATA}')]


def _changed(item: ports.StoredObject) -> str:
    return item.modified.isoformat(timespec='seconds')


def read(store: ports.ObjectStore, backup_id: str) -> Backup:
    """Read a finished backup.

    Raises:
        StepError: an object is missing or empty, or the backup did not succeed.
    """
    folder = f'backup/{backup_id}/'
    present = {item.key.removeprefix(folder): item for item in store.list(folder)}
    for name in OBJECTS:
        if name not in present:
            raise errors.StepError(f'{folder}{name} is missing: the backup is not finished')
        if not present[name].size:
            raise errors.StepError(f'{folder}{name} is empty: the backup is not usable')
    try:
        metadata = json.loads(store.get(folder + METADATA))
        success = metadata['success'] is True
        version = str(metadata.get('maas_snap_version', ''))
        controllers = store.get(f'{folder}controllers.txt').decode().split()
    except (ValueError, KeyError, TypeError) as error:
        raise errors.StepError(f'{folder}{METADATA} cannot be read: {error!r}') from error
    if not success:
        raise errors.StepError(f'{folder}{METADATA} says that the backup did not succeed')
    return Backup(
        id=backup_id,
        maas_version=version,
        controllers=tuple(sorted(controllers)),
        objects=tuple(present[name] for name in OBJECTS),
    )
