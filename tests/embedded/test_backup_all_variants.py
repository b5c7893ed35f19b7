"""backup-all in its other ways: on a replica, as a dry run, and with parts that fail."""

from __future__ import annotations

import json
from typing import Any

import pytest

from coordinator import errors
from rehearsal import site, story
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas


def test_with_the_replica_strategy_no_unit_goes(maas36: Maas):
    maas36.use_replicas()
    units, sets = maas36.units(site.POSTGRESQL), maas36.sets()

    op = maas36.back_up()

    assert (op['status'], op['error']) == ('complete', '')
    assert maas36.units(site.POSTGRESQL) == units
    assert maas36.sets() == [*sets, op['id']]
    database = maas36.model.tasks[maas36.backup_tasks()[-2]]
    assert database.unit in units[1:]


# --- Dry run -------------------------------------------------------------------------------------


def state(running: Maas) -> dict[str, Any]:
    """Return everything of the model and S3 that a dry run must leave alone."""

    def look() -> dict[str, Any]:
        juju = running.model
        bags = [(r.id, r.app_data, r.unit_data) for r in juju.relations.values()]
        return {
            'config': {name: app.config for name, app in juju.applications.items()},
            'units': {n: (u.machine.id, u.workload.current) for n, u in juju.units.items()},
            'databags': bags,
            'secrets': {i: (s.label, len(s.revisions)) for i, s in juju.secrets.items()},
            'storage': {item.id: item.owner for item in juju.storage.values()},
            'tasks': [t.id for t in juju.tasks.values() if t.name != 'backup-all'],
        }

    return {
        # As text: what is compared later must not change with the model.
        'model': json.loads(json.dumps(running.running.call(look))),
        's3': running.stored(),
    }


def test_a_dry_run_prints_plan_and_checks_and_changes_nothing(maas: Maas):
    before = state(maas)

    task = maas.running.run_action(charmed_maas.LEADER, 'backup-all', dry_run=True)

    assert task.status == 'completed', task.message
    # On 4.0 a check warns of the strategy.
    assert task.output['verdict'].startswith('ready')
    assert state(maas) == before
    units = maas.units('postgresql')
    plan, checks = task.output['plan'], task.output['checks']
    assert f'remove {units[1]}, {units[2]}, one at a time; keep {units[0]}' in plan
    assert f'make a full backup of the database on {units[0]}' in plan
    assert 'request 2 unit(s) of postgresql again' in plan
    assert 'for 1 recipient(s)' in plan
    assert 'Juju user backup-bot is admin of model maas' in checks
    assert f'{maas.running.layout.regions} unit(s) of maas-region are active and idle' in checks
    assert 'maas-backups/maas can be written' in checks
    assert 'postgresql-backups/postgresql can be written' in checks
    assert 'stanza maas.postgresql lists' in checks


def test_a_dry_run_names_the_checks_that_fail(maas40: Maas):
    maas40.model.users[charmed_maas.ROBOT].model_access = 'write'

    task = maas40.running.run_action(charmed_maas.LEADER, 'backup-all', dry_run=True)

    assert task.status == 'completed', task.message
    assert task.output['verdict'] == 'not ready: juju-user'
    assert 'juju grant backup-bot admin maas' in task.output['checks']
    assert maas40.running.operation() == {}


# --- Parameters ----------------------------------------------------------------------------------


def test_an_unknown_parameter_is_refused_by_the_controller_of_3_6(maas36: Maas):
    leader = maas36.leader.name

    with maas36.running.operator() as juju, pytest.raises(errors.StepError, match='dry-runs'):
        juju.run_action(leader, 'backup-all', {'dry-runs': True})

    assert maas36.running.operation() == {}


def test_an_unknown_parameter_fails_the_task_on_4_0(maas40: Maas):
    leader = maas40.leader.name

    with maas40.running.operator() as juju:
        task = maas40.model.tasks[juju.run_action(leader, 'backup-all', {'dry-runs': True}).id]
    maas40.running.until(lambda: task.ended)

    assert task.status == 'error'
    assert 'dry-runs' in task.message
    assert maas40.running.operation() == {}


# --- A part that fails ---------------------------------------------------------------------------


def test_a_database_backup_that_fails_brings_the_units_back_and_publishes_nothing(maas40: Maas):
    maas40.running.postgresql.fail_next('create-backup', 'no space left', at='middle')
    sets = maas40.sets()

    op = maas40.back_up()

    maas40.settle()
    assert op['status'] == 'failed'
    assert 'back-up-postgresql: create-backup on postgresql/' in op['error']
    assert 'no space left' in op['error']
    assert 'juju show-task' in op['error']
    assert story.units_back(maas40.running) == ''
    assert maas40.sets() == sets
    assert not [key for key in maas40.stored() if f'backup-sets/{op["id"]}' in key]
    assert maas40.pacemakers() == []
    free = [item.id for item in maas40.model.storage.values() if not item.owner]
    assert len(free) == 8
    (problem,) = (text for text in op['problems'] if 'juju remove-storage' in text)
    assert problem.endswith('juju remove-storage ' + ' '.join(sorted(free)))
    for storage_id in free:
        maas40.running.call(maas40.model.remove_storage, storage_id)
