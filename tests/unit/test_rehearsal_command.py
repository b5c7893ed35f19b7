"""`python -m rehearsal` says what is wrong in a sentence."""

from __future__ import annotations

import pathlib
import signal

import pytest

from rehearsal import __main__ as rehearsal
from rehearsal import embedded


@pytest.fixture(autouse=True)
def home(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A folder of the rehearsal's, with nothing up."""
    monkeypatch.setattr(rehearsal, 'HOME', tmp_path)
    monkeypatch.setattr(rehearsal, 'CONNECTION', tmp_path / 'connection.json')
    monkeypatch.setattr(rehearsal, 'BIN', tmp_path / 'bin')
    return tmp_path


def test_a_machine_that_is_too_slow_gets_a_sentence_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def start(self: embedded.Embedded) -> None:
        self.thread.start()
        raise TimeoutError('the S3 server did not start within 120 s')

    def leave_as_it_is(number: int, handler: object) -> None: ...

    monkeypatch.setattr(embedded.Embedded, 'start', start)
    monkeypatch.setattr(signal, 'signal', leave_as_it_is)

    assert rehearsal.main(['up']) == 1

    said = capsys.readouterr().err
    assert said.startswith('the S3 server did not start within 120 s')
    assert said.endswith('python -m rehearsal up\n')


def test_juju_says_when_no_rehearsal_is_up(capsys: pytest.CaptureFixture[str]):
    assert rehearsal.main(['juju', 'status']) == 1
    assert capsys.readouterr().err == 'no rehearsal is up: python -m rehearsal up\n'


def test_juju_hands_every_word_to_the_command(
    home: pathlib.Path, capfd: pytest.CaptureFixture[str]
):
    (home / 'bin').mkdir()
    (home / 'bin/juju').write_text('#!/bin/sh\nprintf "%s|" "$@"\n')
    (home / 'bin/juju').chmod(0o755)

    words = ['run', '--wait', '5m', 'x/leader', 'restore-all', 'backup-id=2026-08-22T10:00:00Z']
    assert rehearsal.main(['juju', *words]) == 0

    assert capfd.readouterr().out == '|'.join([*words, ''])
