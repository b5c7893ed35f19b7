"""The whole rehearsal on a real PostgreSQL, as `make rehearse-real` tells it."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import pytest

from rehearsal.real import programs

SOURCE = pathlib.Path(__file__).resolve().parents[2]
_SECONDS = 600


@pytest.fixture
def place(roots: pathlib.Path) -> Iterator[pathlib.Path]:
    """Where the rehearsal makes its folder: nothing may be left in it, nor running from it."""
    place = pathlib.Path(tempfile.mkdtemp(dir=roots))
    place.chmod(0o711)
    yield place
    assert list(place.iterdir()) == []
    assert running_from(place) == []


def running_from(place: pathlib.Path) -> list[str]:
    """Return the command lines that name a folder."""
    found: list[str] = []
    for entry in pathlib.Path('/proc').glob('[0-9]*/cmdline'):
        try:
            found.append(entry.read_text().replace('\0', ' '))
        except OSError:
            continue
    return [line for line in found if str(place) in line]


def tell(place: pathlib.Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, '-m', 'rehearsal', 'rehearse', '--real-postgresql', *options]
    return subprocess.Popen(
        command,
        cwd=SOURCE,
        env=os.environ | {'TMPDIR': str(place)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.xdist_group('real-story')
def test_what_was_lost_is_back(packages: programs.Programs, place: pathlib.Path):
    with tell(place) as process:
        told, _ = process.communicate(timeout=_SECONDS)
    # For whoever reads the log of the tests: the story with its counts and times.
    print(told)
    assert process.returncode == 0, told
    for claim in (
        'MAAS is filled: 203 in maasserver_node, 12 in maasserver_subnet',
        'database as at the backup',
        'regions as at the backup',
        'MAAS itself proves the restore',
        'what a restore removes is named before it',
        'what was lost after the restore is named',
        'everything that was added after the backup is gone',
        'operator, replication, rewind, monitoring log in with the passwords of the backup',
        'operator, replication, rewind, monitoring do not with those of the fresh model',
        'the database is on a new timeline',
    ):
        assert claim in told


@pytest.mark.xdist_group('real-single')
@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_what_is_broken_off_leaves_nothing(
    packages: programs.Programs, place: pathlib.Path, number: signal.Signals
):
    with tell(place, '--regions=1', '--postgresql-units=2') as process:
        assert process.stdout is not None
        told = ''
        while 'MAAS is filled' not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        assert running_from(place)
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode == 130
