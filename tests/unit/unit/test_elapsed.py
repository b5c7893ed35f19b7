"""How long an operation lasts is what the dispatches of a unit saw pass, by a steady clock."""

from __future__ import annotations

import itertools
import pathlib

import pytest

from coordinator.unit import elapsed

ID, NEXT = '2026-08-22T10:15:00Z', '2026-08-23T10:15:00Z'


class Unit:
    """A unit with a disk and a steady clock of its own; each look is another dispatch."""

    def __init__(self, folder: pathlib.Path, seconds: float = 1000.0):
        self.path = folder / 'look'
        self.now = elapsed.Moment('boot-1', seconds)

    def look(self, age: int, after: float = 0.0, operation_id: str = ID) -> int:
        self.now = elapsed.Moment(self.now.boot, self.now.seconds + after)
        return self.looks.look(operation_id, age)

    @property
    def looks(self) -> elapsed.Elapsed:
        return elapsed.Elapsed(self.path, lambda: self.now)


@pytest.fixture
def unit(tmp_path: pathlib.Path) -> Unit:
    return Unit(tmp_path)


def test_what_passes_between_two_looks_counts(unit: Unit):
    assert unit.look(0) == 0
    assert [unit.look(0, after=2.0) for _ in range(3)] == [2, 4, 6]


def test_many_short_whiles_add_up(unit: Unit):
    unit.look(0)
    assert [unit.look(0, after=0.25) for _ in range(8)][-1] == 2


def test_what_nobody_saw_counts_as_five_minutes_at_most(unit: Unit):
    unit.look(0)
    assert unit.look(0, after=8 * 3600) == 300


def test_a_unit_that_has_not_looked_yet_believes_the_record(unit: Unit):
    assert unit.look(4000) == 4000
    assert unit.look(4000, after=3.0) == 4003


def test_what_another_leader_has_counted_meanwhile_is_not_counted_twice(unit: Unit):
    unit.look(0)
    assert unit.look(3600, after=3600) == 3600


def test_each_operation_has_an_age_of_its_own(unit: Unit):
    unit.look(0)
    unit.look(0, after=60)
    assert unit.look(0, after=60, operation_id=NEXT) == 0


def test_over_a_reboot_the_count_stays_and_the_clocks_are_not_compared(unit: Unit):
    unit.look(0)
    assert unit.look(0, after=60) == 60
    unit.now = elapsed.Moment('boot-2', 5.0)
    assert unit.look(0) == 60
    assert unit.look(0, after=10) == 70


@pytest.mark.parametrize('content', ['', '{"operation": "2026-', '[]', 'null', '{"age": {}}'])
def test_what_a_crash_cut_off_is_passed_over(unit: Unit, content: str):
    unit.path.write_text(content)
    assert unit.look(120) == 120
    assert unit.look(120, after=2) == 122


def test_a_disk_that_takes_nothing_stops_nothing(tmp_path: pathlib.Path):
    unit = Unit(tmp_path / 'gone')
    assert unit.look(120) == 120


def test_the_steady_clock_runs_on_and_knows_its_boot():
    first, second = elapsed.steady(), elapsed.steady()
    assert first.boot == second.boot != ''
    assert second.seconds >= first.seconds


# --- Looks at more than a task ---------------------------------------------------------------


def whole_looks(unit: Unit, every: float, count: int, late: float = 0.0) -> list[bool]:
    """Return which beats are followed by a whole dispatch, `late` seconds after the beat."""
    found: list[bool] = []
    for _ in range(count):
        unit.look(0, after=every - late)
        found.append(unit.looks.overdue)
        if found[-1]:
            unit.look(0, after=late)
            unit.looks.looked()
    return found


def test_one_dispatch_of_each_minute_looks_at_all(unit: Unit):
    unit.look(0)
    unit.looks.looked()
    assert whole_looks(unit, 10.0, 12) == [False] * 5 + [True] + [False] * 5 + [True]


@pytest.mark.parametrize('seconds', [45.0, 60.0, 60.5, 90.0])
def test_on_a_busy_machine_no_minute_is_passed_over_that_has_a_beat(unit: Unit, seconds: float):
    unit.look(0)
    unit.looks.looked()
    unit.look(0, after=30.0)
    found = whole_looks(unit, seconds, 20)
    assert sum(found) >= 14
    assert not any(one is two is False for one, two in itertools.pairwise(found))


def test_a_dispatch_that_begins_before_a_minute_and_ends_in_it_has_not_looked_in_it(unit: Unit):
    unit.look(0)
    unit.look(0, after=59.0)
    unit.looks.looked()
    unit.look(0, after=3.0)
    assert unit.looks.overdue


def test_a_dispatch_that_dies_has_not_looked(unit: Unit):
    unit.look(0)
    assert unit.looks.overdue
    unit.look(0, after=2.0)
    assert unit.looks.overdue


def test_a_new_leader_and_a_new_operation_are_looked_at(unit: Unit):
    unit.look(0)
    unit.looks.looked()
    unit.look(3600)
    assert unit.looks.overdue
    unit.looks.looked()
    unit.look(3600, operation_id=NEXT)
    assert unit.looks.overdue
