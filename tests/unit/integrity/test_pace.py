"""How far a reading has come, how fast it goes, and how long it takes yet."""

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


def test_progress_is_told_in_percent_and_speed_and_time_left(clock: Clock):
    going = pace.Pace(6000 * MIB, clock=clock)
    run(going, clock, 5, 100 * MIB)
    assert str(going.progress) == '8 % of 5.9 GiB, 100 MiB/s, about 1 min left'


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
    assert str(going.progress) == '50 % of 1000.0 MiB, 0 MiB/s'
    assert going.progress.seconds_left is None


def test_what_was_read_in_vain_is_taken_back(clock: Clock):
    going = pace.Pace(1000 * MIB, clock=clock)
    run(going, clock, 1, 100 * MIB)
    going.add(-100 * MIB)
    assert going.progress.done < MIB
    assert going.progress.rate == pytest.approx(0, abs=MIB)


@pytest.mark.parametrize(
    ('done', 'total', 'percent'), [(999, 1000, 99), (1000, 1000, 100), (0, 0, 100), (3, 2, 100)]
)
def test_100_percent_is_all(done: int, total: int, percent: int):
    assert pace.Progress(done, total, 0).percent == percent


@pytest.mark.parametrize(
    ('seconds', 'said'),
    [(20, 'less than a minute left'), (600, 'about 10 min left'), (9000, 'about 2 h 30 min left')],
)
def test_time_left_is_rounded(seconds: int, said: str):
    assert str(pace.Progress(0, seconds * MIB, MIB)).endswith(said)
