"""A charm that requests backups is not trusted: whatever it puts into the relation, it gets one
backup at a time, as the site's options say, and an answer without a secret."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator

import hypothesis
import pytest
from hypothesis import strategies as st
from ops import testing

import scheduling
from charms.maas_backup_coordinator.v0 import maas_backup
from coordinator.record import requests
from tests import calendars, charm_states, programs, worlds

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
_DOCUMENTS = st.one_of(
    st.text(),
    _JSON.map(json.dumps),
    st.fixed_dictionaries({'version': _JSON, 'id': _JSON}).map(json.dumps),
    st.fixed_dictionaries({'version': st.just(1), 'id': st.text()}).map(json.dumps),
)
EACH = hypothesis.settings(
    max_examples=100,
    deadline=None,
    # The charm of these tests is not touched by what is drawn.
    suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
)
BOMBS = (
    '[' * 1_000_000,
    '{"version": 1, "id": "' + 'a' * 1_000_000 + '"}',
    '{"version": ' + '9' * 1_000_000 + '}',
    '{"version": 1e999, "id": "a1"}',
    '{"version": 1, "id": "../../etc/passwd"}',
    '{"version": 1, "id": "a1\\u001b[2J"}',
    '\udcff',
)


@pytest.fixture(autouse=True)
def _charm(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs.Programs(tmp_path / 'bin', monkeypatch)
    monkeypatch.setattr(scheduling, 'connect', calendars.FakeCalendars)
    charm_states.reach(worlds.StoredWorld(), monkeypatch)


def asking(text: str, number: int = 7000) -> testing.Relation:
    return testing.Relation(
        'backup',
        interface='maas_backup',
        id=number,
        remote_app_name='thief',
        remote_app_data={'request': text},
    )


def look(state: testing.State) -> testing.State:
    dispatch = charm_states.context()
    return dispatch.run(dispatch.on.update_status(), state)


def answers(out: testing.State) -> Iterator[maas_backup.Answer]:
    for relation in out.get_relations('backup'):
        yield maas_backup.Answer.from_json(relation.local_app_data['answer'])


@EACH
@hypothesis.given(_DOCUMENTS)
def test_a_request_is_read_or_refused(text: str):
    try:
        found = maas_backup.request_from_json(text)
    except maas_backup.InvalidDocument as error:
        # What was sent is not repeated, in logs or elsewhere.
        found = str(error)
    assert found.isascii()
    assert found.isprintable()
    assert len(found) < 200


@EACH
@hypothesis.given(_DOCUMENTS)
@hypothesis.example(BOMBS[0])
def test_an_answer_is_read_or_refused(text: str):
    with pytest.raises(maas_backup.InvalidDocument):
        maas_backup.Answer.from_json(text)


def test_what_is_no_request_is_refused_and_begins_nothing():
    relations = [asking(text, 7000 + number) for number, text in enumerate(BOMBS)]
    out = look(charm_states.state(asking=relations))
    assert 'operation' not in charm_states.databag(out)
    for answer in answers(out):
        assert (answer.request_id, answer.state) == ('', 'refused')
        assert answer.reason.startswith('the request is not valid: ')


def test_a_request_chooses_nothing_of_the_backup():
    plain, greedy = '{"version": 1, "id": "a1"}', {
        'version': 1, 'id': 'a1', 'backup-id': 'latest', 'operation': 'restore-all',
        'force': True, 'recipients': 'age1thief', 'parameters': {'strategy': 'scale-down'},
    }  # fmt: skip
    begun = [
        charm_states.saved(look(charm_states.state(asking=[asking(text)])))
        for text in (plain, json.dumps(greedy))
    ]
    first, second = (dataclasses.replace(op, id='', started='') for op in begun)
    assert first == second
    assert (first.kind, dict(first.parameters)) == ('backup-all', {})


def test_new_requests_all_the_time_have_one_backup_made_and_one_wait():
    out = look(charm_states.state(asking=[asking(maas_backup.request_to_json('a0'))]))
    begun = charm_states.saved(out).id
    for number in range(1, 6):
        (before,) = out.get_relations('backup')
        text = maas_backup.request_to_json(f'a{number}')
        new = dataclasses.replace(before, remote_app_data={'request': text})
        others = [each for each in out.relations if each.id != before.id]
        out = look(dataclasses.replace(out, relations=[*others, new]))
        assert charm_states.saved(out).id == begun
        kept = requests.from_json(charm_states.databag(out)['requests'])
        assert [each.id for each in kept.asked.values()] == [f'a{number}']
        assert kept.line.pending is not None
    assert [answer.state for answer in answers(out)] == ['waiting']


def test_many_relations_are_served_up_to_a_number_and_the_record_stays_small():
    text = [maas_backup.request_to_json(f'{number:064}') for number in range(60)]
    relations = [asking(each, 7000 + number) for number, each in enumerate(text)]
    out = look(charm_states.state(asking=relations))
    found = [answer.state for answer in answers(out)]
    assert found.count('running') == requests.MOST
    assert found.count('refused') == 60 - requests.MOST
    assert len(charm_states.databag(out)['requests']) < 32 << 10
    op = charm_states.saved(out)
    assert len(op.facts['answers-requests']) <= 20 * requests.MOST


def test_no_answer_holds_a_secret(monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ValueError(charm_states.CREDENTIALS['password'])

    monkeypatch.setattr('actions.operations.OperationActions.begin_backup', broken)
    out = look(charm_states.state(asking=[asking('{"version": 1, "id": "a1"}')]))
    (relation,) = out.get_relations('backup')
    told = str(relation.local_app_data) + str(relation.local_unit_data)
    assert 'internal error (ValueError)' in told
    for secret in (*charm_states.CREDENTIALS.values(), charm_states.SECRET):
        assert secret not in told
