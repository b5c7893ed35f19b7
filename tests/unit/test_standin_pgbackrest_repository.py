"""What the stand-in's pgBackRest leaves in S3 is a repository: lists and objects agree."""

from __future__ import annotations

import datetime
import gzip
import hashlib
from collections.abc import Iterator
from typing import Any

import pytest

from rehearsal import memory_store
from rehearsal.standins import backup_manifest, cluster_files, pgbackrest, pgbackrest_repository

START = datetime.datetime(2026, 8, 22, 10, 15, tzinfo=datetime.UTC)
CLUSTER = backup_manifest.Cluster('maas.postgresql', 7710909084746483203)
FOLDER = 'backup/maas.postgresql'


@pytest.fixture
def store() -> memory_store.MemoryStore:
    return memory_store.MemoryStore(memory_store.MemoryBucket(), 'postgresql')


@pytest.fixture
def repo(store: memory_store.MemoryStore) -> pgbackrest_repository.Repository:
    made = pgbackrest_repository.Repository(store, CLUSTER)
    made.create_stanza()
    return made


def taken(kind: str = 'full', bundle: bool = False, **database: Any) -> backup_manifest.Taken:
    stop = START + datetime.timedelta(seconds=90)
    return backup_manifest.Taken(kind, START, stop, 1, database, on_standby=False, bundle=bundle)


def file_contents(
    store: memory_store.MemoryStore, label: str
) -> Iterator[tuple[str, dict[str, Any], bytes]]:
    """Yield every file of a backup: name, entry in the manifest, and what the object holds."""
    text = store.get(f'{FOLDER}/{label}/backup.manifest').decode()
    for name, entry in pgbackrest.parse(text)['target:file'].items():
        folder = f'{FOLDER}/{entry.get("reference", label)}'
        if 'bni' in entry:
            whole = store.get(f'{folder}/bundle/{entry["bni"]}')
            at = entry.get('bno', 0)
            packed = whole[at : at + entry['repo-size']]
        elif 'repo-size' in entry:
            packed = store.get(f'{folder}/{name}.gz')
        else:
            continue
        yield name, entry, packed


@pytest.mark.parametrize('bundle', [False, True])
def test_every_file_of_a_backup_lies_in_its_object_as_the_manifest_says(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository, bundle: bool
):
    label = repo.back_up(taken(bundle=bundle, machines=['able-ant']))

    files = list(file_contents(store, label))
    assert len(files) == (7 if bundle else 8), 'bundles leave empty files out'
    for name, entry, packed in files:
        content = gzip.decompress(packed)
        assert len(packed) == entry['repo-size'], name
        assert hashlib.sha1(packed).hexdigest() == entry['rck'], name
        assert len(content) == entry['size'], name
        if content:
            assert hashlib.sha1(content).hexdigest() == entry['checksum'], name


def test_the_database_comes_back_out_of_a_backup(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    label = repo.back_up(taken(machines=['able-ant', 'brave-bee']))

    files = {name: packed for name, _, packed in file_contents(store, label)}
    content = gzip.decompress(files[f'pg_data/{cluster_files.DATABASE_FILE}'])
    assert cluster_files.document(content) == {'machines': ['able-ant', 'brave-bee']}


@pytest.mark.parametrize('bundle', [False, True])
def test_a_backup_is_read_back_whatever_it_refers_to(
    repo: pgbackrest_repository.Repository, bundle: bool
):
    full = repo.back_up(taken(bundle=bundle, machines=['able-ant']))
    same = repo.back_up(taken('incr', bundle=bundle, machines=['able-ant']))
    other = repo.back_up(taken('incr', bundle=bundle, machines=[]))

    found = [repo.restore(label).database for label in (full, same, other)]

    assert found == [{'machines': ['able-ant']}, {'machines': ['able-ant']}, {'machines': []}]


def test_a_restore_begins_the_timeline_after_all_that_were_begun(
    repo: pgbackrest_repository.Repository,
):
    label = repo.back_up(taken())
    assert repo.restore(label).timeline == 2

    repo.begin_timeline(7)

    assert repo.restore(label).timeline == 8
    assert repo.restore(label).system_id == CLUSTER.system_id


def test_what_is_missing_or_changed_in_a_backup_is_named(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    label = repo.back_up(taken())
    key = f'{FOLDER}/{label}/pg_data/PG_VERSION.gz'
    store.put(key, gzip.compress(b'15'))
    with pytest.raises(pgbackrest.DamagedError, match='PG_VERSION'):
        repo.restore(label)

    store.delete(key)
    with pytest.raises(pgbackrest.DamagedError, match='PG_VERSION'):
        repo.restore(label)


def test_dependent_backups_store_only_what_has_changed(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    full = repo.back_up(taken(machines=['able-ant']))
    incremental = repo.back_up(taken('incr', machines=['able-ant', 'brave-bee']))
    differential = repo.back_up(taken('diff', machines=[]))

    assert incremental.startswith(f'{full}_')
    assert incremental.endswith('I')
    assert differential.startswith(f'{full}_')
    assert differential.endswith('D')
    row = repo.rows()[incremental]
    assert row['backup-prior'] == full
    assert row['backup-reference'] == [full]
    assert row['backup-info-size-delta'] < row['backup-info-size']
    own = {
        name for name, entry, _ in file_contents(store, incremental) if 'reference' not in entry
    }
    assert own == {'pg_data/backup_label', f'pg_data/{cluster_files.DATABASE_FILE}'}


def test_labels_rise_when_two_backups_begin_in_one_second(repo: pgbackrest_repository.Repository):
    labels = [repo.back_up(taken()) for _ in range(3)]

    assert labels == sorted(set(labels))
    assert list(repo.rows()) == labels


def test_the_wal_that_a_backup_needs_is_archived_under_its_checksum(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    label = repo.back_up(taken())

    segment = repo.rows()[label]['backup-archive-stop']
    (stored,) = store.list(f'archive/maas.postgresql/16-1/{segment[:16]}/{segment}-')
    content = gzip.decompress(store.get(stored.key))
    assert stored.key.endswith(f'-{hashlib.sha1(content).hexdigest()}.gz')


def test_wal_segments_go_on_into_the_next_log(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    label = repo.back_up(taken())
    sections = pgbackrest.parse(store.get(f'{FOLDER}/backup.info').decode())
    sections['backup:current'][label]['backup-archive-stop'] = '0000000100000000000000FF'
    store.put(f'{FOLDER}/backup.info', pgbackrest.render(sections).encode())

    following = repo.back_up(taken())

    assert repo.rows()[following]['backup-archive-start'] == '000000010000000100000000'


def test_each_list_has_an_equal_copy(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    label = repo.back_up(taken())

    for key in (f'{FOLDER}/backup.info', f'{FOLDER}/{label}/backup.manifest'):
        assert store.get(key) == store.get(f'{key}.copy'), key
    history = store.get(f'{FOLDER}/backup.history/2026/{label}.manifest.gz')
    assert gzip.decompress(history) == store.get(f'{FOLDER}/{label}/backup.manifest')


def test_the_copy_is_read_when_the_list_is_damaged(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    label = repo.back_up(taken())
    store.put(f'{FOLDER}/backup.info', b'[backrest]\n')

    assert list(repo.rows()) == [label]


@pytest.mark.parametrize('damage', [b'[backrest]\n', None])
def test_the_copy_of_a_manifest_or_of_archive_info_is_enough(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository, damage: bytes | None
):
    label = repo.back_up(taken(machines=['able-ant']))
    for key in (f'{FOLDER}/{label}/backup.manifest', 'archive/maas.postgresql/archive.info'):
        if damage is None:
            store.delete(key)
        else:
            store.put(key, damage)

    assert repo.restore(label).database == {'machines': ['able-ant']}


def test_nothing_is_restored_without_archive_info(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    label = repo.back_up(taken())
    for twin in ('', '.copy'):
        store.delete(f'archive/maas.postgresql/archive.info{twin}')

    with pytest.raises(pgbackrest.DamagedError, match=r'archive\.info'):
        repo.restore(label)


def test_a_segment_that_is_there_twice_is_not_restored(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    label = repo.back_up(taken())
    segment = repo.rows()[label]['backup-archive-stop']
    store.put(f'{CLUSTER.archive}/{segment[:16]}/{segment}-{"cafe" * 10}.gz', b'')

    with pytest.raises(pgbackrest.DamagedError, match='duplicates found'):
        repo.restore(label)


def test_the_stanza_of_another_cluster_shows_by_its_system_id(
    store: memory_store.MemoryStore, repo: pgbackrest_repository.Repository
):
    other = pgbackrest_repository.Repository(store, backup_manifest.Cluster('maas.postgresql', 42))
    other.create_stanza()

    assert other.owner() == CLUSTER.system_id
    assert other.stanzas() == ['maas.postgresql']


def test_backups_are_the_same_every_time():
    def repeated() -> dict[str, bytes]:
        bucket = memory_store.MemoryBucket()
        made = pgbackrest_repository.Repository(memory_store.MemoryStore(bucket), CLUSTER)
        made.create_stanza()
        made.back_up(taken(machines=['able-ant']))
        return {key: found.content for key, found in bucket.objects.items()}

    assert repeated() == repeated()
