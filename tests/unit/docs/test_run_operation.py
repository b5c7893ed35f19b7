"""The program of the how-to on schedules tells by its exit status how an operation ended."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from coordinator.engine import operation
from docs.generate import contents
from tests import worlds

PROGRAM = contents.ROOT / 'docs/how-to/schedule/run-operation.py'
ID = worlds.BEGAN
_JUJU = """\
#!/bin/sh
here=${0%/*}
{ printf '%s ' "$@"; echo; } >> "$here/calls"
if [ "$1" = login ]; then
    # As Juju does: a line without its end is none.
    IFS= read -r password || { echo 'ERROR EOF' >&2; exit 1; }
    echo "$password" > "$here/stdin"
    [ "$password" = hunter2 ] || { echo 'ERROR invalid entity name or password' >&2; exit 1; }
    exit 0
fi
answer=$(ls "$here"/answer-* | head -n 1)
cat "$answer"
[ "$answer" = "$here/answer-99" ] || rm "$answer"
"""


class Juju:
    """A `juju` that gives one answer after the other, the last one for ever."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        (folder / 'juju').write_text(_JUJU)
        (folder / 'juju').chmod(0o755)

    def answers(self, *answers: str) -> None:
        for number, answer in enumerate(answers, start=100 - len(answers)):
            (self.folder / f'answer-{number}').write_text(answer)

    @property
    def calls(self) -> list[str]:
        return (self.folder / 'calls').read_text().splitlines()

    def run(self, *words: str) -> tuple[int, str]:
        """Run the program; return its exit status and what it says of errors."""
        environment = os.environ | {'PATH': f'{self.folder}{os.pathsep}{os.environ["PATH"]}'}
        command = [sys.executable, str(PROGRAM), '--every', '0', *words]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        return done.returncode, done.stderr


@pytest.fixture
def juju(tmp_path: pathlib.Path) -> Juju:
    return Juju(tmp_path)


def task(results: dict[str, Any] | None = None, **told: str) -> str:
    """Return what `juju run --format json` prints of one task."""
    found = {'id': '2', 'status': 'completed', 'results': results or {}, **told}
    return json.dumps({f'{worlds.CONFIG.maas}/0': found})


BEGUN = task({'backup-id': ID, 'status': 'started', 'return-code': 0})


def shown(op: operation.Operation) -> str:
    return task({'operation': op.to_json(), 'return-code': 0})


def op() -> operation.Operation:
    return worlds.new_operation('check', 'publish')


def test_it_waits_for_the_end_and_ends_well(juju: Juju):
    juju.answers(BEGUN, shown(op()), shown(op().ending(operation.COMPLETE, worlds.START)))
    assert juju.run('backup-all') == (0, '')
    assert [call.split()[-2:] for call in juju.calls] == [
        ['maas-backup-coordinator/leader', 'backup-all'],
        *[['show-operation', 'format=json']] * 2,
    ]


@pytest.mark.parametrize(
    ('ended', 'status'),
    [
        (op().turning_back('S3 refuses').ending(operation.FAILED, worlds.START), 1),
        (op().turning_back('S3 refuses').ending(operation.ABORTED, worlds.START), 1),
        (op().held('S3 refuses'), 2),
    ],
    ids=['failed', 'aborted', 'held'],
)
def test_it_says_why_an_operation_is_not_complete(
    juju: Juju, ended: operation.Operation, status: int
):
    juju.answers(BEGUN, shown(ended))
    assert juju.run('backup-all') == (status, 'S3 refuses\n')


def test_an_action_that_fails_is_noticed_though_juju_ends_well(juju: Juju):
    juju.answers(task(status='failed', message='backup-all is running'))
    assert juju.run('backup-all') == (1, 'backup-all did not begin: backup-all is running\n')


def test_an_action_that_begins_no_operation_is_refused(juju: Juju):
    juju.answers(task({'backup-id': ID, 'status': 'pinned'}))
    status, said = juju.run('keep-backup', f'backup-id={ID}')
    assert (status, said) == (1, 'keep-backup did not begin: this action begins no operation\n')


def test_a_controller_that_does_not_answer_for_a_while_is_waited_for(juju: Juju):
    juju.answers(BEGUN, '', '', shown(op().ending(operation.COMPLETE, worlds.START)))
    status, said = juju.run('backup-all')
    assert status == 0
    assert said.count('cannot look: ') == 2


def test_a_controller_that_never_answers_again_is_given_up(juju: Juju):
    juju.answers(BEGUN, '')
    status, said = juju.run('backup-all')
    assert status == 3
    assert said.endswith(f'backup-all {ID}: no end was seen\n')


def test_an_operation_that_another_one_follows_is_looked_up_in_the_history(juju: Juju):
    other = operation.Operation.new(
        '2026-08-23T10:15:00Z', 'expire', ('check',), worlds.CONFIG, worlds.START
    )
    ended = op().ending(operation.COMPLETE, worlds.START)
    juju.answers(BEGUN, shown(other), shown(ended))
    assert juju.run('backup-all')[0] == 0
    assert juju.calls[-1].split()[-1] == f'operation-id={ID}'


def test_parameters_of_the_action_are_passed_on(juju: Juju):
    juju.answers(
        task({'operation-id': ID, 'status': 'started'}),
        shown(op().ending(operation.COMPLETE, worlds.START)),
    )
    assert juju.run('verify-backup', 'backup-id=latest', 'deep=true')[0] == 0
    assert juju.calls[0].split()[-3:] == ['verify-backup', 'backup-id=latest', 'deep=true']


def test_the_model_is_named_with_its_owner_as_the_juju_cli_wants_it_of_another_user(juju: Juju):
    juju.answers(BEGUN, shown(op().ending(operation.COMPLETE, worlds.START)))
    assert juju.run('backup-all')[0] == 0
    assert all('--model admin/maas ' in call for call in juju.calls)
    for file in [*PROGRAM.parent.glob('*.service'), PROGRAM.parent / 'maas-backup.cron']:
        lines = [line for line in file.read_text().splitlines() if PROGRAM.name in line]
        assert all('--model admin/maas ' in line for line in lines)


def log_in(password: str, folder: pathlib.Path) -> list[str]:
    """Return the options to log in with a password out of a file."""
    file = folder / 'password'
    file.write_text(password)
    return ['--model', 'site:admin/maas', '--user', 'backup-timer', '--password-file', str(file)]


@pytest.mark.parametrize('end', ['\n', ''], ids=['with a newline', 'without a newline'])
def test_it_logs_in_before_each_command_with_the_password_on_standard_input(
    juju: Juju, tmp_path: pathlib.Path, end: str
):
    juju.answers(BEGUN, shown(op().ending(operation.COMPLETE, worlds.START)))
    assert juju.run(*log_in(f'hunter2{end}', tmp_path), 'backup-all')[0] == 0
    assert [call.split()[0] for call in juju.calls] == ['login', 'run'] * 2
    assert juju.calls[0].split()[1:] == [
        '--controller', 'site', '--user', 'backup-timer', '--no-prompt',
    ]  # fmt: skip
    assert (tmp_path / 'stdin').read_text() == 'hunter2\n'
    assert 'hunter2' not in '\n'.join(juju.calls)


def test_a_login_that_fails_is_reported_and_nothing_is_begun(juju: Juju, tmp_path: pathlib.Path):
    juju.answers(BEGUN)
    assert juju.run(*log_in('wrong\n', tmp_path), 'backup-all') == (
        1,
        'backup-all did not begin: backup-timer cannot log in: '
        'ERROR invalid entity name or password\n',
    )
    assert [call.split()[0] for call in juju.calls] == ['login']
