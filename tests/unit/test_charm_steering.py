"""The actions that steer an operation: resume-operation and abort-operation."""

from __future__ import annotations

import dataclasses
import json

import pytest
from ops import testing

import charm
from coordinator.engine import operation
from coordinator.operations import plans
from coordinator.record import ended, history
from tests import charm_states, examples, worlds

APP = charm_states.APP
FOLLOW = f'juju run {APP}/leader show-operation'


def beyond_the_pivot() -> operation.Operation:
    """Return a restore that has begun to replace data, and is held."""
    names, config = plans.RESTORE_ALL.names, charm_states.SETTINGS
    op = operation.Operation.new(
        examples.BACKUP_ID, 'restore-all', names, config, worlds.START
    ).moving_to('restore-postgresql')
    begun = op.beginning(0, {}, worlds.START).waiting('it restores', worlds.START, 14)
    return begun.held('the unit is blocked')


# --- resume-operation ----------------------------------------------------------------------------


def test_resume_operation_opens_the_held_one_again():
    held = charm_states.new_operation().beginning(0, {}, worlds.START).held('S3 refuses')
    results, out = charm_states.act('resume-operation', charm_states.state(held))
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
    found = charm_states.refusal('resume-operation', charm_states.state(op))
    assert found == f'no operation is held: {state}'


def test_resume_operation_is_refused_on_a_unit_that_does_not_lead():
    held = charm_states.new_operation().held('S3 refuses')
    assert charm_states.refusal('resume-operation', charm_states.state(held, leader=False)) == (
        f'{APP}/0 is not the leader: juju run {APP}/leader resume-operation'
    )


def test_resume_operation_forgives_the_task_that_failed():
    held = charm_states.new_operation().beginning(0, {}, worlds.START)
    held = held.waiting('task 7 runs', worlds.START, 7).held('task 7 failed')
    _, out = charm_states.act('resume-operation', charm_states.state(held))
    assert charm_states.saved(out).fact(operation.FORGIVEN) == '7'


# --- abort-operation -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    'op',
    [
        charm_states.new_operation().beginning(0, {}, worlds.START),
        charm_states.new_operation().beginning(0, {}, worlds.START).held('S3 refuses'),
    ],
    ids=['open', 'held'],
)
def test_abort_operation_turns_back_and_leaves_the_undoing_to_the_next_dispatch(
    op: operation.Operation,
):
    results, out = charm_states.act('abort-operation', charm_states.state(op))
    assert results == {'operation-id': op.id, 'status': 'aborting', 'follow': FOLLOW}
    aborting = charm_states.saved(out)
    assert (aborting.open, aborting.undoing, aborting.outcome) == (True, True, 'aborted')
    assert out.unit_status.name == 'maintenance'


def test_what_has_begun_to_replace_data_is_not_aborted():
    op = beyond_the_pivot()
    assert charm_states.refusal('abort-operation', charm_states.state(op)) == (
        f'restore-all {op.id} is at restore-postgresql and task {op.current.task} may have begun '
        'to replace data, so it cannot be undone: fix what show-operation names, then run '
        'resume-operation, or end it without an undo with force=true'
    )


def test_where_nothing_holds_a_restore_there_is_nothing_to_mend():
    op = dataclasses.replace(beyond_the_pivot(), status=operation.OPEN)
    assert charm_states.refusal('abort-operation', charm_states.state(op)).endswith(
        'so it cannot be undone: let it continue, and follow it with show-operation, '
        'or end it without an undo with force=true'
    )


def test_what_is_ended_by_force_shows_blocked_with_what_is_left():
    op = beyond_the_pivot()
    results, out = charm_states.act('abort-operation', charm_states.state(op), force=True)
    assert results == {'operation-id': op.id, 'status': 'aborted', 'follow': FOLLOW}
    ended = charm_states.saved(out)
    assert ended.status == operation.ABORTED
    assert out.unit_status.name == out.app_status.name == 'blocked'
    left = 'ended by force at restore-postgresql (doing): nothing was undone'
    assert left in out.unit_status.message
    results, _ = charm_states.act('show-operation', charm_states.state(ended))
    assert f'problem: {left}' in results['operation']


def test_a_forced_end_is_in_the_history_and_among_those_that_have_ended(
    monkeypatch: pytest.MonkeyPatch,
):
    world = worlds.StoredWorld()

    def connect(charm: object) -> worlds.StoredWorld:
        return world

    monkeypatch.setattr(charm, 'connect', connect)
    op = beyond_the_pivot()
    _, out = charm_states.act('abort-operation', charm_states.state(op), force=True)
    assert history.read(op.id, world.maas_store, world.model_uuid).operation == charm_states.saved(
        out
    )
    (line,) = ended.from_json(charm_states.databag(out)['ended'])
    assert (line.id, line.status) == (op.id, operation.ABORTED)


def test_an_operation_that_this_revision_does_not_know_can_be_ended_by_force():
    op = charm_states.new_operation().held('no such operation')
    unknown = json.dumps(json.loads(op.to_json()) | {'kind': 'expire-all'})
    charm_states.refusal('abort-operation', charm_states.state(unknown))
    _, out = charm_states.act('abort-operation', charm_states.state(unknown), force=True)
    assert charm_states.saved(out).status == operation.ABORTED


@pytest.mark.parametrize(
    ('op', 'state'),
    [
        (None, 'there is none'),
        (
            charm_states.new_operation().ending(operation.COMPLETE, worlds.START),
            f'backup-all {examples.BACKUP_ID} is complete',
        ),
    ],
    ids=['none', 'complete'],
)
def test_abort_operation_needs_one_that_is_under_way(op: operation.Operation | None, state: str):
    found = charm_states.refusal('abort-operation', charm_states.state(op))
    assert found == f'no operation is running: {state}'


def test_abort_operation_is_refused_on_a_unit_that_does_not_lead():
    state = charm_states.state(charm_states.new_operation(), leader=False)
    assert charm_states.refusal('abort-operation', state) == (
        f'{APP}/0 is not the leader: juju run {APP}/leader abort-operation'
    )


@pytest.mark.parametrize('action', ['restore-all', 'resume-operation'])
def test_a_key_given_instead_of_a_secrets_uri_is_refused_and_not_repeated(action: str):
    given = {'identity': str(examples.IDENTITY)}
    if action == 'restore-all':
        given['backup-id'] = 'latest'
    state = charm_states.state(beyond_the_pivot() if action == 'resume-operation' else None)
    ctx = charm_states.context()
    with pytest.raises(testing.ActionFailed) as caught:
        ctx.run(ctx.on.action(action, params=given), state)
    assert 'never the key itself' in caught.value.message
    assert str(examples.IDENTITY) not in caught.value.message


# --- acknowledge-operation -----------------------------------------------------------------------


def failed(operation_id: str = examples.BACKUP_ID) -> operation.Operation:
    began = charm_states.new_operation(operation_id)
    return began.turning_back('check: MAAS is blocked').ending(operation.FAILED, worlds.START)


def shown(out: testing.State) -> tuple[str, str]:
    context = charm_states.context()
    status = context.run(context.on.update_status(), out).unit_status
    return status.name, status.message


def test_a_failure_that_was_acknowledged_is_no_longer_shown_and_its_record_is_kept():
    op = failed()
    results, out = charm_states.act('acknowledge-operation', charm_states.state(op))
    assert results == {
        'operation-id': op.id,
        'status': 'acknowledged',
        'was': 'failed: check: MAAS is blocked',
    }
    assert shown(out)[0] == 'active'
    assert charm_states.databag(out)['operation'] == op.to_json()


def test_one_after_the_other_is_acknowledged_down_to_the_last_that_completed():
    older = ended.of(failed('2026-08-21T10:15:00Z'))
    state = charm_states.state(failed(), earlier=[older])
    _, once = charm_states.act('acknowledge-operation', state)
    assert shown(once)[1].startswith(f'backup-all {older.id} failed')
    _, twice = charm_states.act('acknowledge-operation', once, operation_id=older.id)
    assert shown(twice)[0] == 'active'


def test_only_the_operation_that_the_status_shows_is_acknowledged():
    state = charm_states.state(failed())
    found = charm_states.refusal('acknowledge-operation', state, operation_id='2020-01-01')
    assert found.endswith(f'acknowledge-operation operation-id={examples.BACKUP_ID}')


@pytest.mark.parametrize(
    ('op', 'why'),
    [
        (None, f'no ended operation needs attention: juju status {APP}'),
        (
            charm_states.new_operation(),
            f'backup-all {examples.BACKUP_ID} has not ended, it is open: {FOLLOW}',
        ),
        (
            charm_states.new_operation().held('S3 refuses'),
            f'backup-all {examples.BACKUP_ID} has not ended, it is held: {FOLLOW}',
        ),
    ],
    ids=['none', 'open', 'held'],
)
def test_what_needs_nobody_is_not_acknowledged(op: operation.Operation | None, why: str):
    assert charm_states.refusal('acknowledge-operation', charm_states.state(op)) == why


def test_acknowledge_operation_is_refused_on_a_unit_that_does_not_lead():
    state = charm_states.state(failed(), leader=False)
    assert 'is not the leader' in charm_states.refusal('acknowledge-operation', state)
