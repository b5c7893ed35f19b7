"""How far a reading has come, and how fast it goes."""

from __future__ import annotations

import pytest

from coordinator.integrity import pace

MIB = 1 << 20


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def run(going: pace.Pace, clock: Clock, seconds: float, rate: int) -> None:
    for _ in range(round(seconds * 10)):
        clock.now += 0.1
        going.add(rate // 10)


def test_the_speed_is_that_of_the_last_seconds(clock: Clock):
    going = pace.Pace(1 << 40, clock=clock)
    run(going, clock, 60, 10 * MIB)
    run(going, clock, 11, 200 * MIB)
    assert going.progress.rate == pytest.approx(200 * MIB, rel=0.05)


def test_a_reading_that_stands_still_gets_slower(clock: Clock):
    going = pace.Pace(1 << 40, clock=clock)
    run(going, clock, 10, 100 * MIB)
    before = going.progress.rate
    clock.now += 30
    assert going.progress.rate < before / 3


def test_what_was_read_before_counts_as_done_but_not_as_fast(clock: Clock):
    going = pace.Pace(1000 * MIB, done=500 * MIB, clock=clock)
    assert going.progress == pace.Progress(500 * MIB, 1000 * MIB, 0)


def test_what_was_read_in_vain_is_taken_back(clock: Clock):
    going = pace.Pace(1000 * MIB, clock=clock)
    run(going, clock, 1, 100 * MIB)
    going.add(-100 * MIB)
    assert going.progress.done < MIB
    assert going.progress.rate == pytest.approx(0, abs=MIB)
