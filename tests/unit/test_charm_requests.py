"""Other charms request backups of the charm: the leader alone answers, through one door."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
import subprocess
import sys
from collections.abc import Mapping

import ops
import pytest
from ops import testing
from scenario.state import _Event

import requesting
import scheduling
from charms.maas_backup_coordinator.v0 import maas_backup
from coordinator import errors, times
from coordinator.engine import limits, operation
from coordinator.observed import sets
from coordinator.record import requests, schedules
from coordinator.sets import retention
from tests import calendars, charm_states, programs, worlds

Answer = maas_backup.Answer
NOW = datetime.datetime.now(datetime.UTC)


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    monkeypatch.setattr(scheduling, 'connect', calendars.FakeCalendars)
    charm_states.reach(worlds.StoredWorld(), monkeypatch)
    return programs.Programs(tmp_path / 'bin', monkeypatch)


def asking(
    request: str = '', number: int = 7000, app: str = 'risky', text: str | None = None
) -> testing.Relation:
    """Return the relation of a charm that requests a backup."""
    put = text if text is not None else request and maas_backup.request_to_json(request)
    return testing.Relation(
        'backup',
        interface='maas_backup',
        id=number,
        remote_app_name=app,
        remote_app_data={'request': put} if put else {},
    )


def told(out: testing.State, number: int = 7000) -> Answer | None:
    text = bag(out, number).get('answer', '')
    return Answer.from_json(text) if text else None


def bag(out: testing.State, number: int = 7000) -> Mapping[str, str]:
    (found,) = [each for each in out.get_relations('backup') if each.id == number]
    return found.local_app_data


def kept(out: testing.State) -> requests.Requests:
    return requests.from_json(charm_states.databag(out).get('requests', ''))


def changed(
    *relations: testing.Relation,
    op: operation.Operation | str | None = None,
    leader: bool = True,
    **state: object,
) -> testing.State:
    """Dispatch for a change of the last of these relations."""
    before = charm_states.state(op, asking=relations, leader=leader, **state)  # type: ignore[arg-type]
    dispatch = charm_states.context()
    return dispatch.run(dispatch.on.relation_changed(relations[-1]), before)


def again(
    out: testing.State,
    *,
    event: str = 'update_status',
    peers: Mapping[str, str] | None = None,
    relations: tuple[testing.RelationBase, ...] = (),
) -> testing.State:
    """Dispatch once more, with changes of the peers' databag and in relations."""
    (found,) = out.get_relations('coordinator')
    moved = dataclasses.replace(found, local_app_data={**found.local_app_data, **(peers or {})})
    new = {each.id: each for each in (moved, *relations)}
    others = [each for each in out.relations if each.id not in new]
    dispatch = charm_states.context()
    state = dataclasses.replace(out, relations=[*others, *new.values()])
    on = charm_states.ADVANCE if event == 'advance' else getattr(dispatch.on, event)()
    return dispatch.run(on, state)


def ended(out: testing.State, status: str, error: str = '') -> Mapping[str, str]:
    """Return the peers' databag as the end of the operation leaves it."""
    op = dataclasses.replace(charm_states.saved(out), error=error).ending(status, NOW)
    complete = {'last-complete': json.dumps({'backup-id': op.id})}
    return {'operation': op.to_json(), **(complete if status == operation.COMPLETE else {})}


# --- A request and its answer ------------------------------------------------------------------


def test_a_request_begins_a_backup_as_the_action_would():
    out = changed(asking('a1'))
    op = charm_states.saved(out)
    _, by_hand = charm_states.act('backup-all', charm_states.state())
    expected = dataclasses.replace(charm_states.saved(by_hand), id='', started='', facts={})
    assert dataclasses.replace(op, id='', started='', facts={}) == expected
    assert told(out) == Answer('a1', 'running')


def test_the_charm_that_requested_is_told_of_the_set():
    out = changed(asking('a1'))
    op = charm_states.saved(out)
    out = again(out, peers=ended(out, operation.COMPLETE))
    assert told(out) == Answer('a1', 'ready', '', maas_backup.BackupSet(op.id))
    assert charm_states.saved(out).id == op.id, 'it asked once'


def test_the_charm_that_requested_is_told_why_the_backup_failed():
    out = changed(asking('a1'))
    out = again(out, peers=ended(out, operation.FAILED, 'check: S3 refuses'))
    assert told(out) == Answer('a1', 'failed', 'check: S3 refuses')
    assert again(out).get_relations('coordinator') == out.get_relations('coordinator')


def test_what_keeps_a_backup_from_beginning_is_told_as_the_action_would_tell_it():
    unset = {'recipients': ''}
    said = charm_states.refusal('backup-all', charm_states.state(config=unset))
    out = changed(asking('a1'), config=unset)
    assert told(out) == Answer('a1', 'refused', said)
    assert 'operation' not in charm_states.databag(out)


def test_a_request_waits_for_the_operation_that_runs():
    op = charm_states.new_operation()
    out = changed(asking('a1'), op=op)
    assert told(out) == Answer('a1', 'waiting', f'backup-all {op.id} is running')
    out = again(out, peers=ended(out, operation.COMPLETE))
    assert told(out) == Answer('a1', 'running')
    assert charm_states.saved(out).id != op.id


def test_a_held_operation_refuses_the_request_with_the_command_that_continues_it():
    op = charm_states.new_operation().held('S3 refuses')
    answer = told(changed(asking('a1'), op=op))
    assert answer is not None
    assert answer.state == 'refused'
    assert f'{op.id} is held: juju run {charm_states.APP}/leader resume-op' in answer.reason


def test_a_record_of_a_later_revision_keeps_the_request_waiting():
    out = changed(asking('a1'), op=charm_states.NEWER)
    assert told(out) == Answer('a1', 'waiting')


def test_a_fault_of_ours_refuses_and_names_no_more_than_its_kind(monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError('with a secret in it')

    monkeypatch.setattr('actions.operations.OperationActions.begin_backup', broken)
    answer = told(changed(asking('a1')))
    assert answer is not None
    assert answer.state == 'refused'
    assert 'ZeroDivisionError' in answer.reason
    assert 'secret' not in answer.reason


@pytest.mark.parametrize('broken', ['request', 'answer'])
def test_a_relation_that_juju_refuses_stops_no_operation(
    broken: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def refuse(*_: object) -> None:
        raise ops.ModelError('ERROR permission denied')

    monkeypatch.setattr(maas_backup.MaasBackupProvider, broken, refuse)
    op = charm_states.new_operation()
    out = changed(asking('a1'), op=op)
    assert charm_states.saved(out) != op
    assert 'cannot be read or answered now: ERROR permission denied' in caplog.text


# --- One backup for all ------------------------------------------------------------------------


def test_requests_that_wait_share_one_backup():
    op = charm_states.new_operation()
    out = changed(asking('a1', 7000), asking('b1', 7001, 'other'), op=op)
    out = again(out, peers=ended(out, operation.COMPLETE))
    assert told(out, 7000) == Answer('a1', 'running')
    assert told(out, 7001) == Answer('b1', 'running')
    backup_id = charm_states.saved(out).id
    out = again(out, peers=ended(out, operation.COMPLETE))
    for number in (7000, 7001):
        answer = told(out, number)
        assert answer is not None
        assert answer.backup_set == maas_backup.BackupSet(backup_id)


def test_a_backup_that_an_operator_begins_answers_what_waits():
    op = charm_states.new_operation()
    out = changed(asking('a1'), op=op)
    (peers,) = out.get_relations('coordinator')
    bag = {**peers.local_app_data, **ended(out, operation.COMPLETE)}
    others = [each for each in out.relations if each.id != peers.id]
    done = dataclasses.replace(
        out, relations=[*others, dataclasses.replace(peers, local_app_data=bag)]
    )
    _, out = charm_states.act('backup-all', done)
    assert [each.state for each in kept(out).asked.values()] == ['running']
    out = again(out, event='advance')
    assert told(out) == Answer('a1', 'running')


def test_a_backup_that_is_due_answers_what_waits():
    since = times.stamp(NOW - datetime.timedelta(minutes=1))
    calendar = f'once {since[:-1]}+00:00'
    due = schedules.Schedule(
        text=calendar,
        calendar=calendar,
        due=since,
        seen=times.stamp(NOW - datetime.timedelta(hours=2)),
    )
    out = changed(asking('a1'), kept={'backup-all': due}, config={'backup-schedule': calendar})
    assert told(out) == Answer('a1', 'running')
    run = schedules.from_json(charm_states.databag(out)['schedules'])['backup-all'].last
    assert run is not None
    assert run.operation == charm_states.saved(out).id


# --- Leaders -----------------------------------------------------------------------------------


def test_a_unit_that_does_not_lead_answers_nothing():
    out = changed(asking('a1'), leader=False)
    assert told(out) is None
    assert 'operation' not in charm_states.databag(out)


def test_a_new_leader_finds_the_request_that_the_last_one_did_not_see():
    state = charm_states.state(asking=[asking('a1')])
    dispatch = charm_states.context()
    out = dispatch.run(dispatch.on.leader_elected(), state)
    assert told(out) == Answer('a1', 'running')


def test_a_new_leader_begins_no_second_backup():
    out = changed(asking('a1'))
    first = charm_states.saved(out).id
    out = again(out, event='leader_elected')
    assert charm_states.saved(out).id == first
    out = again(out, peers=ended(out, operation.COMPLETE), event='leader_elected')
    out = again(out, event='leader_elected')
    assert charm_states.saved(out).id == first


def test_an_answer_that_a_former_leader_has_overwritten_is_put_back():
    out = changed(asking('a1'))
    out = again(out, peers=ended(out, operation.COMPLETE))
    right = told(out)
    (before,) = out.get_relations('backup')
    stale = {**before.local_app_data, 'answer': Answer('a1', 'waiting').to_json()}
    out = again(out, relations=(dataclasses.replace(before, local_app_data=stale),))
    assert told(out) == right


def test_a_hook_that_hung_while_another_unit_led_tells_nothing(monkeypatch: pytest.MonkeyPatch):
    def lost(*_: object) -> bool:
        return False

    monkeypatch.setattr(worlds.StoredWorld, 'leads', lost)
    out = changed(asking('a1'), op=charm_states.new_operation())
    assert told(out) is None
    assert 'requests' not in charm_states.databag(out)


def test_a_set_that_is_complete_answers_even_if_a_former_leader_has_overwritten_that(
    tmp_path: pathlib.Path,
):
    def woken(state: testing.State, *, leader: bool = True) -> testing.State:
        dispatch = charm_states.context(tmp_path)
        return dispatch.run(dispatch.on.update_status(), dataclasses.replace(state, leader=leader))

    running = woken(charm_states.state(asking=[asking('a1')]))
    op = dataclasses.replace(charm_states.saved(running), generation=9)
    complete = dataclasses.replace(
        op,
        steps=tuple(dataclasses.replace(each, state=operation.DONE) for each in op.steps),
    ).ending(operation.COMPLETE, NOW)
    # The dispatch that reads it dies, and then the hook of a former leader ends late.
    (peers,) = running.get_relations('coordinator')
    at_the_end = {**peers.local_app_data, **ended(running, operation.COMPLETE)}
    at_the_end['operation'] = complete.to_json()
    moved = dataclasses.replace(peers, local_app_data=at_the_end)
    others = [each for each in running.relations if each.id != peers.id]
    woken(dataclasses.replace(running, relations=[*others, moved]), leader=False)
    out = woken(running)
    assert told(out) == Answer('a1', 'ready', '', maas_backup.BackupSet(op.id))
    assert json.loads(charm_states.databag(out)['last-complete']) == {'backup-id': op.id}


def test_an_operation_that_cannot_be_stored_answers_no_request(monkeypatch: pytest.MonkeyPatch):
    def too_large(*_: object) -> operation.Operation:
        raise errors.PreconditionError('the record would have 20000 bytes')

    monkeypatch.setattr(limits, 'fitted', too_large)
    out = changed(asking('a1'))
    assert told(out) == Answer('a1', 'refused', 'the record would have 20000 bytes')


# --- The end of a request ----------------------------------------------------------------------


def test_a_request_that_is_taken_back_loses_its_answer():
    out = changed(asking('a1'))
    (before,) = out.get_relations('backup')
    back = dataclasses.replace(before, remote_app_data={})
    out = again(out, relations=(back,))
    assert told(out) is None


def test_a_request_whose_relation_is_gone_begins_no_backup_when_it_could():
    op = charm_states.new_operation()
    out = changed(asking('a1'), op=op)
    (gone,) = out.get_relations('backup')
    left = [each for each in out.relations if each.id != gone.id]
    peers = ended(out, operation.COMPLETE)
    out = again(dataclasses.replace(out, relations=left), event='advance', peers=peers)
    assert charm_states.saved(out).id == op.id
    assert 'requests' not in charm_states.databag(out)


def test_a_backup_says_who_has_requested_it():
    out = changed(asking('a1'))
    results, _ = charm_states.act('show-operation', out)
    assert 'requested by: risky' in results['operation'].splitlines()


def test_the_last_relation_that_is_gone_leaves_nothing_behind():
    out = changed(asking('a1'))
    (gone,) = out.get_relations('backup')
    state = dataclasses.replace(
        out, relations=[each for each in out.relations if each.id != gone.id]
    )
    dispatch = charm_states.context()
    out = dispatch.run(dispatch.on.update_status(), state)
    assert 'requests' not in charm_states.databag(out)


def test_a_unit_that_leaves_forgets_no_request():
    out = changed(asking('a1'))
    before = kept(out)
    (broken,) = out.get_relations('backup')
    dispatch = charm_states.context()
    after = dispatch.run(dispatch.on.relation_broken(broken), out)
    assert kept(after) == before


# --- The newest set ----------------------------------------------------------------------------


def listed(**newest: str) -> str:
    states = {state: int(state == retention.COMPLETE) for state in sets.STATES}
    return sets.Sets(states, newest).to_json()


def newest(out: testing.State) -> maas_backup.BackupSet | None:
    text = bag(out).get('newest', '')
    return maas_backup.BackupSet.from_dict(json.loads(text)) if text else None


@pytest.mark.parametrize(
    ('found', 'said'),
    [
        ({'complete': '2026-08-22T10:15:00Z'}, 'objects'),
        ({'complete': '2026-08-22T10:15:00Z', 'read-whole': '2026-08-22T10:15:00Z'}, 'deep'),
        ({'complete': '2026-08-22T10:15:00Z', 'read-whole': '2026-08-21T10:15:00Z'}, 'objects'),
    ],
)
def test_a_related_charm_learns_of_the_newest_good_set(found: dict[str, str], said: str):
    out = changed(asking(), sets=listed(**found))
    assert newest(out) == maas_backup.BackupSet('2026-08-22T10:15:00Z', said)
    assert json.loads(bag(out)['newest'])['version'] == maas_backup.VERSION


def test_a_set_that_was_restored_and_compared_is_proven():
    found = {'complete': '2026-08-22T10:15:00Z', 'proven': '2026-08-22T10:15:00Z'}
    out = changed(asking(), sets=listed(**found))
    assert newest(out) == maas_backup.BackupSet('2026-08-22T10:15:00Z', 'objects', proven=True)


def test_a_set_that_somebody_has_named_by_no_time_stops_no_hook():
    out = changed(asking(), sets=listed(complete='2026-99-99T99:99:99Z'))
    assert newest(out) is None


def test_before_anybody_has_listed_sets_the_last_complete_one_is_known():
    out = changed(asking(), last_complete='2026-08-22T10:15:00Z')
    assert newest(out) == maas_backup.BackupSet('2026-08-22T10:15:00Z')


def test_a_set_newer_than_any_that_was_made_here_is_not_believed():
    planted = dict.fromkeys(('complete', 'read-whole', 'proven'), '2026-08-25T10:15:00Z')
    out = changed(asking(), sets=listed(**planted), last_complete='2026-08-22T10:15:00Z')
    assert newest(out) == maas_backup.BackupSet('2026-08-22T10:15:00Z')


def test_without_a_set_there_is_none_and_a_later_one_is_told():
    out = changed(asking(), sets=listed())
    assert newest(out) is None
    out = again(out, event='advance', peers={'sets': listed(complete='2026-08-22T10:15:00Z')})
    assert newest(out) == maas_backup.BackupSet('2026-08-22T10:15:00Z')


# --- Costs -------------------------------------------------------------------------------------


def test_where_nobody_is_related_nothing_is_loaded_or_stored():
    out = again(charm_states.state(), event='update_status')
    assert 'requests' not in charm_states.databag(out)
    program = (
        'import late; late.install(); import charm, sys; '
        'library = sys.modules["charms.maas_backup_coordinator.v0.maas_backup"]; '
        'print(type(library) is late.Late)'
    )
    source = pathlib.Path(requesting.__file__).parent
    done = subprocess.run(
        [sys.executable, '-c', program],
        env={'PYTHONPATH': f'{source}:{source.parent / "lib"}'},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == 'True'


def test_a_dispatch_of_the_pacemaker_reads_no_relation():
    out = changed(asking('a1'))
    (before,) = out.get_relations('backup')
    other = dataclasses.replace(
        before, remote_app_data={'request': maas_backup.request_to_json('a2')}
    )
    after = again(out, event='advance', relations=(other,))
    assert [each.id for each in kept(after).asked.values()] == ['a1']


def test_who_fails_and_asks_at_once_waits_and_the_unit_is_woken(systemd: programs.Programs):
    unset = {'recipients': ''}
    out = changed(asking('a1'), config=unset)
    (before,) = out.get_relations('backup')
    other = dataclasses.replace(
        before, remote_app_data={'request': maas_backup.request_to_json('a2')}
    )
    out = again(out, relations=(other,))
    answer = told(out)
    assert answer is not None
    assert (answer.request_id, answer.state) == ('a2', 'waiting')
    assert 'a pause of 1 min' in answer.reason
    assert any('--on-active=60s' in call for call in systemd.calls), 'nothing else may wake it'


def test_the_timer_of_a_schedule_wakes_requests_as_well():
    out = changed(asking('a1'), config={'recipients': ''})
    dispatch = charm_states.context()
    assert told(dispatch.run(_Event('due'), out)) == told(out)
