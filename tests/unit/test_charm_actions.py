"""The actions: what they answer, what they store, and what they refuse in which words."""

from __future__ import annotations

import datetime
import json
import pathlib
import typing
from typing import Any

import pytest
from ops import testing

import charm
from coordinator import catalogue, operation, plans, ports
from tests import charm_states, examples, programs, simulation, worlds

APP = charm_states.APP
FOLLOW = f'juju run {APP}/leader show-operation'
FUTURE = '2999-12-31T23:59:59Z'
NEWER = '{"format": 2}'


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


def reach(world: ports.World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the charm reach this world."""

    def connect(charm: object) -> ports.World:
        return world

    monkeypatch.setattr(charm, 'connect', connect)


@pytest.fixture(autouse=True)
def empty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the charm reach a world in which any reaching out fails the test."""
    reach(worlds.EmptyWorld(), monkeypatch)


def act(
    name: str, state: testing.State, **parameters: str | bool
) -> tuple[dict[str, Any], testing.State]:
    """Run an action; return its results and the model after it."""
    context = charm_states.context()
    params = {key.replace('_', '-'): value for key, value in parameters.items()}
    out = context.run(context.on.action(name, params=params), state)
    return context.action_results or {}, out


def refusal(name: str, state: testing.State, **parameters: str | bool) -> str:
    """Run an action that is refused; return in which words. It leaves the record as it was."""
    with pytest.raises(testing.ActionFailed) as caught:
        act(name, state, **parameters)
    after = typing.cast(testing.State, caught.value.state)
    assert after.get_relations('coordinator') == state.get_relations('coordinator')
    return caught.value.message


# --- backup-all ----------------------------------------------------------------------------------


def test_backup_all_stores_an_operation_and_says_how_to_follow_it(systemd: programs.Programs):
    before = operation.stamp(datetime.datetime.now(datetime.UTC))
    results, out = act('backup-all', charm_states.state())
    after = operation.stamp(datetime.datetime.now(datetime.UTC))
    op = charm_states.saved(out)
    assert results == {'backup-id': op.id, 'status': 'started', 'follow': FOLLOW}
    assert before <= op.id <= after
    expected = charm_states.new_operation(op.id)
    assert op == expected
    assert systemd.calls == [], 'the change of the databag brings the first dispatch'
    assert out.unit_status.name == 'maintenance'


def test_backup_all_takes_its_settings_along():
    config = {'postgresql-backup-strategy': 'replica', 'scaling-deadline': 5}
    _, out = act('backup-all', charm_states.state(config=config))
    found = charm_states.saved(out).settings
    assert (found.strategy, found.scaling_minutes) == ('replica', 5)


@pytest.mark.parametrize('status', [operation.COMPLETE, operation.FAILED, operation.ABORTED])
def test_backup_all_may_follow_one_that_is_over(status: str):
    over = charm_states.new_operation().ending(status, worlds.START)
    results, out = act('backup-all', charm_states.state(over))
    assert charm_states.saved(out).id == results['backup-id'] != over.id


def test_a_second_backup_is_refused_while_one_runs():
    running = charm_states.new_operation()
    assert refusal('backup-all', charm_states.state(running)) == (
        f'backup-all {running.id} is running, one operation at a time: {FOLLOW}'
    )


def test_a_second_backup_is_refused_while_one_is_held():
    held = charm_states.new_operation().held('S3 refuses')
    assert refusal('backup-all', charm_states.state(held)) == (
        f'backup-all {held.id} is held, one operation at a time: '
        f'juju run {APP}/leader resume-operation'
    )


def test_ids_rise_even_if_the_clock_does_not():
    over = charm_states.new_operation(FUTURE).ending(operation.FAILED, worlds.START)
    results, _ = act('backup-all', charm_states.state(over))
    assert results['backup-id'] == '3000-01-01T00:00:00Z'


def test_ids_rise_above_the_newest_set_as_well():
    over = charm_states.new_operation().ending(operation.FAILED, worlds.START)
    results, _ = act('backup-all', charm_states.state(over, last_complete=FUTURE))
    assert results['backup-id'] == '3000-01-01T00:00:00Z'


def test_backup_all_is_refused_on_a_unit_that_does_not_lead():
    assert refusal('backup-all', charm_states.state(leader=False)) == (
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
    assert sentence in refusal('backup-all', state)
    assert sentence in refusal('backup-all', state, dry_run=True)


def test_backup_all_is_refused_before_the_peer_relation_is_there():
    state = charm_states.state(without=['coordinator'])
    assert refusal('backup-all', state) == 'the charm is still being installed: try again'


# --- A newer record ------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['backup-all', 'show-operation', 'resume-operation'])
def test_actions_leave_a_newer_record_to_the_newer_revision(name: str):
    assert refusal(name, charm_states.state(NEWER)) == (
        'the operation record has format 2, this revision of the charm knows 1: refresh the '
        'charm to the newer revision again'
    )


# --- Dry run -------------------------------------------------------------------------------------


@pytest.mark.parametrize('leader', [True, False])
def test_a_dry_run_prints_plan_and_checks_and_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, leader: bool
):
    sim = simulation.Simulation()
    reach(sim.world, monkeypatch)
    objects = {name: dict(bucket.objects) for name, bucket in sim.s3.buckets.items()}
    results, out = act('backup-all', charm_states.state(leader=leader), dry_run=True)
    assert results['verdict'] == 'ready: nothing was changed so far'
    for name in plans.BACKUP_ALL.names:
        assert name in results['plan']
    assert ' | fail' not in results['checks']
    assert charm_states.databag(out) == {}
    assert {name: dict(bucket.objects) for name, bucket in sim.s3.buckets.items()} == objects
    assert sim.tasks('create-backup') == []


def test_a_dry_run_names_the_checks_that_fail(monkeypatch: pytest.MonkeyPatch):
    sim = simulation.Simulation()
    sim.user.model_access = 'write'
    reach(sim.world, monkeypatch)
    results, _ = act('backup-all', charm_states.state(), dry_run=True)
    assert results['verdict'] == 'not ready: juju-user'
    assert 'juju grant backup-bot admin maas' in results['checks']


def test_a_dry_run_may_look_while_an_operation_runs(monkeypatch: pytest.MonkeyPatch):
    sim = simulation.Simulation()
    reach(sim.world, monkeypatch)
    running = charm_states.new_operation()
    _, out = act('backup-all', charm_states.state(running), dry_run=True)
    assert charm_states.saved(out) == running


# --- show-operation ------------------------------------------------------------------------------


@pytest.mark.parametrize('leader', [True, False])
def test_show_operation_prints_the_steps_on_any_unit(leader: bool):
    op = charm_states.new_operation().beginning(0, {}, worlds.START)
    results, _ = act('show-operation', charm_states.state(op, leader=leader))
    lines = results['operation'].splitlines()
    assert lines[0].startswith(f'backup-all {op.id}: running, step 1 of 9, ')
    assert [line.split(' ')[0] for line in lines[4:]] == list(plans.BACKUP_ALL.names)


def test_show_operation_prints_the_record_for_programs():
    op = charm_states.new_operation()
    results, _ = act('show-operation', charm_states.state(op), format='json')
    assert operation.Operation.from_json(results['operation']) == op


def test_show_operation_needs_one():
    assert refusal('show-operation', charm_states.state()) == (
        f'no operation yet: juju run {APP}/leader backup-all'
    )


# --- list-backups --------------------------------------------------------------------------------


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> worlds.StoredWorld:
    world = worlds.StoredWorld()
    reach(world, monkeypatch)
    catalogue.commit(world.maas_store, examples.backup_set())
    return world


@pytest.mark.parametrize('leader', [True, False])
def test_list_backups_lists_on_any_unit_and_without_any_operation(
    repository: worlds.StoredWorld, leader: bool
):
    results, _ = act('list-backups', charm_states.state(leader=leader))
    assert results['backups'].startswith('Backup sets in backups/maas:\n')
    assert examples.BACKUP_ID in results['backups']


def test_list_backups_lists_for_programs(repository: worlds.StoredWorld):
    results, _ = act('list-backups', charm_states.state(), format='json')
    assert [entry['backup-id'] for entry in json.loads(results['backups'])] == [examples.BACKUP_ID]


def test_list_backups_needs_no_record_that_it_can_read(repository: worlds.StoredWorld):
    results, _ = act('list-backups', charm_states.state(NEWER))
    assert examples.BACKUP_ID in results['backups']


def test_list_backups_fails_with_what_s3_says(repository: worlds.StoredWorld):
    repository.bucket.exists = False
    assert refusal('list-backups', charm_states.state()) == (
        'the bucket backups does not exist: NoSuchBucket'
    )


# --- resume-operation ----------------------------------------------------------------------------


def test_resume_operation_opens_the_held_one_again():
    held = charm_states.new_operation().beginning(0, {}, worlds.START).held('S3 refuses')
    results, out = act('resume-operation', charm_states.state(held))
    assert results['operation-id'] == held.id
    assert (results['status'], results['step']) == ('resumed', 'check')
    op = charm_states.saved(out)
    assert op.open
    assert op.current.since > held.current.since, 'its deadline runs anew'


@pytest.mark.parametrize(
    ('op', 'state'),
    [
        (None, 'there is none'),
        (charm_states.new_operation(), f'backup-all {examples.BACKUP_ID} is open'),
        (
            charm_states.new_operation().ending(operation.COMPLETE, worlds.START),
            f'backup-all {examples.BACKUP_ID} is complete',
        ),
    ],
    ids=['none', 'open', 'complete'],
)
def test_resume_operation_needs_one_that_is_held(op: operation.Operation | None, state: str):
    found = refusal('resume-operation', charm_states.state(op))
    assert found == f'no operation is held: {state}'


def test_resume_operation_is_refused_on_a_unit_that_does_not_lead():
    held = charm_states.new_operation().held('S3 refuses')
    assert refusal('resume-operation', charm_states.state(held, leader=False)) == (
        f'{APP}/0 is not the leader: juju run {APP}/leader resume-operation'
    )
