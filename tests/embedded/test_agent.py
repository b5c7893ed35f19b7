"""The unit agent runs a real charm as Juju would: events, buffers, commits, faults."""

from __future__ import annotations

import json
import os
import pathlib
import sys
from collections.abc import Callable, Iterator

import pytest
import yaml

from rehearsal import model
from rehearsal.agent import child, context, tool_server
from tests.embedded import agent_site


@pytest.fixture(scope='module')
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[agent_site.Site]:
    with agent_site.Site(tmp_path_factory.mktemp('agent'), units=2) as site:
        # Whichever test comes first on this worker expects nothing of the installation.
        site.reset()
        yield site


@pytest.fixture
def site(shared: agent_site.Site) -> Iterator[agent_site.Site]:
    """Two toys, the first one leading, with an empty bag and nothing running."""
    yield shared
    shared.reset()


def test_a_unit_is_installed_by_the_hooks_of_juju_in_their_order(tmp_path: pathlib.Path):
    with agent_site.Site(tmp_path) as site:
        events = [dispatch.event for dispatch in site.agent.dispatches]

    assert events == [
        'install', 'peers-relation-created', 'leader-elected', 'config-changed', 'start'
    ]  # fmt: skip
    assert site.model.unit('toy/0').workload.message == 'hello'


def test_changed_config_reaches_the_charm(site: agent_site.Site):
    site.call(lambda: site.model.set_config('toy', {'greeting': 'good morning'}))
    site.settle()

    assert site.model.unit('toy/0').workload.message == 'good morning'


def test_an_action_has_its_parameters_and_defaults_and_nested_results(site: agent_site.Site):
    task = site.action('put', then='succeed')

    assert (task.status, task.message) == ('completed', '')
    assert task.output == {'put': {'value': 'nothing'}, 'return-code': 0}
    assert [message for _, message in task.log] == ['putting']


def test_a_task_with_an_unknown_parameter_ends_in_error_in_the_unit(tmp_path: pathlib.Path):
    with agent_site.Site(tmp_path, version='4.0.15') as site:
        task = site.action('put', colour='red')

    assert (task.status, task.started, task.output) == ('error', None, {})
    assert 'cannot run "put" action: validation failed' in task.message
    assert 'colour' in task.message


def test_a_change_of_the_peer_applications_databag_wakes_its_writer(site: agent_site.Site):
    site.action('put', value='a')
    site.settle()

    woken = {d.unit for d in site.agent.dispatches if d.event == 'peers-relation-changed'}
    assert woken == {'toy/0', 'toy/1'}


def test_writing_what_is_there_already_wakes_nobody(site: agent_site.Site):
    site.action('put', value='a')
    site.settle()
    site.agent.dispatches.clear()

    site.action('put', value='a')
    site.settle()

    assert [d.event for d in site.agent.dispatches] == ['put']


@pytest.mark.parametrize(
    ('then', 'message', 'committed'),
    [
        ('fail', 'asked to fail', {'value': 'a'}),
        ('crash', 'exit status 1', {}),
        ('killed', 'terminated', {}),
    ],
)
def test_what_a_failed_action_wrote(
    site: agent_site.Site, then: str, message: str, committed: dict[str, str]
):
    task = site.action('put', value='a', then=then)

    assert (task.status, task.message) == ('failed', message)
    assert site.bag == committed
    assert task.output['put'] == {'value': 'a'}, 'action-set is kept however the action ends'


def test_a_failed_hook_puts_the_unit_in_error_where_actions_still_run(tmp_path: pathlib.Path):
    with agent_site.Site(tmp_path) as site:
        site.call(lambda: site.model.set_config('toy', {'greeting': 'crash'}))
        unit = site.model.unit('toy/0')
        site.until(lambda: unit.workload.current == 'error', 'the unit is in error')
        message = unit.workload.message
        task = site.action('environment')

    assert message == 'hook failed: "config-changed"'
    assert 'RuntimeError: asked to crash' in site.log()
    assert task.status == 'completed'


def test_a_killed_hook_is_run_again(site: agent_site.Site):
    def kill_once(unit: model.Unit, event: model.Event, process: child.Child) -> None:
        if unit.name == 'toy/0':
            site.agent.on_dispatch = None
            process.kill()

    site.agent.on_dispatch = kill_once
    site.call(lambda: site.model.set_config('toy', {'greeting': 'again'}))
    site.settle()

    assert [d.exit_code for d in site.agent.dispatches if d.unit == 'toy/0'] == [-9, 0]
    assert site.model.unit('toy/0').workload.message == 'again'


def test_status_is_visible_while_the_action_runs_and_its_writes_are_not(site: agent_site.Site):
    task = site.begin('put', then='hang', value='a')
    unit = site.model.unit('toy/0')
    site.until(lambda: task.log, 'the action has logged')

    assert unit.workload.message == 'putting'
    assert (unit.agent.current, unit.agent.message) == ('executing', 'running action put')
    assert site.bag == {}


def test_cancelling_kills_the_dispatch_and_drops_its_writes(site: agent_site.Site):
    task = site.begin('put', then='hang', value='a')
    site.until(lambda: task.log, 'the action has logged')

    site.call(lambda: site.model.cancel(task))
    site.settle()

    assert (task.status, task.message, task.output) == (
        'aborted',
        'terminated',
        {'return-code': -1},
    )
    assert site.bag == {}
    assert site.action('put', value='b').status == 'completed'


def test_a_restarted_agent_fails_its_action_and_goes_on(site: agent_site.Site):
    task = site.begin('put', then='hang', value='a')
    site.until(lambda: task.log, 'the action has logged')

    site.call(lambda: site.model.restart_agent('toy/0'))

    assert (task.status, task.message) == ('failed', 'action terminated')
    assert site.action('put', value='b').status == 'completed'
    assert site.bag == {'value': 'b'}


def test_leadership_lost_before_the_commit_loses_the_commit(site: agent_site.Site):
    def depose(run: context.Context, call: tool_server.Call) -> None:
        if call.name == 'relation-set':
            # This tool still finds the leader; the commit comes later.
            site.model.clock.later(0, lambda: site.model.set_leader('toy/1'))

    site.agent.on_tool = depose
    task = site.action('put', value='a')

    assert (task.status, task.message) == ('failed', 'committing requested changes failed')
    assert site.bag == {}


def test_only_the_leader_writes_the_applications_databag(site: agent_site.Site):
    task = site.action('put', unit='toy/1', value='a')
    direct = site.program(
        'juju-exec', '-u', 'toy/1', 'relation-set -r peers:0 --app value=a', machine='1'
    )

    assert (task.status, task.message) == ('failed', 'exit status 1')
    assert 'RelationDataAccessError' in site.log('toy/1')
    assert direct.stderr == 'ERROR cannot write relation settings\n'
    assert site.bag == {}


def test_a_user_secret_is_read_by_those_it_is_granted_to(site: agent_site.Site):
    owner = f'model-{site.model.uuid}'
    secret = site.call(lambda: site.model.add_secret(owner, {'password': 'one'}))

    refused = site.action('read-secret', id=secret.uri)
    site.call(lambda: secret.grants.add('toy'))
    granted = site.action('read-secret', id=secret.uri)
    missing = site.action('read-secret', id='secret:d0q1k2v3m4n5o6p7q8r9')

    assert 'permission denied' in refused.message
    assert json.loads(granted.output['content']) == {'password': 'one'}
    assert missing.message.startswith('SecretNotFoundError')


def test_a_new_revision_of_a_secret_wakes_its_readers(site: agent_site.Site):
    secret = site.call(
        lambda: site.model.add_secret(f'model-{site.model.uuid}', {'password': 'one'})
    )
    site.call(lambda: secret.grants.add('toy'))
    site.action('read-secret', id=secret.uri)

    site.call(lambda: site.model.update_secret(secret, {'password': 'two'}))
    site.settle()

    assert site.agent.dispatches[-1].event == 'secret-changed'
    assert json.loads(site.action('read-secret', id=secret.uri).output['content']) == {
        'password': 'two'
    }


def test_a_secret_is_readable_in_the_run_that_adds_it(site: agent_site.Site):
    task = site.action('store-secret')

    assert json.loads(task.output['content']) == {'password': 'sesame'}
    stored = site.call(lambda: site.model.secret(task.output['id']))
    assert (stored.owner, stored.label, stored.content) == (
        'application-toy', 'door', {'password': 'sesame'}
    )  # fmt: skip


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
def test_the_environment_is_that_of_a_hook_and_nothing_else(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, version: str
):
    monkeypatch.setenv('OF_THE_CALLER', 'yes')
    with agent_site.Site(tmp_path, version=version) as site:
        found = json.loads(site.action('environment').output['environment'])

    assert not {'HOME', 'USER', 'OF_THE_CALLER', 'VIRTUAL_ENV'} & found.keys()
    assert found['JUJU_DISPATCH_PATH'] == 'actions/environment'
    assert found['JUJU_API_ADDRESSES'] == '10.8.0.1:17070'
    assert found['JUJU_VERSION'] == version
    assert found['PATH'].split(':')[0] == str(tmp_path / 'agents' / 'unit-toy-0' / 'tools')
    assert not {'/sbin', '/bin'} & {*found['PATH'].split(':')}
    assert not {'JUJU_TRACE_ID', 'JUJU_SPAN_ID', 'JUJU_TRACE_FLAGS'} & found.keys()
    tracing = {name for name in found if name.startswith('JUJU_CHARM_TRACE_CONFIG_')}
    assert len(tracing) == (3 if version.startswith('4') else 0)
    assert ('JUJU_SLA' in found) is version.startswith('3')


def test_commands_run_in_a_hooks_environment_and_what_they_write_is_kept(site: agent_site.Site):
    peers = site.model.relations[0].id
    commands = f'relation-set -r peers:{peers} --app key=value && echo "$JUJU_UNIT_NAME"; exit 3'
    task = site.call(
        lambda: site.model.enqueue(
            [('toy/0', 'juju-exec', {'command': commands, 'timeout': 0}, False, '')]
        )
    ).tasks[0]
    site.until(lambda: task.ended, 'the commands have ended')

    assert (task.status, task.message) == ('completed', '')
    assert task.output == {'return-code': 3, 'stdout': 'toy/0\n'}
    assert site.bag == {'key': 'value'}


def test_the_agents_configuration_names_the_controller(site: agent_site.Site):
    path = site.root / 'agents' / 'unit-toy-0' / 'agent.conf'
    text = path.read_text()

    assert text.startswith('# format 2.0\n')
    assert yaml.safe_load(text) == {
        'tag': 'unit-toy-0',
        'controller': f'controller-{agent_site.CONTROLLER.uuid}',
        'model': f'model-{site.model.uuid}',
        'cacert': '-----CA-----\n',
        'apiaddresses': ['10.8.0.1:17070'],
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_other_hook_tools_answer_as_ops_expects(site: agent_site.Site):
    task = site.action('tour')
    unit = site.model.unit('toy/0')

    assert (task.status, task.message) == ('completed', '')
    assert task.output == {
        'planned-units': '2',
        'address': unit.machine.address,
        'status': 'touring',
        'state': '{"a": "1"}',
        'secret-ids': 'null',
        'return-code': 0,
    }
    assert unit.workload_version == '1.2'
    assert unit.application.status.message == 'touring'


def test_a_dispatch_is_measured(site: agent_site.Site):
    site.action('tour')
    tour = site.agent.dispatches[0]

    assert (tour.unit, tour.event, tour.exit_code) == ('toy/0', 'tour', 0)
    assert tour.seconds > 0.05
    assert 0.01 < tour.cpu_seconds < 5
    assert 10 * 2**20 < tour.max_rss_bytes < 200 * 2**20


def test_a_dispatch_that_is_paused_ends_when_it_may_go_on(site: agent_site.Site):
    paused: list[Callable[[], None]] = []
    pids: list[int] = []

    def pause(run: context.Context, call: tool_server.Call) -> None:
        if not paused:
            paused.append(site.agent.pause_running(run.unit))

    site.agent.on_dispatch = lambda unit, event, process: pids.append(process.pid)
    site.agent.on_tool = pause
    task = site.begin('put', value='a')
    site.until(lambda: bool(paused), 'the dispatch is paused')

    state = os.waitid(os.P_PID, pids[0], os.WSTOPPED | os.WEXITED | os.WNOWAIT)
    assert state is not None
    assert state.si_code == os.CLD_STOPPED
    assert (task.ended, site.bag) == (False, {})
    site.call(paused[0])
    site.settle()
    assert (task.status, site.bag) == ('completed', {'value': 'a'})


def test_a_units_charm_runs_by_another_command_for_a_while(site: agent_site.Site):
    unit = site.model.unit('toy/0')

    def seen() -> str | None:
        found = json.loads(site.action('environment').output['environment'])
        return found.get('BENT')

    site.call(lambda: site.agent.interpret(unit, 'env', 'BENT=a bit', sys.executable))
    bent = seen()
    site.call(lambda: site.agent.interpret(unit))

    assert (bent, seen()) == ('a bit', None)


def test_a_removed_unit_leaves_its_log_and_nothing_else(tmp_path: pathlib.Path):
    with agent_site.Site(tmp_path, units=2) as site:
        site.call(lambda: site.model.remove_unit('toy/1'))
        site.until(lambda: 'toy/1' not in site.model.units, 'the unit is gone')

        assert not (tmp_path / 'agents' / 'unit-toy-1').exists()
        assert (tmp_path / 'logs' / 'unit-toy-1.log').exists()
        assert [d.event for d in site.agent.dispatches if d.unit == 'toy/1'][-2:] == [
            'stop',
            'remove',
        ]


def test_on_4_0_peers_go_on_naming_a_removed_unit_until_the_agent_starts_again(
    tmp_path: pathlib.Path,
):
    with agent_site.Site(tmp_path, units=2, version='4.0.15') as site:
        peers = ('juju-exec', '-u', 'toy/0', 'relation-list -r peers:0 --format=json')
        site.call(lambda: site.model.remove_unit('toy/1'))
        site.until(lambda: 'toy/1' not in site.model.units, 'the unit is gone')
        site.settle()

        named = json.loads(site.program(*peers).stdout)
        goals = site.program('juju-exec', '-u', 'toy/0', 'goal-state --format=json').stdout
        site.call(lambda: site.model.restart_agent('toy/0'))
        site.settle()

        assert named == ['toy/1']
        assert list(json.loads(goals)['units']) == ['toy/0']
        assert json.loads(site.program(*peers).stdout) == []
