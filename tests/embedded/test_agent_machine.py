"""What a unit's machine offers beside hook tools: juju-exec, and transient systemd services."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest

from rehearsal.agent import systemd
from tests.embedded import agent_site

NOW = datetime.datetime(2026, 8, 22, 10, 0, tzinfo=datetime.UTC)


@pytest.fixture(scope='module')
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[agent_site.Site]:
    with agent_site.Site(tmp_path_factory.mktemp('machine')) as site:
        yield site


@pytest.fixture
def site(machine: agent_site.Site) -> Iterator[agent_site.Site]:
    """The machine's toy, with an empty bag and nothing running."""
    yield machine
    machine.reset()


def test_juju_exec_dispatches_an_event_of_the_charm(site: agent_site.Site):
    done = site.program('juju-exec', '-u', 'toy/0', site.advance)

    assert (done.returncode, done.stderr) == (0, '')
    assert site.bag == {'count': '1'}


def test_juju_exec_runs_commands_with_the_units_hook_tools(site: agent_site.Site):
    done = site.program(
        'juju-exec', 'toy/0', 'is-leader; config-get greeting; pwd; echo no >&2; exit 3'
    )

    charm_dir = site.root / 'agents' / 'unit-toy-0' / 'charm'
    assert done.stdout == f'True\nhello\n{charm_dir}\n'
    assert (done.returncode, done.stderr) == (3, 'no\n')


def test_what_juju_exec_wrote_is_kept_when_it_fails(site: agent_site.Site):
    done = site.program(
        'juju-exec', '-u', 'toy/0', 'relation-set -r peers:0 --app count=7; exit 3'
    )

    assert done.returncode == 3
    assert site.bag == {'count': '7'}


def test_what_juju_exec_wrote_is_lost_when_it_is_killed(site: agent_site.Site):
    done = site.program(
        'juju-exec', '-u', 'toy/0', 'relation-set -r peers:0 --app count=7; kill -9 $$'
    )

    assert (done.returncode, done.stderr) == (1, 'ERROR signal: killed\n')
    assert site.bag == {}


def test_juju_exec_refuses_to_run_within_a_hook(site: agent_site.Site):
    done = site.program('juju-exec', '-u', 'toy/0', 'juju-exec -u toy/0 true')

    assert done.returncode == 1
    assert 'juju-exec cannot be called from within a hook, have context "toy/0' in done.stderr


def test_juju_exec_does_not_know_units_of_other_machines(site: agent_site.Site):
    done = site.program('juju-exec', '-u', 'other/0', 'true')

    assert (done.returncode, done.stderr) == (
        1,
        'ERROR unit "other/0" not found on this machine\n',
    )


def start_pacemaker(site: agent_site.Site, *command: str) -> None:
    done = site.program(
        'systemd-run', '--collect', '--unit=pacemaker',
        '--property=Restart=always', '--property=RestartSec=50ms', '--property=RestartSteps=4',
        '--property=RestartMaxDelaySec=100ms', '--property=StartLimitIntervalSec=0',
        '--description=Advances the toy.', '--', *command,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, 'Running as unit: pacemaker.service\n')


def test_a_service_dispatches_again_and_again_until_it_is_stopped(site: agent_site.Site):
    start_pacemaker(site, 'juju-exec', '-u', 'toy/0', site.advance)
    bag = site.model.relations[0].app_data['toy']
    site.until(lambda: int(bag.get('count', '0')) >= 3, 'the pacemaker has dispatched thrice')

    assert site.program('systemctl', 'stop', '--no-block', 'pacemaker').returncode == 0
    stopped = site.program('systemctl', 'is-active', 'pacemaker')
    assert (stopped.returncode, stopped.stdout) == (3, 'inactive\n')


def test_a_service_is_active_while_it_runs_and_activating_between_restarts(site: agent_site.Site):
    start_pacemaker(site, '/bin/sleep', '600')
    active = site.program('systemctl', 'is-active', 'pacemaker')
    site.program('systemctl', 'stop', 'pacemaker')
    site.program(
        'systemd-run', '--unit=slow', '--property=Restart=always', '--property=RestartSec=600',
        '--', '/bin/true',
    )  # fmt: skip
    service = site.agent.systemd.services['0', 'slow.service']
    site.until(lambda: service.restarts, 'the service waits to be restarted')
    waiting = site.program('systemctl', 'is-active', 'slow')

    assert (active.returncode, active.stdout) == (0, 'active\n')
    assert (waiting.returncode, waiting.stdout) == (3, 'activating\n')


def test_a_service_that_exists_is_not_made_twice(site: agent_site.Site):
    start_pacemaker(site, '/bin/sleep', '600')

    done = site.program('systemd-run', '--unit=pacemaker', '--', '/bin/true')

    assert done.returncode == 1
    assert done.stderr == (
        'Failed to start transient service unit: Unit pacemaker.service was already loaded '
        'or has a fragment file.\n'
    )


def test_a_service_has_nothing_of_the_hook_and_outlives_the_agent(site: agent_site.Site):
    report = site.root / 'report'
    command = f'systemd-run --unit=pacemaker -- /bin/sh -c "env > {report}; exec sleep 600"'
    task = site.begin('put', then='hang')
    site.until(lambda: task.log, 'the action has logged')
    site.call(lambda: site.model.restart_agent('toy/0'))
    done = site.program('juju-exec', '-u', 'toy/0', command)
    service = site.agent.systemd.services['0', 'pacemaker.service']
    site.until(lambda: report.exists() and report.read_text(), 'the service has reported')

    site.call(lambda: site.model.restart_agent('toy/0'))

    assert done.returncode == 0
    assert 'JUJU' not in report.read_text()
    assert service.state == 'active'


def test_stopping_an_unknown_service_fails(site: agent_site.Site):
    done = site.program('systemctl', 'stop', 'pacemaker')

    assert done.returncode == 5
    assert done.stderr == (
        'Failed to stop pacemaker.service: Unit pacemaker.service not loaded.\n'
    )


def service(**properties: str) -> systemd.Service:
    return systemd.Service('x.service', '0', ['/bin/true'], properties)


def test_restart_delays_grow_geometrically_to_their_maximum():
    paced = service(RestartSec='1', RestartSteps='4', RestartMaxDelaySec='16')

    delays: list[float] = []
    for paced.restarts in range(1, 7):
        delays.append(round(paced.restart_delay(), 3))

    assert delays == [1, 2, 4, 8, 16, 16]


def test_a_service_that_starts_too_often_is_given_up():
    hurried = service()
    starts = [hurried.may_start(NOW + datetime.timedelta(seconds=second)) for second in range(6)]

    assert starts == [True] * 5 + [False]
    assert hurried.may_start(NOW + datetime.timedelta(seconds=11))


def test_a_command_that_has_ended_kills_the_agent_a_moment_later(site: agent_site.Site):
    task = site.begin('put', then='hang', value='a')
    site.until(lambda: task.log, 'the action has logged')

    done = site.program(
        'systemd-run', '--on-active=100ms', 'systemctl', 'kill', '--signal=KILL', 'jujud-machine-*'
    )

    assert done.returncode == 0
    site.until(lambda: task.ended, 'the agent was killed')
    assert (task.status, task.message) == ('failed', 'action terminated')
    assert site.action('put', value='b').status == 'completed'
