"""Nothing that a rehearsal starts outlives it, however it ends."""

from __future__ import annotations

import os
import pathlib
import select
import signal
import subprocess
import sys
import tempfile
import time

import pytest

from rehearsal.real import account, processes

SOURCE = pathlib.Path(__file__).resolve().parents[2]
_STARTS_A_PROGRAM = """
import pathlib, sys
sys.path[:0] = [{source!r}, {source!r} + '/src']
from rehearsal.real import account, processes
home = pathlib.Path({home!r})
crew = processes.Crew(account.current())
crew.start(['sh', '-c', 'echo $$; exec sleep 1000'], home=home, log=home / 'log')
print('started', flush=True)
sys.stdin.read()
"""


def crew() -> processes.Crew:
    return processes.Crew(account.current())


def gone(pid: int, seconds: float = 20.0) -> bool:
    """Wait until a process is no more."""
    handle = os.pidfd_open(pid)
    try:
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def number_in(log: pathlib.Path) -> int:
    """Return the process id that a program writes first of all."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        if log.exists() and log.read_text().endswith('\n'):
            return int(log.read_text())
    raise TimeoutError(f'nothing in {log}')


def test_what_a_program_writes_is_returned(tmp_path: pathlib.Path):
    ran = crew().run(['sh', '-c', 'echo out; echo err >&2; pwd'], home=tmp_path)
    assert ran == processes.Ran(f'out\n{tmp_path}\n', 'err\n')


def test_a_program_that_fails_is_told_of_in_its_words(tmp_path: pathlib.Path):
    with pytest.raises(processes.ProgramFailed, match='no such thing') as caught:
        crew().run(['sh', '-c', 'echo no such thing >&2; exit 7'], home=tmp_path)
    assert caught.value.code == 7


def test_a_program_that_does_not_end_is_ended(tmp_path: pathlib.Path):
    with pytest.raises(processes.ProgramFailed, match='no end after'):
        crew().run(['sleep', '1000'], home=tmp_path, seconds=0.2)


def test_a_program_sees_nothing_of_the_environment(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv('PGBACKREST_REPO1_PATH', '/somewhere/else')
    assert 'PGBACKREST' not in crew().run(['env'], home=tmp_path).stdout


def test_closing_ends_what_runs_and_lets_nothing_begin(tmp_path: pathlib.Path):
    own = crew()
    kept = own.start(['sh', '-c', 'echo $$; exec sleep 1000'], home=tmp_path, log=tmp_path / 'log')
    pid = number_in(tmp_path / 'log')
    handle = os.pidfd_open(pid)

    own.close()

    assert select.select([handle], [], [], 0)[0]
    os.close(handle)
    assert not kept.running
    with pytest.raises(processes.ProgramFailed, match='the rehearsal is over'):
        own.run(['true'], home=tmp_path)


@pytest.mark.parametrize('killed', ['starter', 'keeper'])
def test_a_program_ends_when_its_starter_or_its_keeper_is_killed(killed: str):
    with tempfile.TemporaryDirectory() as folder:
        home = pathlib.Path(folder)
        code = _STARTS_A_PROGRAM.format(source=str(SOURCE), home=str(home))
        with subprocess.Popen(
            [sys.executable, '-c', code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as starter:
            assert starter.stdout is not None
            assert starter.stdout.readline() == b'started\n'
            program = number_in(home / 'log')
            keeper = int(pathlib.Path(f'/proc/{program}/stat').read_text().split()[3])
            os.kill(starter.pid if killed == 'starter' else keeper, signal.SIGKILL)
            assert gone(program)
            starter.kill()
