"""A segment of WAL is what its name says: its content, its place, its cluster."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

import pytest

from coordinator.integrity import check, wal
from coordinator.parts import pgbackrest_archive
from rehearsal import memory_store
from rehearsal.standins import cluster_files, pgbackrest
from tests import packers

SYSTEM_ID = 7710909084746483203
SEGMENT = '0000000200000001000000FF'
CONTENT = cluster_files.wal(SEGMENT, SYSTEM_ID)


def look(
    content: bytes,
    *,
    name: str = SEGMENT,
    kind: str = 'zst',
    timelines: Sequence[int] = (2,),
    size: int = 700,
) -> str:
    """Look at a segment that is stored under a name, with its own SHA-1."""
    stored = packers.PACKERS[kind](content)
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    suffix = f'.{kind}' if kind != 'none' else ''
    found = pgbackrest_archive.Segment('key', len(stored), name, digest, suffix)
    looked = wal.Segment(wal.Expected(found, timelines, SYSTEM_ID))
    for at in range(0, len(stored), size):
        looked.feed(stored[at : at + size])
    return looked.finish()


@pytest.mark.parametrize('kind', ['none', 'gz', 'lz4', 'zst', 'bz2'])
@pytest.mark.parametrize('size', [1, 700, 1 << 20])
def test_a_segment_that_is_its_own_passes(kind: str, size: int):
    assert look(CONTENT, kind=kind, size=size) == '1 file'


def test_a_segment_of_a_machine_of_the_other_byte_order_passes():
    header = struct.unpack('<HHIQ8xQI', CONTENT[:36])
    assert look(struct.pack('>HHIQ8xQI', *header) + CONTENT[36:]) == '1 file'


@pytest.mark.parametrize(
    ('other', 'said'),
    [
        ('0000000200000001000000FE', 'its address is 1/FE000000 instead of 1/FF000000'),
        ('0000000200000002000000FF', 'its address is 2/FF000000 instead of 1/FF000000'),
        ('0000000100000001000000FF', 'its timeline is 1 instead of 2'),
        ('0000000300000001000000FF', 'its timeline is 3 instead of 2'),
    ],
)
def test_another_segment_with_its_own_sha1_is_found(other: str, said: str):
    with pytest.raises(check.Damaged, match=f'does not hold WAL segment {SEGMENT}: {said}'):
        look(cluster_files.wal(other, SYSTEM_ID))


@pytest.mark.parametrize(
    ('content', 'said'),
    [
        (cluster_files.wal(SEGMENT, 7), f'system identifier is 7 instead of {SYSTEM_ID}'),
        (CONTENT[:-1], 'it has 8191 bytes instead of 8192'),
        (CONTENT[:35], 'it has 35 bytes'),
        (b'', 'it has 0 bytes'),
        (bytes(8192), 'it does not begin with a WAL page header'),
        (CONTENT[:2] + b'\0\0' + CONTENT[4:], 'it does not begin with a WAL page header'),
    ],
)
def test_what_is_no_segment_of_this_cluster_is_found(content: bytes, said: str):
    with pytest.raises(check.Damaged, match=said):
        look(content)


def test_a_bomb_is_looked_at_no_further_than_a_segment_may_be():
    with pytest.raises(check.Damaged, match='is larger than 16777216 bytes'):
        look(bytes(64 << 20))


def test_wal_that_is_cut_off_is_found():
    digest = hashlib.sha1(CONTENT, usedforsecurity=False).hexdigest()
    found = pgbackrest_archive.Segment('key', 9, SEGMENT, digest, '.gz')
    looked = wal.Segment(wal.Expected(found, [2], SYSTEM_ID))
    looked.feed(packers.PACKERS['gz'](CONTENT)[:-20])
    with pytest.raises(check.Damaged, match='is cut off'):
        looked.finish()


# --- Where a timeline begins -----------------------------------------------------------------


def archive_with(
    history: str | None,
) -> tuple[memory_store.MemoryStore, pgbackrest_archive.Archive]:
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    owner = {'db-id': SYSTEM_ID, 'db-version': '16'}
    content = pgbackrest.render({'db:history': {'1': owner}}).encode()
    store.put('archive/s/archive.info', content)
    if history is not None:
        store.put('archive/s/16-1/00000003.history', history.encode())
    return store, pgbackrest_archive.of(store, 's', pgbackrest_archive.Cluster(SYSTEM_ID, '16'))


def begun_on(history: str | None, *segments: str) -> list[list[int]]:
    found = pgbackrest_archive.timelines(*archive_with(history), segments)
    return [list(timelines) for timelines in found.values()]


def test_the_segment_in_which_a_timeline_begins_is_a_copy_of_the_one_before():
    history = '1\t0/5000028\tno recovery target specified\n\n2\t0/7000000\tswitched\n'
    segments = [f'0000000300000000000000{number:02X}' for number in (4, 5, 6, 7)]
    # At the beginning of a segment there is nothing to be copied.
    assert begun_on(history, *segments) == [[1], [1], [2], [3]]


@pytest.mark.parametrize('history', ['', 'no history at all\n', '9' * 5000 + '\t0/5000028\n'])
def test_a_history_that_says_nothing_leaves_the_timeline_of_the_name(history: str):
    assert begun_on(history, '000000030000000000000004') == [[3]]


def test_without_a_history_any_timeline_before_it_may_be():
    assert begun_on(None, '000000030000000000000004') == [[1, 2, 3]]
    assert look(cluster_files.wal(SEGMENT, SYSTEM_ID), timelines=[1, 2, 3]) == '1 file'


def test_the_first_timeline_has_no_history():
    assert begun_on(None, '000000010000000000000004') == [[1]]
    assert begun_on(None) == []
