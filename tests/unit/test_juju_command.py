"""The `juju` command of a rehearsal takes and prints what the real one does."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import threading
from collections.abc import Callable, Iterator

import jubilant
import pytest

from rehearsal import cloud, hosted, model, private
from rehearsal.juju import serving, tasks
from rehearsal.thin_charm import charm, charm_file

INTEGRATOR = 's3-integrator'


class Shell:
    """Types commands; the controller behind them is in this process."""

    def __init__(self, controller: cloud.Cloud, thread: hosted.LoopThread, folder: pathlib.Path):
        self.controller = controller
        self.thread = thread
        self.folder = folder

    def type(self, *words: str, stdin: str = '') -> subprocess.CompletedProcess[str]:
        path = f'{self.folder / "bin"}{os.pathsep}{os.environ["PATH"]}'
        return subprocess.run(
            ['juju', *words], env={'PATH': path}, cwd=self.folder, input=stdin,
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    def __call__(self, *words: str, stdin: str = '') -> str:
        """Return what a command prints that ends well."""
        done = self.type(*words, stdin=stdin)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def refused(self, *words: str, stdin: str = '') -> str:
        """Return what a command says that fails."""
        done = self.type(*words, stdin=stdin)
        assert done.returncode == 1
        return done.stderr

    @property
    def model(self) -> model.Model:
        return self.controller.model().juju

    def deployed(self, name: str, units: int = 1) -> None:
        """Deploy an s3-integrator, and wait until it says that it has no credentials."""
        words = ('--num-units', str(units), '--config', 'bucket=one')
        self('deploy', f'./{INTEGRATOR}.charm', name, *words)
        self.until(
            lambda: all(
                unit.installed and not unit.queue and unit.running is None
                for unit in self.model.units.values()
            )
        )

    def until(self, reached: Callable[[], bool]) -> None:
        """Wait until something on the model is so."""
        changed = threading.Event()
        self.thread.call(self.model.on_change.append, changed.set)
        while not self.thread.call(reached):
            assert changed.wait(30)
            changed.clear()
        self.thread.call(self.model.on_change.remove, changed.set)


@pytest.fixture(params=['3.6.26', '4.0.15'])
def juju(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Shell]:
    place = tmp_path / 'made'
    place.mkdir()
    written = charm_file.write(charm.stand_in_of(INTEGRATOR), place)
    written.rename(tmp_path / f'{INTEGRATOR}.charm')
    controller = cloud.Cloud(tmp_path, request.param)
    with hosted.LoopThread() as thread:
        line = thread.run(serving.serve(controller, tmp_path / 'bin'))
        shell = Shell(controller, thread, tmp_path)
        shell('add-model', '--no-switch', 'maas')
        yield shell
        thread.call(line.close)
        thread.run(controller.stop())


@pytest.mark.parametrize(
    ('typed', 'read'),
    [
        ('2026-08-22T10:00:00Z', '2026-08-22T10:00:00Z'),
        ('2026-08-22', '2026-08-22'),
        ('true', True),
        ('7', 7),
        ('secret:d0n81pdmp25c7bf4ahqg', 'secret:d0n81pdmp25c7bf4ahqg'),
        ('[a, b]', ['a', 'b']),
        ('', None),
    ],
)
def test_a_parameter_is_read_as_yaml_in_which_a_time_is_a_string(typed: str, read: object):
    assert tasks.typed(typed) == read


def test_status_is_what_jubilant_reads(juju: Shell):
    juju.deployed('s3')

    status = jubilant.Status._from_dict(json.loads(juju('status', '--format', 'json')))

    assert status.apps['s3'].charm_name == INTEGRATOR
    assert status.apps['s3'].is_blocked
    assert status.apps['s3'].units['s3/0'].leader
    assert status.model.name == 'maas'


def test_a_unit_is_shown_with_its_relations_as_jubilant_reads_them(juju: Shell):
    juju.deployed('s3')

    shown = json.loads(juju('show-unit', 's3/0', '--format', 'json'))
    unit = jubilant.unittypes.UnitInfo._from_dict(shown['s3/0'])

    assert (unit.leader, unit.machine) == (True, '0')
    assert [relation.endpoint for relation in unit.relation_info] == ['s3-integrator-peers']


def test_what_is_disabled_is_refused_until_it_is_enabled(juju: Shell):
    juju.deployed('s3')

    juju('disable-command', 'remove-object', 'not today')
    assert json.loads(juju('disabled-commands', '--format', 'json')) == [
        {'command-set': 'remove-object', 'message': 'not today'}
    ]
    assert juju.refused('remove-unit', 's3/0') == 'ERROR not today (operation is blocked)\n'
    juju('enable-command', 'remove-object')
    juju('remove-unit', 's3/0')

    juju.until(lambda: not juju.model.units)


def test_a_unit_whose_agent_is_lost_is_removed_by_force_only(juju: Shell):
    juju.deployed('s3', units=2)
    juju.thread.call(lambda: juju.model.set_agent_status(juju.model.unit('s3/1'), 'lost'))

    juju('remove-unit', 's3/1')
    dying = juju.thread.call(lambda: juju.model.unit('s3/1').life)
    juju('remove-unit', '--force', 's3/1')

    assert dying == 'dying'
    assert juju.thread.call(lambda: list(juju.model.units)) == ['s3/0']


def test_a_failed_hook_is_run_again_at_once_when_it_is_resolved(juju: Shell):
    juju.deployed('s3')
    unit = juju.model.unit('s3/0')
    hook = model.Event(model.Kind.HOOK, 'config-changed', failures=9)
    juju.thread.call(lambda: setattr(unit, 'failed_hook', hook))

    juju('resolve', 's3/0')

    juju.until(lambda: unit.failed_hook is None and not unit.queue and unit.running is None)
    assert 'is not in an error state' in juju.refused('resolve', 's3/0')


def test_an_action_that_fails_is_told_by_its_status_and_not_by_the_exit_status(juju: Shell):
    juju.deployed('s3', units=2)
    keys = ('access-key=a', 'secret-key=b')

    done = juju.type('run', '--format', 'json', 's3/1', 'sync-s3-credentials', *keys)

    (task,) = json.loads(done.stdout).values()
    assert (done.returncode, task['status'], task['message']) == (
        0, 'failed', 'The action can be run only on leader unit.',
    )  # fmt: skip


def test_what_was_run_is_shown_with_its_results(juju: Shell):
    juju.deployed('s3')
    juju('run', 's3/0', 'sync-s3-credentials', 'access-key=a', 'secret-key=b')

    (number,) = json.loads(juju('operations', '--format', 'json'))
    shown = json.loads(juju('show-operation', number, '--format', 'json'))

    (task,) = shown['tasks'].values()
    assert (task['status'], task['results']['ok']) == (
        'completed', 'Credentials successfully updated.',
    )  # fmt: skip
    assert json.loads(juju('show-task', task['id'], '--format', 'json')) == task
    assert 'not found' in juju.refused('show-operation', '99')


def test_an_action_that_there_is_not_is_refused(juju: Shell):
    juju.deployed('s3')

    assert 'ERROR action "nothing" not defined' in juju.refused('run', 's3/leader', 'nothing')


def test_a_password_without_the_end_of_its_line_is_none(juju: Shell):
    juju('add-user', 'backup-bot')
    words = ('change-user-password', 'backup-bot', '--no-prompt')
    login = ('login', '--user', 'backup-bot', '--no-prompt')

    assert juju.refused(*words, stdin='hunter2') == 'ERROR EOF\n'
    juju(*words, stdin='hunter2\n')
    assert juju.refused(*login, stdin='hunter2') == 'ERROR EOF\n'
    assert 'invalid entity name or password' in juju.refused(*login, stdin='hunter1\n')
    juju(*login, stdin='hunter2\n')


def test_access_is_granted_in_one_model_and_revoked_to_what_is_below(juju: Shell):
    juju('add-model', 'other')
    juju('add-user', 'backup-bot')

    juju('grant', 'backup-bot', 'admin', 'maas')
    granted = {name: _access(juju, name) for name in ('maas', 'other')}
    juju('revoke', 'backup-bot', 'admin', 'maas')

    assert granted == {'maas': 'admin', 'other': ''}
    assert _access(juju, 'maas') == 'write'


def _access(juju: Shell, name: str) -> str:
    shown = json.loads(juju('show-model', name, '--format', 'json'))
    return shown[name]['users'].get('backup-bot', {}).get('access', '')


def test_a_secret_is_made_shown_changed_and_removed(juju: Shell):
    (juju.folder / 'key.txt').write_text('AGE-SECRET-KEY\n')

    uri = juju('add-secret', 'backup-identity', 'identity#file=key.txt').strip()
    juju('update-secret', 'backup-identity', 'identity=another')
    shown = json.loads(juju('show-secret', uri, '--reveal', '--format', 'json'))
    secret = jubilant.RevealedSecret._from_dict(
        {'uri': next(iter(shown)), **next(iter(shown.values()))}
    )

    assert (secret.name, secret.revision, secret.owner) == ('backup-identity', 2, '<model>')
    assert secret.content == {'identity': 'another'}
    juju('remove-secret', uri)
    assert json.loads(juju('secrets', '--format', 'json')) == {}


def test_an_application_goes_with_its_units_and_relations(juju: Shell):
    juju.deployed('s3')
    juju('remove-application', '--no-prompt', 's3')

    juju.until(lambda: not juju.model.applications)

    left = (juju.model.relations, juju.model.units, juju.model.secrets)
    assert juju.thread.call(lambda: [dict(what) for what in left]) == [{}, {}, {}]


def test_what_is_not_known_is_refused(juju: Shell):
    assert 'not a command of a rehearsal' in juju.refused('bootstrap')
    assert juju.refused('status', '--model', 'none') == 'ERROR model none not found (not found)\n'
    assert 'not found' in juju.refused('deploy', './none.charm')
    assert 'a rehearsal has no Charmhub' in juju.refused('deploy', 'postgresql')
    assert 'key=value' in juju.refused('config', 'x', 'word')


def test_a_command_says_when_no_rehearsal_is_up(juju: Shell):
    (juju.folder / 'bin/juju.sock').unlink()

    assert juju.refused('status') == 'ERROR no rehearsal is up: python -m rehearsal up\n'


def test_a_private_file_is_for_its_owner_whatever_the_umask(tmp_path: pathlib.Path):
    before = os.umask(0)
    try:
        private.write(tmp_path / 'identity.txt', 'AGE-SECRET-KEY')
    finally:
        os.umask(before)

    assert (tmp_path / 'identity.txt').stat().st_mode & 0o777 == 0o600
