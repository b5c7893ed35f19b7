"""The actions: what they answer, what they store, and what they refuse in which words."""

from __future__ import annotations

import datetime
import json
import pathlib

import pytest
from ops import testing

from coordinator import times
from coordinator.engine import operation
from coordinator.operations import plans
from coordinator.record import history
from coordinator.sets import catalogue
from tests import charm_states, examples, programs, restores, simulation, worlds

APP = charm_states.APP
FOLLOW = f'juju run {APP}/leader show-operation'
FUTURE = '2999-12-31T23:59:59Z'


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the charm reach a world in which any reaching out fails the test."""
    charm_states.reach(worlds.EmptyWorld(), monkeypatch)


# --- backup-all ----------------------------------------------------------------------------------


def test_backup_all_stores_an_operation_and_says_how_to_follow_it(systemd: programs.Programs):
    before = times.stamp(datetime.datetime.now(datetime.UTC))
    results, out = charm_states.act('backup-all', charm_states.state())
    after = times.stamp(datetime.datetime.now(datetime.UTC))
    op = charm_states.saved(out)
    assert results == {'backup-id': op.id, 'status': 'started', 'follow': FOLLOW}
    assert before <= op.id <= after
    expected = charm_states.new_operation(op.id)
    assert op == expected
    assert systemd.calls == [], 'the change of the databag brings the first dispatch'
    assert out.unit_status.name == 'maintenance'


def test_nothing_else_begins_where_a_restore_was_rehearsed():
    rehearsed = (
        charm_states.new_operation()
        .remembering({operation.THROWAWAY: 'maas-rehearsal'})
        .ending(operation.COMPLETE, worlds.START)
    )
    message = charm_states.refusal('backup-all', charm_states.state(rehearsed))
    assert 'backup-all would write to the repository of the site' in message
    assert message.endswith('juju destroy-model maas-rehearsal')
    given = {'backup_id': examples.BACKUP_ID, 'rehearsal': True, 'confirm': True}
    _, out = charm_states.act('restore-all', charm_states.state(rehearsed), **given)
    again = charm_states.saved(out)
    assert again.fact(operation.THROWAWAY) == 'maas-rehearsal'
    assert [entry.name for entry in again.steps] == list(plans.REHEARSAL.names)


def test_backup_all_takes_its_settings_along():
    config = {'postgresql-backup-strategy': 'replica', 'scaling-deadline': 5}
    _, out = charm_states.act('backup-all', charm_states.state(config=config))
    found = charm_states.saved(out).settings
    assert (found.strategy, found.scaling_minutes) == ('replica', 5)


def test_the_strategy_is_automatic_where_none_is_set():
    state = charm_states.state(unset=['postgresql-backup-strategy'])
    _, out = charm_states.act('backup-all', state)
    assert charm_states.saved(out).settings.strategy == 'auto'


@pytest.mark.parametrize('status', [operation.COMPLETE, operation.FAILED, operation.ABORTED])
def test_backup_all_may_follow_one_that_is_over(status: str):
    over = charm_states.new_operation().ending(status, worlds.START)
    results, out = charm_states.act('backup-all', charm_states.state(over))
    assert charm_states.saved(out).id == results['backup-id'] != over.id


def test_a_second_backup_is_refused_while_one_runs():
    running = charm_states.new_operation()
    assert charm_states.refusal('backup-all', charm_states.state(running)) == (
        f'backup-all {running.id} is running, one operation at a time: {FOLLOW}'
    )


def test_a_second_backup_is_refused_while_one_is_held():
    held = charm_states.new_operation().held('S3 refuses')
    assert charm_states.refusal('backup-all', charm_states.state(held)) == (
        f'backup-all {held.id} is held, one operation at a time: '
        f'juju run {APP}/leader resume-operation'
    )


def soon() -> tuple[str, str]:
    """Return an id that a clock a little ahead has made, and the next one."""
    then = datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=3)
    return times.stamp(then), times.stamp(then + datetime.timedelta(seconds=1))


def test_ids_rise_even_if_the_clock_does_not():
    last, following = soon()
    over = charm_states.new_operation(last).ending(operation.FAILED, worlds.START)
    results, _ = charm_states.act('backup-all', charm_states.state(over))
    assert results['backup-id'] == following


def test_ids_rise_above_the_newest_set_as_well():
    last, following = soon()
    over = charm_states.new_operation().ending(operation.FAILED, worlds.START)
    results, _ = charm_states.act('backup-all', charm_states.state(over, last_complete=last))
    assert results['backup-id'] == following


def test_ids_rise_above_the_id_that_the_last_backup_has_claimed():
    last, following = soon()
    over = charm_states.new_operation().remembering({operation.BACKUP_ID: last})
    over = over.ending(operation.FAILED, worlds.START)
    results, _ = charm_states.act('backup-all', charm_states.state(over))
    assert results['backup-id'] == following


@pytest.mark.parametrize('where', ['the last operation', 'the newest set'])
def test_an_id_of_a_clock_that_was_years_ahead_does_not_determine_the_next(where: str):
    last = FUTURE if where == 'the last operation' else examples.BACKUP_ID
    over = charm_states.new_operation(last).ending(operation.COMPLETE, worlds.START)
    newest = FUTURE if where == 'the newest set' else ''
    results, _ = charm_states.act('backup-all', charm_states.state(over, last_complete=newest))
    assert results['backup-id'] <= times.stamp(datetime.datetime.now(datetime.UTC))


def test_backup_all_is_refused_on_a_unit_that_does_not_lead():
    assert charm_states.refusal('backup-all', charm_states.state(leader=False)) == (
        f'{APP}/0 is not the leader: juju run {APP}/leader backup-all'
    )


@pytest.mark.parametrize(
    ('state', 'sentence'),
    [
        (charm_states.state(without=['s3-maas']), 'missing relation: juju integrate'),
        (charm_states.state(unset=['juju-credentials']), 'missing credentials: juju config'),
        (charm_states.state(credentials=None), 'cannot be read: juju grant-secret'),
        (charm_states.state(config={'recipients': ''}), 'no recipients'),
    ],
    ids=['relation', 'credentials', 'grant', 'recipients'],
)
def test_backup_all_is_refused_with_what_is_missing(state: testing.State, sentence: str):
    assert sentence in charm_states.refusal('backup-all', state)
    assert sentence in charm_states.refusal('backup-all', state, dry_run=True)


def test_backup_all_is_refused_before_the_peer_relation_is_there():
    state = charm_states.state(without=['coordinator'])
    assert (
        charm_states.refusal('backup-all', state)
        == 'the charm is still being installed: run the action again in a minute'
    )


# --- Dry run -------------------------------------------------------------------------------------


@pytest.mark.parametrize('leader', [True, False])
def test_a_dry_run_prints_plan_and_checks_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, leader: bool
):
    sim = simulation.Simulation()
    charm_states.reach(sim.world, monkeypatch)
    objects = {name: dict(bucket.objects) for name, bucket in sim.s3.buckets.items()}
    results, out = charm_states.act('backup-all', charm_states.state(leader=leader), dry_run=True)
    assert results['verdict'] == 'ready. Nothing has been changed'
    for name in plans.BACKUP_ALL.names:
        assert name in results['plan']
    assert ' | fail' not in results['checks']
    assert charm_states.databag(out) == {}
    assert {name: dict(bucket.objects) for name, bucket in sim.s3.buckets.items()} == objects
    assert sim.tasks('create-backup') == []


def test_prove_restore_names_the_set_that_it_needs(repository: worlds.StoredWorld):
    refused = charm_states.refusal('prove-restore', charm_states.state())
    assert 'the last operation was not a restore' in refused
    assert 'backup-id=' in refused
    refused = charm_states.refusal('prove-restore', charm_states.state(), backup_id='2026')
    assert 'is not a backup id' in refused


def test_prove_restore_begins_with_what_it_was_given(repository: worlds.StoredWorld):
    results, out = charm_states.act(
        'prove-restore', charm_states.state(), backup_id=examples.BACKUP_ID
    )
    op = charm_states.saved(out)
    assert (op.kind, results['status']) == ('prove-restore', 'started')
    assert op.parameters == {'backup-id': examples.BACKUP_ID}


def test_skipping_the_wait_for_images_is_noted(repository: worlds.StoredWorld):
    _, out = charm_states.act('backup-all', charm_states.state(), skip_image_sync=True)
    assert charm_states.saved(out).parameters == {'skip-image-sync': 'true'}
    _, out = charm_states.act('backup-all', charm_states.state(), skip_image_sync=False)
    assert charm_states.saved(out).parameters == {}


def test_a_dry_run_names_the_checks_that_fail(monkeypatch: pytest.MonkeyPatch):
    sim = simulation.Simulation()
    sim.user.model_access = 'write'
    charm_states.reach(sim.world, monkeypatch)
    results, _ = charm_states.act('backup-all', charm_states.state(), dry_run=True)
    assert results['verdict'] == 'not ready: juju-user'
    assert 'juju grant backup-bot admin maas' in results['checks']


@pytest.mark.parametrize(
    'op',
    [charm_states.new_operation(), charm_states.new_operation().held('S3 refuses')],
    ids=['open', 'held'],
)
def test_a_dry_run_may_look_at_any_time_and_is_not_ready_before_the_last_one_is_over(
    monkeypatch: pytest.MonkeyPatch, op: operation.Operation
):
    sim = simulation.Simulation()
    charm_states.reach(sim.world, monkeypatch)
    results, out = charm_states.act('backup-all', charm_states.state(op), dry_run=True)
    assert results['verdict'] == 'not ready: operation'
    assert f'backup-all {op.id} is {op.status}' in results['checks']
    assert charm_states.saved(out) == op


# --- show-operation ------------------------------------------------------------------------------


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> worlds.StoredWorld:
    world = worlds.StoredWorld()
    charm_states.reach(world, monkeypatch)
    catalogue.commit(world.maas_store, examples.backup_set())
    return world


@pytest.mark.parametrize('leader', [True, False])
def test_show_operation_prints_the_steps_on_any_unit(leader: bool):
    op = charm_states.new_operation().beginning(0, {}, worlds.START)
    results, _ = charm_states.act('show-operation', charm_states.state(op, leader=leader))
    lines = results['operation'].splitlines()
    assert lines[0].startswith(f'backup-all {op.id}: running, step 1 of 12, ')
    assert [line.split(' ')[0] for line in lines[4:]] == list(plans.BACKUP_ALL.names)


def test_show_operation_prints_the_record_for_programs():
    op = charm_states.new_operation()
    results, _ = charm_states.act('show-operation', charm_states.state(op), format='json')
    assert operation.Operation.from_json(results['operation']) == op


def test_show_operation_names_what_holds_it():
    held = charm_states.new_operation().turning_back('check: refused').held('S3 refuses')
    results, _ = charm_states.act('show-operation', charm_states.state(held))
    assert 'held: S3 refuses\n' in results['operation']
    assert f'juju run {APP}/leader resume-operation' in results['operation']


LONG = 'maas-region/0 said: ' + 'x' * 900


def test_show_operation_tells_how_to_see_what_was_cut():
    held = charm_states.new_operation().held(LONG)
    results, _ = charm_states.act('show-operation', charm_states.state(held))
    assert LONG not in results['operation']
    command = f'juju run {APP}/leader show-operation operation-id={held.id}'
    assert f'1 message(s) were shortened or left out: {command}\n' in results['operation']


@pytest.mark.parametrize('leader', [True, False])
def test_show_operation_shows_an_earlier_one_out_of_the_repository_in_full(
    repository: worlds.StoredWorld, leader: bool
):
    failed = charm_states.new_operation().turning_back(LONG).ending('failed', worlds.START)
    history.write(failed, repository)
    state = charm_states.state(charm_states.new_operation('2026-08-23T10:15:00Z'), leader=leader)
    results, _ = charm_states.act('show-operation', state, operation_id=failed.id)
    assert results['operation'].startswith(f'backup-all {failed.id}: failed, ')
    assert f'\nin full: {worlds.BEGAN} check: {LONG}\n' in results['operation']
    assert 'were cut' not in results['operation']
    results, _ = charm_states.act('show-operation', state, operation_id=failed.id, format='json')
    shown = json.loads(results['operation'])
    assert (shown['id'], shown['status']) == (failed.id, 'failed')
    assert [message['text'] for message in shown['messages']] == [LONG]


def test_show_operation_says_when_the_repository_has_no_such_operation(
    repository: worlds.StoredWorld,
):
    state = charm_states.state()
    assert charm_states.refusal('show-operation', state, operation_id=FUTURE) == (
        f'the repository has no operation {FUTURE}: juju run {APP}/leader show-operation '
        'earlier=true lists the last ones'
    )
    refused = charm_states.refusal('show-operation', state, operation_id='../probe')
    assert refused.startswith("'../probe' is not an operation id: ids look like")


def test_show_operation_lists_those_that_have_ended():
    failed = charm_states.new_operation().turning_back('S3 refuses').ending('failed', worlds.START)
    _, out = charm_states.act('backup-all', charm_states.state(failed))
    results, _ = charm_states.act('show-operation', out, earlier=True)
    assert results['operations'].splitlines()[2].split(' | ') == [
        failed.id, 'backup-all', 'failed', 'check    ', '0 s ', 'S3 refuses',
    ]  # fmt: skip
    assert results['operations'].endswith(f'{APP}/leader show-operation operation-id=...')
    results, _ = charm_states.act('show-operation', out, earlier=True, format='json')
    (shown,) = json.loads(results['operations'])
    assert (shown['id'], shown['error']) == (failed.id, 'S3 refuses')


def test_show_operation_says_when_none_has_ended():
    assert charm_states.refusal('show-operation', charm_states.state(), earlier=True) == (
        f'no operation has ended yet: {FOLLOW} shows the running one'
    )


def test_show_operation_needs_one():
    assert charm_states.refusal('show-operation', charm_states.state()) == (
        f'no operation has run yet: juju run {APP}/leader backup-all'
    )


def test_a_restore_without_a_former_one_is_estimated_from_the_rehearsal_of_its_set(
    monkeypatch: pytest.MonkeyPatch,
):
    sim = restores.backed_up(regions=1, postgresql_units=1)
    found = restores.restore(sim, sim)
    rehearsed = examples.rehearsal_of(found).model_copy(update={'seconds': {'detach-maas': 777}})
    store = sim.world.maas_store
    store.put(catalogue.folder(found) + rehearsed.outcome.name, rehearsed.to_json())
    sim.at_step('detach-maas')
    charm_states.reach(sim.world, monkeypatch)

    results, _ = charm_states.act('show-operation', charm_states.state(sim.op), format='json')

    assert json.loads(results['operation'])['progress']['expected-seconds'] == 777
