"""What is kept of requests for a backup: read by any later leader, and by later revisions."""

from __future__ import annotations

import dataclasses
import json

import pytest

from charms.maas_backup_coordinator.v0 import maas_backup
from coordinator.record import requests, schedules

KEPT = requests.Requests(
    schedules.Schedule(
        pending=schedules.Pending('2026-08-22T10:15:00Z', waited=7, reason='restore-all runs'),
        runs=(schedules.Run('2026-08-21T10:15:00Z', 'complete', operation='x'),),
    ),
    {'7': requests.Asked('a1', requests.WAITING, told=True), '9': requests.Asked()},
    '{"backup-id": "2026-08-21T10:15:00Z"}',
)


def test_what_is_stored_is_read():
    assert requests.from_json(requests.to_json(KEPT)) == KEPT


def test_where_nobody_is_related_nothing_is_stored():
    assert requests.to_json(dataclasses.replace(KEPT, asked={})) == ''
    assert requests.from_json('') == requests.Requests()


def test_fields_of_a_later_revision_are_passed_over():
    raw = json.loads(requests.to_json(KEPT))
    raw['asked']['7']['colour'] = raw['line']['colour'] = raw['colour'] = 'red'
    assert requests.from_json(json.dumps(raw)) == KEPT


@pytest.mark.parametrize('text', ['{', '[]', '{"asked": 7}', '{"asked": {"7": 7}}', '{"line": 7}'])
def test_what_cannot_be_read_is_nothing(text: str):
    assert requests.from_json(text) == requests.Requests()


def test_the_states_are_those_of_the_library():
    kept = (
        requests.WAITING, requests.RUNNING, requests.READY, requests.FAILED, requests.REFUSED,
    )  # fmt: skip
    assert kept == maas_backup.STATES


def test_a_mark_is_short_and_names_one_request():
    marks = {requests.mark(relation, name) for relation in '79' for name in ('a', 'b', 'c' * 64)}
    assert len(marks) == 6
    assert all(len(mark) == len('7:') + 12 and ' ' not in mark for mark in marks)


def test_only_what_differs_is_to_be_told():
    before = requests.Asked('a1', requests.WAITING, told=True)
    assert before.becoming(state=requests.WAITING) is before
    assert not before.becoming(state=requests.RUNNING).told
