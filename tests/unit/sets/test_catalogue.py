"""Which backup sets there are: those with a manifest, and no others."""

from __future__ import annotations

import json

import pytest

from coordinator import errors
from coordinator.sets import catalogue, index, retention
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


def test_a_committed_set_is_listed_with_what_its_manifest_says(store: memory_store.MemoryStore):
    catalogue.commit(store, examples.backup_set())
    summary = index.Summary.of(examples.backup_set())
    assert catalogue.entries(store) == [catalogue.Entry(OLD, retention.COMPLETE, summary)]


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
    ('content', 'state', 'problem'),
    [
        (b'garbage', retention.UNREADABLE, 'is damaged'),
        (b'{"version": 9}', retention.NEWER, 'has version 9'),
        (b' ' * (2 << 20), retention.UNREADABLE, 'more'),
    ],
    ids=['damaged', 'newer', 'huge'],
)
def test_a_manifest_that_cannot_be_read_is_listed_with_its_problem(
    store: memory_store.MemoryStore, content: bytes, state: str, problem: str
):
    catalogue.commit(store, examples.backup_set(NEW))
    store.put(catalogue.manifest_key(OLD), content)
    unreadable, whole = catalogue.entries(store)
    assert (unreadable.backup_id, unreadable.state, unreadable.summary) == (OLD, state, None)
    assert problem in unreadable.problem
    assert whole.summary == index.Summary.of(examples.backup_set(NEW))


def test_s3_that_goes_away_is_no_damaged_set(store: memory_store.MemoryStore):
    catalogue.commit(store, examples.backup_set())
    store.bucket.unavailable = 1
    with pytest.raises(errors.StoreUnavailable):
        catalogue.entries(store)


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


# --- Failed and pinned sets ----------------------------------------------------------------------


def test_what_is_left_of_a_backup_that_failed_is_listed_when_that_is_asked_for(
    store: memory_store.MemoryStore,
):
    store.put(catalogue.sealed_key(OLD), b'sealed')
    catalogue.commit(store, examples.backup_set(NEW))
    failed, whole = catalogue.with_failed(store)
    assert (failed.backup_id, failed.state, failed.summary) == (OLD, retention.FAILED, None)
    assert 'it has no manifest' in failed.problem
    assert (whole.backup_id, whole.state) == (NEW, retention.COMPLETE)


def pinned(store: memory_store.MemoryStore) -> list[str]:
    return [entry.backup_id for entry in catalogue.entries(store) if entry.pinned]


def test_a_set_is_pinned_until_it_is_unpinned(store: memory_store.MemoryStore):
    for backup_id in (OLD, NEW):
        catalogue.commit(store, examples.backup_set(backup_id))
    for _ in range(2):
        catalogue.pin(store, OLD)
    assert pinned(store) == [OLD]
    assert [catalogue.pinned(store, backup_id) for backup_id in (OLD, NEW)] == [True, False]
    for _ in range(2):
        catalogue.unpin(store, OLD)
    assert pinned(store) == []


def test_a_pin_changes_no_manifest(store: memory_store.MemoryStore):
    catalogue.commit(store, examples.backup_set())
    before = store.head(catalogue.manifest_key(OLD))
    catalogue.pin(store, OLD)
    assert store.head(catalogue.manifest_key(OLD)) == before


def test_only_a_set_can_be_pinned(store: memory_store.MemoryStore):
    store.put(catalogue.sealed_key(OLD), b'sealed')
    with pytest.raises(errors.NotFound):
        catalogue.pin(store, OLD)


# --- With the index ------------------------------------------------------------------------------


@pytest.fixture
def many(store: memory_store.MemoryStore) -> list[str]:
    """Store sets, list them once, and return their ids."""
    found = [f'2026-08-{day:02}T10:15:00Z' for day in range(1, 21)]
    for backup_id in found:
        catalogue.commit(store, examples.backup_set(backup_id))
    catalogue.entries(store, heal=True)
    return found


def requests(store: memory_store.MemoryStore, heal: bool = True) -> int:
    """List; return how many requests that took."""
    before = store.bucket.requests
    catalogue.entries(store, heal)
    return store.bucket.requests - before


LISTED = 2
"""Requests of a listing: one for the keys, one for the index."""


def test_a_second_listing_reads_no_manifest(store: memory_store.MemoryStore, many: list[str]):
    before = catalogue.entries(store)
    assert requests(store) == LISTED
    assert catalogue.entries(store) == before
    assert ids(store) == many


def test_of_new_sets_alone_the_manifests_are_read(
    store: memory_store.MemoryStore, many: list[str]
):
    catalogue.commit(store, examples.backup_set(NEW))
    assert requests(store) == LISTED + 2, 'one manifest is read, the index is written'
    assert ids(store) == [*many, NEW]
    assert requests(store) == LISTED


def test_an_index_is_stored_only_when_that_is_asked_for(
    store: memory_store.MemoryStore, many: list[str]
):
    catalogue.commit(store, examples.backup_set(NEW))
    before = store.head(index.KEY)
    assert ids(store) == [*many, NEW]
    assert store.head(index.KEY) == before


def test_a_manifest_that_was_replaced_is_read_again(
    store: memory_store.MemoryStore, many: list[str]
):
    changed = examples.backup_set(many[3]).model_copy(update={'verified': '2026-10-01T00:00:00Z'})
    catalogue.commit(store, changed)
    for _ in range(2):
        entry = catalogue.entries(store, heal=True)[3]
        assert entry.summary is not None
        assert entry.summary.verified == '2026-10-01T00:00:00Z'


def test_a_manifest_that_was_damaged_is_found_out(
    store: memory_store.MemoryStore, many: list[str]
):
    store.put(catalogue.manifest_key(many[0]), b'garbage')
    for _ in range(2):
        assert catalogue.entries(store, heal=True)[0].state == retention.UNREADABLE


@pytest.fixture
def half_damaged(store: memory_store.MemoryStore, many: list[str]) -> list[str]:
    """Damage half of the manifests in three ways, list once, and return the ids of all."""
    for number, backup_id in enumerate(many[::2]):
        others = examples.backup_set(NEW).to_json()
        content = (b'garbage', b'{"version": 99}', others)[number % 3]
        store.put(catalogue.manifest_key(backup_id), content)
    catalogue.entries(store, heal=True)
    return many


def test_a_second_listing_reads_no_damaged_manifest(
    store: memory_store.MemoryStore, half_damaged: list[str]
):
    before = catalogue.entries(store)
    assert requests(store) == LISTED
    assert catalogue.entries(store) == before
    states = [entry.state for entry in before]
    assert states[0:6:2] == [retention.UNREADABLE, retention.NEWER, retention.UNREADABLE]
    assert states[1::2] == [retention.COMPLETE] * 10
    assert all(entry.problem for entry in before[::2])


def test_a_damaged_manifest_that_is_mended_is_read_again(
    store: memory_store.MemoryStore, half_damaged: list[str]
):
    catalogue.commit(store, examples.backup_set(half_damaged[0]))
    assert requests(store) == LISTED + 2, 'one manifest is read, the index is written'
    assert catalogue.entries(store)[0].state == retention.COMPLETE


def test_what_another_revision_could_not_read_is_read_again(
    store: memory_store.MemoryStore, half_damaged: list[str]
):
    content = json.loads(store.get(index.KEY))
    content['damaged']['reader'] = 'another revision'
    store.put(index.KEY, json.dumps(content).encode())
    assert requests(store) == LISTED + 10 + 1, 'ten manifests are read, the index is written'
    assert requests(store) == LISTED


class Forbidding(memory_store.MemoryStore):
    """A store that does not give manifests."""

    def get(self, key: str, limit: int = 1 << 20) -> bytes:
        if key.endswith('manifest.json'):
            raise errors.StoreRefused('S3 refuses GetObject')
        return super().get(key, limit)


def test_a_manifest_that_s3_did_not_give_is_not_remembered_as_damaged(
    store: memory_store.MemoryStore,
):
    catalogue.commit(store, examples.backup_set(NEW))
    (entry,) = catalogue.entries(Forbidding(store.bucket, 'maas'), heal=True)
    assert (entry.state, entry.problem) == (retention.UNREADABLE, 'S3 refuses GetObject')
    assert catalogue.entries(store)[0].state == retention.COMPLETE


def test_a_set_that_is_gone_is_gone_from_the_index(
    store: memory_store.MemoryStore, many: list[str]
):
    catalogue.withdraw(store, many[0])
    assert ids(store) == many[1:]
    catalogue.entries(store, heal=True)
    assert many[0] not in store.get(index.KEY).decode()


def test_two_leaders_that_write_the_index_at_once_do_no_harm(
    store: memory_store.MemoryStore, many: list[str]
):
    late = store.get(index.KEY)
    catalogue.commit(store, examples.backup_set(NEW))
    catalogue.withdraw(store, many[0])
    catalogue.entries(store, heal=True)
    # The other one listed before, and stores what it saw only now.
    store.put(index.KEY, late)
    assert ids(store) == [*many[1:], NEW]


def test_an_index_that_cannot_be_stored_stops_no_listing(
    store: memory_store.MemoryStore, many: list[str], caplog: pytest.LogCaptureFixture
):
    catalogue.commit(store, examples.backup_set(NEW))
    store.bucket.refuses_writes = True
    assert [entry.backup_id for entry in catalogue.entries(store, heal=True)] == [*many, NEW]
    assert 'coordinator/index.json was not stored' in caplog.text


class Vanishing(memory_store.MemoryStore):
    """A store in which a set is deleted between the listing and the reading of its manifest."""

    def get(self, key: str, limit: int = 1 << 20) -> bytes:
        self.delete(catalogue.manifest_key(OLD))
        return super().get(key, limit)


def test_a_set_that_is_deleted_meanwhile_is_not_listed(store: memory_store.MemoryStore):
    for backup_id in (OLD, NEW):
        catalogue.commit(store, examples.backup_set(backup_id))
    listed = catalogue.entries(Vanishing(store.bucket, 'maas'))
    assert [(entry.backup_id, entry.state) for entry in listed] == [(NEW, retention.COMPLETE)]
