"""Expressions and their times, as this machine's systemd works them out."""

from __future__ import annotations

import datetime
import pathlib
import shutil

import pytest

from coordinator import errors, times
from coordinator.unit import calendars

pytestmark = pytest.mark.skipif(
    shutil.which('systemd-analyze') is None, reason='systemd-analyze is not installed'
)
LONDON = 'Europe/London'
PLACE = calendars.Calendars()


def after(calendar: str, moment: str, count: int = 1) -> list[str]:
    found = PLACE.after(calendar, times.parse_stamp(moment), count)
    return [times.stamp(time) for time in found]


@pytest.mark.parametrize(
    ('text', 'normal'),
    [
        ('daily', '*-*-* 00:00:00 UTC'),
        ('daily UTC', '*-*-* 00:00:00 UTC'),
        ('Mon..Fri 02:30', 'Mon..Fri *-*-* 02:30:00 UTC'),
        (f'Mon..Fri 02:30 {LONDON}', f'Mon..Fri *-*-* 02:30:00 {LONDON}'),
        ('02:30 Etc/GMT+1', '*-*-* 02:30:00 Etc/GMT+1'),
        ('*:0/15', '*-*-* *:00/15:00 UTC'),
    ],
)
def test_an_expression_without_a_zone_means_utc(
    monkeypatch: pytest.MonkeyPatch, text: str, normal: str
):
    monkeypatch.setenv('TZ', 'Asia/Tokyo')
    assert PLACE.normal(text) == normal
    assert PLACE.normal(normal) == normal, 'it is understood again'


@pytest.mark.parametrize(
    'text', ['now and then', '25:00', '--version', '-h', 'daily\nweekly', 'x' * 201]
)
def test_what_is_no_expression_is_refused_in_a_line(text: str):
    with pytest.raises(errors.PreconditionError) as refused:
        PLACE.normal(text)
    assert len(str(refused.value)) < 300
    assert '\n' not in str(refused.value)


def test_times_come_one_after_the_other():
    times = after('*-*-* 02:30:00 UTC', '2026-08-22T02:30:00Z', 3)
    assert times == ['2026-08-23T02:30:00Z', '2026-08-24T02:30:00Z', '2026-08-25T02:30:00Z']
    assert after('2026-08-22 02:30:00 UTC', '2026-08-22T02:30:00Z') == []
    assert after('2026-08-22 02:30:00 UTC', '2026-08-22T02:29:59Z', 3) == ['2026-08-22T02:30:00Z']


def test_a_wall_clock_time_moves_with_daylight_saving():
    times = after(f'*-*-* 04:00:00 {LONDON}', '2026-03-28T00:00:00Z', 2)
    assert times == ['2026-03-28T04:00:00Z', '2026-03-29T03:00:00Z']


def test_a_time_that_daylight_saving_skips_is_none_of_that_day():
    times = after(f'*-*-* 01:30:00 {LONDON}', '2026-03-28T00:00:00Z', 2)
    assert times == ['2026-03-28T01:30:00Z', '2026-03-30T00:30:00Z']


def test_a_time_that_comes_twice_at_the_end_of_daylight_saving_is_one_run():
    times = after(f'*-*-* 01:30:00 {LONDON}', '2026-10-24T12:00:00Z', 2)
    assert times == ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z']


def test_many_times_are_worked_out_at_once():
    times = after('*-*-* *:00:00 UTC', '2026-01-01T00:00:00Z', 1000)
    assert (len(times), len(set(times))) == (1000, 1000)


def test_a_program_that_is_missing_is_no_fault_of_the_expression(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
):
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(errors.TransientError, match='systemd-analyze does not answer'):
        PLACE.normal('daily')
    with pytest.raises(errors.TransientError, match='systemd-analyze does not answer'):
        PLACE.after('daily', datetime.datetime.now(datetime.UTC))
