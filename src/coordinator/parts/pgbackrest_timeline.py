"""Reads from a pgBackRest repository which cluster archives there, and which timelines it began.

PostgreSQL begins a timeline whenever it was promoted or restored, and archives a history file for
it. The last line of that file says where it branched off, and why:
`1<TAB>0/5011558<TAB>reached consistency` (PostgreSQL, xlogrecovery.c and timeline.c).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from coordinator import errors, ports
from coordinator.parts import pgbackrest_info

_LARGEST = 64 << 20
_SEGMENT_BYTES = 16 << 20
_MOST = 1000
"""Timelines since a backup: each restart of a cluster by Patroni begins one."""
_LARGEST_HISTORY = 1 << 16
_LINE = re.compile(r'\s*\d+\s+([0-9A-F]{1,8}/[0-9A-F]{1,8})\s*(.*)', re.IGNORECASE)
_PROMOTED = 'no recovery target specified'
"""The reason in the history file of a promotion: recovery had no target."""


@dataclasses.dataclass(frozen=True)
class Branch:
    """The beginning of a timeline."""

    timeline: int
    lsn: str
    """Where it branched off, such as `0/5011558`."""
    reason: str

    @property
    def restored(self) -> bool:
        """Whether it began at the target of a restore, and not by a promotion."""
        return bool(self.reason) and not self.reason.startswith(_PROMOTED)

    def ends(self, lsn_stop: str, wal_stop: str) -> bool:
        """Whether it branched off where a backup ends.

        Args:
            lsn_stop: address at which that backup is consistent; '' if unknown.
            wal_stop: the last WAL segment that it needs; '' if unknown.
        """
        if not lsn_stop or not wal_stop:
            return True
        # The end of a backup switches to another segment, in which the next backup may end.
        end = (int(wal_stop[8:16], 16) * 256 + int(wal_stop[16:], 16) + 1) * _SEGMENT_BYTES
        return _bytes(lsn_stop) <= _bytes(self.lsn) <= end


def _bytes(lsn: str) -> int:
    high, _, low = lsn.partition('/')
    return (int(high, 16) << 32) + int(low, 16)


def next_timeline(store: ports.ObjectStore, stanza: str, archive: str, after: int) -> int:
    """Return the timeline that a cluster restored from timeline `after` begins.

    PostgreSQL takes the first number above that has no history file.
    """
    number = after + 1
    while number <= after + _MOST and _is_there(store, _history(stanza, archive, number)):
        number += 1
    return number


def begun_since(store: ports.ObjectStore, stanza: str, archive: str, first: int) -> list[Branch]:
    """Return the timelines from `first` on, oldest first; what cannot be read proves nothing."""
    last = next_timeline(store, stanza, archive, first - 1)
    found = [
        _branch(store, _history(stanza, archive, number), number) for number in range(first, last)
    ]
    return [branch for branch in found if branch is not None]


def _history(stanza: str, archive: str, timeline: int) -> str:
    return f'archive/{stanza}/{archive}/{timeline:08X}.history'


def _is_there(store: ports.ObjectStore, key: str) -> bool:
    try:
        store.head(key)
    except errors.NotFound:
        return False
    return True


def _branch(store: ports.ObjectStore, key: str, timeline: int) -> Branch | None:
    try:
        content = store.get(key, limit=_LARGEST_HISTORY)
    except (errors.NotFound, errors.UnexpectedAnswer):
        return None
    lines = [line for line in content.decode(errors='replace').splitlines() if line.strip()]
    found = _LINE.fullmatch(lines[-1]) if lines else None
    return Branch(timeline, found[1], found[2]) if found else None


def system_id(store: ports.ObjectStore, stanza: str, archive: str) -> str:
    """Return the identifier of the cluster that a WAL archive, such as `16-1`, belongs to.

    Raises:
        NotFound: there is no such stanza.
        UnexpectedAnswer: `backup.info` does not name it.
    """
    number = archive.partition('-')[2]
    history = _info(store, f'backup/{stanza}/backup.info').get('db:history', {})
    return _identifier(history.get(number), stanza)


def owners(store: ports.ObjectStore, stanza: str) -> set[str]:
    """Return the identifiers of the cluster that a stanza belongs to now, one from each info file.

    Raises:
        NotFound: there is no such stanza.
        UnexpectedAnswer: an info file names none.
    """
    paths = (f'backup/{stanza}/backup.info', f'archive/{stanza}/archive.info')
    return {_identifier(_info(store, path).get('db'), stanza) for path in paths}


def _info(store: ports.ObjectStore, path: str) -> Mapping[str, Mapping[str, Any]]:
    """Return an info file, or its copy while the first is being rewritten."""
    try:
        return pgbackrest_info.sound(store.get(path, limit=_LARGEST), path)
    except (errors.NotFound, errors.UnexpectedAnswer):
        twin = f'{path}.copy'
        return pgbackrest_info.sound(store.get(twin, limit=_LARGEST), twin)


def _identifier(entry: Any, stanza: str) -> str:
    try:
        return str(int(entry['db-system-id']))
    except (KeyError, TypeError, ValueError):
        raise errors.UnexpectedAnswer(
            f'archive.info and backup.info of stanza {stanza} name no system identifier'
        ) from None
