"""A repository that pgBackRest 2.45 made is read as pgBackRest reads it itself."""

from __future__ import annotations

import json
import pathlib

import pytest

from coordinator import errors
from coordinator.parts import pgbackrest, pgbackrest_info
from rehearsal import memory_store
from rehearsal.standins import pgbackrest as standin

STANZA = 'maas.postgresql'
SAMPLES = pathlib.Path(__file__).parents[3].parent / 'shared' / 'samples' / 'pgbackrest'
pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason='the sampled repository is not beside this one'
)


def sampled() -> memory_store.MemoryStore:
    """Return the sampled repository as far as it was sampled: objects are zeros of their size."""
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    for line in (SAMPLES / 'keys.txt').read_text().splitlines():
        if not line.startswith('#'):
            size, key = line.split()
            store.put(key, bytes(int(size)))
    store = memory_store.MemoryStore(store.bucket, 'postgresql')
    for key in (f'backup/{STANZA}/backup.info', f'archive/{STANZA}/archive.info'):
        for twin in ('', '.copy'):
            store.put(f'{key}{twin}', (SAMPLES / key.rpartition('/')[2]).read_bytes())
    return store


def test_the_sampled_backup_info_is_read():
    found = pgbackrest.backups(sampled(), STANZA)
    assert [(backup.label, backup.type, backup.archive) for backup in found] == [
        ('20261122-082704F', 'full', '15-1'),
        ('20261122-082704F_20261122-082741I', 'incr', '15-1'),
        ('20261122-082744F', 'full', '15-1'),
    ]
    assert [(backup.wal_start[-2:], backup.wal_stop[-2:]) for backup in found] == [
        ('03', '03'),
        ('05', '05'),
        ('06', '07'),
    ]


def test_the_sampled_list_agrees_with_pgbackrests_own():
    own = json.loads((SAMPLES / 'info.json').read_text())[0]['backup']
    found = pgbackrest.backups(sampled(), STANZA)
    assert [(b.label, b.type, b.start, b.stop, b.lsn_stop, b.database_bytes) for b in found] == [
        (
            b['label'],
            b['type'],
            b['timestamp']['start'],
            b['timestamp']['stop'],
            b['lsn']['stop'],
            b['info']['size'],
        )
        for b in own
    ]


def test_the_sampled_incremental_backup_is_never_taken():
    found = pgbackrest.first_full_after(sampled(), STANZA, after='20261122-082704F')
    assert found is not None
    assert found.id == '2026-11-22T08:27:44Z'


def sampled_manifest(store: memory_store.MemoryStore, folder: str) -> str:
    """Return the sampled manifest, less the lines of files whose objects were not sampled.

    As it is another one then, it gets a checksum of its own.
    """
    present = {item.key for item in store.list(folder)}
    lines = '\n'.join(
        line
        for line in (SAMPLES / 'backup.manifest.head').read_text().splitlines()
        if line != '...'
        and not ('"checksum"' in line and f'{folder}/{line.partition("=")[0]}.gz' not in present)
    )
    sections = pgbackrest_info.parse(lines.encode(), 'the sample')
    return standin.render({name: sections[name] for name in sections if name != 'backrest'})


def test_the_sampled_backup_is_whole_until_an_object_goes():
    store = sampled()
    first, *_ = pgbackrest.backups(store, STANZA)
    folder = f'backup/{STANZA}/{first.label}'
    manifest = sampled_manifest(store, folder)
    store.put(f'{folder}/backup.manifest', manifest.encode())
    assert manifest.count('"checksum"') == 6
    store.put(f'{folder}/backup.manifest.copy', manifest.encode())
    contents = pgbackrest.contents(store, STANZA, first)
    assert contents.manifest_bytes == len(manifest)
    assert contents.weaknesses == ()
    store.delete(f'{folder}/pg_data/PG_VERSION.gz')
    with pytest.raises(errors.StepError, match=r'PG_VERSION\.gz \(missing instead of 23 bytes\)'):
        pgbackrest.contents(store, STANZA, first)
