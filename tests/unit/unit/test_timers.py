"""Timers bring a dispatch when a run is due, and leave nothing behind."""

from __future__ import annotations

import pathlib

import pytest

from coordinator.unit import timers
from tests import programs

DAILY = {'backup-all': '*-*-* 00:00:00 UTC'}
UNIT = 'coordinator-3'


@pytest.fixture
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def clocks(tmp_path: pathlib.Path) -> timers.Timers:
    (tmp_path / 'charm').mkdir()
    (tmp_path / 'stamps').mkdir()
    return timers.Timers('coordinator/3', str(tmp_path / 'charm'), tmp_path / 'stamps')


def started(systemd: programs.Programs) -> list[list[str]]:
    return [call for call in systemd.calls if call[0] == 'systemd-run']


def stopped(systemd: programs.Programs) -> list[str]:
    return [call[-1] for call in systemd.calls if call[:2] == ['systemctl', 'stop']]


def test_a_timer_dispatches_by_way_of_the_agent(
    systemd: programs.Programs, clocks: timers.Timers, tmp_path: pathlib.Path
):
    clocks.set(DAILY, look=False)
    (call,) = started(systemd)
    assert f'--unit={UNIT}-backup-all' in call
    assert '--on-calendar=*-*-* 00:00:00 UTC' in call
    assert {'--collect', '--timer-property=Persistent=true'} <= set(call)
    assert any('RandomizedDelaySec' in word for word in call)
    assert call[call.index('--') + 1 :] == [
        'juju-exec',
        '-u',
        'coordinator/3',
        f'JUJU_DISPATCH_PATH=hooks/due exec {tmp_path / "charm"}/dispatch',
    ]


def test_a_timer_that_is_set_is_left_alone(systemd: programs.Programs, clocks: timers.Timers):
    clocks.set(DAILY, look=False)
    systemd.answer('systemctl', stdout='active\n')
    clocks.set(DAILY, look=False)
    clocks.set(DAILY, look=True)
    assert len(started(systemd)) == 1


def test_a_timer_that_a_reboot_has_taken_is_set_again(
    systemd: programs.Programs, clocks: timers.Timers
):
    clocks.set(DAILY, look=False)
    clocks.set(DAILY, look=True)
    assert len(started(systemd)) == 2


def test_another_expression_takes_the_place_of_the_first(
    systemd: programs.Programs, clocks: timers.Timers
):
    clocks.set(DAILY, look=False)
    clocks.set({'backup-all': '*-*-* 02:30:00 UTC'}, look=False)
    assert stopped(systemd)[-1] == f'{UNIT}-backup-all.timer'
    assert '--on-calendar=*-*-* 02:30:00 UTC' in started(systemd)[-1]


def test_a_timer_that_did_not_start_is_set_by_the_next_dispatch(
    systemd: programs.Programs, clocks: timers.Timers, caplog: pytest.LogCaptureFixture
):
    systemd.answer('systemd-run', stderr='Unit was already loaded', code=1)
    clocks.set(DAILY, look=False)
    assert 'already loaded' in caplog.text
    clocks.set(DAILY, look=False)
    assert len(started(systemd)) == 2


def test_a_schedule_that_is_over_leaves_no_timer_and_no_stamp(
    systemd: programs.Programs, clocks: timers.Timers, tmp_path: pathlib.Path
):
    stamp = tmp_path / 'stamps' / f'stamp-{UNIT}-backup-all.timer'
    for end in (lambda: clocks.set({}, look=False), clocks.remove):
        clocks.set(DAILY, look=False)
        stamp.touch()
        end()
        assert f'{UNIT}-backup-all.timer' in stopped(systemd)
        assert not stamp.exists()
    assert list((tmp_path / 'charm').iterdir()) == []


def test_each_attempt_has_a_timer_of_its_own(systemd: programs.Programs, clocks: timers.Timers):
    clocks.ring_in(60, 'backup-all', 1)
    clocks.ring_in(120, 'backup-all', 2)
    clocks.ring_in(60, 'verify-backup', 1)
    names = [word for call in started(systemd) for word in call if word.startswith('--unit=')]
    assert names == [
        f'--unit={UNIT}-retry-{name}'
        for name in ('backup-all-1', 'backup-all-2', 'verify-backup-1')
    ]
    # One of an earlier run would have the name.
    assert stopped(systemd)[0] == f'{UNIT}-retry-backup-all-1.timer'
    assert '--on-active=60s' in started(systemd)[0]


def test_a_machine_without_systemd_stops_no_dispatch(
    clocks: timers.Timers, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
):
    monkeypatch.setenv('PATH', str(tmp_path))
    clocks.set(DAILY, look=True)
    clocks.ring_in(60, 'backup-all', 1)
    clocks.remove()
