"""Schedules in the charm: the leader alone begins, through the doors of the actions."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib

import pytest
from ops import testing
from scenario.state import _Event

import lease
import scheduling
from coordinator import times
from coordinator.engine import operation
from coordinator.operations import due
from coordinator.record import schedules
from coordinator.sets import rules
from tests import backup_sets, calendars, charm_states, programs, simulation, worlds

DUE = _Event('due')
"""The dispatch of a schedule's timer."""
BACKUP, VERIFY = 'backup-all', 'verify-backup'


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture(autouse=True)
def fake(monkeypatch: pytest.MonkeyPatch) -> calendars.FakeCalendars:
    made = calendars.FakeCalendars()
    monkeypatch.setattr(scheduling, 'connect', lambda: made)
    charm_states.reach(worlds.StoredWorld(), monkeypatch)
    return made


def ago(**length: float) -> str:
    return times.stamp(datetime.datetime.now(datetime.UTC) - datetime.timedelta(**length))


def overdue(kind: str = BACKUP, **length: float) -> schedules.Schedules:
    """Return a schedule whose run is due."""
    since = ago(**(length or {'minutes': 1}))
    calendar = f'once {since[:-1]}+00:00'
    return {
        kind: schedules.Schedule(text=calendar, calendar=calendar, due=since, seen=ago(hours=2))
    }


def options(kept: schedules.Schedules) -> dict[str, str | int]:
    return {schedules.OPTIONS[kind]: schedule.text for kind, schedule in kept.items()}


def woken(
    kept: schedules.Schedules,
    op: operation.Operation | None = None,
    *,
    leader: bool = True,
    config: dict[str, str | int] | None = None,
) -> testing.State:
    """Dispatch for a timer."""
    given = config if config is not None else options(kept)
    before = charm_states.state(op, kept=kept, config=given, leader=leader)
    return charm_states.context().run(DUE, before)


def stored(found: testing.State, kind: str = BACKUP) -> schedules.Schedule:
    return schedules.from_json(charm_states.databag(found)['schedules'])[kind]


# --- Beginning -------------------------------------------------------------------------------


def test_the_run_that_is_due_begins_as_the_action_would():
    kept = overdue()
    out = woken(kept)
    op = charm_states.saved(out)
    _, by_hand = charm_states.act(BACKUP, charm_states.state(config=options(kept)))
    expected = charm_states.saved(by_hand)
    assert dataclasses.replace(op, id='', started='') == dataclasses.replace(
        expected, id='', started=''
    )
    (run,) = stored(out).runs
    assert (run.due, run.outcome, run.operation) == (kept[BACKUP].due, 'running', op.id)


def test_it_begins_once():
    kept = overdue()
    out = woken(kept)
    again = charm_states.context().run(DUE, dataclasses.replace(out))
    assert charm_states.saved(again).id == charm_states.saved(out).id
    assert len(stored(again).runs) == 1


def test_a_unit_that_does_not_lead_begins_nothing():
    out = woken(overdue(), leader=False)
    assert 'operation' not in charm_states.databag(out)


def test_another_leader_finds_the_run_that_has_begun():
    out = woken(overdue())
    op = charm_states.saved(out).ending(operation.COMPLETE, datetime.datetime.now(datetime.UTC))
    (peers,) = out.get_relations('coordinator')
    bag = {**charm_states.databag(out), 'operation': op.to_json()}
    moved = dataclasses.replace(peers, local_app_data=bag)
    others = [each for each in out.relations if each.id != peers.id]
    after = charm_states.context().run(DUE, dataclasses.replace(out, relations=[*others, moved]))
    assert charm_states.saved(after).id == op.id
    assert [run.outcome for run in stored(after).runs] == ['complete']


def test_no_dispatch_asks_for_anything_without_a_schedule(
    systemd: programs.Programs, fake: calendars.FakeCalendars
):
    out = woken({}, config={})
    assert 'schedules' not in charm_states.databag(out)
    assert (fake.asked, systemd.started) == (0, 0)


def test_two_that_are_due_at_once_begin_one_after_the_other():
    out = woken({**overdue(BACKUP), **overdue(VERIFY)})
    assert charm_states.saved(out).kind == BACKUP
    pending = stored(out, VERIFY).pending
    assert pending is not None
    assert pending.reason == f'backup-all {charm_states.saved(out).id} is running'


def test_a_verification_takes_the_newest_set_and_the_depth_of_the_options(
    monkeypatch: pytest.MonkeyPatch,
):
    sim: simulation.Simulation = backup_sets.simulate(rules.Policy())
    charm_states.reach(sim.world, monkeypatch)
    for depth, deep in (('objects', 'false'), ('deep', 'true')):
        kept = overdue(VERIFY)
        out = woken(kept, config={**options(kept), 'verify-depth': depth})
        op = charm_states.saved(out)
        assert (op.kind, op.parameters) == (VERIFY, {'backup-id': 'latest', 'deep': deep})


# --- What keeps it from beginning ------------------------------------------------------------


def test_a_run_waits_for_the_operation_that_runs():
    op = charm_states.new_operation()
    out = woken(overdue(), op)
    assert charm_states.saved(out).id == op.id
    assert stored(out).runs == ()
    assert stored(out).pending is not None


class Deposed(worlds.StoredWorld):
    """A world in which another unit has led while this one hung."""

    def leads(self) -> bool:
        return False


def test_a_leader_that_hung_stores_nothing_of_a_run_that_another_may_have_begun(
    monkeypatch: pytest.MonkeyPatch,
):
    kept = overdue()
    before = charm_states.state(charm_states.new_operation(), kept=kept, config=options(kept))
    charm_states.reach(Deposed(), monkeypatch)
    out = charm_states.context().run(DUE, before)
    assert charm_states.databag(out) == charm_states.databag(before)


def test_a_leader_that_hung_before_it_began_a_run_stores_nothing(
    monkeypatch: pytest.MonkeyPatch,
):
    """Juju would send all that it has read, and overwrite what another leader has stored."""
    began = lease.steady() - lease.SECONDS - 1
    monkeypatch.setattr(lease, 'steady', lambda: began)
    kept = overdue()
    before = charm_states.state(kept=kept, config=options(kept))
    out = charm_states.context().run(DUE, before)
    assert charm_states.databag(out) == charm_states.databag(before)


def test_schedules_that_a_late_writer_has_overwritten_are_put_back(tmp_path: pathlib.Path):
    def dispatched(state: testing.State, *, leader: bool) -> testing.State:
        context = charm_states.context(tmp_path)
        return context.run(DUE, dataclasses.replace(state, leader=leader))

    before = overdue()
    old = charm_states.state(
        charm_states.new_operation().ending(operation.FAILED, worlds.START),
        kept=before,
        config=options(before),
    )
    newer = dispatched(old, leader=True)
    assert len(stored(newer).runs) == 1
    dispatched(newer, leader=False)
    # The hook of a former leader ends late, and it leads again: Juju sends all that it has read.
    dispatched(old, leader=False)
    mended = dispatched(old, leader=True)
    assert stored(mended).runs == stored(newer).runs
    assert charm_states.saved(mended).id == charm_states.saved(newer).id


def test_a_run_that_meets_a_held_operation_is_missed_and_the_log_says_so(
    caplog: pytest.LogCaptureFixture,
):
    op = charm_states.new_operation().held('S3 refuses')
    out = woken(overdue(), op)
    assert stored(out).runs[0].reason == f'backup-all {op.id} is held'
    assert f'backup-all {op.id} is held' in caplog.text


def test_a_start_that_is_refused_is_tried_again_after_a_pause(
    systemd: programs.Programs, caplog: pytest.LogCaptureFixture
):
    kept = overdue()
    out = woken(kept, config={**options(kept), 'recipients': ''})
    pending = stored(out).pending
    assert pending is not None
    assert (pending.attempts, pending.retry_at - pending.waited) == (1, due.PAUSES[0])
    assert 'no recipients' in pending.reason
    (call,) = [each for each in systemd.calls if '--on-active=60s' in each]
    assert call[-1].startswith('JUJU_DISPATCH_PATH=hooks/due exec ')
    assert 'has not started: no recipients' in caplog.text
    assert 'operation' not in charm_states.databag(out)


def in_a_pause() -> tuple[schedules.Schedules, dict[str, str | int]]:
    """Return a schedule whose run could not begin just now, and the options."""
    kept = overdue()
    config = {**options(kept), 'recipients': ''}
    return {BACKUP: stored(woken(kept, config=config))}, config


def rung(systemd: programs.Programs) -> list[str]:
    return [word for call in systemd.calls for word in call if word.startswith('--on-active=')]


@pytest.mark.parametrize('event', ['leader_elected', 'start', 'update_status'])
def test_a_unit_that_did_not_begin_a_pause_is_woken_at_its_end(
    systemd: programs.Programs, event: str
):
    kept, config = in_a_pause()
    before = charm_states.state(kept=kept, config=config)
    # Another unit led then, or this one's timers were lost in a reboot.
    dispatch = charm_states.context()
    out = dispatch.run(getattr(dispatch.on, event)(), before)
    assert stored(out).pending == kept[BACKUP].pending
    assert rung(systemd) == ['--on-active=60s', '--on-active=60s']


def test_other_dispatches_in_a_pause_set_no_timer(systemd: programs.Programs):
    kept, config = in_a_pause()
    woken(kept, config=config)
    assert rung(systemd) == ['--on-active=60s']


def test_a_pause_of_a_new_run_is_not_taken_for_that_of_the_one_before(
    systemd: programs.Programs,
):
    kept, config = in_a_pause()
    was = kept[BACKUP].pending
    assert was is not None
    since = ago(minutes=1)
    after = dataclasses.replace(
        kept[BACKUP], calendar=f'once {since[:-1]}+00:00', due=since, seen=ago(minutes=5)
    )
    older = dataclasses.replace(was, due=ago(hours=1), attempts=1)
    out = woken({BACKUP: dataclasses.replace(after, pending=older)}, config=config)
    pending = stored(out).pending
    assert pending is not None
    assert (pending.due, pending.attempts) == (since, 1)
    assert rung(systemd) == ['--on-active=60s', '--on-active=60s']


def test_a_run_whose_checks_failed_is_tried_again_after_a_pause(systemd: programs.Programs):
    out = woken(overdue())
    now = datetime.datetime.now(datetime.UTC)
    failed = charm_states.saved(out).step_ended(operation.BROKEN, now, 'S3 refuses')
    kept = {BACKUP: stored(out)}
    out = woken(kept, failed.turning_back('S3 refuses').ending(operation.FAILED, now))
    pending = stored(out).pending
    assert pending is not None
    assert pending.retry_at == due.PAUSES[0]
    assert any('--on-active=60s' in call for call in systemd.calls), 'nothing else may wake it'


def test_a_fault_of_ours_neither_loses_the_run_nor_the_dispatch(monkeypatch: pytest.MonkeyPatch):
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr('given.Given.settings', broken)
    before = charm_states.state(
        charm_states.new_operation().ending('complete', worlds.START),
        kept=overdue(),
        config=options(overdue()),
    )
    monkeypatch.setattr('charm.CoordinatorCharm._on_collect_status', broken_status)
    out = charm_states.context().run(DUE, before)
    pending = stored(out).pending
    assert pending is not None
    assert 'internal error (ZeroDivisionError)' in pending.reason


def broken_status(*_: object) -> None:
    """Say nothing."""


def test_a_record_of_a_later_revision_keeps_the_run_due():
    kept = overdue()
    before = charm_states.state(charm_states.NEWER, kept=kept, config=options(kept))
    out = charm_states.context().run(DUE, before)
    assert schedules.from_json(charm_states.databag(out)['schedules']) == kept


def test_while_systemd_does_not_answer_the_operation_goes_on(
    fake: calendars.FakeCalendars, caplog: pytest.LogCaptureFixture
):
    fake.silent = True
    kept = overdue()
    out = woken(kept, charm_states.new_operation())
    assert 'systemd-analyze does not answer' in caplog.text
    assert charm_states.saved(out) != charm_states.new_operation()
    assert stored(out).due == kept[BACKUP].due


# --- Timers and the disk ---------------------------------------------------------------------


def test_every_unit_has_a_timer_for_each_schedule(systemd: programs.Programs):
    kept = {BACKUP: schedules.Schedule(text='every 60', calendar='every 60')}
    woken(kept, leader=False)
    (call,) = [each for each in systemd.calls if each[0] == 'systemd-run']
    assert '--on-calendar=every 60' in call
    assert '--timer-property=Persistent=true' in call


@pytest.mark.parametrize('event', ['stop', 'remove'])
def test_a_unit_that_leaves_leaves_no_timer(
    systemd: programs.Programs, event: str, tmp_path: pathlib.Path
):
    dispatch = charm_states.context()
    dispatch.charm_root = tmp_path
    kept = {BACKUP: schedules.Schedule(text='every 60', calendar='every 60')}
    state = charm_states.state(kept=kept, config=options(kept))
    state = dispatch.run(DUE, state)
    dispatch.run(getattr(dispatch.on, event)(), state)
    stopped = [call[-1] for call in systemd.calls if call[:2] == ['systemctl', 'stop']]
    assert f'{charm_states.APP}-0-backup-all.timer' in stopped
    assert f'{charm_states.APP}-0-retry-*.timer' in stopped


# --- Status ----------------------------------------------------------------------------------


def shown(
    kept: schedules.Schedules, config: dict[str, str | int], **state: str
) -> tuple[str, str]:
    dispatch = charm_states.context()
    before = charm_states.state(kept=kept, config=config, **state)  # type: ignore[arg-type]
    out = dispatch.run(dispatch.on.config_changed(), before)
    return out.unit_status.name, out.unit_status.message


def test_the_status_says_when_the_next_run_is_due():
    name, message = shown({}, {'backup-schedule': 'every 1440', 'verify-schedule': 'every 10080'})
    tomorrow = datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=1)
    assert name == 'active'
    assert message.endswith(f'; next backup-all {tomorrow}T00:00:00Z')


@pytest.mark.parametrize(
    ('option', 'value', 'said'),
    [
        (
            'backup-schedule',
            'now and then',
            "backup-schedule='now and then' is refused: systemd does not understand it: Failed",
        ),
        (
            'backup-schedule',
            'once 2020-01-01T00:00:00+00:00',
            'is refused: all its times are in the past. Set another: juju config',
        ),
        ('verify-schedule', 'every 0.1', 'more often than once a minute'),
        ('verify-depth', 'abyss', "verify-depth is 'abyss', but must be objects or deep"),
    ],
)
def test_an_option_without_a_usable_value_is_named(option: str, value: str, said: str):
    name, message = shown({}, {option: value})
    assert name == 'blocked'
    assert said in message


def test_a_schedule_of_one_time_is_over_when_its_run_has_ended():
    out = woken(overdue())
    op = charm_states.saved(out).ending(operation.COMPLETE, datetime.datetime.now(datetime.UTC))
    kept = {BACKUP: stored(out)}
    name, message = shown(kept, options(kept), op=op.to_json())
    assert (name, message.rpartition('; ')[2]) == (
        'active',
        'all times of backup-schedule have passed',
    )
    results, _ = charm_states.act('show-schedule', charm_states.state(kept=kept))
    assert 'over: all its times have passed' in results['schedules']


def test_a_run_of_one_time_that_has_not_begun_is_not_over():
    out = woken(overdue(), charm_states.new_operation())
    kept = {BACKUP: stored(out)}
    _, message = shown(kept, options(kept))
    assert 'have passed' not in message


def test_a_missed_run_is_shown_until_the_same_is_done():
    run = schedules.Run('2026-08-22T11:00:00Z', 'missed', reason='restore-all x is held')
    kept = {BACKUP: schedules.Schedule(text='every 60', calendar='every 60', runs=(run,))}
    name, message = shown(kept, {'backup-schedule': 'every 60'})
    assert (name, message) == (
        'blocked',
        'backup-all of 2026-08-22T11:00:00Z was missed, because restore-all x is held, see juju '
        f'run {charm_states.APP}/leader show-schedule',
    )
    later = charm_states.new_operation('2026-08-22T11:30:00Z').ending('complete', worlds.START)
    name, message = shown(kept, {'backup-schedule': 'every 60'}, op=later.to_json())
    assert name == 'active'


# --- show-schedule ---------------------------------------------------------------------------


RUNS = (
    schedules.Run('2026-08-22T02:30:00Z', 'missed', reason='restore-all is held'),
    schedules.Run('2026-08-21T02:30:00Z', 'complete', operation='2026-08-21T02:30:04Z'),
)
KEPT = {
    BACKUP: schedules.Schedule(text='every 1440', calendar='every 1440', runs=RUNS, missed=1),
    VERIFY: schedules.Schedule(text='whenever', problem='Failed to parse'),
}


def test_the_next_three_runs_and_the_last_ones_are_shown():
    results, _ = charm_states.act('show-schedule', charm_states.state(kept=KEPT, leader=False))
    lines = results['schedules'].splitlines()
    assert lines[0].split(' | ')[0].strip() == 'runs'
    assert lines[2].count('T00:00:00Z') == 3
    assert 'backup-schedule=every 1440' in lines[2]
    assert 'refused: Failed to parse' in lines[3]
    assert 'restore-all is held' in lines[7]
    assert '2026-08-21T02:30:04Z' in lines[8]
    assert lines[-1] == f'next: juju run {charm_states.APP}/leader backup-all'


def test_programs_get_json():
    state = charm_states.state(kept=KEPT)
    results, _ = charm_states.act('show-schedule', state, format='json')
    found = json.loads(results['schedules'])
    assert [run['outcome'] for run in found[BACKUP]['runs']] == ['missed', 'complete']
    assert (len(found[BACKUP]['next']), found[VERIFY]['next']) == (3, [])


def test_without_a_schedule_the_action_says_how_to_set_one():
    said = charm_states.refusal('show-schedule', charm_states.state())
    assert said == f'no schedule is set: juju config {charm_states.APP} backup-schedule=daily'
