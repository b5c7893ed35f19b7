"""Reads a pgBackRest repository: what backups it holds, and whether one is whole.

Written after pgBackRest 2.45 to 2.5x (repository format 5). Only pgBackRest ever writes there:
nothing here changes an object.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from coordinator import errors, keys, pgbackrest_files, pgbackrest_info, ports

_ANY_LABEL = re.compile(rf'{keys.LABEL.pattern}(_[0-9]{{8}}-[0-9]{{6}}[DI])?')
_ARCHIVE = re.compile(r'[0-9]+(\.[0-9]+)?-[0-9]+')
_SEGMENT = re.compile(r'([0-9A-F]{24})?')
_LARGEST_INFO = 64 << 20
_LARGEST_MANIFEST = 128 << 20
"""Some hundred thousand files."""
_LONGEST_WAL = 1 << 16
"""WAL segments that a backup may need: 1 TiB of them."""


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


def stanza(model: str, application: str) -> str:
    """Return the stanza's name as the postgresql charm makes it."""
    return f'{model}.{application}'


def label_to_id(label: str) -> str:
    """Turn `20250814-103336F` into `2025-08-14T10:33:36Z`, as the postgresql charm does."""
    if not keys.LABEL.fullmatch(label):
        raise errors.UnexpectedAnswer(f'{label!r} is no label of a full pgBackRest backup')
    day, time = label[:8], label[9:15]
    return f'{day[:4]}-{day[4:6]}-{day[6:]}T{time[:2]}:{time[2:4]}:{time[4:]}Z'


def backups(store: ports.ObjectStore, stanza_name: str) -> list[Backup]:
    """Return the backups that the repository lists, oldest first.

    Raises:
        NotFound: there is no repository for this stanza.
    """
    first, twin = _twins(stanza_name)
    try:
        sections = _info(store, first)
    except (errors.NotFound, errors.UnexpectedAnswer):
        # pgBackRest keeps an equal twin for the moment in which the first is rewritten.
        sections = _info(store, twin)
    history: Mapping[str, Any] = sections.get('db:history', {})
    found = [
        _backup(label, raw, history) for label, raw in sections.get('backup:current', {}).items()
    ]
    return sorted(found, key=lambda backup: backup.label)


def damaged_info(store: ports.ObjectStore, stanza_name: str) -> str:
    """Return what is wrong with `backup.info` or its twin, '' if nothing is: one is enough."""
    # One answer that is garbled is no damage.
    return _unsound(store, stanza_name) and _unsound(store, stanza_name)


def _unsound(store: ports.ObjectStore, stanza_name: str) -> str:
    wrong: dict[str, errors.CoordinatorError] = {}
    for key in _twins(stanza_name):
        try:
            _info(store, key)
        except (errors.NotFound, errors.UnexpectedAnswer) as error:
            wrong[key] = error
    if len(wrong) == 2 and all(isinstance(error, errors.NotFound) for error in wrong.values()):
        # Nothing was ever backed up there.
        return ''
    return next(map(str, wrong.values()), '')


def _twins(stanza_name: str) -> tuple[str, str]:
    path = f'backup/{stanza_name}/backup.info'
    return path, f'{path}.copy'


def _info(store: ports.ObjectStore, key: str) -> dict[str, dict[str, Any]]:
    return pgbackrest_info.sound(store.get(key, limit=_LARGEST_INFO), key)


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
            archive=_formed(_ARCHIVE, f'{history[str(db_id)]["db-version"]}-{db_id}'),
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


def verify(store: ports.ObjectStore, stanza_name: str, backup: Backup) -> Contents:
    """Check that a full backup's objects are all there, in the size that its manifest says.

    Raises:
        StepError: names the first object that is missing or of another size, and the number.
    """
    folder = f'backup/{stanza_name}/{backup.label}'
    raw = store.get(f'{folder}/backup.manifest', limit=_LARGEST_MANIFEST)
    manifest = pgbackrest_info.sound(raw, f'{folder}/backup.manifest')
    if manifest.get('backup', {}).get('backup-label') != backup.label:
        raise errors.StepError(f'{folder}/backup.manifest is not the manifest of {backup.label}')
    expected = list(_expected(folder, manifest))
    present = {item.key: item.size for item in store.list(f'{folder}/')}
    wrong = [
        f'{key} ({present.get(key, "missing")} instead of {size} bytes)'
        for key, size, exact in expected
        if key not in present or (present[key] != size if exact else present[key] < size)
    ]
    wrong += _missing_wal(store, stanza_name, backup)
    if wrong:
        raise errors.StepError(
            f'{len(wrong)} object(s) of PostgreSQL backup {backup.label} are missing or of the '
            f'wrong size, first {wrong[0]}'
        )
    return Contents(
        objects=len(present),
        bytes=sum(present.values()),
        manifest_sha256=hashlib.sha256(raw).hexdigest(),
        manifest_bytes=len(raw),
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


def _missing_wal(store: ports.ObjectStore, stanza_name: str, backup: Backup) -> list[str]:
    """Return which WAL segments, without which the backup is not consistent, are not archived."""
    archive = f'archive/{stanza_name}/{backup.archive}/'
    wanted = list(wal_range(backup.wal_start, backup.wal_stop))
    # One listing for each folder, which holds the 256 segments of a log. A checksum follows the
    # segment's name; what has another sign behind it is the history of a backup that began there.
    archived = {
        item.key.rpartition('/')[2].partition('-')[0]
        for folder in sorted({segment[:16] for segment in wanted})
        for item in store.list(f'{archive}{folder}/')
    }
    return [
        f'{archive}{segment[:16]}/{segment}-* (missing)'
        for segment in wanted
        if segment not in archived
    ]


def wal_range(start: str, stop: str) -> Iterator[str]:
    """Yield the names of the WAL segments from start to stop, at the default size of 16 MiB.

    A name is timeline, log and segment, eight hexadecimal digits each; a log has 256 segments.

    Raises:
        UnexpectedAnswer: they are more than any backup needs.
    """
    if not start or not stop:
        return
    timeline = stop[:8]
    first, last = (int(name[8:16], 16) * 256 + int(name[16:24], 16) for name in (start, stop))
    if last - first > _LONGEST_WAL:
        raise errors.UnexpectedAnswer(
            f'backup.info lists a backup with WAL from {start} to {stop}'
        )
    for number in range(first, last + 1):
        yield f'{timeline}{number // 256:08X}{number % 256:08X}'
