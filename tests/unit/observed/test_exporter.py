"""The exporter reads the note at each scrape, fails without one, and ends when nobody asks."""

from __future__ import annotations

import http.client
import pathlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from coordinator.observed import exporter, note
from tests import exporters
from tests.unit.observed import test_metrics


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / note.FILE


@pytest.fixture
def port(path: pathlib.Path) -> Iterator[int]:
    """Port of an exporter that serves until the test is over."""
    opened = exporters.listening()
    port = opened.getsockname()[1]
    thread = threading.Thread(target=exporter.serve, args=(path, opened, 1.0))
    thread.start()
    yield port
    thread.join(10)
    assert not thread.is_alive(), 'it did not end although nobody asks any more'


def scrape(port: int) -> tuple[int, str]:
    client = http.client.HTTPConnection('127.0.0.1', port, timeout=5)
    client.request('GET', '/metrics')
    answer = client.getresponse()
    text = answer.read().decode()
    client.close()
    return answer.status, text


def test_each_scrape_says_what_the_note_says_now(port: int, path: pathlib.Path):
    path.write_text(test_metrics.FULL.to_json())
    status, text = scrape(port)
    assert status == 200
    assert 'maas_backup_postgresql_missing_units 2.0' in text
    assert '# TYPE maas_backup_failed_requests_total counter' in text
    path.write_text(note.Note('0.1.0', since=0, leads=True).to_json())
    assert 'maas_backup_postgresql_missing_units 0.0' in scrape(port)[1]


def test_without_a_note_the_scrape_fails(
    port: int, path: pathlib.Path, capfd: pytest.CaptureFixture[str]
):
    assert scrape(port)[0] == 500
    path.write_text('{')
    assert scrape(port)[0] == 500
    assert 'hunter2' not in capfd.readouterr().err


def test_as_a_program_it_serves_the_socket_that_systemd_has_opened(path: pathlib.Path):
    path.write_text(test_metrics.FULL.to_json())
    with exporters.running(path) as port:
        assert scrape(port)[0] == 200


@pytest.mark.skipif(
    shutil.which('systemd-socket-activate') is None, reason='systemd is not installed'
)
def test_systemd_starts_it_for_the_first_scrape_and_hands_its_socket_over(path: pathlib.Path):
    path.write_text(test_metrics.FULL.to_json())
    with exporters.activated(path) as port:
        for _ in range(2):
            status, text = scrape(port)
            assert (status, 'maas_backup_build_info' in text) == (200, True)


def test_it_knows_neither_the_controller_nor_s3_nor_ops():
    known = subprocess.run(
        [
            sys.executable,
            '-c',
            'import sys, coordinator.observed.exporter; print(*sys.modules)',
        ],
        env={'PYTHONPATH': str(exporters.SOURCE)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {'boto3', 'botocore', 'websocket', 'ops', 'pydantic'} & set(known)


def test_promtool_finds_nothing_to_improve(port: int, path: pathlib.Path):
    promtool = shutil.which('promtool')
    path.write_text(test_metrics.FULL.to_json())
    _, text = scrape(port)
    if promtool is None:
        pytest.skip('there is no promtool on PATH: make packages installs it')
    checked = subprocess.run(
        [promtool, 'check', 'metrics'], input=text.encode(), capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b'', b'')
