"""Which backup sets there are: those with a manifest, and no others."""

from __future__ import annotations

import pytest

from coordinator import catalogue, errors
from rehearsal import memory_store
from tests import examples

OLD, NEW = '2026-08-22T10:15:00Z', '2026-08-23T10:15:00Z'
SETS = 'coordinator/backup-sets'


@pytest.fixture
def store() -> memory_store.MemoryStore:
    return memory_store.MemoryStore(memory_store.MemoryBucket(), 'maas')


def ids(store: memory_store.MemoryStore) -> list[str]:
    return [entry.backup_id for entry in catalogue.entries(store)]


def test_an_empty_repository_has_no_sets(store: memory_store.MemoryStore):
    assert catalogue.entries(store) == []


def test_a_committed_set_is_listed_with_its_manifest(store: memory_store.MemoryStore):
    catalogue.commit(store, examples.backup_set())
    assert catalogue.entries(store) == [catalogue.Entry(OLD, examples.backup_set())]


def test_sets_are_listed_oldest_first(store: memory_store.MemoryStore):
    for number in (5, 3, 11, 1):
        catalogue.commit(store, examples.backup_set(f'2026-08-{number:02}T10:15:00Z'))
    assert ids(store) == [f'2026-08-{number}T10:15:00Z' for number in ('01', '03', '05', '11')]


def test_ids_are_known_without_reading_any_manifest(store: memory_store.MemoryStore):
    for backup_id in (NEW, OLD):
        catalogue.commit(store, examples.backup_set(backup_id))
    before = store.bucket.requests
    assert catalogue.ids(store) == [OLD, NEW]
    assert store.bucket.requests == before + 1


def test_a_set_without_manifest_does_not_exist(store: memory_store.MemoryStore):
    store.put(catalogue.sealed_key(OLD), b'sealed')
    assert catalogue.entries(store) == []


def test_a_set_without_its_manifest_any_more_does_not_exist_any_more(
    store: memory_store.MemoryStore,
):
    catalogue.commit(store, examples.backup_set(OLD))
    catalogue.commit(store, examples.backup_set(NEW))
    catalogue.withdraw(store, OLD)
    assert ids(store) == [NEW]


def test_committing_and_withdrawing_may_be_repeated(store: memory_store.MemoryStore):
    for _ in range(2):
        catalogue.commit(store, examples.backup_set())
    assert ids(store) == [OLD]
    for _ in range(2):
        catalogue.withdraw(store, OLD)
    assert ids(store) == []


def test_a_commit_is_one_put(store: memory_store.MemoryStore):
    catalogue.commit(store, examples.backup_set())
    assert (store.bucket.requests, list(store.bucket.objects)) == (
        1,
        [f'maas/{SETS}/{OLD}/manifest.json'],
    )


@pytest.mark.parametrize('key', ['index/manifest.json', f'{OLD}/old/manifest.json', 'x.json'])
def test_other_objects_beside_the_sets_are_none(store: memory_store.MemoryStore, key: str):
    store.put(f'{SETS}/{key}', b'{}')
    assert catalogue.entries(store) == []


@pytest.mark.parametrize(
    ('content', 'problem'),
    [(b'garbage', 'is damaged'), (b'{"version": 9}', 'has version 9'), (b' ' * (2 << 20), 'more')],
    ids=['damaged', 'newer', 'huge'],
)
def test_a_manifest_that_cannot_be_read_is_listed_with_its_problem(
    store: memory_store.MemoryStore, content: bytes, problem: str
):
    catalogue.commit(store, examples.backup_set(NEW))
    store.put(catalogue.manifest_key(OLD), content)
    unreadable, whole = catalogue.entries(store)
    assert (unreadable.backup_id, unreadable.manifest) == (OLD, None)
    assert problem in unreadable.problem
    assert whole.manifest == examples.backup_set(NEW)


def test_s3_that_goes_away_is_no_damaged_set(store: memory_store.MemoryStore):
    catalogue.commit(store, examples.backup_set())
    store.bucket.unavailable = 1
    with pytest.raises(errors.StoreUnavailable):
        catalogue.read(store, [OLD])


@pytest.mark.parametrize(
    'backup_id',
    ['', 'latest', '../2026-08-22T10:15:00Z', '2026-08-22T10:15:00Z/..', f'{OLD}\n', '٢' * 20],
)
def test_only_ids_become_part_of_a_key(backup_id: str):
    with pytest.raises(errors.PreconditionError, match='ids look like 2026-08-22T10:15:00Z'):
        catalogue.manifest_key(backup_id)


def test_digits_of_other_scripts_make_no_id():
    with pytest.raises(errors.PreconditionError):
        catalogue.check_id('٢٠٢٦-08-22T10:15:00Z')
