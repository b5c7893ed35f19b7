"""The charm library, as a charm that requests a backup uses it."""

from __future__ import annotations

import ast
import dataclasses
import datetime
import json
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import ops
import pytest
from ops import testing

from charms.maas_backup_coordinator.v0 import maas_backup

SOURCE = pathlib.Path(maas_backup.__file__)
SET = maas_backup.BackupSet('2026-08-22T10:15:00Z', maas_backup.DEEP, proven=True)
Answer = maas_backup.Answer
READY = Answer('a1', maas_backup.READY, 'one unit is missing', SET)
FAILED = Answer('a1', maas_backup.FAILED, 'check: S3 refuses')
REFUSED = Answer('a1', maas_backup.REFUSED, 'no recipients')


class Requirer(ops.CharmBase):
    """A charm that records the events that it gets."""

    told: list[Any]

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self.backup = maas_backup.MaasBackupRequirer(self)
        for event in (self.backup.on.backup_ready, self.backup.on.backup_failed):
            framework.observe(event, self._on_told)

    def _on_told(self, event: ops.EventBase) -> None:
        if self.config.get('fails'):
            raise RuntimeError('this hook fails')
        type(self).told.append(event)


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    monkeypatch.setattr(Requirer, 'told', found := [], raising=False)
    return found


def context() -> testing.Context[Requirer]:
    meta = {'name': 'risky', 'requires': {'backup': {'interface': 'maas_backup', 'limit': 1}}}
    config = {'options': {'fails': {'type': 'boolean', 'default': False}}}
    return testing.Context(Requirer, meta=meta, config=config)


def relation(
    *, request: str = '', answered: str = '', theirs: Mapping[str, str] | None = None
) -> testing.Relation:
    own: dict[str, str] = {}
    if request:
        own['request'] = maas_backup.request_to_json(request)
    if answered:
        own['answered'] = answered
    return testing.Relation(
        'backup',
        interface='maas_backup',
        remote_app_name='coordinator',
        local_app_data=own,
        remote_app_data=dict(theirs or {}),
    )


def answered(
    answer: Answer, *, leader: bool = True, told: str = ''
) -> tuple[testing.Context[Requirer], testing.Relation, testing.State]:
    dispatch, there = context(), relation(request='a1', answered=told)
    there = dataclasses.replace(there, remote_app_data={'answer': answer.to_json()})
    return dispatch, there, testing.State(leader=leader, relations=[there])


def own(out: testing.State) -> Mapping[str, str]:
    (found,) = out.get_relations('backup')
    return found.local_app_data


# --- Requesting ------------------------------------------------------------------------------


def test_a_request_is_put_into_the_databag():
    with (dispatch := context())(
        dispatch.on.update_status(), testing.State(leader=True, relations=[relation()])
    ) as manager:
        made = manager.charm.backup.request_backup()
        assert manager.charm.backup.request_id == made
        assert manager.charm.backup.answer is None
        out = manager.run()
    assert json.loads(own(out)['request']) == {'version': 1, 'id': made}


def test_each_request_has_an_id_that_no_other_has():
    dispatch = context()
    with dispatch(
        dispatch.on.update_status(), testing.State(leader=True, relations=[relation()])
    ) as manager:
        ids = {manager.charm.backup.request_backup() for _ in range(3)}
        assert len(ids) == 3
        manager.run()


def test_a_request_can_be_taken_back():
    dispatch = context()
    state = testing.State(leader=True, relations=[relation(request='a1')])
    with dispatch(dispatch.on.update_status(), state) as manager:
        manager.charm.backup.withdraw()
        out = manager.run()
    assert 'request' not in own(out)


def test_a_request_without_a_relation_is_refused():
    dispatch = context()
    with dispatch(dispatch.on.update_status(), testing.State(leader=True)) as manager:
        with pytest.raises(maas_backup.NotRelated):
            manager.charm.backup.request_backup()
        manager.charm.backup.withdraw()
        assert manager.charm.backup.newest is None


def test_a_unit_that_does_not_lead_may_not_request():
    dispatch = context()
    state = testing.State(leader=False, relations=[relation()])
    with dispatch(dispatch.on.update_status(), state) as manager:
        with pytest.raises(maas_backup.NotLeader):
            manager.charm.backup.request_backup()
        with pytest.raises(maas_backup.NotLeader):
            manager.charm.backup.withdraw()


@pytest.mark.parametrize('request_id', ['', ' ', '-a', 'a b', 'a\n', 'ä', 'a' * 65])
def test_an_id_must_have_the_form_of_one(request_id: str):
    with pytest.raises(ValueError, match='1 to 64 letters'):
        maas_backup.request_to_json(request_id)


# --- Answers ---------------------------------------------------------------------------------


def test_the_charm_is_told_of_the_set(told: list[Any]):
    dispatch, there, state = answered(READY)
    out = dispatch.run(dispatch.on.relation_changed(there), state)
    (event,) = told
    assert isinstance(event, maas_backup.BackupReadyEvent)
    assert (event.request_id, event.backup_set) == ('a1', SET)
    assert event.reason == 'one unit is missing'
    assert own(out)['answered'] == 'a1'


@pytest.mark.parametrize('answer', [FAILED, REFUSED])
def test_the_charm_is_told_why_there_is_no_set(answer: Answer, told: list[Any]):
    dispatch, there, state = answered(answer)
    dispatch.run(dispatch.on.relation_changed(there), state)
    (event,) = told
    assert isinstance(event, maas_backup.BackupFailedEvent)
    assert (event.request_id, event.reason) == ('a1', answer.reason)
    assert event.begun == (answer is FAILED)


def test_it_is_told_once(told: list[Any]):
    dispatch, there, state = answered(READY, told='a1')
    dispatch.run(dispatch.on.relation_changed(there), state)
    assert told == []


def test_after_a_hook_that_failed_it_is_told_again(told: list[Any]):
    dispatch, there, state = answered(READY)
    failing = dataclasses.replace(state, config={'fails': True})
    with pytest.raises(testing.errors.UncaughtCharmError):
        dispatch.run(dispatch.on.relation_changed(there), failing)
    dispatch.run(dispatch.on.relation_changed(there), state)
    assert len(told) == 1


def test_a_new_leader_tells_what_the_last_one_could_not(told: list[Any]):
    dispatch, there, state = answered(READY, leader=False)
    dispatch.run(dispatch.on.relation_changed(there), state)
    assert told == [], 'only the leader may read what it has requested'
    dispatch.run(dispatch.on.leader_elected(), dataclasses.replace(state, leader=True))
    assert len(told) == 1


@pytest.mark.parametrize('state_of_it', [maas_backup.WAITING, maas_backup.RUNNING])
def test_an_answer_that_may_change_tells_nothing_and_can_be_read(
    state_of_it: str, told: list[Any]
):
    waits = Answer('a1', state_of_it, 'restore-all 2026-08-22T10:00:00Z is running')
    dispatch, there, state = answered(waits)
    with dispatch(dispatch.on.relation_changed(there), state) as manager:
        manager.run()
        assert manager.charm.backup.answer == waits
    assert told == []


def test_the_answer_to_another_request_is_none(told: list[Any]):
    dispatch, there, state = answered(dataclasses.replace(READY, request_id='a0'))
    with dispatch(dispatch.on.relation_changed(there), state) as manager:
        manager.run()
        assert manager.charm.backup.answer is None
    assert told == []


def test_a_handler_that_defers_is_told_the_same_later():
    handle = ops.Handle(None, 'backup_ready', '1')
    before = maas_backup.BackupReadyEvent(handle, READY)
    after = maas_backup.BackupReadyEvent(handle, FAILED)
    after.restore(before.snapshot())
    assert (after.backup_set, after.reason) == (SET, READY.reason)


# --- The newest set --------------------------------------------------------------------------


@pytest.mark.parametrize('leader', [True, False])
def test_every_unit_can_read_how_old_the_newest_set_is(leader: bool):
    there = relation(theirs={'newest': json.dumps({'version': 1, **SET.as_dict()})})
    dispatch = context()
    state = testing.State(leader=leader, relations=[there])
    with dispatch(dispatch.on.update_status(), state) as manager:
        newest = manager.charm.backup.newest
        manager.run()
    assert newest is not None
    assert newest == SET
    now = datetime.datetime(2026, 8, 22, 11, 15, tzinfo=datetime.UTC)
    assert newest.age(now) == datetime.timedelta(hours=1)
    assert newest.age() > datetime.timedelta(0)


# --- Garbage ---------------------------------------------------------------------------------

GARBAGE = [
    'no JSON',
    'null',
    '[]',
    '{}',
    '"text"',
    '{"version": true}',
    '{"version": 0, "id": "a1"}',
    '{"version": 2, "id": "a1"}',
    '{"version": "1", "id": "a1"}',
    '{"version": 1, "id": 7}',
    '{"version": 1, "id": ["a1"]}',
    '[' * 100_000,
    '{"version": 1' + '0' * 10_000 + '}',
    json.dumps({'version': 1, 'id': 'a1', 'more': 'x' * 5000}),
    '{"version": 1, "request": "a1", "state": "splendid"}',
    '{"version": 1, "request": "a1", "state": ["ready"]}',
    '{"version": 1, "request": "a1", "state": "ready"}',
    '{"version": 1, "request": "a1", "state": "ready", "set": []}',
    '{"version": 1, "request": "a1", "state": "ready", "set": {"backup-id": "latest"}}',
    '{"version": 1, "request": "a1", "state": "failed", "reason": {}}',
    '{"version": 1, "backup-id": "2026-13-22T10:15:00Z", "verified": "deep"}',
    '{"version": 1, "backup-id": "2026-8-22T10:15:00Z", "verified": "deep"}',
    '{"version": 1, "backup-id": "2026-08-22T10:15:00Z", "verified": {}}',
    '\ud800',
]


@pytest.mark.parametrize('text', GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused_by_whoever_reads_it(text: str):
    for read in (maas_backup.request_from_json, Answer.from_json):
        with pytest.raises(maas_backup.InvalidDocument):
            read(text)


@pytest.mark.parametrize('key', ['answer', 'newest'])
@pytest.mark.parametrize('text', GARBAGE[:-1], ids=range(len(GARBAGE) - 1))
def test_garbage_in_the_databag_stops_no_hook(key: str, text: str, told: list[Any]):
    there = relation(request='a1', theirs={key: text})
    dispatch = context()
    state = testing.State(leader=True, relations=[there])
    with dispatch(dispatch.on.relation_changed(there), state) as manager:
        manager.run()
        assert manager.charm.backup.answer is None
        assert manager.charm.backup.newest is None
    assert told == []


def test_a_reason_becomes_one_printable_line():
    text = dataclasses.replace(FAILED, reason='a\n\x1b[31mb\u202e' + 'c' * 1000).to_json()
    assert re.fullmatch(r'a \[31mb c{300,400}', Answer.from_json(text).reason)


def test_what_it_writes_it_reads():
    for answer in (READY, FAILED, REFUSED, Answer('a2', maas_backup.WAITING)):
        assert Answer.from_json(answer.to_json()) == answer
    assert maas_backup.request_from_json(maas_backup.request_to_json('a-1.b_2')) == 'a-1.b_2'


def test_fields_that_are_unknown_are_ignored():
    text = json.dumps({**json.loads(READY.to_json()), 'more': 1})
    assert Answer.from_json(text) == READY


# --- Its form --------------------------------------------------------------------------------


def test_it_has_what_charmhub_asks_of_a_library():
    text = SOURCE.read_text()
    assert re.search(r"^LIBID = '[0-9a-f]{32}'$", text, re.MULTILINE)
    assert re.search(r'^LIBPATCH = [1-9][0-9]*$', text, re.MULTILINE)
    assert f'v{maas_backup.LIBAPI}' == SOURCE.parent.name
    assert SOURCE.parents[1].name == 'maas_backup_coordinator'


def test_it_needs_ops_alone_and_no_newer_python_than_charms_have():
    tree = ast.parse(SOURCE.read_text(), feature_version=(3, 8))
    imported = {
        name.partition('.')[0]
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or '']
        )
    }
    assert imported <= {
        '__future__', 'dataclasses', 'datetime', 'json', 'logging', 'ops', 're', 'typing', 'uuid',
    }  # fmt: skip


def test_the_example_in_its_documentation_is_python():
    (example,) = re.findall(r'```python\n(.*?)```', maas_backup.__doc__ or '', re.DOTALL)
    ast.parse(example)
    for name in re.findall(r'maas_backup\.(\w+)', example):
        assert hasattr(maas_backup, name), name
