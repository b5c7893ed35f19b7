"""The result of a rehearsal beside its set: its name, its content, and who ignores it."""

from __future__ import annotations

import json

import pytest

from coordinator import errors
from coordinator.sets import catalogue, deletion, rehearsal, verification
from rehearsal import memory_store
from tests import examples

RESULT = examples.rehearsal_of()
NAME = 'rehearsed-2026-11-20T08:00:00Z-34min-proven-feedface-0bad-400d-8000-4b1d0d06f00d.json'
KEY = catalogue.folder(examples.BACKUP_ID) + NAME


@pytest.fixture
def store() -> memory_store.MemoryStore:
    """A repository with one set, which was rehearsed."""
    store = memory_store.MemoryStore(memory_store.MemoryBucket(), 'maas')
    catalogue.commit(store, examples.backup_set())
    assert catalogue.note_rehearsal(store, RESULT)
    return store


def test_the_name_says_when_how_long_and_what_was_proven():
    assert RESULT.outcome.name == NAME
    assert rehearsal.outcome(NAME) == RESULT.outcome
    assert str(RESULT.outcome) == '2026-11-20, 34 min, proven'


@pytest.mark.parametrize(
    'name',
    [
        'manifest.json',
        NAME.replace('34min', 'min'),
        NAME.replace('proven', 'perfect'),
        NAME.replace('2026-11', '2026-99'),
        NAME.replace('feedface', 'feed/ace'),
        NAME + '.json',
    ],
)
def test_another_name_says_nothing(name: str):
    assert rehearsal.outcome(name) is None


def test_the_last_of_several_counts():
    later = NAME.replace('2026-11-20', '2026-11-21').replace('proven', 'different')
    found = rehearsal.newest([NAME, later, 'manifest.json'])

    assert str(found) == '2026-11-21, 34 min, with differences'
    assert rehearsal.newest(['manifest.json']) is None


def test_what_is_written_is_read():
    assert rehearsal.parse(RESULT.to_json(), KEY) == RESULT


def test_a_newer_version_is_refused_and_unknown_fields_are_ignored():
    document = json.loads(RESULT.to_json())

    assert rehearsal.parse(json.dumps({**document, 'colour': 'blue'}).encode(), KEY) == RESULT
    with pytest.raises(errors.ForeignRecordError):
        rehearsal.parse(json.dumps({**document, 'version': 2}).encode(), KEY)


def test_a_list_shows_it_from_one_listing(store: memory_store.MemoryStore):
    (entry,) = catalogue.entries(store)

    assert entry.rehearsed == RESULT.outcome
    assert catalogue.last_rehearsal(store, examples.BACKUP_ID) == RESULT


def test_readers_that_know_no_rehearsals_ignore_it(store: memory_store.MemoryStore):
    assert verification.outcome(NAME) is None
    assert catalogue.ids(store) == [examples.BACKUP_ID]
    assert catalogue.standing(store, examples.BACKUP_ID) is None


def test_it_is_deleted_with_its_set(store: memory_store.MemoryStore):
    listed = catalogue.entries(store)
    target = deletion.Target.of(store, listed[0])

    assert KEY in [item.key for item in deletion.objects(store, target, listed)]


@pytest.mark.parametrize(
    'content',
    [
        b'no JSON',
        b'{"version": 9}',
        RESULT.model_copy(update={'total_seconds': 60}).to_json(),
        RESULT.model_copy(update={'backup_id': '2026-08-23T10:15:00Z'}).to_json(),
    ],
)
def test_one_that_somebody_changed_is_no_result(store: memory_store.MemoryStore, content: bytes):
    store.put(KEY, content)

    assert catalogue.last_rehearsal(store, examples.BACKUP_ID) is None


def test_a_set_that_is_gone_gets_no_result(store: memory_store.MemoryStore):
    catalogue.withdraw(store, examples.BACKUP_ID)
    store.delete(KEY)

    assert not catalogue.note_rehearsal(store, RESULT)
    assert catalogue.names(store, examples.BACKUP_ID) == set()


def test_a_set_that_is_deleted_while_its_result_is_written_keeps_none(
    store: memory_store.MemoryStore, monkeypatch: pytest.MonkeyPatch
):
    put = store.put

    def deleting(key: str, content: bytes) -> object:
        catalogue.withdraw(store, examples.BACKUP_ID)
        return put(key, content)

    monkeypatch.setattr(store, 'put', deleting)

    assert not catalogue.note_rehearsal(store, RESULT)
    assert catalogue.names(store, examples.BACKUP_ID) == set()
