"""The index: what it brings back, and that whatever is wrong with it makes it none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from coordinator.sets import documents, index
from rehearsal import memory_store
from tests import examples

SUMMARY = index.Summary.of(examples.backup_set())
ROWS = {examples.BACKUP_ID: index.Row('0123abcd', 2394, SUMMARY)}
DAMAGED = {'2026-08-23T10:15:00Z': index.Damage('4567', 7, newer=False, problem='is damaged')}


@pytest.fixture
def store() -> memory_store.MemoryStore:
    return memory_store.MemoryStore(memory_store.MemoryBucket(), 'maas')


def test_rows_come_back_as_they_were_stored(store: memory_store.MemoryStore):
    index.save(store, ROWS)
    assert index.load(store) == ROWS


def test_damaged_manifests_are_remembered_beside_the_rows(store: memory_store.MemoryStore):
    index.save(store, {**ROWS, **DAMAGED})
    assert index.load(store) == {**ROWS, **DAMAGED}


def test_an_older_revision_reads_the_rows_as_before(store: memory_store.MemoryStore):
    index.save(store, ROWS)
    before = json.loads(store.get(index.KEY))
    assert before.keys() == {'version', 'checksum', 'sets'}, 'what an older revision writes'
    index.save(store, {**ROWS, **DAMAGED})
    after = json.loads(store.get(index.KEY))
    assert {key: after[key] for key in before} == before


def test_a_summary_has_what_a_listing_shows():
    assert (SUMMARY.model, SUMMARY.maas_version, SUMMARY.label) == (
        'maas',
        '3.6.1',
        '20260822-102000F',
    )
    assert (SUMMARY.maas_bytes, SUMMARY.postgresql_bytes) == (200 + (3 << 30), 1 << 30)
    assert (SUMMARY.postgresql_bucket, SUMMARY.postgresql_path) == ('backups', 'postgresql')


def test_a_row_is_of_one_manifest_only(store: memory_store.MemoryStore):
    stored = store.put('manifest', b'x' * 2394)
    row = index.Row(stored.etag, stored.size, SUMMARY)
    assert row.is_of(stored)
    assert not row._replace(etag='other').is_of(stored)
    assert not row._replace(size=1).is_of(stored)


def test_without_an_index_there_are_no_rows_and_no_words(
    store: memory_store.MemoryStore, caplog: pytest.LogCaptureFixture
):
    assert index.load(store) == {}
    assert caplog.text == ''


Change = Callable[[dict[str, Any]], object]


def checked(change: Change) -> Change:
    """Return a change that renews the checksum, as one who may write to the bucket could."""

    def changed(content: dict[str, Any]) -> None:
        change(content)
        content['checksum'] = documents.checksum(content['sets'])

    return changed


def summary(field: str, value: object) -> Change:
    """Return a change of a field of the summary, its checksum renewed."""

    def changed(content: dict[str, Any]) -> None:
        content['sets'][examples.BACKUP_ID][2][index.Summary._fields.index(field)] = value

    return checked(changed)


CHANGES: dict[str, Change] = {
    'of another version': lambda content: content.update(version=index.VERSION + 1),
    'without version': lambda content: content.pop('version'),
    'without checksum': lambda content: content.pop('checksum'),
    'without sets': lambda content: content.pop('sets'),
    'with a changed row': lambda content: content['sets'][examples.BACKUP_ID].__setitem__(1, 7),
    'with a row that is cut': checked(lambda content: content['sets'][examples.BACKUP_ID].pop()),
    'with a row of another kind': checked(lambda content: content['sets'].update(x=7)),
    'with more controllers than a set has': summary('controllers', ['abc123'] * 20_000),
    'with a size that no object has': summary('maas_bytes', 10**400),
    'with a size below nothing': summary('postgresql_bytes', -1),
    'with damage of another kind': lambda content: content.update(damaged=7),
    'with damage without its reader': lambda content: content['damaged'].pop('reader'),
    'with changed damage': lambda content: content['damaged']['sets'].clear(),
    'with sets of another kind': checked(lambda content: content.update(sets=[1])),
}


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
def test_an_index_that_does_not_fit_is_none(
    store: memory_store.MemoryStore, caplog: pytest.LogCaptureFixture, change: Change
):
    index.save(store, {**ROWS, **DAMAGED})
    content = json.loads(store.get(index.KEY))
    change(content)
    store.put(index.KEY, json.dumps(content).encode())
    assert index.load(store) == {}
    assert 'coordinator/index.json cannot be used' in caplog.text


@pytest.mark.parametrize(
    'content', [b'', b'[]', b'null', b'\xff\xfe', b'[' * 100_000], ids=lambda value: value[:4]
)
def test_what_is_no_index_at_all_is_none(store: memory_store.MemoryStore, content: bytes):
    store.put(index.KEY, content)
    assert index.load(store) == {}
