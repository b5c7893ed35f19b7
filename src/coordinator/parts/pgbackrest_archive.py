"""pgBackRest's archive of WAL: which cluster it belongs to, and whether a backup's segments exist.

`archive-get` takes a segment from the folders that `archive.info` lists for the cluster's system
identifier and version, and refuses a segment that exists twice with different SHA-1s.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from coordinator import errors, ports
from coordinator.parts import pgbackrest_pairs

FOLDER = re.compile(r'[0-9]+(\.[0-9]+)?-[0-9]+')
"""Name of one cluster's archive: PostgreSQL's version, and a number in the stanza."""
_OBJECT = re.compile(r'([0-9A-F]{24})-([0-9a-f]{40})(|\.gz|\.lz4|\.zst|\.bz2)')
_LARGEST_INFO = 1 << 20
_LARGEST_HISTORY = 1 << 16
_LONGEST_WAL = 1 << 16
"""Most WAL segments that a backup may need: 1 TiB."""
SEGMENT_BYTES = 16 << 20
"""Size of PostgreSQL's segments; the charm keeps the default."""
_SEGMENTS_IN_LOG = (1 << 32) // SEGMENT_BYTES
_HISTORY = re.compile(r'\s*([0-9]{1,10})\s+([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})(\s.*)?')


@dataclasses.dataclass(frozen=True)
class Cluster:
    """What distinguishes one database cluster from another."""

    system_id: int
    version: str

    def __str__(self) -> str:
        return f'PostgreSQL {self.version} with system identifier {self.system_id}'


@dataclasses.dataclass(frozen=True)
class Archive:
    """Where pgBackRest looks for a cluster's WAL."""

    path: str
    """Of the stanza's archive."""
    folders: tuple[str, ...]
    info: pgbackrest_pairs.Found


@dataclasses.dataclass(frozen=True)
class Segment:
    """An object that holds a segment of WAL."""

    key: str
    size: int
    name: str
    sha1: str
    """Of the segment itself."""
    suffix: str
    """Tells how it is compressed."""


def info(store: ports.ObjectStore, stanza: str) -> pgbackrest_pairs.Found:
    """Return `archive.info`, without which pgBackRest neither archives nor restores.

    Raises:
        StepError: neither it nor its copy is sound.
    """
    key = _info_key(stanza)
    try:
        return pgbackrest_pairs.read(store, key, _LARGEST_INFO)
    except (errors.NotFound, errors.UnexpectedAnswer) as error:
        raise errors.StepError(
            f'{key} and its copy are missing or damaged ({error}): '
            'pgBackRest neither archives nor restores without them. '
            'Restore an earlier version of either object, and exempt both from lifecycle rules'
        ) from None


def of(store: ports.ObjectStore, stanza: str, cluster: Cluster) -> Archive:
    """Return the archive of a cluster.

    Raises:
        StepError: pgBackRest would find no WAL for it.
    """
    found = info(store, stanza)
    try:
        clusters = {
            f'{entry["db-version"]}-{number}': Cluster(entry['db-id'], entry['db-version'])
            for number, entry in found.sections.get('db:history', {}).items()
        }
    except (LookupError, TypeError):
        raise errors.UnexpectedAnswer(f'{found.key} is damaged at db:history') from None
    folders = [name for name, owner in clusters.items() if owner == cluster]
    if not folders:
        others = ', '.join(sorted(map(str, clusters.values())))
        raise errors.StepError(
            f'{found.key} belongs to {others or "no cluster"}, the backup to {cluster}: '
            'pgBackRest would find no WAL for it. Restore an earlier version of this object'
        )
    path = f'archive/{stanza}'
    return Archive(path, tuple(name for name in folders if FOLDER.fullmatch(name)), found)


def _info_key(stanza: str) -> str:
    """Return the key of `archive.info`."""
    return f'archive/{stanza}/archive.info'


def weakness(store: ports.ObjectStore, stanza: str, archive: Archive) -> str:
    """Return what is wrong with one of `archive.info` and its copy, '' if nothing is."""
    return pgbackrest_pairs.weakness(store, _info_key(stanza), archive.info, _LARGEST_INFO)


def segments(
    store: ports.ObjectStore, archive: Archive, wanted: Iterable[str]
) -> Mapping[str, Sequence[Segment]]:
    """Return the objects of each segment that is wanted, in the order of the names."""
    found: dict[str, list[Segment]] = {name: [] for name in wanted}
    # One listing for each folder, which holds the 256 segments of a log. Other names are history
    # files of backups that began there, or objects that pgBackRest ignores.
    for log in sorted({name[:16] for name in found}):
        for folder in archive.folders:
            for item in store.list(f'{archive.path}/{folder}/{log}/'):
                name = _OBJECT.fullmatch(item.key.rpartition('/')[2])
                if name is not None and name[1] in found:
                    found[name[1]].append(Segment(item.key, item.size, name[1], name[2], name[3]))
    return found


def wrong(store: ports.ObjectStore, archive: Archive, wanted: Iterable[str]) -> list[str]:
    """Return which segments pgBackRest cannot give back, and why."""
    found = segments(store, archive, wanted)
    problems = {name: _problem(kept) for name, kept in found.items()}
    places = archive.folders[0] if len(archive.folders) == 1 else '*'
    return [
        f'{archive.path}/{places}/{name[:16]}/{name}-* ({problem})'
        for name, problem in problems.items()
        if problem
    ]


def _problem(kept: Sequence[Segment]) -> str:
    if not kept:
        return 'missing'
    different = {segment.sha1 for segment in kept}
    if len(different) > 1:
        return f'{len(different)} objects with different content, pgBackRest uses none of them'
    return '' if any(segment.size for segment in kept) else 'an object of 0 bytes'


def wal_range(start: str, stop: str) -> Iterator[str]:
    """Yield the names of the WAL segments from start to stop, at the default size of 16 MiB.

    A name is timeline, log and segment, eight hexadecimal digits each; a log has 256 segments.

    Raises:
        UnexpectedAnswer: there are more than any backup needs.
    """
    if not start or not stop:
        return
    timeline = stop[:8]
    first, last = number(start), number(stop)
    if last - first > _LONGEST_WAL:
        raise errors.UnexpectedAnswer(
            f'backup.info lists a backup with WAL from {start} to {stop}'
        )
    for at in range(first, last + 1):
        yield f'{timeline}{at // _SEGMENTS_IN_LOG:08X}{at % _SEGMENTS_IN_LOG:08X}'


def number(segment: str) -> int:
    """Return the number of a segment in the whole WAL."""
    return int(segment[8:16], 16) * _SEGMENTS_IN_LOG + int(segment[16:24], 16)


def timelines(
    store: ports.ObjectStore, archive: Archive, wanted: Sequence[str]
) -> Mapping[str, Sequence[int]]:
    """Return on which timeline the first page of each segment was written; several if unknown.

    The segment in which a timeline begins is copied from the one before it: its history tells.
    """
    if not wanted:
        return {}
    own = int(wanted[0][:8], 16)
    history = _history(store, archive, own) if own > 1 else []
    if history is None:
        return {name: range(1, own + 1) for name in wanted}
    return {
        name: [
            next((before for before, end in history if end > number(name) * SEGMENT_BYTES), own)
        ]
        for name in wanted
    }


def _history(
    store: ports.ObjectStore, archive: Archive, timeline: int
) -> list[tuple[int, int]] | None:
    """Return the timelines before one, and the address at which each ended; None if unknown."""
    for folder in archive.folders:
        try:
            content = store.get(
                f'{archive.path}/{folder}/{timeline:08X}.history', limit=_LARGEST_HISTORY
            )
        except (errors.NotFound, errors.UnexpectedAnswer):
            continue
        lines = map(_HISTORY.fullmatch, content.decode(errors='replace').splitlines())
        return [
            (int(line[1]), (int(line[2], 16) << 32) + int(line[3], 16))
            for line in lines
            if line is not None
        ]
    return None
