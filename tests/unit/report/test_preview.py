"""What a dry run prints."""

from __future__ import annotations

import dataclasses
import datetime

from coordinator import ports
from coordinator.engine import operation
from coordinator.operations import plans
from coordinator.report import preview
from coordinator.steps import checking
from tests import examples, worlds


def op() -> operation.Operation:
    begun = worlds.new_operation('check', 'back-up', 'publish').beginning(0, {}, worlds.START)
    return begun.step_ended(
        operation.DONE, worlds.START + datetime.timedelta(seconds=90)
    ).moving_to('back-up')


def row(printed: str, first_cell: str) -> list[str]:
    """Return the cells of the row that begins with a cell."""
    (line,) = [line for line in printed.splitlines() if line.startswith(f'{first_cell} ')]
    return [cell.strip() for cell in line.split('|')]


def test_what_is_ready_names_the_checks_that_warn():
    fine, risky = (
        checking.Check('a', checking.OK, ''),
        checking.Check('b', checking.WARNING, 'careful'),
    )
    assert preview.verdict([fine, risky]) == 'ready, with warnings (b). Nothing has been changed'
    assert preview.verdict([risky, checking.Check('c', checking.BAD, '')]) == 'not ready: c'


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
    return preview.plan_text(plans.BACKUP_ALL, config, status)


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
    shown = [preview.plan_text(plans.RESTORE_ALL, worlds.CONFIG, m) for m in (alone, others)]
    assert 'the data of' not in shown[0]
    assert 'start the restore of the database on postgresql, with the data of wiki:db' in shown[1]
    found = examples.backup_set()
    assert ', with the data of wiki:db, images' in preview.replaced_text(
        found, op().settings, 1, ['wiki:db']
    )
    assert 'the data of' not in preview.replaced_text(found, op().settings, 1)


def test_checks_are_a_table_whatever_the_charms_say():
    outcomes = [
        checking.Check('maas-region', checking.BAD, 'maas-region/0 is blocked (a\nb\x1b[2J)')
    ]
    printed = preview.checks_text(outcomes)
    assert row(printed, 'maas-region') == [
        'maas-region',
        'fail',
        'maas-region/0 is blocked (a b [2J)',
    ]


def test_the_estimate_of_the_downtime_counts_the_listing_of_every_files_backup():
    found = examples.backup_set().model_copy(
        update={'seconds': {'back-up-postgresql': 600, 'back-up-maas': 60}}
    )
    few, many = (preview.replaced_text(found, op().settings, count) for count in (1, 1000))
    assert 'MAAS will be down for about 15 min; each region needs about 3 s of that' in few
    assert 'MAAS will be down for about 56 min; each region needs about 50 min of that' in many
    assert many.endswith('to list the 1000 files backup(s) in its path')


def test_the_downtime_of_a_restore_is_estimated_from_its_rehearsal():
    told = preview.replaced_text(
        examples.backup_set(), op().settings, 1, rehearsed=examples.rehearsal_of()
    )

    assert 'MAAS will be down for about 25 min, as in the rehearsal of 2026-11-20' in told
