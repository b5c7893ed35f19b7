"""A run that is due begins once, waits, or is missed; none vanishes."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from coordinator import errors, times
from coordinator.engine import operation
from coordinator.operations import due
from coordinator.record import ended, schedules
from tests import calendars, charm_states

BACKUP = 'backup-all'
START = datetime.datetime(2026, 8, 22, 10, 0, 30, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)


class Leader:
    """A leader's dispatches, one after the other, on a clock that the test sets."""

    def __init__(self, text: str = 'every 60') -> None:
        self.now = START
        self.calendars = calendars.FakeCalendars()
        self.text = text
        self.kept = schedules.Schedule()
        self.look()

    def look(self) -> schedules.Schedule:
        # As it is stored between two dispatches.
        kept = schedules.from_json(schedules.to_json({BACKUP: self.kept}))[BACKUP]
        assert kept == self.kept
        kept = due.configured(kept, BACKUP, self.text, self.now, self.calendars)
        self.kept = due.looked(kept, self.now, self.calendars)
        return self.kept

    def after(self, **length: float) -> schedules.Schedule:
        """Look again when time has passed."""
        self.now += datetime.timedelta(**length)
        return self.look()

    def decide(self, op: operation.Operation | None, waited: int = 0) -> bool:
        self.kept, may = due.waiting(self.kept, op, self.now, waited)
        return may

    def begin(self) -> operation.Operation:
        op = dataclasses.replace(running(), id=times.stamp(self.now))
        self.kept = due.begun(self.kept, op, self.now)
        return op

    def settle(self, op: operation.Operation | None, *earlier: ended.Ended) -> schedules.Schedule:
        self.kept = due.settled(self.kept, op, earlier, self.now)
        return self.kept


def running() -> operation.Operation:
    return charm_states.new_operation()


def outcomes(kept: schedules.Schedule) -> list[tuple[str, str]]:
    return [(run.due[11:16], run.outcome) for run in kept.runs]


# --- The option ------------------------------------------------------------------------------


def test_the_next_run_of_a_new_schedule_is_the_first_one_to_come():
    leader = Leader()
    assert (leader.kept.due, leader.kept.pending) == ('2026-08-22T11:00:00Z', None)


def test_no_schedule_asks_nobody_and_has_no_run():
    leader = Leader('')
    assert leader.kept == schedules.Schedule()
    assert leader.calendars.asked == 0


def test_systemd_is_asked_nothing_until_a_run_is_due():
    leader = Leader()
    asked = leader.calendars.asked
    leader.after(minutes=59)
    assert leader.calendars.asked == asked


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('whenever', 'Failed to parse'),
        ('once 2020-01-01T00:00:00+00:00', 'all its times are in the past'),
        ('every 0.5', 'more often than once a minute'),
    ],
)
def test_an_expression_without_a_use_is_refused_once(text: str, said: str):
    leader = Leader(text)
    assert said in leader.kept.problem
    asked = leader.calendars.asked
    assert leader.after(days=3).due == ''
    assert leader.calendars.asked == asked


def test_after_its_last_run_a_schedule_is_over_and_changes_no_more():
    leader = Leader('once 2026-08-22T11:00:00+00:00')
    leader.after(minutes=60)
    assert leader.decide(None)
    leader.begin()
    kept = leader.after(minutes=1)
    assert (kept.due, kept.problem, kept.over) == ('', '', True)
    asked = leader.calendars.asked
    assert leader.after(days=1) == kept
    assert leader.calendars.asked == asked


def test_a_dispatch_that_learns_nothing_stores_nothing():
    leader = Leader('every 1440')
    kept = leader.kept
    for _ in range(20):
        assert leader.after(minutes=5) == kept


def test_a_new_expression_takes_hold_at_once():
    leader = Leader()
    leader.text = 'every 30'
    assert leader.after(minutes=1).due == '2026-08-22T10:30:00Z'
    leader.text = ''
    assert leader.after(hours=2) == schedules.Schedule(seen=leader.kept.seen)


def test_a_run_that_waits_while_the_option_changes_is_missed_and_told():
    leader = Leader()
    leader.after(hours=1)
    leader.text = ''
    (run,) = leader.after(minutes=1).runs
    assert (run.outcome, run.reason) == (
        'missed',
        'backup-schedule was changed before the run started',
    )


# --- Runs that are due -----------------------------------------------------------------------


def test_a_due_run_begins_and_the_next_one_is_known():
    leader = Leader()
    kept = leader.after(minutes=60)
    assert kept.pending == schedules.Pending('2026-08-22T11:00:00Z')
    assert kept.due == '2026-08-22T12:00:00Z'
    assert leader.decide(None)


def test_a_run_that_has_begun_is_not_due_again():
    leader = Leader()
    leader.after(minutes=60)
    op = leader.begin()
    assert leader.look().pending is None
    assert outcomes(leader.settle(op)) == [('11:00', 'running')]


def test_a_unit_that_was_off_makes_up_for_one_run_and_tells_of_the_others():
    leader = Leader()
    kept = leader.after(hours=4)
    assert kept.pending is not None
    assert kept.pending.due == '2026-08-22T14:00:00Z'
    assert outcomes(kept) == [('13:00', 'missed'), ('12:00', 'missed'), ('11:00', 'missed')]
    assert kept.missed == 3
    assert 'the run of 2026-08-22T14:00:00Z replaces it' in kept.runs[0].reason
    assert leader.after(seconds=1) == kept, 'and for no more'


def test_of_many_missed_runs_ten_are_kept_and_all_are_counted():
    kept = Leader('every 1').after(hours=10)
    assert (len(kept.runs), kept.missed) == (10, 599)


def test_a_run_that_waits_when_the_next_is_due_is_missed():
    leader = Leader()
    leader.after(hours=1)
    leader.decide(running(), 1)
    kept = leader.after(hours=1)
    assert outcomes(kept) == [('11:00', 'missed')]
    assert kept.runs[0].reason.startswith(
        'it had not begun when the next run was due: backup-all 2026-08-22T10:15:00Z is'
    )
    assert kept.pending is not None
    assert kept.pending.due == '2026-08-22T12:00:00Z'


def test_while_systemd_does_not_answer_a_run_is_late_but_not_lost():
    leader = Leader()
    leader.calendars.silent = True
    with pytest.raises(errors.TransientError):
        leader.after(minutes=61)
    leader.calendars.silent = False
    kept = leader.after(minutes=9)
    assert kept.pending == schedules.Pending('2026-08-22T11:00:00Z')


# --- Clocks that are set ---------------------------------------------------------------------


def test_a_clock_that_is_set_back_over_a_run_does_not_repeat_it():
    leader = Leader()
    leader.after(minutes=60)
    leader.begin()
    kept = leader.after(minutes=-30)
    assert (kept.pending, kept.due) == (None, '2026-08-22T12:00:00Z')
    assert leader.after(minutes=31).pending is None


def test_a_clock_that_was_years_ahead_does_not_silence_the_schedule():
    leader = Leader('every 1440')
    leader.after(days=3650)
    leader.begin()
    kept = leader.after(days=-3650)
    assert kept.due == '2026-08-23T00:00:00Z'
    assert leader.after(days=1).pending is not None


def test_a_clock_that_leaps_ahead_makes_up_for_one_run():
    kept = Leader('every 1440').after(days=30)
    assert kept.pending is not None
    assert kept.missed == 29


# --- Operations under way --------------------------------------------------------------------


def test_a_run_waits_for_a_running_operation_for_an_hour():
    leader = Leader('every 1440')
    leader.after(days=1)
    assert not leader.decide(running(), 3599)
    assert leader.kept.pending is not None
    assert leader.kept.pending.reason == 'backup-all 2026-08-22T10:15:00Z is running'
    assert leader.decide(None, 3599), 'it ended in time'
    assert not leader.decide(running(), 3600)
    assert leader.kept.pending is None
    assert (
        leader.kept.runs[0].reason
        == 'backup-all 2026-08-22T10:15:00Z was still running an hour later'
    )


def test_a_held_operation_makes_a_run_missed_at_once():
    leader = Leader()
    leader.after(hours=1)
    assert not leader.decide(running().held('S3 refuses'))
    assert leader.kept.runs[0].reason == 'backup-all 2026-08-22T10:15:00Z is held'


def test_waiting_is_stored_every_five_minutes_only():
    leader = Leader()
    leader.after(hours=1)
    leader.decide(running(), 10)
    kept = leader.kept
    leader.decide(running(), 299)
    assert leader.kept == kept
    leader.decide(running(), 300)
    assert leader.kept.pending is not None
    assert leader.kept.pending.waited == 300


# --- Starts that fail ------------------------------------------------------------------------


def test_a_start_that_fails_is_tried_again_after_growing_pauses_and_then_missed():
    leader = Leader('every 1440')
    leader.after(days=1)
    waited, pauses = 0, list[int]()
    while leader.kept.pending is not None:
        assert leader.decide(None, waited)
        leader.kept = due.refused(leader.kept, 'no bucket', leader.now, waited)
        if leader.kept.pending is not None:
            assert not leader.decide(None, waited)
            pauses.append(leader.kept.pending.retry_at - waited)
            waited = leader.kept.pending.retry_at
    assert tuple(pauses) == due.PAUSES == tuple(sorted(due.PAUSES))
    assert sum(pauses) < due.LONGEST_WAIT
    (run,) = leader.kept.runs
    assert (run.outcome, run.reason) == (
        'missed',
        'it could not start in 6 attempts: no bucket',
    )


def failed(op: operation.Operation) -> operation.Operation:
    return op.turning_back('postgresql/0 is blocked').ending(operation.FAILED, START)


def test_an_operation_that_fails_in_its_checks_is_begun_again():
    leader = Leader('every 1440')
    leader.after(days=1)
    for attempt in range(1, 7):
        op = leader.begin()
        leader.settle(failed(op))
        assert len(leader.kept.runs) == 1
        assert leader.kept.runs[0].attempt == attempt
        assert (leader.kept.pending is None) == (attempt == 6)
    assert leader.kept.runs[0].outcome == 'failed'
    assert leader.kept.missed == 0


@pytest.mark.parametrize('undone', [False, True])
def test_an_operation_that_fails_later_is_not_begun_again(undone: bool):
    leader = Leader()
    leader.after(hours=1)
    op = leader.begin()
    later = op.step_ended(operation.DONE, START).moving_to(op.steps[1].name)
    later = later.beginning(0, {}, START)
    if undone:
        later = later.step_ended(operation.UNDONE, START).moving_to('check')
    leader.settle(failed(later))
    assert (leader.kept.pending, leader.kept.runs[0].outcome) == (None, 'failed')
    assert leader.kept.runs[0].reason == 'postgresql/0 is blocked'


# --- What became of it -----------------------------------------------------------------------


@pytest.mark.parametrize('status', [operation.COMPLETE, operation.ABORTED])
def test_a_run_ends_as_its_operation_does(status: str):
    leader = Leader()
    leader.after(hours=1)
    op = leader.begin()
    assert outcomes(leader.settle(op.ending(status, START))) == [('11:00', status)]


def test_the_end_of_an_operation_is_still_seen_when_the_next_has_begun():
    leader = Leader()
    leader.after(hours=1)
    op = leader.begin()
    other = running()
    leader.settle(other, ended.of(op.ending(operation.COMPLETE, START)))
    assert outcomes(leader.kept) == [('11:00', 'complete')]


def test_an_end_that_nobody_saw_is_told_as_such():
    leader = Leader()
    leader.after(hours=1)
    leader.begin()
    assert outcomes(leader.settle(running())) == [('11:00', 'unknown')]


# --- As it is stored -------------------------------------------------------------------------


@pytest.mark.parametrize(
    'text', ['', '7', '[]', '{"backup-all": 7}', '{"backup-all": {"runs": 7}}', '{]']
)
def test_what_is_no_schedule_is_none(text: str):
    assert schedules.from_json(text) == {}


def test_fields_of_a_later_revision_are_ignored():
    found = schedules.from_json('{"backup-all": {"text": "daily", "colour": "blue"}}')
    assert found == {BACKUP: schedules.Schedule(text='daily')}
