from __future__ import annotations

import datetime

import pytest

from coordinator import errors
from coordinator.parts import pgbackrest_timeline
from rehearsal import memory_store
from rehearsal.standins import pgbackrest

STANZA, ARCHIVE = 'maas.postgresql', '16-1'
STOP = ('0/5011558', '000000010000000000000005')


@pytest.fixture
def store() -> memory_store.MemoryStore:
    s3 = memory_store.MemoryS3(lambda: datetime.datetime(2026, 8, 22, tzinfo=datetime.UTC))
    return s3.store_for({'bucket': 'b', 'path': 'p', 'endpoint': 'http://memory.invalid'})


def begin(store: memory_store.MemoryStore, timeline: int, text: str) -> None:
    store.put(f'archive/{STANZA}/{ARCHIVE}/{timeline:08X}.history', text.encode())


def test_the_next_timeline_is_the_first_without_a_history(store: memory_store.MemoryStore):
    begin(store, 2, '1\t0/3000000\tno recovery target specified\n')
    begin(store, 4, '1\t0/3000000\tno recovery target specified\n')
    found = [pgbackrest_timeline.next_timeline(store, STANZA, ARCHIVE, n) for n in (1, 2, 3)]
    assert found == [3, 3, 5]


def test_a_timeline_tells_by_its_last_line_where_it_began(store: memory_store.MemoryStore):
    begin(store, 3, '1\t0/3000000\tno recovery target specified\n\n2\t0/5011558\treached x\n')
    (found,) = pgbackrest_timeline.begun_since(store, STANZA, ARCHIVE, 3)
    assert found == pgbackrest_timeline.Branch(3, '0/5011558', 'reached x')


def test_what_is_no_history_proves_nothing(store: memory_store.MemoryStore):
    begin(store, 2, '')
    begin(store, 3, 'garbage\xff')
    assert pgbackrest_timeline.begun_since(store, STANZA, ARCHIVE, 2) == []


@pytest.mark.parametrize(
    ('lsn', 'ends'),
    [
        ('0/5011558', True),
        ('0/5FFFFFF', True),
        ('0/5011557', False),
        ('0/6000000', True),
        ('0/6011558', False),
        ('1/5011558', False),
    ],
)
def test_a_branch_fits_a_backup_that_ends_there(lsn: str, ends: bool):
    assert pgbackrest_timeline.Branch(2, lsn, 'reached consistency').ends(*STOP) == ends


@pytest.mark.parametrize(
    ('reason', 'restored'),
    [
        ('reached consistency', True),
        ('before 2026-08-22 10:00:00+00', True),
        ('no recovery target specified', False),
        ('', False),
    ],
)
def test_a_promotion_is_no_restore(reason: str, restored: bool):
    assert pgbackrest_timeline.Branch(2, '0/5011558', reason).restored == restored


def lists(store: memory_store.MemoryStore, backup: object, archive: object) -> None:
    for key, system_id in (('backup', backup), ('archive', archive)):
        db = {'db-id': 1, 'db-system-id': system_id, 'db-version': '16'}
        sections = {'db': db, 'db:history': {'1': {'db-system-id': system_id}}}
        content = pgbackrest.render(sections).encode()
        store.put(f'{key}/{STANZA}/{key}.info.copy', content)


def test_the_cluster_of_a_stanza_is_told_by_both_lists(store: memory_store.MemoryStore):
    lists(store, 6944, 6945)
    assert pgbackrest_timeline.owners(store, STANZA) == {'6944', '6945'}
    assert pgbackrest_timeline.system_id(store, STANZA, ARCHIVE) == '6944'


def test_lists_that_name_no_cluster_are_no_answer(store: memory_store.MemoryStore):
    with pytest.raises(errors.NotFound):
        pgbackrest_timeline.owners(store, STANZA)
    lists(store, 'x', 1)
    with pytest.raises(errors.UnexpectedAnswer):
        pgbackrest_timeline.owners(store, STANZA)
    with pytest.raises(errors.UnexpectedAnswer):
        pgbackrest_timeline.system_id(store, STANZA, '16-7')
