"""What list-backups shows: which sets, in which form, and what it says of the others."""

from __future__ import annotations

import dataclasses
import json

import pytest
import yaml

from coordinator import errors
from coordinator.report import listing
from coordinator.sets import catalogue, index, rehearsal, retention
from tests import examples

MODEL = examples.backup_set().model.uuid
OTHER = 'feedface-0bad-400d-8000-4b1d0d06f00d'
LIMIT_OF_AN_ARGUMENT = 128 << 10


def entry(backup_id: str = examples.BACKUP_ID, *, model: str = MODEL) -> catalogue.Entry:
    summary = index.Summary.of(examples.backup_set(backup_id))._replace(model_uuid=model)
    return catalogue.Entry(backup_id, retention.COMPLETE, summary)


def days(count: int) -> list[catalogue.Entry]:
    """Return this number of sets, oldest first."""
    return [entry(f'2026-{1 + n // 28:02}-{1 + n % 28:02}T10:15:00Z') for n in range(count)]


def failed(backup_id: str) -> catalogue.Entry:
    return catalogue.Entry(backup_id, retention.FAILED, problem='it has no manifest')


def chosen(
    entries: list[catalogue.Entry], limit: int = 100, since: str = '', all_models: bool = False
) -> listing.Choice:
    return listing.choose(entries, listing.Wanted(limit, since, all_models), MODEL)


def printed(choice: listing.Choice, form: str = 'table') -> str:
    return listing.results(choice, listing.Wanted(form=form), 'backups/maas')['backups']


def row(table: str, backup_id: str = examples.BACKUP_ID) -> list[str]:
    """Return the cells of the row of a set."""
    (line,) = [line for line in table.splitlines() if line.startswith(f'{backup_id} ')]
    return [cell.strip() for cell in line.split('|')]


# --- Which sets ----------------------------------------------------------------------------------


def test_the_newest_sets_are_shown_newest_last():
    sets = days(5)
    choice = chosen(sets, limit=2)
    assert list(choice.shown) == sets[3:]
    assert choice.note == (
        f'3 backup set(s) older than {sets[3].backup_id} are not shown: list-backups limit=...'
    )
    assert chosen(sets).note == ''


@pytest.mark.parametrize('since', ['2026-01-03', '2026-01-03T10:15:00Z'])
def test_sets_since_a_day_or_a_set_are_shown_with_that_one(since: str):
    sets = days(5)
    assert list(chosen(sets, since=since).shown) == sets[2:]


def test_sets_of_other_models_are_counted_until_they_are_asked_for():
    sets = [entry('2026-08-01T10:15:00Z', model=OTHER), entry()]
    choice = chosen(sets)
    assert list(choice.shown) == sets[1:]
    assert choice.note == (
        '1 backup set(s) of other models are not shown: list-backups all-models=true'
    )
    whole = chosen(sets, all_models=True)
    assert (list(whole.shown), whole.note) == (sets, '')


def test_sets_that_cannot_be_told_to_be_of_another_model_are_shown():
    sets = [failed('2026-08-01T10:15:00Z'), entry()]
    assert list(chosen(sets).shown) == sets


def test_the_set_that_is_being_made_has_not_failed():
    running, old = failed('2026-08-03T10:15:00Z'), failed('2026-08-01T10:15:00Z')
    assert listing.without_running([old, running], running.backup_id) == [old]
    assert listing.without_running([old, entry()], examples.BACKUP_ID) == [old, entry()]


@pytest.mark.parametrize('since', ['yesterday', '2026-13-01', '2026-08-22T10:15', '../x'])
def test_since_is_a_date_or_a_backup_id(since: str):
    with pytest.raises(errors.PreconditionError, match='neither a date such as 2026-08-22 nor'):
        listing.Wanted.checked(100, since, False, 'table')


def test_a_date_is_taken_as_it_is():
    wanted = listing.Wanted(limit=7, since='2026-08-22', all_models=True, form='yaml')
    assert listing.Wanted.checked(7, ' 2026-08-22 ', True, 'yaml') == wanted


# --- In which form -------------------------------------------------------------------------------


def test_sets_are_listed_in_a_table():
    table = printed(chosen([entry()]))
    assert table.startswith('Backup sets in backups/maas:\n\nbackup-id')
    assert row(table) == [
        examples.BACKUP_ID,
        'complete',
        '3.6.1',
        '3.0 GiB',
        '3',
        '16.9',
        '1.0 GiB',
        '20260822-102000F',
        '2026-08-22T10:40:00Z',
        '?',
        '',
        'maas',
        '',
    ]


def test_a_pinned_set_is_listed_as_such():
    pinned = catalogue.Entry(examples.BACKUP_ID, retention.COMPLETE, entry().summary, pinned=True)
    assert row(printed(chosen([pinned])))[-1] == 'yes'
    (listed,) = json.loads(printed(chosen([pinned]), 'json'))
    assert listed['pinned'] is True


def test_a_set_that_cannot_be_read_is_listed_with_the_reason():
    damaged = catalogue.Entry(
        examples.BACKUP_ID, retention.UNREADABLE, problem='its manifest\nis \x1b[31mdamaged'
    )
    table = printed(chosen([damaged]))
    assert row(table)[:2] == [examples.BACKUP_ID, 'unreadable']
    assert table.endswith(f'\n\n{examples.BACKUP_ID}: its manifest is [31mdamaged')
    (listed,) = json.loads(printed(chosen([damaged]), 'json'))
    assert (listed['status'], listed['problem']) == (
        'unreadable',
        'its manifest is [31mdamaged',
    )


def test_a_set_that_has_lost_its_database_part_is_listed_with_a_warning():
    sets = listing.with_expired([entry(), entry('2026-08-23T10:15:00Z')], {examples.BACKUP_ID})
    table = printed(chosen(sets))
    assert row(table)[:3] == [examples.BACKUP_ID, 'database-expired', '3.6.1']
    assert table.count('pgBackRest has expired its database part') == 1
    lost, whole = json.loads(printed(chosen(sets), 'json'))
    assert 'cannot be restored any more' in lost['problem']
    assert lost['maas-version'] == '3.6.1'
    assert 'problem' not in whole


@pytest.mark.parametrize('form', ['table', 'json', 'yaml'])
def test_text_out_of_an_index_breaks_no_list(form: str):
    found = entry().summary
    assert found is not None
    forged = found._replace(
        model='m\x1b[2J\n' + 'x' * 99, controllers=('a\nb',), label='\u202e', verified='\x9b'
    )
    listed = catalogue.Entry(examples.BACKUP_ID, retention.COMPLETE, forged)
    text = printed(chosen([listed]), form)
    assert all(line.isprintable() for line in text.splitlines())
    if form == 'table':
        assert len(row(text)) == 13


@pytest.mark.parametrize('form', ['json', 'yaml'])
def test_for_programs_sets_have_their_ids_sizes_and_versions(form: str):
    (listed,) = yaml.safe_load(printed(chosen([entry()]), form))
    assert listed['status'] == 'complete'
    assert listed['maas-backup-id'] == '2026-08-22T10:25:00Z'
    assert listed['postgresql-label'] == '20260822-102000F'
    assert listed['maas-bytes'] + listed['postgresql-bytes'] == 200 + (4 << 30)
    assert listed['controllers'] == ['4y3h7n', '8kpx6c', 'aqd3bw']


def test_for_programs_what_is_not_shown_is_said_apart_from_the_list():
    results = listing.results(chosen(days(3), limit=1), listing.Wanted(form='json'), 'backups')
    assert len(json.loads(results['backups'])) == 1
    assert results['note'].startswith('2 backup set(s) older than ')


# --- How much ------------------------------------------------------------------------------------


@pytest.mark.parametrize('form', ['table', 'json', 'yaml'])
def test_a_list_has_as_many_sets_as_an_action_can_tell(form: str):
    sets = days(330) * 3
    results = listing.results(chosen(sets, limit=1000), listing.Wanted(form=form), 'backups')
    assert len(results['backups'].encode()) < LIMIT_OF_AN_ARGUMENT
    shown = results['backups'].count('2026-08-22T10:40:00Z')
    assert 100 < shown < len(sets)
    note = results['backups'] if form == 'table' else results['note']
    assert f'{len(sets) - shown} backup set(s) older than ' in note
    assert sets[-1].backup_id in results['backups']


@pytest.mark.timeout(20)
def test_a_set_that_is_larger_than_any_list_is_not_looked_at_for_ever():
    huge = entry()
    assert huge.summary is not None
    names = tuple(f'{number:06}' for number in range(20_000))
    huge = dataclasses.replace(huge, summary=huge.summary._replace(controllers=names))
    assert examples.BACKUP_ID in printed(chosen([*days(3), huge]), 'json')


def test_the_last_rehearsal_of_a_set_is_shown():
    outcome = rehearsal.Outcome('2026-11-20T08:00:00Z', 34, rehearsal.PROVEN, OTHER)
    choice = chosen([dataclasses.replace(entry(), rehearsed=outcome)])

    assert '2026-11-20, 34 min, proven' in row(printed(choice))
    (told,) = json.loads(printed(choice, 'json'))
    assert told['rehearsed'] == {
        'at': '2026-11-20T08:00:00Z',
        'minutes': 34,
        'proof': 'proven',
    }
