"""The pacemaker asks systemd for one transient service, and never fails a dispatch."""

from __future__ import annotations

import pathlib

import pytest

from coordinator.unit import pacemaker
from tests import programs

AT = '2026-08-22T10:15:00Z: back-up-maas (task 7)'
SERVICE = 'coordinator-3-pacemaker'
CHARM_DIR = '/var/lib/juju/agents/unit-coordinator-3/charm'


@pytest.fixture
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def pace() -> pacemaker.Pacemaker:
    return pacemaker.Pacemaker('coordinator/3', CHARM_DIR)


def test_it_dispatches_the_advance_event_by_way_of_the_unit_agent(
    systemd: programs.Programs, pace: pacemaker.Pacemaker
):
    pace.start(AT)
    command = systemd.calls[-1]
    assert command[command.index('--') + 1 :] == [
        '/usr/bin/env',
        'python3',
        '-I',
        f'{CHARM_DIR}/src/coordinator/unit/beat.py',
        f'{CHARM_DIR}/.last-look',
        f'{CHARM_DIR}/.last-beat',
        'juju-exec',
        '-u',
        'coordinator/3',
        f'JUJU_DISPATCH_PATH=hooks/advance exec {CHARM_DIR}/dispatch',
    ]
    assert f'--unit={SERVICE}' in command


def test_the_service_is_started_again_for_ever_and_leaves_nothing_behind(
    systemd: programs.Programs, pace: pacemaker.Pacemaker
):
    pace.start(AT)
    options = systemd.calls[-1]
    assert '--property=Restart=always' in options
    assert '--property=StartLimitIntervalSec=0' in options
    assert '--collect' in options


def test_the_time_since_an_earlier_operation_is_no_cost_of_a_beat(
    systemd: programs.Programs, tmp_path: pathlib.Path
):
    beats = tmp_path / '.last-beat'
    beats.write_text('{"seconds": 1.0}')
    pacemaker.Pacemaker('coordinator/3', str(tmp_path)).start(AT)
    assert not beats.exists()


@pytest.mark.parametrize('state', ['active', 'activating'])
def test_one_that_runs_or_waits_for_its_next_start_is_left_alone(
    systemd: programs.Programs,
    pace: pacemaker.Pacemaker,
    caplog: pytest.LogCaptureFixture,
    state: str,
):
    systemd.answer('systemctl', stdout=f'{state}\n', code=0 if state == 'active' else 3)
    pace.start(AT)
    assert systemd.calls == [['systemctl', 'is-active', SERVICE]]
    assert not caplog.records


@pytest.mark.parametrize('state', ['inactive', 'failed', 'unknown'])
def test_one_that_has_ended_is_started_again(
    systemd: programs.Programs, pace: pacemaker.Pacemaker, state: str
):
    systemd.answer('systemctl', stdout=f'{state}\n', code=3)
    pace.start(AT)
    assert systemd.started == 1


def test_a_start_that_fails_is_logged_and_stops_nothing(
    systemd: programs.Programs, pace: pacemaker.Pacemaker, caplog: pytest.LogCaptureFixture
):
    systemd.answer('systemd-run', stderr='Failed to connect to bus\n', code=1)
    pace.start(AT)
    assert f'{AT}: the pacemaker did not start: Failed to connect to bus' in caplog.text


def test_stopping_does_not_wait_for_the_command_that_may_be_this_very_dispatch(
    systemd: programs.Programs, pace: pacemaker.Pacemaker
):
    pace.stop()
    assert systemd.calls == [['systemctl', 'stop', '--no-block', SERVICE]]


def test_stopping_one_that_is_not_there_is_no_error(
    systemd: programs.Programs, pace: pacemaker.Pacemaker
):
    systemd.answer('systemctl', stderr=f'Unit {SERVICE}.service not loaded.\n', code=5)
    pace.stop()
    assert systemd.stopped == 1


def test_a_machine_without_systemd_stops_nothing(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    pace: pacemaker.Pacemaker,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setenv('PATH', str(tmp_path))
    pace.start(AT)
    pace.stop()
    assert 'the pacemaker did not start' in caplog.text


def test_a_systemd_that_hangs_is_given_up(
    systemd: programs.Programs,
    monkeypatch: pytest.MonkeyPatch,
    pace: pacemaker.Pacemaker,
    caplog: pytest.LogCaptureFixture,
):
    monkeypatch.setattr(pacemaker, '_SECONDS', 0.2)
    systemd.hang('systemd-run')
    pace.start(AT)
    assert 'timed out' in caplog.text
