"""Files and WAL of a database are decompressed and compared with their SHA-1."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import random
from collections.abc import Mapping
from typing import Any

import pytest

from coordinator.integrity import check, database, inspection, pace
from coordinator.parts import pgbackrest_files, pgbackrest_info
from coordinator.sets import manifest
from rehearsal import memory_store
from rehearsal.standins import backup_manifest as standin_manifest
from rehearsal.standins import cluster_files, pgbackrest, pgbackrest_repository
from tests import examples, packers

CONTENT = random.Random(1).randbytes(2000) + b'page ' * 800
PACKERS = packers.PACKERS
SEGMENT = '000000010000000000000003'
SYSTEM_ID = 7710909084746483203
PART = examples.backup_set().postgresql.model_copy(
    update={'wal_start': SEGMENT, 'wal_stop': SEGMENT}
)
FOLDER = f'backup/{PART.stanza}/{PART.label}'
ARCHIVE = f'archive/{PART.stanza}/{PART.archive}/{SEGMENT[:16]}'


def sha1(content: bytes) -> str:
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def file(
    content: bytes = CONTENT, kind: str = 'gz', offset: int = 0, **changes: Any
) -> tuple[pgbackrest_files.File, bytes]:
    """Return a file, and what is stored of it."""
    packed = PACKERS[kind](content)
    fields: dict[str, Any] = {
        'name': 'pg_data/a',
        'key': 'a',
        'bundled': False,
        'offset': offset,
        'stored': len(packed),
        'stored_sha1': sha1(packed),
        'compression': kind,
        'size': len(content),
        'sha1': sha1(content),
    }
    return pgbackrest_files.File(**(fields | changes)), packed


def bundle(contents: Mapping[str, bytes], kind: str) -> tuple[list[pgbackrest_files.File], bytes]:
    files: list[pgbackrest_files.File] = []
    stored = b''
    for name, content in contents.items():
        entry, packed = file(content, kind, len(stored), name=name)
        files.append(entry)
        stored += packed
    return files, stored


def look(files: list[pgbackrest_files.File], stored: bytes, size: int = 700) -> str:
    looked = database.Files(files)
    for at in range(0, len(stored), size):
        looked.feed(stored[at : at + size])
    return looked.finish()


def damage(files: list[pgbackrest_files.File], stored: bytes) -> str:
    with pytest.raises(check.Damaged) as caught:
        look(files, stored)
    return str(caught.value).removeprefix('holds other files than were backed up: ')


@pytest.mark.parametrize('kind', PACKERS)
@pytest.mark.parametrize('size', [1, 1000, 1 << 20])
def test_a_file_is_compared_however_it_was_compressed(kind: str, size: int):
    entry, packed = file(kind=kind)
    assert look([entry], packed, size) == '1 file'


@pytest.mark.parametrize('kind', PACKERS)
@pytest.mark.parametrize('size', [1, 37, 1 << 20])
def test_the_files_of_a_bundle_are_told_apart(kind: str, size: int):
    files, stored = bundle({'a': CONTENT, 'b': b'', 'c': b'x', 'd': CONTENT[:999]}, kind)
    assert look(files[::-1], stored, size) == '4 files'


def test_what_lies_between_two_files_is_passed_over():
    first, packed = file(name='a')
    second, _ = file(name='b', offset=len(packed) + 100)
    assert look([first, second], packed + bytes(100) + packed + b'more') == '2 files'


def test_every_other_file_of_a_bundle_is_still_compared():
    files, stored = bundle({'a': CONTENT, 'b': CONTENT[1:], 'c': CONTENT[2:]}, 'gz')
    changed = bytearray(stored)
    changed[files[1].offset + 300] ^= 1
    assert damage(files, bytes(changed)).startswith('b has a broken gz stream (')


def test_of_many_damaged_files_a_few_are_named():
    files, stored = bundle({f'file-{number}': CONTENT for number in range(9)}, 'none')
    assert damage(files, bytes(len(stored))) == (
        'file-0 has another SHA-1; file-1 has another SHA-1; file-2 has another SHA-1; and 6 more'
    )


@pytest.mark.parametrize(
    ('changes', 'said'),
    [
        ({'sha1': sha1(b'other')}, 'has another SHA-1'),
        ({'sha1': ''}, 'has another SHA-1'),
        ({'size': 5999}, 'is larger than 5999 bytes'),
        ({'size': 6001}, 'has 6000 bytes instead of 6001'),
        ({'stored': 100}, 'is cut off: its gz stream has no end'),
    ],
)
def test_what_is_wrong_with_a_file_is_told(changes: dict[str, Any], said: str):
    entry, packed = file(**changes)
    assert damage([entry], packed) == f'pg_data/a {said}'


def test_files_that_would_lie_beyond_the_end_are_counted():
    files, stored = bundle({'a': CONTENT, 'b': CONTENT, 'c': CONTENT}, 'none')
    assert damage(files, stored[:7000]) == '2 files beyond its end'


def test_files_that_overlap_are_damage():
    first, packed = file(name='a')
    second, _ = file(name='b', offset=len(packed) - 10)
    assert damage([first, second], packed + packed) == 'b overlaps another file'


def test_block_incremental_files_are_compared_as_they_are_stored():
    entry, packed = file(
        kind='none', compression=pgbackrest_files.BLOCKS, size=1 << 30, sha1=sha1(b'unknown')
    )
    assert look([entry], packed) == (
        '1 file; only pgBackRest can read what is in 1 of them (block-incremental), but they are '
        'stored as they were'
    )
    assert damage([entry], packed[::-1]) == 'pg_data/a has another SHA-1'
    unknown = dataclasses.replace(entry, stored_sha1='')
    assert look([unknown], packed[::-1]).startswith('1 file; ')


# --- A backup ------------------------------------------------------------------------------------


class Repository:
    """A repository in memory with one backup, written as pgBackRest 2.5x writes it."""

    def __init__(self) -> None:
        self.store = memory_store.MemoryStore(memory_store.MemoryBucket(), 'postgresql')

    def write(self, files: Mapping[str, Mapping[str, Any]], kind: str = 'gz') -> None:
        database = {'db-system-id': SYSTEM_ID, 'db-version': '16'}
        sections: dict[str, Mapping[str, Any]] = {
            'backup': {'backup-label': PART.label},
            'backup:db': database,
            'backup:option': {'option-compress-type': kind},
            'target:file': files,
        }
        kept = {name: lines for name, lines in sections.items() if lines}
        self.store.put(f'{FOLDER}/backup.manifest', pgbackrest.render(kept).encode())
        number = PART.archive.rpartition('-')[2]
        owner = {'db-id': SYSTEM_ID, 'db-version': PART.archive.rpartition('-')[0]}
        self.store.put(
            f'archive/{PART.stanza}/archive.info',
            pgbackrest.render({'db:history': {number: owner}}).encode(),
        )

    def findings(self) -> list[str]:
        found = database.objects(self.store, PART)
        verdicts = inspection.inspect(
            found, range(len(found)), lambda: True, pace.Pace(0), workers=1
        )
        return [
            finding
            for _, verdict in verdicts
            for finding in verdict.findings
            if 'backup.manifest' not in finding
        ]


@pytest.mark.parametrize('kind', ['none', 'gz', 'lz4', 'zst', 'bz2'])
def test_wal_is_compared_with_the_sha1_in_its_name(kind: str):
    pack, suffix = PACKERS[kind], pgbackrest_files.SUFFIXES[kind]
    wal = cluster_files.wal(SEGMENT, SYSTEM_ID)
    stored = Repository()
    stored.write({})
    name = f'{ARCHIVE}/{SEGMENT}-{sha1(wal)}{suffix}'
    stored.store.put(name, pack(wal))
    stored.store.put(f'{ARCHIVE}/{SEGMENT}.00000028.backup', b'START WAL LOCATION')
    stored.store.put(f'{ARCHIVE}/{SEGMENT[:-1]}9-{sha1(b"later")}{suffix}', b'not of this backup')
    stored.store.put(f'{ARCHIVE}/{SEGMENT}-{sha1(wal)}.tmp', b'not yet a segment')
    assert stored.findings() == []
    stored.store.put(name, pack(wal[1:]))
    assert stored.findings() == [
        f'{name} holds other files than were backed up: {SEGMENT} has another SHA-1'
    ]


def test_the_files_of_a_bundle_are_read_with_one_request_for_the_bundle():
    def requests(count: int) -> int:
        stored, files, whole = Repository(), dict[str, Mapping[str, Any]](), b''
        for number in range(count):
            entry, packed = file(offset=len(whole))
            files[f'pg_data/{number:03}'] = {
                'bni': 1,
                'bno': entry.offset,
                'checksum': entry.sha1,
                'rck': entry.stored_sha1,
                'repo-size': entry.stored,
                'size': entry.size,
            }
            whole += packed
        stored.write(files)
        stored.store.put(f'{FOLDER}/bundle/1', whole)
        before = stored.store.bucket.requests
        assert stored.findings() == []
        return stored.store.bucket.requests - before

    assert requests(300) == requests(1)


def test_an_object_that_is_missing_is_named():
    stored = Repository()
    stored.write({'pg_data/a': {'size': 30, 'repo-size': 9, 'checksum': sha1(b'')}})
    assert stored.findings() == [f'{FOLDER}/pg_data/a.gz is missing']


def test_an_encrypted_repository_is_no_damage():
    stored = Repository()
    stored.store.put(f'{FOLDER}/backup.manifest', b'Salted__' + bytes(100))
    with pytest.raises(pgbackrest_info.EncryptedRepository, match='only pgBackRest can read it'):
        stored.findings()


@pytest.mark.parametrize('bundles', [False, True])
def test_a_backup_of_the_stand_in_passes(bundles: bool):
    store = memory_store.MemoryStore(memory_store.MemoryBucket(), 'postgresql')
    cluster = standin_manifest.Cluster(PART.stanza, 7)
    stand_in = pgbackrest_repository.Repository(store, cluster)
    stand_in.create_stanza()
    now = datetime.datetime(2026, 8, 22, 10, 20, tzinfo=datetime.UTC)
    label = stand_in.back_up(
        standin_manifest.Taken('full', now, now, 1, {'machines': ['m']}, False, bundles)
    )
    part = PART.model_copy(update={'label': label, 'manifest': manifest.Object(key='m', size=1)})
    objects = database.objects(store, part)
    verdicts = [
        verdict
        for _, verdict in inspection.inspect(
            objects, range(len(objects)), lambda: True, pace.Pace(0)
        )
    ]
    assert [verdict for verdict in verdicts if verdict.findings] == []
    names = {verdict.key.rpartition('/')[2] for verdict in verdicts}
    assert {'backup.manifest', 'backup.manifest.copy'} < names
    assert ('1' in names) is bundles
    listed = {item.key for item in store.list(f'{FOLDER.rpartition("/")[0]}/{label}/')}
    archived = {item.key for item in store.list('archive/') if item.key.endswith('.gz')}
    assert {verdict.key for verdict in verdicts} == listed | archived
