"""A beat whose task still runs ends before the charm is loaded; in any doubt it is loaded."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Callable, Generator
from typing import Any

import pytest

from coordinator.engine import glance
from coordinator.unit import elapsed
from rehearsal import tls
from tests import programs
from tests.scripted_controller import CUT, MODEL_UUID, PASSWORD, Refusal, ScriptedController

RECORD = '{"id": "2026-08-22T10:15:00Z"}'
TOOLS = ('relation-get', 'secret-get')


def result(status: str = 'running', **more: Any) -> dict[str, Any]:
    task = {'tag': 'action-12', 'receiver': 'unit-postgresql-0', 'name': 'create-backup'}
    return {'results': [{'action': task, 'status': status, **more}]}


class Unit:
    """A unit that waits for a task, with its disk and its hook tools."""

    def __init__(self, folder: pathlib.Path, tools: programs.Programs, waiting: glance.Waiting):
        self.folder = folder
        self.tools = tools
        self.waiting = waiting
        self.note = glance.Note(folder)

    def beat(self) -> bool:
        return glance.suffices(self.folder)

    def dispatch(self) -> None:
        """Do what the whole charm does that finds nothing to store."""
        before = self.note.take()
        looks = elapsed.Elapsed(self.folder / elapsed.FILE)
        looks.look(self.waiting.operation, self.waiting.age)
        looks.looked()
        self.note.keep(self.waiting, before)


@pytest.fixture(scope='module')
def authority() -> tls.Authority:
    return tls.Authority()


@pytest.fixture
def controller(authority: tls.Authority) -> Generator[ScriptedController]:
    with ScriptedController(authority) as running:
        running.answers['Action.Actions'] = [result()]
        yield running


@pytest.fixture
def unit(
    controller: ScriptedController,
    authority: tls.Authority,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Unit:
    tools = programs.Programs(tmp_path / 'bin', monkeypatch, *TOOLS)
    tools.answer('relation-get', json.dumps(RECORD))
    login = {'username': 'backup-bot', 'password': f'{PASSWORD}\n'}
    tools.answer('secret-get', json.dumps(login))
    waiting = glance.Waiting(
        operation='2026-08-22T10:15:00Z',
        age=21,
        record=glance.digest(RECORD),
        relation='coordinator:3',
        application='backups',
        task=12,
        login='secret:d0q1k2v3m4n5o6p7q8s3',
        addresses=[controller.address],
        ca_cert=authority.ca_pem,
        model=MODEL_UUID,
    )
    found = Unit(tmp_path, tools, waiting)
    found.dispatch()
    return found


@pytest.fixture
def glanced(unit: Unit) -> Unit:
    """A unit of which a beat and the dispatch after it have found the task running."""
    assert not unit.beat()
    unit.dispatch()
    assert unit.beat()
    return unit


def test_the_first_beat_after_a_dispatch_is_followed_by_another(unit: Unit):
    assert not unit.beat()


def test_a_second_beat_that_sees_the_same_suffices(glanced: Unit, controller: ScriptedController):
    asked = len(controller.called('Action.Actions'))
    assert glanced.beat()
    assert controller.called('Action.Actions')[asked:] == [{'entities': [{'tag': 'action-12'}]}]


def test_a_beat_runs_three_hook_tools_that_write_nothing(glanced: Unit):
    before = len(glanced.tools.calls)
    assert glanced.beat()
    assert [call[0] for call in glanced.tools.calls[before:]] == [
        'is-leader',
        'relation-get',
        'secret-get',
    ]


def test_the_note_holds_no_secret_of_the_login(glanced: Unit):
    texts = [path.read_text() for path in glanced.folder.glob('.*') if path.is_file()]
    assert texts
    assert [text for text in texts if PASSWORD in text] == []


OTHERWISE: dict[str, Callable[[Unit, ScriptedController], object]] = {
    'the unit does not lead': lambda u, _: u.tools.answer('is-leader', 'false'),
    'the record has changed': lambda u, _: u.tools.answer(
        'relation-get', json.dumps(RECORD + ' ')
    ),
    'there is no record': lambda u, _: u.tools.answer('relation-get', 'null'),
    'a hook tool fails': lambda u, _: u.tools.answer('relation-get', code=1),
    'the secret is gone': lambda u, _: u.tools.answer('secret-get', stderr='ERROR', code=1),
    'the secret has no password': lambda u, _: u.tools.answer('secret-get', '{"username": "b"}'),
    'the task has ended': lambda _, c: c.answers.update({'Action.Actions': [result('completed')]}),
    'the task is another': lambda _, c: c.answers.update({'Action.Actions': [result(log=[1])]}),
    'the task is gone': lambda _, c: c.answers.update({'Action.Actions': [{'results': []}]}),
    'the call is refused': lambda _, c: c.answers.update({'Action.Actions': [Refusal('no')]}),
    'the connection breaks': lambda _, c: c.answers.update({'Action.Actions': [CUT]}),
    'the login is refused': lambda _, c: c.answers.update({'Admin.Login': [Refusal('no')]}),
    'the note was taken': lambda u, _: u.note.take(),
    'the note is cut off': lambda u, _: (u.folder / '.glance').write_text('{"operation": "'),
    'the note is another one': lambda u, _: (u.folder / '.glance').write_text('{"operation": 1}'),
}


@pytest.mark.parametrize('why', OTHERWISE)
def test_the_whole_dispatch_follows_if(why: str, glanced: Unit, controller: ScriptedController):
    OTHERWISE[why](glanced, controller)
    assert not glanced.beat()


def test_a_whole_look_is_due_once_in_each_minute(glanced: Unit):
    glanced.waiting = dataclasses.replace(glanced.waiting, age=125)
    glanced.note.keep(dataclasses.replace(glanced.waiting, seen=seen(glanced)))
    assert not glanced.beat()
    assert not glanced.beat(), 'the dispatch after the first one died'

    glanced.dispatch()
    assert glanced.beat()


def seen(unit: Unit) -> str:
    found = unit.note.read()
    assert found is not None
    return found.seen


def test_a_task_that_has_ended_suffices_however_often_it_is_seen_for_no_beat(
    glanced: Unit, controller: ScriptedController
):
    controller.answers['Action.Actions'] = [result('completed')]
    for _ in range(3):
        assert not glanced.beat()
        glanced.dispatch()


def test_a_dispatch_that_dies_leaves_no_note(glanced: Unit):
    glanced.note.take()
    assert not glanced.beat()


def test_a_dispatch_that_waits_for_something_else_begins_anew(glanced: Unit):
    glanced.waiting = dataclasses.replace(glanced.waiting, record=glance.digest('other'))
    glanced.tools.answer('relation-get', json.dumps('other'))
    glanced.dispatch()
    assert not glanced.beat()
