"""Segments of WAL: compared with the SHA-1 in their name, and with the name itself.

A segment begins with a long page header of PostgreSQL (`XLogLongPageHeaderData`), in the byte
order of the machine that wrote it:

    0  2 bytes  magic number, 0xD1 and one for each major version
    2  2        flags; 2 is set in a long header
    4  4        timeline
    8  8        address of the page in the WAL
    24 8        the cluster's system identifier
    32 4        bytes of a segment
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
from collections.abc import Sequence

from coordinator.integrity import check, decompression
from coordinator.parts import pgbackrest_archive, pgbackrest_files

_HEADER = 'HHIQ8xQI'
_HEADER_BYTES = struct.calcsize('<' + _HEADER)
_MAGIC = 0xD1
_LONG = 2
_KINDS = {suffix: kind for kind, suffix in pgbackrest_files.SUFFIXES.items()}


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a segment should be."""

    segment: pgbackrest_archive.Segment
    timelines: Sequence[int]
    """Those on which its first page may have been written."""
    system_id: int


class Segment:
    """Looks at one object that holds a segment."""

    def __init__(self, expected: Expected):
        self._expected = expected
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._size = 0
        self._header = b''
        kind = _KINDS[expected.segment.suffix]
        self._stream = decompression.Stream(kind, self._take)

    def feed(self, chunk: bytes) -> None:
        self._stream.feed(chunk)

    def _take(self, content: bytes) -> None:
        if len(self._header) < _HEADER_BYTES:
            self._header += content[: _HEADER_BYTES - len(self._header)]
        self._sha1.update(content)
        self._size += len(content)
        if self._size > pgbackrest_archive.SEGMENT_BYTES:
            # It is already damaged: do not read the rest.
            raise check.Damaged(f'is larger than {pgbackrest_archive.SEGMENT_BYTES} bytes')

    def finish(self) -> str:
        self._stream.finish()
        name = self._expected.segment.name
        if self._sha1.hexdigest() != self._expected.segment.sha1:
            raise check.Damaged(f'holds other files than were backed up: {name} has another SHA-1')
        damage = self._misfit()
        if damage:
            raise check.Damaged(f'does not hold WAL segment {name}: {damage}')
        return check.files(1)

    def _misfit(self) -> str:
        """Return what in the header does not match the name; '' if everything does."""
        if len(self._header) < _HEADER_BYTES:
            return f'it has {self._size} bytes'
        order = '<' if self._header[1] == _MAGIC else '>'
        magic, flags, timeline, address, system_id, size = struct.unpack(
            order + _HEADER, self._header
        )
        if magic >> 8 != _MAGIC or not flags & _LONG:
            return 'it does not begin with a WAL page header'
        number = pgbackrest_archive.number(self._expected.segment.name)
        here = number * pgbackrest_archive.SEGMENT_BYTES
        wanted = self._expected.timelines
        facts = (
            (timeline in wanted, f'its timeline is {timeline} instead of {_listed(wanted)}'),
            (address == here, f'its address is {_lsn(address)} instead of {_lsn(here)}'),
            (
                system_id == self._expected.system_id,
                f'its system identifier is {system_id} instead of {self._expected.system_id}',
            ),
            (size == self._size, f'it has {self._size} bytes instead of {size}'),
        )
        return next((sentence for fits, sentence in facts if not fits), '')


def _listed(timelines: Sequence[int]) -> str:
    return f'{timelines[0]}' if len(timelines) == 1 else f'{timelines[0]} to {timelines[-1]}'


def _lsn(address: int) -> str:
    return f'{address >> 32:X}/{address & 0xFFFFFFFF:X}'
