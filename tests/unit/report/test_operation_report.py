"""What the actions print: a table for people that lines up, JSON for programs that parses."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shlex

import pytest

from coordinator import figures
from coordinator.engine import operation
from coordinator.report import operation_report, tables
from tests import restores, worlds

NOW = worlds.START
LATER = NOW + datetime.timedelta(minutes=5)


def op() -> operation.Operation:
    begun = worlds.new_operation('check', 'back-up', 'publish').beginning(0, {}, NOW)
    return begun.step_ended(operation.DONE, NOW + datetime.timedelta(seconds=90)).moving_to(
        'back-up'
    )


def text(record: operation.Operation) -> str:
    return operation_report.operation_text(record, 'backups', LATER)


def row(printed: str, first_cell: str) -> list[str]:
    """Return the cells of the row that begins with a cell."""
    (line,) = [line for line in printed.splitlines() if line.startswith(f'{first_cell} ')]
    return [cell.strip() for cell in line.split('|')]


def test_a_backup_whose_id_was_taken_tells_that_of_its_set():
    moved = op().remembering({operation.BACKUP_ID: '2026-08-22T10:15:01Z'})
    assert (
        'its backup set has the id 2026-08-22T10:15:01Z, because 2026-08-22T10:15:00Z was already'
        in text(moved)
    )
    assert (
        json.loads(operation_report.operation_json(moved))['backup-id'] == '2026-08-22T10:15:01Z'
    )
    assert 'its backup set' not in text(op())


# --- Tables --------------------------------------------------------------------------------------


def test_a_table_lines_up_below_a_rule():
    assert tables.table(('id', 'state'), [('1', 'done'), ('22', '')]).splitlines() == [
        'id | state',
        '----------',
        '1  | done',
        '22 |',
    ]


def test_a_table_without_rows_is_its_head():
    assert tables.table(('id', 'state'), []) == 'id | state\n----------'


# --- show-operation ------------------------------------------------------------------------------


def test_a_running_operation_shows_each_step_since_when_how_long_and_why():
    waiting = op().beginning(7, {}, NOW).waiting('postgresql/0 is backing up', NOW, 12)
    printed = text(waiting)
    assert printed.startswith('backup-all 2026-08-22T10:15:00Z: running, step 2 of 3, 5 min\n')
    assert row(printed, 'check') == ['check', 'done', '2026-08-22T10:15:00Z', '1 min 30 s', '', '']
    assert row(printed, 'back-up') == [
        'back-up',
        'doing',
        '2026-08-22T10:15:00Z',
        '5 min',
        '12',
        'postgresql/0 is backing up',
    ]
    assert row(printed, 'publish') == ['publish', 'to-do', '', '', '', '']


def test_undoing_shows_in_the_headline_and_the_error_below():
    printed = text(op().beginning(7, {}, NOW).turning_back('back-up: refused').undo_begins(NOW))
    assert printed.startswith('backup-all 2026-08-22T10:15:00Z: undoing, step 2 of 3, 5 min\n')
    assert row(printed, 'back-up')[1] == 'undoing'
    assert printed.endswith('\nerror: back-up: refused')


def test_a_held_operation_ends_with_the_command_that_resumes_it():
    printed = text(op().held('S3 refuses'))
    assert 'held, step 2 of 3' in printed
    assert 'error:' not in printed
    assert 'held: S3 refuses\n' in printed
    assert printed.endswith('next: fix this, then juju run backups/leader resume-operation')


def test_a_held_operation_names_what_holds_it_beside_what_went_wrong_first():
    printed = text(op().turning_back('back-up: refused').held('undoing check: not authorised'))
    assert 'error: back-up: refused\n' in printed
    assert 'held: undoing check: not authorised\n' in printed


def test_an_operation_that_was_ended_by_force_shows_what_is_left():
    printed = text(op().beginning(7, {}, NOW).held('S3 refuses').forced_to_end(LATER, ()))
    assert printed.startswith('backup-all 2026-08-22T10:15:00Z: aborted, 5 min\n')
    assert 'error: S3 refuses\n' in printed
    assert printed.endswith('problem: ended by force at back-up (doing): nothing was undone')


def test_a_failed_operation_shows_all_problems_once_and_the_command_that_tries_again():
    failed = op().with_problem('a unit is missing').with_problem('storage is left')
    printed = text(failed.ending(operation.FAILED, LATER))
    assert printed.splitlines()[0] == 'backup-all 2026-08-22T10:15:00Z: failed, 5 min'
    assert printed.count('a unit is missing') == 1
    assert 'problem: storage is left' in printed
    assert printed.endswith('next: fix this, then juju run backups/leader backup-all')


def test_a_warning_shows_however_the_operation_ends():
    printed = text(op().warned('verified: one twin is damaged').ending(operation.COMPLETE, LATER))
    assert '\nwarning: verified: one twin is damaged\n' in printed
    assert 'problem' not in printed


def test_what_was_given_is_given_again_and_a_restore_is_followed_by_a_backup():
    given = {'backup-id': 'latest', 'identity': 'secret:9m4e2mr0ui3e8a215n4g'}
    restore = dataclasses.replace(op(), kind='restore-all', parameters=given)
    failed = dataclasses.replace(restore, error='check: it does not fit')
    assert text(failed.ending(operation.FAILED, LATER)).endswith(
        'next: fix this, then juju run backups/leader restore-all backup-id=latest '
        'identity=secret:9m4e2mr0ui3e8a215n4g confirm=true'
    )
    assert text(restore.ending(operation.COMPLETE, LATER)).endswith(
        'next: juju run backups/leader backup-all'
    )


def test_nothing_is_to_be_mended_where_nothing_is_named():
    for ended in (op().ending(operation.FAILED, LATER), op().held('')):
        assert 'mend' not in text(ended)


def test_a_failed_adoption_is_tried_again_with_what_the_action_takes():
    given = {'maas-backup-id': 'a', 'postgresql-backup-id': 'b', operation.ADOPTED: 'b'}
    adoption = dataclasses.replace(op(), kind='adopt-backup', parameters=given)
    assert text(adoption.ending(operation.FAILED, LATER)).endswith(
        'adopt-backup maas-backup-id=a postgresql-backup-id=b'
    )


def test_no_shell_takes_what_was_given_for_a_command_of_its_own():
    given = {'backup-id': '$(id)', 'postgresql-path': 'a path; id'}
    restore = dataclasses.replace(op(), kind='restore-all;id', parameters=given)
    (*_, line) = text(restore.ending(operation.FAILED, LATER)).splitlines()
    assert shlex.split(line.removeprefix('next: ')) == [
        *('juju', 'run', 'backups/leader', 'restore-all;id'),
        *('backup-id=$(id)', 'postgresql-path=a path; id'),
    ]
    assert "'backup-id=$(id)'" in line


def test_a_complete_operation_took_as_long_as_it_took():
    complete = op().ending(operation.COMPLETE, NOW + datetime.timedelta(hours=2))
    printed = operation_report.operation_text(
        complete, 'backups', NOW + datetime.timedelta(days=9)
    )
    assert printed.splitlines()[0] == 'backup-all 2026-08-22T10:15:00Z: complete, 2 h'
    assert printed.endswith('next: juju run backups/leader list-backups')


def test_for_programs_it_is_the_record_without_what_only_steps_need():
    printed = json.loads(operation_report.operation_json(op().remembering({'verified': 'x'})))
    assert printed['steps'][0]['name'] == 'check'
    assert 'facts' not in printed


# --- Sizes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('count', 'expected'),
    [
        (0, '0 B'),
        (1023, '1023 B'),
        (1024, '1.0 KiB'),
        (1536, '1.5 KiB'),
        (5 << 30, '5.0 GiB'),
        (3 << 50, '3072.0 TiB'),
    ],
)
def test_sizes_are_binary_with_one_decimal(count: int, expected: str):
    assert figures.size(count) == expected


def test_a_restore_says_where_postgresql_goes_on_only_when_that_is_so():
    sim = restores.under_way('restore-maas')
    told = operation_report.operation_text(sim.op, 'backups', sim.clock.now())
    assert 'postgresql: database backup ' in told
    assert 'from now on' not in told
    sim.run()
    told = operation_report.operation_text(sim.op, 'backups', sim.clock.now())
    assert 'its backups are now in postgresql-restored-1' in told


def test_a_rehearsal_is_shown_as_one_and_is_followed_by_no_backup():
    given = {'backup-id': 'latest', operation.REHEARSAL: 'true'}
    rehearsal = dataclasses.replace(op(), kind='restore-all', parameters=given).remembering(
        {operation.THROWAWAY: 'maas-rehearsal'}
    )
    ended = text(rehearsal.ending(operation.COMPLETE, LATER))
    assert ended.startswith('rehearsal of restore-all 2026-08-22T10:15:00Z: complete, 5 min\n')
    assert ended.endswith('juju destroy-model maas-rehearsal')
    assert 'backup-all' not in ended
    failed = dataclasses.replace(rehearsal, error='MAAS has machines')
    assert text(failed.ending(operation.FAILED, LATER)).endswith(
        'next: fix this, then juju run backups/leader restore-all backup-id=latest rehearsal=true '
        'confirm=true'
    )
