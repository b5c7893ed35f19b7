"""Reads a pgBackRest repository: what backups it holds, and whether one is whole.

Written after pgBackRest 2.45 to 2.5x (repository format 5). Only pgBackRest ever writes there:
nothing here changes an object.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from coordinator import errors, object_keys, ports
from coordinator.parts import pgbackrest_archive, pgbackrest_files, pgbackrest_pairs

_ANY_LABEL = re.compile(rf'{object_keys.LABEL.pattern}(_[0-9]{{8}}-[0-9]{{6}}[DI])?')
_SEGMENT = re.compile(r'([0-9A-F]{24})?')
_LARGEST_INFO = 64 << 20
_LARGEST_MANIFEST = 128 << 20
"""Some hundred thousand files."""


@dataclasses.dataclass(frozen=True)
class Backup:
    """One entry of `backup.info`."""

    label: str
    type: str
    """full, diff or incr."""
    error: bool
    start: int
    """Seconds since 1970."""
    stop: int
    wal_start: str
    wal_stop: str
    lsn_start: str
    lsn_stop: str
    repository_bytes: int
    database_bytes: int
    archive: str
    """Name of the WAL archive's folder, such as `16-1`."""

    @property
    def id(self) -> str:
        """The charm's id of a full backup: the label's time."""
        return label_to_id(self.label)


@dataclasses.dataclass(frozen=True)
class Contents:
    """What verifying one backup's objects has found."""

    objects: int
    bytes: int
    manifest_sha256: str
    manifest_bytes: int
    weaknesses: tuple[str, ...] = ()
    """Files the backup needs of which only one of two copies is sound, and how to repair that."""


def stanza(model: str, application: str) -> str:
    """Return the stanza's name as the postgresql charm makes it."""
    return f'{model}.{application}'


def label_to_id(label: str) -> str:
    """Turn `20250814-103336F` into `2025-08-14T10:33:36Z`, as the postgresql charm does."""
    if not object_keys.LABEL.fullmatch(label):
        raise errors.UnexpectedAnswer(f'{label!r} is not the label of a full pgBackRest backup')
    day, time = label[:8], label[9:15]
    return f'{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z'


def backups(store: ports.ObjectStore, stanza_name: str) -> list[Backup]:
    """Return the backups that the repository lists, oldest first.

    Raises:
        NotFound: there is no repository for this stanza.
    """
    sections = _info(store, stanza_name).sections
    history: Mapping[str, Any] = sections.get('db:history', {})
    found = [
        _backup(label, raw, history) for label, raw in sections.get('backup:current', {}).items()
    ]
    return sorted(found, key=lambda backup: backup.label)


def weakness(store: ports.ObjectStore, stanza_name: str) -> str:
    """Return what is wrong with one of `backup.info` and its copy, '' if nothing is."""
    key = _info_key(stanza_name)
    try:
        found = _info(store, stanza_name)
    except errors.NotFound:
        # Nothing was ever backed up there.
        return ''
    mended = ', and the next backup writes both again: run backup-all'
    return pgbackrest_pairs.weakness(store, key, found, _LARGEST_INFO, mended=mended)


def _info(store: ports.ObjectStore, stanza_name: str) -> pgbackrest_pairs.Found:
    return pgbackrest_pairs.read(store, _info_key(stanza_name), _LARGEST_INFO)


def _info_key(stanza_name: str) -> str:
    return f'backup/{stanza_name}/backup.info'


def _backup(label: str, raw: Any, history: Mapping[str, Any]) -> Backup:
    try:
        db_id = raw['db-id']
        return Backup(
            label=_formed(_ANY_LABEL, label),
            type=str(raw['backup-type']),
            error=bool(raw.get('backup-error')),
            start=int(raw['backup-timestamp-start']),
            stop=int(raw['backup-timestamp-stop']),
            wal_start=_formed(_SEGMENT, raw.get('backup-archive-start') or ''),
            wal_stop=_formed(_SEGMENT, raw.get('backup-archive-stop') or ''),
            lsn_start=str(raw.get('backup-lsn-start') or ''),
            lsn_stop=str(raw.get('backup-lsn-stop') or ''),
            repository_bytes=int(raw['backup-info-repo-size']),
            database_bytes=int(raw['backup-info-size']),
            archive=_formed(
                pgbackrest_archive.FOLDER, f'{history[str(db_id)]["db-version"]}-{db_id}'
            ),
        )
    except KeyError as error:
        raise errors.UnexpectedAnswer(f'backup.info lists {label} without {error}') from None
    except (TypeError, ValueError, AttributeError, OverflowError):
        raise errors.UnexpectedAnswer(f'backup.info is damaged at {label}') from None


def _formed(form: re.Pattern[str], text: str) -> str:
    """Return a text that becomes part of a key, if it has the form of one."""
    if not form.fullmatch(text):
        raise ValueError(text)
    return text


def first_full_after(store: ports.ObjectStore, stanza_name: str, after: str) -> Backup | None:
    """Return the oldest full backup without error whose label is newer than `after`.

    Labels only ever rise: pgBackRest sees to that even when clocks step back.
    """
    for backup in backups(store, stanza_name):
        if backup.type == 'full' and not backup.error and backup.label > after:
            return backup
    return None


def manifest_of(
    store: ports.ObjectStore, stanza_name: str, label: str
) -> tuple[pgbackrest_pairs.Found, pgbackrest_archive.Cluster]:
    """Return a backup's manifest, and the cluster that it is of.

    Raises:
        NotFound: neither the manifest nor its copy is there.
        StepError: both are damaged, or of another backup.
    """
    key = _manifest_key(stanza_name, label)
    found = pgbackrest_pairs.read(store, key, _LARGEST_MANIFEST)
    if found.sections.get('backup', {}).get('backup-label') != label:
        raise errors.StepError(f'{found.key} is not the manifest of {label}')
    try:
        database = found.sections['backup:db']
        return found, pgbackrest_archive.Cluster(
            int(database['db-system-id']), str(database['db-version'])
        )
    except (LookupError, TypeError, ValueError, OverflowError):
        raise errors.UnexpectedAnswer(f'{found.key} is damaged at backup:db') from None


def manifest_weakness(
    store: ports.ObjectStore, stanza_name: str, label: str, found: pgbackrest_pairs.Found
) -> str:
    """Return what is wrong with one of a backup's manifest and its copy, '' if nothing is."""
    key = _manifest_key(stanza_name, label)
    return pgbackrest_pairs.weakness(store, key, found, _LARGEST_MANIFEST, equal=True)


def _manifest_key(stanza_name: str, label: str) -> str:
    return f'backup/{stanza_name}/{label}/backup.manifest'


def contents(store: ports.ObjectStore, stanza_name: str, backup: Backup) -> Contents:
    """Check that a full backup's objects are all there, in the size that its manifest says.

    Raises:
        StepError: names the first object that is missing or of another size, and the number.
    """
    folder = f'backup/{stanza_name}/{backup.label}'
    found, cluster = manifest_of(store, stanza_name, backup.label)
    expected = list(_expected(folder, found.sections))
    present = {item.key: item.size for item in store.list(f'{folder}/')}
    wrong = [
        f'{key} ({present.get(key, "missing")} instead of {size} bytes)'
        for key, size, exact in expected
        if key not in present or (present[key] != size if exact else present[key] < size)
    ]
    archive = pgbackrest_archive.of(store, stanza_name, cluster)
    needed = pgbackrest_archive.wal_range(backup.wal_start, backup.wal_stop)
    wrong += pgbackrest_archive.wrong(store, archive, needed)
    if wrong:
        raise errors.StepError(
            f'{len(wrong)} object(s) of PostgreSQL backup {backup.label} are missing, '
            f'have the wrong size or exist twice; the first is {wrong[0]}'
        )
    weaknesses = (
        manifest_weakness(store, stanza_name, backup.label, found),
        pgbackrest_archive.weakness(store, stanza_name, archive),
        weakness(store, stanza_name),
    )
    return Contents(
        objects=len(present),
        bytes=sum(present.values()),
        manifest_sha256=found.sha256,
        manifest_bytes=found.size,
        weaknesses=tuple(filter(None, weaknesses)),
    )


def _expected(folder: str, manifest: Mapping[str, Any]) -> Iterator[tuple[str, int, bool]]:
    """Yield key, size in bytes, and whether the size is exact, of each object of a full backup."""
    bundles: dict[str, int] = {}
    for file in pgbackrest_files.files(manifest, f'{folder}/backup.manifest'):
        if file.bundled:
            bundles[file.key] = max(bundles.get(file.key, 0), file.offset + file.stored)
        else:
            yield f'{folder}/{file.key}', file.stored, True
    for key, end in bundles.items():
        yield f'{folder}/{key}', end, False
