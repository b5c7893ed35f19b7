"""What is said of the backup sets: this model's, by status, and the newest good ones."""

from __future__ import annotations

import datetime

from coordinator.observed import sets
from coordinator.sets import catalogue, index, rehearsal, retention, verification
from tests import examples, worlds

OTHER = 'cafebabe-0bad-400d-8000-4b1d0d06f00d'


def entry(day: int, **changes: object) -> catalogue.Entry:
    found = index.Summary.of(examples.backup_set())
    uuid = str(changes.pop('model_uuid', worlds.EmptyWorld.model_uuid))
    summary = found._replace(model_uuid=uuid)
    backup_id = f'2026-08-{day:02}T10:15:00Z'
    given = {'state': retention.COMPLETE, 'summary': summary, **changes}
    return catalogue.Entry(backup_id, **given)  # type: ignore[arg-type]


def good(*, whole: bool = False) -> verification.Result:
    return verification.Result('2026-08-22T10:15:00Z', whole=whole, good=True)


def said(*listed: catalogue.Entry) -> sets.Sets:
    return sets.of(listed, worlds.EmptyWorld.model_uuid, worlds.START)


def test_sets_are_counted_by_their_status():
    found = said(
        entry(1),
        entry(2),
        entry(3, state=retention.DATABASE_EXPIRED),
        entry(4, state=retention.FAILED, summary=None),
        entry(5, model_uuid=OTHER),
        entry(6, state=retention.INCONSISTENT),
    )
    assert {state: count for state, count in found.states.items() if count} == {
        'complete': 2,
        'database-expired': 1,
        'failed': 1,
        'inconsistent': 1,
    }
    assert set(found.states) == set(sets.STATES)


def test_the_newest_of_each_kind_is_named():
    found = said(
        entry(1, verified=good(whole=True), proven='2026-08-20T10:15:00Z'),
        entry(2, verified=good()),
        entry(3),
        entry(4, state=retention.DAMAGED, proven='2026-08-21T10:15:00Z'),
    )
    assert found.newest == {
        'proven': '2026-08-01T10:15:00Z',
        'read-whole': '2026-08-01T10:15:00Z',
        'verified': '2026-08-02T10:15:00Z',
        'complete': '2026-08-03T10:15:00Z',
    }
    assert found.database_bytes == examples.backup_set().postgresql.bytes
    assert found.files_bytes == examples.backup_set().maas.bytes


def test_a_set_that_a_wrong_clock_has_dated_in_the_future_is_not_the_newest():
    ahead = worlds.START + datetime.timedelta(days=7)
    assert said(entry(1), entry(ahead.day)).newest == {'complete': '2026-08-01T10:15:00Z'}


def test_without_a_set_nothing_is_the_newest():
    found = said()
    assert (found.newest, found.database_bytes) == ({}, 0)


def test_what_was_stored_is_read_as_it_was():
    found = said(entry(1, verified=good()))
    assert sets.Sets.from_json(found.to_json()) == found
    for text in ('', '[]', '{}', '{"states": 1}', 'null'):
        assert sets.Sets.from_json(text) is None


def test_the_last_rehearsal_of_each_outcome_is_named():
    def rehearsed(at: str, proof: str) -> rehearsal.Outcome:
        return rehearsal.Outcome(at, 34, proof, OTHER)

    found = said(
        entry(1, rehearsed=rehearsed('2026-08-03T10:00:00Z', rehearsal.PROVEN)),
        entry(2, rehearsed=rehearsed('2026-08-02T10:00:00Z', rehearsal.PROVEN)),
        entry(3, rehearsed=rehearsed('2026-08-04T10:00:00Z', rehearsal.UNPROVEN)),
        entry(4, rehearsed=rehearsed('2096-08-04T10:00:00Z', rehearsal.PROVEN)),
    )

    assert found.rehearsed == {
        'proven': '2026-08-03T10:00:00Z',
        'unproven': '2026-08-04T10:00:00Z',
    }
    assert sets.Sets.from_json(found.to_json()) == found


def test_what_a_revision_without_rehearsals_has_stored_is_read():
    found = sets.Sets.from_json(
        '{"states": {"complete": 1}, "newest": {}, "database_bytes": 0, "files_bytes": 0}'
    )

    assert found is not None
    assert found.rehearsed == {}
