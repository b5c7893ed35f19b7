"""What the actions print: a table for people that lines up, JSON for programs that parses."""

from __future__ import annotations

import dataclasses
import datetime
import json
import shlex

import pytest

from coordinator import figures, ports
from coordinator.engine import facts, operation
from coordinator.operations import plans
from coordinator.report import operation_report
from coordinator.steps import checking
from tests import examples, restores, worlds

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
    assert operation_report.table(('id', 'state'), [('1', 'done'), ('22', '')]).splitlines() == [
        'id | state',
        '----------',
        '1  | done',
        '22 |',
    ]


def test_a_table_without_rows_is_its_head():
    assert operation_report.table(('id', 'state'), []) == 'id | state\n----------'


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


def test_what_is_ready_names_the_checks_that_warn():
    fine, risky = (
        checking.Check('a', checking.OK, ''),
        checking.Check('b', checking.WARNING, 'careful'),
    )
    assert (
        operation_report.verdict([fine, risky])
        == 'ready, with warnings (b). Nothing has been changed'
    )
    assert (
        operation_report.verdict([risky, checking.Check('c', checking.BAD, '')]) == 'not ready: c'
    )


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


# --- Dry run -------------------------------------------------------------------------------------


def model(*messages: str) -> ports.ModelStatus:
    """Return a model whose PostgreSQL has a unit for each status message."""
    units = {
        f'postgresql/{number}': ports.Unit(
            name=f'postgresql/{number}',
            machine=str(number),
            alive=True,
            leader=number == 0,
            workload='active',
            message=message,
            agent='idle',
            workload_version='16.9',
        )
        for number, message in enumerate(messages)
    }
    app = ports.Application(
        'postgresql', 'postgresql', '16/stable', 843, 'active', '', '16.9', units
    )
    return ports.ModelStatus('maas', '3.6.26', {'postgresql': app}, {}, ())


def plan(status: ports.ModelStatus, strategy: str = 'scale-down') -> str:
    config = dataclasses.replace(worlds.CONFIG, strategy=strategy)
    return operation_report.plan_text(plans.BACKUP_ALL, config, status)


def test_the_plan_names_the_units_that_go_and_the_one_that_stays():
    printed = plan(model('', 'Primary', ''))
    assert 'remove postgresql/0, postgresql/2, one at a time; keep postgresql/1' in printed
    assert 'make a full backup of the database on postgresql/1' in printed
    assert 'request 2 unit(s) of postgresql again' in printed
    assert 'wait until postgresql has its 3 unit(s)' in printed


def test_the_plan_takes_not_all_units_away_where_none_says_that_it_is_the_primary():
    blocked = model(*['the S3 repository has backups from another cluster'] * 3)
    assert (
        'remove 2 of postgresql/0, postgresql/1, postgresql/2, one at a time; keep the primary'
    ) in plan(blocked)


def test_the_plan_says_that_all_sets_stay_where_no_rule_is_set():
    assert 'that no rule keeps: no rule is set, so all are kept' in plan(model('Primary'))


def test_the_plan_takes_nothing_away_from_a_single_unit():
    printed = plan(model('Primary'))
    assert 'nothing: keep all 1 unit(s)' in printed
    assert 'nothing: no unit is missing' in printed
    assert 'make a full backup of the database on postgresql/0' in printed


def test_the_plan_for_replicas_names_those_that_may_back_up():
    printed = plan(model('', 'Primary', ''), 'replica')
    assert 'nothing: keep all 3 unit(s)' in printed
    assert (
        'make a full backup of the database on a replica (postgresql/0 or postgresql/2)' in printed
    )


def test_the_plan_of_a_model_without_postgresql_is_still_a_plan():
    printed = plan(ports.ModelStatus('maas', '3.6.26', {}, {}, ()))
    assert len(printed.splitlines()) == 2 + len(plans.BACKUP_ALL.steps)
    assert '{' not in printed


def test_the_plan_and_what_is_replaced_name_whose_data_is_restored_besides():
    alone = model('Primary')
    others = dataclasses.replace(
        alone,
        relations=[
            ports.Relation(1, ('maas-region:maas-db', 'postgresql:database')),
            ports.Relation(2, ('postgresql:database', 'wiki:db')),
        ],
    )
    shown = [
        operation_report.plan_text(plans.RESTORE_ALL, worlds.CONFIG, m) for m in (alone, others)
    ]
    assert 'the data of' not in shown[0]
    assert 'start the restore of the database on postgresql, with the data of wiki:db' in shown[1]
    found = examples.backup_set()
    assert ', with the data of wiki:db, images' in operation_report.replaced_text(
        found, op().settings, 1, ['wiki:db']
    )
    assert 'the data of' not in operation_report.replaced_text(found, op().settings, 1)


def test_checks_are_a_table_whatever_the_charms_say():
    outcomes = [
        checking.Check('maas-region', checking.BAD, 'maas-region/0 is blocked (a\nb\x1b[2J)')
    ]
    printed = operation_report.checks_text(outcomes)
    assert row(printed, 'maas-region') == [
        'maas-region',
        'fail',
        'maas-region/0 is blocked (a b [2J)',
    ]


def test_a_restore_says_where_postgresql_goes_on_only_when_that_is_so():
    sim = restores.under_way('restore-maas')
    told = operation_report.operation_text(sim.op, 'backups', sim.clock.now())
    assert 'postgresql: database backup ' in told
    assert 'from now on' not in told
    sim.run()
    told = operation_report.operation_text(sim.op, 'backups', sim.clock.now())
    assert 'its backups are now in postgresql-restored-1' in told


def test_the_estimate_of_the_downtime_counts_the_listing_of_every_files_backup():
    found = examples.backup_set().model_copy(
        update={'seconds': {'back-up-postgresql': 600, 'back-up-maas': 60}}
    )
    few, many = (
        operation_report.replaced_text(found, op().settings, count) for count in (1, 1000)
    )
    assert 'MAAS will be down for about 15 min; each region needs about 3 s of that' in few
    assert 'MAAS will be down for about 56 min; each region needs about 50 min of that' in many
    assert many.endswith('to list the 1000 files backup(s) in its path')


def test_the_downtime_of_a_restore_is_estimated_from_its_rehearsal():
    told = operation_report.replaced_text(
        examples.backup_set(), op().settings, 1, rehearsed=examples.rehearsal_of()
    )

    assert 'MAAS will be down for about 25 min, as in the rehearsal of 2026-11-20' in told


def test_a_rehearsal_is_shown_as_one_and_is_followed_by_no_backup():
    given = {'backup-id': 'latest', operation.REHEARSAL: 'true'}
    rehearsal = dataclasses.replace(op(), kind='restore-all', parameters=given).remembering(
        facts.MODEL.put({'name': 'maas-rehearsal'})
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
