"""systemd listens on loopback, starts the exporter as nobody, and forgets both."""

from __future__ import annotations

import logging
import pathlib
import sys

import pytest

from coordinator.observed import service
from tests import programs

NOTE = pathlib.Path('/var/lib/juju/agents/unit-coordinator-3/charm/.observed.json')


@pytest.fixture
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def made() -> service.Service:
    return service.Service('coordinator/3', NOTE)


def test_it_listens_on_loopback_alone_and_runs_as_nobody(
    systemd: programs.Programs, made: service.Service
):
    made.start(9813)
    options = systemd.calls[-1]
    assert '--unit=coordinator-3-metrics' in options
    assert '--socket-property=ListenStream=127.0.0.1:9813' in options
    assert '--property=User=nobody' in options
    assert options[options.index('--') + 1 :] == [
        sys.executable,
        '-m',
        'coordinator.observed.exporter',
        str(NOTE),
    ]


def test_what_listened_before_is_stopped_first(systemd: programs.Programs, made: service.Service):
    made.start(9813)
    units = ['coordinator-3-metrics.socket', 'coordinator-3-metrics.service']
    assert systemd.calls[:-1] == [
        ['systemctl', 'stop', *units],
        ['systemctl', 'reset-failed', *units],
    ]


def test_a_port_that_is_taken_is_told_and_fails_no_hook(
    systemd: programs.Programs, made: service.Service, caplog: pytest.LogCaptureFixture
):
    systemd.answer('systemd-run', stderr='Address already in use\n', code=1)
    with caplog.at_level(logging.WARNING):
        made.start(9813)
    assert 'cannot be scraped at 127.0.0.1:9813: Address already in use' in caplog.text


def test_a_machine_without_systemd_fails_no_hook(
    made: service.Service, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv('PATH', '/nonexistent')
    made.start(9813)
    made.stop()
