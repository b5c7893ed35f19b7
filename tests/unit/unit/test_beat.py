"""A beat is due when nothing has advanced the operation for a while: pending hooks go first."""

from __future__ import annotations

import json
import pathlib

import pytest

from coordinator.unit import beat


class Unit:
    """A unit that runs hooks and beats one at a time, each for `dispatch` seconds.

    A beat's request waits for the hook that runs, and then goes before the other pending ones.
    """

    def __init__(self, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, dispatch: float):
        self.looks, self.beats = folder / 'looks', folder / 'beats'
        self.time, self.dispatch = 1000.0, dispatch
        self.busy_until = 0.0
        self.pending = 0
        self.age = 0.0
        monkeypatch.setattr(beat, '_now', lambda: self.time)
        monkeypatch.setattr(beat.time, 'sleep', self._sleep)

    def _sleep(self, seconds: float) -> None:
        end = self.time + seconds
        while self.pending and max(self.time, self.busy_until) < end:
            self._run_hook()
        self.time = max(end, self.time)

    def _run_hook(self) -> None:
        self.time = max(self.time, self.busy_until)
        self.pending -= 1
        self._look()
        self.busy_until = self.time + self.dispatch

    def _look(self) -> None:
        self.looks.write_text(json.dumps({'seconds': self.time, 'age': self.age}))

    def beat(self) -> float:
        """Make a beat as systemd and the program do; return how long it was waited for."""
        began = self.time = self.time + beat.RESTART
        beat.wait(self.looks, self.beats)
        waited = self.time - began
        self.beats.write_text(json.dumps({'seconds': self.time}))
        self.time = max(self.time, self.busy_until)
        self._look()
        self.time += self.dispatch
        return waited + beat.RESTART


@pytest.fixture
def unit(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Unit:
    return Unit(tmp_path, monkeypatch, dispatch=0.3)


def test_the_first_beats_follow_each_other_closely(unit: Unit):
    unit.beat()
    assert unit.beat() == pytest.approx(2 * unit.dispatch)


@pytest.mark.parametrize(('age', 'expected'), [(200, 1.0), (1800, 9.0), (90_000, 10.0)])
def test_the_pause_grows_with_the_age_of_the_operation(unit: Unit, age: int, expected: float):
    unit.age = age
    unit.beat()
    assert unit.beat() == pytest.approx(expected)


@pytest.mark.parametrize(
    ('age', 'expected'),
    [
        (100, 10.0),
        (3500, 5.0),
        (3590, beat.RESTART),
        (3610, beat.RESTART),
        (3640, 2.0),
        (7200, 10.0),
    ],
)
def test_the_pause_shrinks_towards_the_likely_end_of_a_task(
    unit: Unit, tmp_path: pathlib.Path, age: int, expected: float
):
    (tmp_path / beat.NOTE).write_text(json.dumps({'ends': 3600}))
    unit.dispatch, unit.age = 0.1, age
    unit.beat()
    assert unit.beat() == pytest.approx(expected)


def test_a_task_that_takes_longer_than_usual_costs_no_more_pause_than_an_unknown_one(unit: Unit):
    for age in range(1, 20_000, 50):
        for ends in range(1, age, 400):
            assert beat.pause(age, 0.1, ends) <= beat.pause(age, 0.1)


@pytest.mark.parametrize(('dispatch', 'expected'), [(5.0, 10.0), (600.0, 30.0)])
def test_the_pause_grows_with_what_a_beat_costs(unit: Unit, dispatch: float, expected: float):
    unit.dispatch = dispatch
    unit.beat()
    assert unit.beat() == pytest.approx(expected)


def test_pending_hooks_go_first(unit: Unit):
    unit.dispatch = 5.0
    unit.beat()
    unit.pending = 40
    began = unit.time
    unit.beat()
    assert unit.pending == 0
    # Nothing but the hooks themselves, and the pause at the end.
    assert unit.time - began <= 40 * 5.0 + 10.0 + 5.0


def test_a_beat_that_waited_for_hooks_does_not_stop_the_next_one_for_long(unit: Unit):
    unit.dispatch = 5.0
    unit.beat()
    unit.busy_until = unit.time + 600
    unit.beat()
    assert unit.beat() <= beat.LONGEST_BUSY


@pytest.mark.parametrize('content', ['', '{', '[]', '{"seconds": "x"}'])
def test_what_cannot_be_read_is_passed_over(unit: Unit, content: str):
    for file in (unit.looks, unit.beats, unit.looks.with_name(beat.NOTE)):
        file.write_text(content)
    assert unit.beat() == pytest.approx(beat.RESTART)


def test_a_reboot_makes_no_pause_without_end(unit: Unit):
    unit.time = 90_000.0
    unit.beat()
    unit.time = 20.0
    assert unit.beat() == pytest.approx(beat.RESTART)


def test_it_becomes_the_command(
    unit: Unit, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
):
    started: list[tuple[str, list[str]]] = []

    def become(program: str, command: list[str]) -> None:
        started.append((program, command))

    monkeypatch.setattr(beat.os, 'execvp', become)
    beat.main([str(unit.looks), str(unit.beats), 'juju-exec', '-u', 'coordinator/0', 'x'])
    assert started == [('juju-exec', ['juju-exec', '-u', 'coordinator/0', 'x'])]
    assert json.loads(unit.beats.read_text())['seconds'] == unit.time
