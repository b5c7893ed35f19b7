"""What a dispatch leaves for the next beat says when the task is likely to end."""

from __future__ import annotations

import pathlib
import types
from typing import Any

import pytest

import glances
from coordinator import times
from coordinator.engine import glance, operation
from tests import charm_states, examples

STARTED = times.parse_stamp(examples.BACKUP_ID)
LOGIN = {'username': 'bot', 'password': 'x', 'endpoints': '10.0.0.1:17070', 'ca-cert': 'a CA'}


def waiting(age: int) -> operation.Operation:
    """Return an operation whose backup of the files began at the age of a minute."""
    begun = charm_states.new_operation().moving_to('back-up-maas').aged(60)
    return begun.beginning(0, {}, STARTED).waiting('it runs', STARTED, 12).aged(age)


class Unit:
    """A unit with its disk; each dispatch has its own `Glances`."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder
        self._given: Any = types.SimpleNamespace(
            folder=folder,
            credentials=lambda: LOGIN,
            model=types.SimpleNamespace(uuid='uuid'),
            app=types.SimpleNamespace(name='backups'),
            config={'juju-credentials': 'secret:x'},
        )
        self._record: Any = types.SimpleNamespace(raw=('coordinator:0', '{}'))

    def waits(self, op: operation.Operation) -> int:
        """Dispatch without news; return when the task is likely to end."""
        glances.Glances(self._given, self._record).leave(op)
        noted = glance.Note(self._folder).read()
        assert noted is not None
        return noted.ends

    def moves(self, op: operation.Operation, moved: operation.Operation) -> None:
        glances.Glances(self._given, self._record).learn(op, moved)


@pytest.fixture
def unit(tmp_path: pathlib.Path) -> Unit:
    return Unit(tmp_path)


def test_nobody_knows_when_the_first_one_ends(unit: Unit):
    assert unit.waits(waiting(70)) == 0


def test_the_next_one_is_likely_to_take_as_long_as_the_last_one(unit: Unit):
    done = waiting(400).step_ended(operation.DONE, STARTED)
    unit.moves(waiting(70), done)
    assert unit.waits(waiting(90)) == 60 + 340


@pytest.mark.parametrize('state', [operation.BROKEN, operation.DOING])
def test_one_that_did_not_succeed_says_nothing_of_the_next_one(unit: Unit, state: str):
    unit.moves(waiting(70), waiting(400).step_ended(state, STARTED))
    assert unit.waits(waiting(90)) == 0


def test_a_step_without_a_task_says_nothing(unit: Unit):
    begun = charm_states.new_operation().moving_to('back-up-maas').aged(60)
    begun = begun.beginning(0, {}, STARTED)
    unit.moves(begun, begun.aged(400).step_ended(operation.DONE, STARTED))
    assert unit.waits(waiting(90)) == 0
