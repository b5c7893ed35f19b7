"""One line for `juju status` that says what goes on, or what to do next."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

import pytest

from coordinator import times
from coordinator.engine import operation
from coordinator.record import ended
from coordinator.report import status
from tests import worlds

NOW = worlds.START
APP = 'backups'


def op() -> operation.Operation:
    return worlds.new_operation('check', 'scale-down', 'publish').beginning(0, {}, NOW)


def describe(
    record: operation.Operation | None,
    last_complete: str = '',
    earlier: Sequence[ended.Ended] = (),
) -> tuple[str, str]:
    return status.describe(record, earlier, last_complete, APP, NOW)


def test_without_any_backup_it_says_how_to_make_one():
    assert describe(None) == (
        'active',
        'ready, no backup set yet: juju run backups/leader backup-all',
    )


def test_the_age_of_the_last_complete_set_is_shown():
    expected = ('active', 'last complete backup set 2026-08-21T09:15:00Z (1 d 1 h ago)')
    assert describe(op().ending(operation.COMPLETE, NOW), '2026-08-21T09:15:00Z') == expected
    assert describe(None, '2026-08-21T09:15:00Z') == expected


def test_sets_that_have_lost_their_database_are_warned_of():
    last = op().remembering({operation.DATABASE_EXPIRED: '2'}).ending(operation.COMPLETE, NOW)
    assert describe(last, '2026-08-21T09:15:00Z') == (
        'active',
        'last complete backup set 2026-08-21T09:15:00Z (1 d 1 h ago); pgBackRest has expired the '
        'database of 2 older one(s), see juju run backups/leader list-backups',
    )


def test_what_mends_no_backup_does_not_hide_one_that_failed():
    failed = dataclasses.replace(op().ending(operation.FAILED, NOW), error='check: no')
    verified = dataclasses.replace(
        op().ending(operation.COMPLETE, NOW), id='2026-08-22T11:00:00Z', kind='verify-backup'
    )
    state, line = describe(verified, earlier=(ended.of(failed),))
    assert state == 'blocked'
    assert 'backup-all 2026-08-22T10:15:00Z failed' in line


def test_a_set_of_this_very_moment_is_of_no_age_below_zero():
    ahead = NOW + datetime.timedelta(minutes=2)
    assert describe(None, times.stamp(ahead))[1].endswith('(0 s ago)')


def test_a_set_that_a_wrong_clock_has_dated_is_told_with_what_to_do():
    assert describe(None, '2030-01-01T00:00:00Z') == (
        'active',
        'last complete backup set 2030-01-01T00:00:00Z is dated in the future, because a clock '
        'was wrong: juju run backups/leader backup-all, then delete this set with delete-backup',
    )


def test_a_running_operation_shows_its_step_and_what_it_waits_for():
    running = op().moving_to('scale-down').waiting('postgresql/2 is being removed', NOW)
    assert describe(running, '2026-08-21T09:15:00Z') == (
        'maintenance',
        'backup-all 2026-08-22T10:15:00Z: step 2 of 3, scale-down: postgresql/2 is being removed',
    )


def test_a_running_operation_that_waits_for_nothing_shows_its_step():
    assert describe(op())[1] == 'backup-all 2026-08-22T10:15:00Z: step 1 of 3, check'


def test_undoing_is_shown_as_such():
    undoing = op().moving_to('scale-down').turning_back('refused').undo_begins(NOW)
    assert describe(undoing.waiting('units were requested', NOW)) == (
        'maintenance',
        'backup-all 2026-08-22T10:15:00Z: step 2 of 3, undoing scale-down: units were requested',
    )


def test_a_held_operation_says_where_and_how_to_resume():
    assert describe(op().held('no step check')) == (
        'blocked',
        'backup-all 2026-08-22T10:15:00Z is held at check: run juju run backups/leader '
        'resume-operation once this is fixed: no step check',
    )


def test_a_held_operation_names_what_holds_it_and_not_what_went_wrong_first():
    held = op().turning_back('check: MAAS is blocked').held('undoing check: not authorised')
    assert describe(held)[1].endswith('once this is fixed: undoing check: not authorised')


def test_a_failed_operation_shows_until_the_next_one_succeeds():
    failed = op().turning_back('check: MAAS is blocked').ending(operation.FAILED, NOW)
    assert describe(failed, '2026-08-21T09:15:00Z') == (
        'blocked',
        'backup-all 2026-08-22T10:15:00Z failed, see juju run backups/leader show-operation: '
        'check: MAAS is blocked',
    )


def test_an_operation_that_was_ended_by_force_shows_what_is_left():
    ended = op().moving_to('scale-down').beginning(7, {}, NOW).forced_to_end(NOW, ())
    assert describe(ended, '2026-08-21T09:15:00Z') == (
        'blocked',
        'backup-all 2026-08-22T10:15:00Z was aborted, see juju run backups/leader show-operation: '
        'ended by force at scale-down (doing): nothing was undone',
    )


def test_an_aborted_operation_is_no_failure():
    assert describe(op().ending(operation.ABORTED, NOW), '2026-08-21T09:15:00Z')[0] == 'active'


def past(operation_id: str, state: str, error: str = '') -> ended.Ended:
    """Return what is remembered of an operation that came before."""
    record = dataclasses.replace(op(), id=operation_id, error=error)
    return ended.of(record.ending(state, NOW))


ABORTED = op().aborting(NOW).ending(operation.ABORTED, NOW)


def test_an_abort_mends_nothing_so_what_failed_before_it_shows_again():
    earlier = [
        ended.of(ABORTED),
        past('2026-08-22T09:00:00Z', operation.ABORTED),
        past('2026-08-21T09:15:00Z', operation.FAILED, 'check: MAAS is blocked'),
        past('2026-08-20T09:15:00Z', operation.COMPLETE),
    ]
    expected = (
        'blocked',
        'backup-all 2026-08-21T09:15:00Z failed, see juju run backups/leader show-operation '
        'operation-id=2026-08-21T09:15:00Z: check: MAAS is blocked',
    )
    assert describe(ABORTED, '2026-08-20T09:15:00Z', earlier) == expected
    assert describe(ABORTED, '2026-08-20T09:15:00Z', earlier[1:]) == expected


def test_what_failed_before_a_complete_operation_is_past():
    earlier = [
        past('2026-08-21T09:15:00Z', operation.COMPLETE),
        past('2026-08-20T09:15:00Z', operation.FAILED, 'check: MAAS is blocked'),
    ]
    assert describe(ABORTED, '2026-08-21T09:15:00Z', earlier)[0] == 'active'


def left_behind() -> operation.Operation:
    """Return a backup whose set is there, and after which a unit is missing."""
    text = 'postgresql has 2 of 3 units: juju add-unit postgresql'
    broken = op().step_ended(operation.BROKEN, NOW, text)
    return broken.ending(operation.COMPLETE, NOW)


def test_what_a_complete_operation_has_left_to_do_shows_until_another_one_completes():
    done = left_behind()
    name, message = describe(done, '2026-08-22T10:15:00Z')
    assert name == 'blocked'
    assert message.startswith('postgresql has 2 of 3 units: juju add-unit postgresql (left to do')
    past_one = dataclasses.replace(ended.of(done), id='2026-08-21T09:15:00Z')
    assert status.left_to_do(ABORTED, [past_one]).startswith('postgresql')
    newer = past('2026-08-21T10:15:00Z', operation.COMPLETE)
    assert describe(ABORTED, '', [newer, past_one])[0] == 'active'
    assert status.left_to_do(ABORTED, [newer, past_one]) == ''
    assert status.left_to_do(None, []) == ''


def test_what_a_forced_end_has_left_shows_after_another_abort_too():
    left = op().moving_to('scale-down').beginning(7, {}, NOW).forced_to_end(NOW, ())
    earlier = [dataclasses.replace(ended.of(left), id='2026-08-21T09:15:00Z')]
    name, message = describe(ABORTED, '', earlier)
    assert name == 'blocked'
    assert 'backup-all 2026-08-21T09:15:00Z was aborted, see' in message
    assert 'nothing was undone' in message


@pytest.mark.parametrize('shown', ['waiting', 'held', 'failed'])
def test_a_line_stays_one_line_of_bounded_length(shown: str):
    reason = 'two\nlines of ' + 'x' * 900
    record = {
        'waiting': op().waiting(reason, NOW),
        'held': op().held(reason),
        'failed': op().turning_back(reason).ending(operation.FAILED, NOW),
    }[shown]
    line = describe(record)[1]
    assert len(line) <= 240
    assert line.isprintable()


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (-5, '0 s'),
        (0, '0 s'),
        (59.9, '59 s'),
        (60, '1 min'),
        (61, '1 min 1 s'),
        (3600, '1 h'),
        (3661, '1 h 1 min'),
        (3605, '1 h'),
        (86400 + 7200 + 180, '1 d 2 h'),
        (86400 + 5, '1 d'),
        (400 * 86400, '400 d'),
    ],
)
def test_a_length_of_time_is_told_in_two_neighbouring_units(seconds: float, text: str):
    assert status.span(datetime.timedelta(seconds=seconds)) == text


def test_a_throwaway_model_is_to_be_destroyed_and_backs_up_nothing():
    last = dataclasses.replace(op(), kind='restore-all').remembering(
        {operation.THROWAWAY: 'maas-rehearsal'}
    )
    state, line = describe(last.ending(operation.COMPLETE, NOW))
    assert state == 'active'
    assert 'juju destroy-model maas-rehearsal' in line
    assert 'backup-all' not in line


@pytest.mark.parametrize('last_complete', ['2026-08-22T09:00:00Z', ''])
def test_a_restore_that_nothing_proves_says_so_until_the_next_operation(last_complete: str):
    last = dataclasses.replace(op(), kind='restore-all')
    for proof, named in (
        ('not proven: no API key of MAAS', True),
        ('proven: 0 differences', False),
    ):
        record = last.remembering({operation.PROOF: proof}).ending(operation.COMPLETE, NOW)
        state, line = describe(record, last_complete)
        assert state == 'active'
        assert ('restore-all 2026-08-22T10:15:00Z is not proven' in line) is named
