"""Reads what maas-region's create-backup leaves in S3, and says whether a backup is whole.

maas-region owns everything below `backup/`; nothing here changes an object.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
from collections.abc import Iterator, Sequence

from coordinator import errors, object_keys, ports

LATEST = 'backup/latest'
"""Key of the object that maas-region overwrites whenever it begins a backup."""
METADATA, CONTROLLERS = 'backup_metadata.json', 'controllers.txt'
IMAGES = 'image-storage.tar.gz'
ARCHIVES = (IMAGES, 'preseeds.tar.gz')
OBJECTS = (METADATA, CONTROLLERS, *ARCHIVES)
_NAMED_WITHIN = datetime.timedelta(minutes=2)
"""Longest time from a request to the id of its backup."""
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
    unit: str = ''
    """The unit that made it; units of other models may have the same name."""

    @property
    def bytes(self) -> int:
        """Size of all objects."""
        return sum(item.size for item in self.objects)


@dataclasses.dataclass(frozen=True)
class Request:
    """The unit that began the last backup below a path, and the time."""

    time: str
    """By the unit's clock, in the form of a backup id."""
    model: str
    application: str
    unit: str
    stored: ports.StoredObject

    def may_have_made(self, backup_id: str) -> bool:
        """Whether a backup of this id began right after it, both by the unit's clock."""
        try:
            began, asked = (_time(text) for text in (backup_id, self.time))
        except ValueError:
            return False
        return asked <= began <= asked + _NAMED_WITHIN


def _time(text: str) -> datetime.datetime:
    if not object_keys.ID.fullmatch(text):
        raise ValueError(text)
    return datetime.datetime.strptime(text, '%Y-%m-%dT%H:%M:%SZ')


def last_request(store: ports.ObjectStore) -> Request | None:
    """Return who began the last backup; None if there is no readable request."""
    try:
        stored = store.head(LATEST)
        text = store.get(LATEST).decode(errors='replace')
    except errors.NotFound:
        return None
    lines = (line.partition(': ') for line in text.splitlines())
    said = {name: value.strip() for name, _, value in lines}
    try:
        return Request(
            said['Date Backup Requested'],
            said['Model Name'],
            said['Application Name'],
            said['Unit Name'],
            stored,
        )
    except KeyError:
        return None


def latest_change(store: ports.ObjectStore) -> str:
    """Return when a backup's objects last changed, by S3's own clock; '' if there are none.

    The ids cannot say what is new: they are a unit's local time.
    """
    return max((_changed(item) for item in _parts(store)), default='')


def changed_since(store: ports.ObjectStore, mark: str) -> set[str]:
    """Return the ids of backups that have changed since `latest_change` returned `mark`."""
    return {item.key.split('/')[1] for item in _parts(store) if _changed(item) > mark}


def _parts(store: ports.ObjectStore) -> Iterator[ports.StoredObject]:
    return (item for item in store.list('backup/') if item.key != LATEST)


def _changed(item: ports.StoredObject) -> str:
    return item.modified.isoformat(timespec='seconds')


def folder(backup_id: str) -> str:
    """Beginning of the keys of a backup's objects."""
    return f'backup/{backup_id}/'


def ids(store: ports.ObjectStore) -> Sequence[str]:
    """Return the ids of all backups, finished or not, as their folders are named."""
    return store.folders('backup/')


def breaking(store: ports.ObjectStore) -> list[str]:
    """Return the backups that break maas-region's `list-backups`, and with it every restore."""
    sizes: dict[str, int] = {}
    for item in _parts(store):
        name, separator, part = item.key.removeprefix('backup/').partition('/')
        if separator and '/' not in part:
            sizes[name] = sizes.get(name, 0) + item.size
    return [name for name, size in sizes.items() if not size or not _is_json(store, name)]


def _is_json(store: ports.ObjectStore, backup_id: str) -> bool:
    """Whether a backup's metadata can be read, if it is there."""
    try:
        json.loads(store.get(folder(backup_id) + METADATA))
    except errors.NotFound:
        return True
    except (errors.UnexpectedAnswer, ValueError, RecursionError):
        return False
    return True


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
    metadata = store.get(path + METADATA)
    version = version_in(metadata, path + METADATA)
    controllers = controllers_in(store.get(path + CONTROLLERS), path + CONTROLLERS)
    return Backup(
        id=backup_id,
        maas_version=version,
        controllers=controllers,
        objects=tuple(present[name] for name in OBJECTS),
        unit=str(json.loads(metadata).get('unit_name', '')),
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
        raise UnfinishedError(f'{source} contains more than ids of controllers')
    return tuple(sorted(controllers))
