"""What every `JujuModel` keeps: looking, changing, and who may do which."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Mapping

import pytest

from coordinator import errors, ports
from coordinator.steps.postgresql import machines
from rehearsal import model
from tests import served_model
from tests.contract.conftest import Site

Connect = Callable[[str], ports.JujuModel]


def ends(site: Site, task: ports.Task) -> None:
    """Let things happen until a task has ended."""
    site.until(lambda: site.juju.tasks[task.id].ended)


def gone(site: Site, unit: str) -> None:
    """Let things happen until a unit has left the model."""
    site.until(lambda: unit not in site.juju.units)


def endpoints(juju: ports.JujuModel) -> set[frozenset[str]]:
    return {frozenset(relation.endpoints) for relation in juju.status().relations}


# --- Access ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('user', 'access', 'admin'),
    [
        ('boss', ports.Access('boss', 'admin', superuser=False), True),
        ('writer', ports.Access('writer', 'write', superuser=False), False),
        ('reader', ports.Access('reader', 'read', superuser=False), False),
    ],
)
def test_access_is_that_of_the_user(
    connect: Connect, user: str, access: ports.Access, admin: bool
):
    assert connect(user).access() == access
    assert connect(user).access().admin is admin


def test_a_superuser_is_admin_of_every_model(connect: Connect):
    access = connect('root').access()

    assert access.superuser
    assert access.admin


def test_a_user_without_access_is_told_what_to_grant(site: Site, connect: Connect):
    juju = connect('nobody')

    with pytest.raises(errors.NotAuthorised, match=f'juju grant nobody admin {site.juju.uuid}'):
        juju.access()


def test_a_user_who_was_removed_is_sent_to_the_credentials(site: Site, connect: Connect):
    juju = connect('boss')
    del site.juju.users['boss']

    with pytest.raises(errors.NotAuthorised, match='juju-credentials'):
        juju.status()


# --- Status ----------------------------------------------------------------------------------


def test_status_shows_what_keeps_a_machine(site: Site, juju: ports.JujuModel):
    def arrange() -> tuple[str, str, str]:
        unit = site.juju.unit('pg/0')
        site.juju.deploy('agent', unit.application.charm, site.agent, units=0)
        beside = site.juju.add_subordinate('agent', 'pg/0')
        unit.machine.controller = True
        return beside, unit.machine.id, site.juju.add_container(unit.machine.id).id

    beside, host, container = site.do(arrange)

    status = juju.status()
    assert status.applications['agent'].units[beside].subordinate
    assert status.applications['agent'].units[beside].machine == host
    assert not status.applications['pg'].units['pg/0'].subordinate
    assert status.machines[host].controller
    assert not status.machines[container].controller
    assert machines.kept(status, ['pg/0']) >= {host}


def test_status_shows_the_model(site: Site, juju: ports.JujuModel):
    status = juju.status()

    assert status.name == 'prod'
    assert status.juju_version == site.juju.version
    assert status.time is not None
    assert abs((site.juju.clock.now() - status.time).total_seconds()) < 60
    assert set(status.applications) == {'pg', 'app'}
    assert set(status.machines) == {'0', '1', '2', '3'}
    assert status.machines['2'] == ports.Machine('2', site.juju.machines['2'].instance_id)
    assert endpoints(juju) == {
        frozenset({'app:db', 'pg:database'}),
        frozenset({'pg:peers'}),
        frozenset({'app:peers'}),
    }


def test_status_shows_what_is_consumed_and_offered(site: Site, juju: ports.JujuModel):
    site.juju.move_away('app', 'admin/other.apps')
    site.juju.offer('data', 'pg', 'database', connections=2)

    status = juju.status()
    assert set(status.applications) == {'pg'}
    assert status.consumed == {'app': 'admin/other.apps'}
    assert status.offers == [ports.Offer('data', 'pg', ('database',), 2)]


def test_status_of_some_applications_is_of_these_and_what_relates_them(
    site: Site, juju: ports.JujuModel
):
    # Units of another application beside them, on one of their machines.
    site.do(site.juju.deploy, 'other', served_model.CHARM, site.agent, 2)
    site.do(setattr, site.juju.unit('other/0'), 'machine', site.juju.machines['1'])
    site.do(site.juju.integrate, 'other:db', 'pg:database')
    site.until(lambda: served_model.settled(site.juju))
    whole = juju.status()

    pg = juju.status('pg')
    assert (pg.name, pg.juju_version) == (whole.name, whole.juju_version)
    assert pg.applications == {'pg': whole.applications['pg']}
    assert set(pg.machines) == {'0', '1', '2'}
    assert {relation.endpoints for relation in pg.relations} == {('pg:peers',)}
    both = {frozenset(relation.endpoints) for relation in juju.status('pg', 'app').relations}
    assert both == {
        frozenset({'app:db', 'pg:database'}),
        frozenset({'pg:peers'}),
        frozenset({'app:peers'}),
    }


def test_status_of_some_applications_shows_one_without_units(site: Site, juju: ports.JujuModel):
    site.do(site.juju.deploy, 'bare', model.CharmSpec('my-charm'), site.agent, 0)

    shown = juju.status('pg', 'bare').applications

    assert set(shown) == {'pg', 'bare'}
    assert shown['bare'].units == {}
    assert set(shown['pg'].units) == {'pg/0', 'pg/1', 'pg/2'}


def test_status_of_an_application_that_is_gone_does_without_it(juju: ports.JujuModel):
    assert juju.status('gone').applications == {}
    assert set(juju.status('gone', 'app').applications) == {'app'}


def test_status_shows_an_application(juju: ports.JujuModel):
    app = juju.status().applications['pg']

    assert (app.name, app.charm, app.channel, app.revision) == ('pg', 'toy', '16/stable', 553)
    assert (app.workload, app.message, app.workload_version) == ('active', 'ready', '1.2')
    assert list(app.units) == ['pg/0', 'pg/1', 'pg/2']
    assert [name for name, unit in app.units.items() if unit.leader] == ['pg/0']
    assert app.units['pg/1'] == ports.Unit(
        name='pg/1',
        machine='1',
        alive=True,
        leader=False,
        workload='active',
        message='ready',
        agent='idle',
        workload_version='1.2',
    )


def test_status_shows_a_local_charm_without_units(site: Site, juju: ports.JujuModel):
    site.do(site.juju.deploy, 'bare', model.CharmSpec('my-charm'), site.agent, 0)

    app = juju.status().applications['bare']

    assert (app.charm, app.channel, app.revision) == ('my-charm', '', 0)
    assert app.units == {}


def test_status_shows_what_a_leader_set_for_its_application(site: Site, juju: ports.JujuModel):
    site.do(site.juju.set_application_status, site.juju.applications['pg'], 'blocked', 'no disk')

    app = juju.status().applications['pg']

    assert (app.workload, app.message) == ('blocked', 'no disk')


def test_a_unit_whose_agent_is_lost_is_in_no_known_state(site: Site, juju: ports.JujuModel):
    site.do(site.juju.set_agent_status, site.juju.unit('pg/1'), 'lost')

    unit = juju.status().applications['pg'].units['pg/1']

    assert (unit.agent, unit.workload) == ('lost', 'unknown')
    assert 'agent lost' in unit.message


def test_a_unit_in_error_stays_so_when_its_agent_is_lost(site: Site, juju: ports.JujuModel):
    site.do(site.juju.set_status, site.juju.unit('pg/1'), 'error', 'hook failed: "start"')
    site.do(site.juju.set_agent_status, site.juju.unit('pg/1'), 'lost')

    unit = juju.status().applications['pg'].units['pg/1']

    assert (unit.workload, unit.message) == ('error', 'hook failed: "start"')


# --- Leaders ---------------------------------------------------------------------------------


def test_the_leader_is_named(site: Site, juju: ports.JujuModel):
    assert juju.leader('pg') == 'pg/0'

    site.do(site.juju.set_leader, 'pg/2')

    assert juju.leader('pg') == 'pg/2'


def test_there_may_be_no_leader(site: Site, juju: ports.JujuModel):
    site.juju.applications['pg'].leader = None

    with pytest.raises(errors.NotFound):
        juju.leader('pg')


def test_an_application_that_is_not_there_has_no_leader(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound):
        juju.leader('nothing')


# --- Actions ---------------------------------------------------------------------------------


def test_an_action_becomes_a_task_that_ends_with_results(site: Site, juju: ports.JujuModel):
    begun = juju.run_action('pg/1', 'echo', {'text': 'ahoy'})
    ends(site, begun)
    ended = juju.task(begun.id)

    assert (begun.unit, begun.action, begun.parameters) == ('pg/1', 'echo', {'text': 'ahoy'})
    assert begun.status == 'pending'
    assert not begun.ended
    assert (begun.started, begun.completed, begun.results) == (None, None, {})
    assert begun.enqueued is not None
    assert begun.enqueued.utcoffset() == datetime.timedelta(0)
    assert (ended.unit, ended.action, ended.parameters) == ('pg/1', 'echo', {'text': 'ahoy'})
    assert ended.status == 'completed'
    assert ended.ended
    assert ended.results == {'said.text': 'ahoy'}
    assert ended.started is not None
    assert begun.enqueued <= ended.started
    if site.juju.juju4:
        assert ended.completed is None, '4.0 says of no task when it ended'
    else:
        assert ended.completed is not None
        assert ended.started <= ended.completed


def test_an_action_may_leave_its_parameters_to_the_charm(site: Site, juju: ports.JujuModel):
    task = juju.run_action('pg/1', 'echo', {})
    ends(site, task)

    assert juju.task(task.id).results == {'said.text': 'hello'}


def test_an_action_that_fails_says_why(site: Site, juju: ports.JujuModel):
    task = juju.run_action('pg/1', 'refuse', {})
    ends(site, task)

    assert juju.task(task.id).status == 'failed'
    assert juju.task(task.id).message == 'not today'


def test_task_ids_rise(juju: ports.JujuModel):
    tasks = [juju.run_action(unit, 'echo', {}) for unit in ('pg/2', 'pg/0', 'app/0')]

    assert [task.id for task in tasks] == sorted({task.id for task in tasks})


def test_tasks_of_an_action_are_listed_lowest_id_first(site: Site, juju: ports.JujuModel):
    wanted = [juju.run_action('pg/1', 'echo', {'text': f'{n}'}) for n in range(2)]
    other = juju.run_action('pg/1', 'refuse', {})
    wanted.append(juju.run_action('app/0', 'echo', {'text': '2'}))
    for task in (*wanted, other):
        ends(site, task)

    listed = juju.tasks('echo')

    assert [task.id for task in listed] == [task.id for task in wanted]
    assert [task.unit for task in listed] == ['pg/1', 'pg/1', 'app/0']
    assert [task.parameters for task in listed] == [{'text': f'{n}'} for n in range(3)]
    assert {task.status for task in listed} == {'completed'}
    assert all(task.results == {} for task in listed)
    assert juju.tasks('create-backup') == []


def test_more_tasks_than_fit_on_a_page_are_all_listed(site: Site, juju: ports.JujuModel):
    def enqueue(count: int) -> list[int]:
        calls = [
            site.juju.action_call('pg/1', 'echo', {'text': str(n)}, True, '') for n in range(count)
        ]
        return [site.juju.enqueue([call]).tasks[0].id for call in calls]

    ids = site.do(enqueue, 120)

    assert [task.id for task in juju.tasks('echo')] == ids


def test_a_task_that_never_was_is_not_found(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound):
        juju.task(4711)


def test_the_options_of_a_charm_are_named_though_they_have_no_value(
    site: Site, juju: ports.JujuModel
):
    assert juju.options('pg') == site.juju.application('pg').charm.options.keys()
    assert 'system-users' in juju.options('pg') - juju.config('pg').keys()


def test_an_application_that_is_not_there_has_no_options(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound):
        juju.options('nothing')


def test_the_actions_of_a_charm_are_named(site: Site, juju: ports.JujuModel):
    assert juju.actions('pg') == site.juju.application('pg').charm.actions.keys()
    assert 'echo' in juju.actions('pg')


def test_the_actions_of_a_charm_are_shown_to_those_who_may_run_them(connect: Connect):
    with pytest.raises(errors.NotAuthorised):
        connect('reader').actions('pg')


def test_an_application_that_is_not_there_has_no_actions(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound):
        juju.actions('nothing')


def test_an_action_that_the_charm_lacks_is_refused(juju: ports.JujuModel):
    with pytest.raises(errors.StepError, match='create-backup'):
        juju.run_action('pg/1', 'create-backup', {})

    assert juju.tasks('create-backup') == []


def test_an_action_on_a_unit_that_is_not_there_is_refused(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound, match='pg/9'):
        juju.run_action('pg/9', 'echo', {})


def test_an_action_on_a_unit_that_is_not_there_makes_no_task(site: Site, juju: ports.JujuModel):
    with pytest.raises(errors.NotFound):
        juju.run_action('pg/9', 'echo', {})

    assert juju.tasks('echo') == []
    assert juju.run_action('pg/1', 'echo', {}).action == 'echo'


def test_an_action_on_a_unit_that_is_coming_or_going_waits(site: Site, juju: ports.JujuModel):
    juju.add_units('pg', 1)
    juju.run_action('pg/1', 'wait', {})
    juju.remove_unit('pg/1')

    for unit in ('pg/3', 'pg/1'):
        task = juju.run_action(unit, 'echo', {})
        assert (task.unit, task.status) == (unit, 'pending')


def test_a_parameter_that_the_action_lacks_is_refused_or_fails_the_task(
    site: Site, juju: ports.JujuModel
):
    if site.juju.juju4:
        task = juju.run_action('pg/1', 'echo', {'volume': 11})
        ends(site, task)
        ended = juju.task(task.id)
        assert (ended.status, ended.started, ended.results) == ('error', None, {})
        assert ended.ended
    else:
        with pytest.raises(errors.StepError, match='volume'):
            juju.run_action('pg/1', 'echo', {'volume': 11})


def test_cancelling_ends_a_task_where_juju_can(site: Site, juju: ports.JujuModel):
    task = juju.run_action('pg/1', 'wait', {})
    site.until(lambda: site.juju.tasks[task.id].status == 'running')

    juju.cancel_task(task.id)

    if site.juju.juju4:
        assert juju.task(task.id).status == 'running'
        site.agent.released = True
    ends(site, task)
    assert juju.task(task.id).status == ('completed' if site.juju.juju4 else 'aborted')


def test_cancelling_what_has_ended_or_never_was_changes_nothing(site: Site, juju: ports.JujuModel):
    task = juju.run_action('pg/1', 'echo', {})
    ends(site, task)

    juju.cancel_task(task.id)
    juju.cancel_task(4711)

    assert juju.task(task.id).status == 'completed'


def test_tasks_of_a_removed_unit_are_forgotten_by_juju_4_alone(site: Site, juju: ports.JujuModel):
    task = juju.run_action('pg/1', 'echo', {})
    ends(site, task)
    juju.remove_unit('pg/1')
    gone(site, 'pg/1')

    assert [t.id for t in juju.tasks('echo')] == ([] if site.juju.juju4 else [task.id])


# --- Units and storage -----------------------------------------------------------------------


def test_units_are_added(juju: ports.JujuModel):
    assert juju.add_units('pg', 2) == ['pg/3', 'pg/4']

    added = juju.status().applications['pg'].units['pg/3']

    assert added.alive
    assert added.agent in ('allocating', 'executing', 'idle')


def test_the_first_units_go_to_the_machines_that_are_named(juju: ports.JujuModel):
    names = juju.add_units('app', 2, ['1'])

    units = juju.status().applications['app'].units
    assert units[names[0]].machine == '1'
    assert units[names[1]].machine not in ('', '1')


def test_units_are_not_put_on_a_machine_that_is_not_there(site: Site, juju: ports.JujuModel):
    with pytest.raises(errors.NotFound, match='77'):
        juju.add_units('pg', 2, ['77'])

    units = juju.status().applications['pg'].units
    if site.juju.juju4:
        assert len(units) == 3
    else:
        assert len(units) == 4, '3.6 adds units one by one'
        assert (units['pg/3'].machine, units['pg/3'].agent) == ('', 'allocating')
        juju.remove_unit('pg/3')
        assert len(juju.status().applications['pg'].units) == 3


def test_units_of_an_application_that_is_not_there_are_not_added(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound, match='nothing'):
        juju.add_units('nothing', 1)


def test_no_units_cannot_be_added(juju: ports.JujuModel):
    with pytest.raises(errors.StepError):
        juju.add_units('pg', 0)


def test_a_removed_unit_dies_and_is_gone(site: Site, juju: ports.JujuModel):
    busy = juju.run_action('pg/2', 'wait', {})
    site.until(lambda: site.juju.tasks[busy.id].status == 'running')

    juju.remove_unit('pg/2')
    juju.remove_unit('pg/2')

    assert not juju.status().applications['pg'].units['pg/2'].alive
    site.agent.released = True
    gone(site, 'pg/2')
    assert list(juju.status().applications['pg'].units) == ['pg/0', 'pg/1']
    juju.remove_unit('pg/2')


def test_storage_outlives_its_unit(site: Site, juju: ports.JujuModel):
    before = juju.storage()
    juju.remove_unit('pg/2')
    gone(site, 'pg/2')

    (left,) = [item for item in juju.storage() if not item.owner]

    assert ports.Storage('pg-data/2', 'pg/2', ('pg/2',), alive=True) in before
    assert left == ports.Storage('pg-data/2', '', (), alive=True)


def test_storage_of_the_root_file_system_goes_with_its_unit(site: Site, juju: ports.JujuModel):
    site.juju.applications['pg'].persistent_storage = False
    (name,) = juju.add_units('pg', 1)
    assert ports.Storage('pg-data/4', name, (name,), alive=True) in juju.storage()
    site.until(lambda: served_model.settled(site.juju))

    juju.remove_unit(name)
    gone(site, name)

    assert 'pg-data/4' not in {item.id for item in juju.storage()}


def test_storage_that_was_left_behind_is_removed(site: Site, juju: ports.JujuModel):
    juju.remove_unit('pg/2')
    gone(site, 'pg/2')

    juju.remove_storage(['pg-data/2', 'pg-data/99'])
    juju.remove_storage(['pg-data/2'])
    juju.remove_storage([])

    assert 'pg-data/2' not in {item.id for item in juju.storage()}


def test_storage_in_use_is_not_removed(juju: ports.JujuModel):
    with pytest.raises(errors.StepError, match='pg-data/2'):
        juju.remove_storage(['pg-data/2'])

    assert 'pg-data/2' in {item.id for item in juju.storage()}


# --- Relations and config --------------------------------------------------------------------


def test_relations_come_and_go(site: Site, juju: ports.JujuModel):
    relation = frozenset({'app:db', 'pg:database'})

    juju.remove_relation('app:db', 'pg:database')
    site.until(lambda: all(r.peer for r in site.juju.relations.values()))
    assert relation not in endpoints(juju)

    juju.integrate('pg:database', 'app:db')
    assert relation in endpoints(juju)


def test_a_relation_that_is_going_may_be_removed_again(site: Site, juju: ports.JujuModel):
    juju.run_action('pg/0', 'wait', {})
    site.until(lambda: site.juju.units['pg/0'].running is not None)
    juju.remove_relation('app:db', 'pg:database')

    juju.remove_relation('app:db', 'pg:database')


def test_a_relation_that_exists_is_not_made_again(juju: ports.JujuModel):
    with pytest.raises(errors.AlreadyExists):
        juju.integrate('app:db', 'pg:database')


def test_a_relation_that_is_not_there_is_not_removed(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound):
        juju.remove_relation('pg:db', 'app:database')


def test_endpoints_that_do_not_fit_are_not_related(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound):
        juju.integrate('app:db', 'pg:nothing')


def test_config_is_what_is_in_force(juju: ports.JujuModel):
    assert juju.config('pg') == {'profile': 'production', 'size': 5}

    juju.set_config('pg', {'profile': 'testing', 'size': '7', 'system-users': 'secret:abc'})

    assert juju.config('pg') == {'profile': 'testing', 'size': 7, 'system-users': 'secret:abc'}


def test_an_empty_string_is_a_value(juju: ports.JujuModel):
    juju.set_config('pg', {'profile': ''})

    assert juju.config('pg')['profile'] == ''


@pytest.mark.parametrize('values', [{'colour': 'red'}, {'size': 'large'}])
def test_config_that_the_charm_does_not_take_is_refused(
    juju: ports.JujuModel, values: Mapping[str, str]
):
    with pytest.raises(errors.StepError):
        juju.set_config('pg', values)

    assert juju.config('pg') == {'profile': 'production', 'size': 5}


def test_an_application_that_is_not_there_has_no_config(juju: ports.JujuModel):
    with pytest.raises(errors.NotFound):
        juju.config('nothing')


# --- Secrets ---------------------------------------------------------------------------------


def test_a_user_secret_is_made_found_granted_and_removed(site: Site, juju: ports.JujuModel):
    content = {'operator': 'p4ss wörd=\n', 'replication': ''}
    secret_id = juju.create_secret('passwords', content, 'for the restore')
    found = juju.secrets('passwords')
    first = juju.reveal_secret(secret_id)
    juju.grant_secret(secret_id, 'pg')
    juju.grant_secret(secret_id, 'pg')

    changed = site.juju.secrets[secret_id].updated
    assert found == [ports.Secret(secret_id, f'model-{site.juju.uuid}', 'passwords', changed)]
    assert first == content
    assert juju.reveal_secret(secret_id) == content
    assert site.juju.secrets[secret_id].grants == {'pg'}

    juju.remove_secret(secret_id)
    juju.remove_secret(secret_id)
    assert juju.secrets('passwords') == []


def test_secrets_of_applications_are_found_by_their_label(site: Site, juju: ports.JujuModel):
    content = {'operator-password': 'p4ssword'}
    label = 'database-peers.pg.app'
    charms = site.do(site.juju.add_secret, 'application-pg', content, label)
    site.do(site.juju.add_secret, 'application-app', content, 'database-peers.pg.app2')

    assert juju.secrets(label) == [
        ports.Secret(charms.id, 'application-pg', label, charms.updated)
    ]
    assert juju.reveal_secret(charms.id) == content


def test_all_secrets_are_listed_when_no_label_is_given(site: Site, juju: ports.JujuModel):
    ours = juju.create_secret('passwords', {'operator': 'one'})
    charms = site.do(site.juju.add_secret, 'application-pg', {'operator': 'two'})

    assert {(secret.id, secret.label) for secret in juju.secrets()} == {
        (ours, 'passwords'),
        (charms.id, ''),
    }


def test_a_label_is_not_used_twice(juju: ports.JujuModel):
    juju.create_secret('passwords', {'operator': 'one'})

    with pytest.raises(errors.AlreadyExists):
        juju.create_secret('passwords', {'operator': 'two'})


MISSING = 'd0q1k2v3m4n5o6p7q8rg'


def test_a_secret_that_is_not_there_is_not_found(juju: ports.JujuModel):
    for use in (
        lambda: juju.reveal_secret(MISSING),
        lambda: juju.grant_secret(MISSING, 'pg'),
    ):
        with pytest.raises(errors.NotFound):
            use()


def test_what_is_no_id_of_a_secret_is_refused(juju: ports.JujuModel):
    for use in (
        lambda: juju.reveal_secret('d0q1k2v3m4n5o6p7q8rz'),
        lambda: juju.grant_secret('passwords', 'pg'),
    ):
        with pytest.raises(errors.StepError, match='not valid'):
            use()


def test_a_secret_is_not_granted_to_nobody(juju: ports.JujuModel):
    secret_id = juju.create_secret('passwords', {'operator': 'one'})

    with pytest.raises(errors.NotFound):
        juju.grant_secret(secret_id, 'nothing')


def test_secrets_of_applications_are_not_ours_to_change(site: Site, juju: ports.JujuModel):
    charms = site.do(site.juju.add_secret, 'application-pg', {'operator': 'one'}, 'theirs')

    for change in (
        lambda: juju.grant_secret(charms.id, 'app'),
        lambda: juju.remove_secret(charms.id),
    ):
        with pytest.raises(errors.NotAuthorised):
            change()

    assert juju.reveal_secret(charms.id) == {'operator': 'one'}


# --- Who may do what -------------------------------------------------------------------------

Change = Callable[[ports.JujuModel], object]

CHANGES: Mapping[str, Change] = {
    'run_action': lambda juju: juju.run_action('pg/1', 'echo', {}),
    'cancel_task': lambda juju: juju.cancel_task(4711),
    'add_units': lambda juju: juju.add_units('pg', 1),
    'remove_unit': lambda juju: juju.remove_unit('pg/2'),
    'remove_storage': lambda juju: juju.remove_storage(['pg-data/9']),
    'integrate': lambda juju: juju.integrate('pg:db', 'app:database'),
    'remove_relation': lambda juju: juju.remove_relation('app:db', 'pg:database'),
    'set_config': lambda juju: juju.set_config('pg', {'profile': 'testing'}),
    'reset_config': lambda juju: juju.reset_config('pg', ['profile']),
    'create_secret': lambda juju: juju.create_secret('passwords', {'operator': 'one'}),
    'grant_secret': lambda juju: juju.grant_secret(MISSING, 'pg'),
    'remove_secret': lambda juju: juju.remove_secret(MISSING),
}

LOOKS: Mapping[str, Change] = {
    'access': lambda juju: juju.access(),
    'status': lambda juju: juju.status(),
    'leader': lambda juju: juju.leader('pg'),
    'actions': lambda juju: juju.actions('pg'),
    'tasks': lambda juju: juju.tasks('echo'),
    'task': lambda juju: juju.task(4711),
    'storage': lambda juju: juju.storage(),
    'config': lambda juju: juju.config('pg'),
    'options': lambda juju: juju.options('pg'),
    'secrets': lambda juju: juju.secrets(),
    'reveal_secret': lambda juju: juju.reveal_secret(MISSING),
}

each_change = pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES.keys())


@each_change
def test_who_may_read_may_change_nothing(site: Site, connect: Connect, change: Change):
    revision = site.juju.revision

    with pytest.raises(errors.NotAuthorised, match='juju grant reader admin'):
        change(connect('reader'))

    assert site.juju.revision == revision


def test_who_may_read_may_look_at_all_but_secrets(connect: Connect):
    juju = connect('reader')

    juju.status()
    assert juju.leader('pg') == 'pg/0'
    assert juju.tasks('echo') == []
    assert juju.storage()
    assert juju.config('pg')
    assert juju.secrets('passwords') == []


def test_only_an_admin_may_read_a_secret(connect: Connect):
    secret_id = connect('writer').create_secret('passwords', {'operator': 'one'})

    with pytest.raises(errors.NotAuthorised, match='juju grant writer admin'):
        connect('writer').reveal_secret(secret_id)
    assert connect('root').reveal_secret(secret_id) == {'operator': 'one'}


@pytest.mark.parametrize(
    ('disabled', 'refused'),
    [
        (
            'all',
            {
                'add_units',
                'integrate',
                'set_config',
                'reset_config',
                'remove_unit',
                'remove_relation',
            },
        ),
        ('remove-object', {'remove_unit', 'remove_relation'}),
        ('destroy-model', set[str]()),
    ],
)
def test_disabled_commands_refuse_changes_and_say_how_to_allow_them(
    site: Site, juju: ports.JujuModel, disabled: str, refused: set[str]
):
    site.juju.blocked[disabled] = 'hands off'
    if not site.juju.juju4 and refused:
        refused = refused | {'remove_storage'}
    said: dict[str, str] = {}

    for name, change in CHANGES.items():
        try:
            change(juju)
        except errors.OperationBlocked as error:
            said[name] = str(error)
        except errors.NotFound:
            pass

    assert said.keys() == refused
    for name, text in said.items():
        assert 'hands off' in text
        assert 'juju enable-command all' in text
        # What only `all` forbids is not allowed by enabling something else.
        assert ('enable-command remove-object' in text) == name.startswith('remove_')


# --- The fence -------------------------------------------------------------------------------


class Deposed(errors.PreconditionError):
    """This unit leads no longer."""


@each_change
def test_nothing_is_changed_when_the_fence_says_no(site: Site, change: Change):
    def refuse() -> None:
        raise Deposed('another unit leads')

    juju = site.connect('boss', refuse)
    revision = site.juju.revision

    with pytest.raises(Deposed):
        change(juju)

    assert site.juju.revision == revision


def test_looking_asks_no_fence(site: Site):
    asked: list[str] = []
    juju = site.connect('boss', lambda: asked.append('asked'))

    juju.status()
    juju.tasks('echo')
    juju.secrets('passwords')
    assert asked == []

    juju.run_action('pg/1', 'echo', {})
    assert asked == ['asked']


def test_every_call_of_the_port_is_either_a_change_or_a_look():
    assert CHANGES.keys() == ports.effects_of(ports.JujuModel)
    assert LOOKS.keys() == ports.looks_of(ports.JujuModel)


@pytest.mark.parametrize('look', LOOKS.values(), ids=LOOKS.keys())
def test_looking_changes_nothing_and_asks_no_fence(site: Site, look: Change):
    def refuse() -> None:
        raise Deposed('another unit leads')

    juju = site.connect('boss', refuse)
    revision = site.juju.revision

    with contextlib.suppress(errors.NotFound):
        look(juju)

    assert site.juju.revision == revision
