"""Restores where other applications keep data in the same PostgreSQL."""

from __future__ import annotations

import pathlib

import pytest

from coordinator.engine import operation
from coordinator.steps import checking, other_databases
from coordinator.steps.checks import before_restore, fitting
from rehearsal import model, site
from rehearsal.standins import agent, subordinate
from tests import charm_states, programs, restores, simulation

WIKI = model.CharmSpec(
    'wiki',
    endpoints=(
        model.Endpoint(subordinate.Subordinate.peers, 'peer', 'agent-peers'),
        model.Endpoint('db', 'requirer', 'postgresql_client', limit=1),
    ),
)


def with_a_wiki(sim: simulation.Simulation) -> None:
    """Deploy an application that keeps its data in MAAS's PostgreSQL."""
    hosted = agent.StandInAgent(sim.model, subordinate.Subordinate(), sim.s3.store_for)
    sim.model.deploy('wiki', WIKI, hosted)
    sim.model.integrate('wiki:db', f'{site.POSTGRESQL}:database')
    site.settle(sim.model)


@pytest.fixture
def sim() -> simulation.Simulation:
    return restores.backed_up(regions=1, postgresql_units=1)


def check(sim: simulation.Simulation, **parameters: str) -> checking.Check:
    """Return what the check of a restore says."""
    given = {'backup-id': 'latest', **parameters}
    wanted = fitting.chosen(given, sim.config, sim.world)
    made = before_restore.restore_checks(wanted, given, sim.config, sim.world)
    return next(found for found in made if found.name == 'other-databases')


def test_maas_is_alone_in_its_database(sim: simulation.Simulation):
    assert other_databases.found(sim.world.juju.status(), sim.config) == []
    assert check(sim).outcome == checking.OK


def test_another_application_s_data_is_not_taken_back_unasked(sim: simulation.Simulation):
    with_a_wiki(sim)
    restores.restore(sim, sim)
    op = sim.run()
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert 'postgresql also holds the data of wiki:db' in op.error
    assert 'add other-databases=true' in op.error
    assert sim.tasks('restore') == []


def test_another_application_s_data_is_taken_back_where_that_is_meant(
    sim: simulation.Simulation,
):
    with_a_wiki(sim)
    restores.restore(sim, sim, other_databases='true')
    op = sim.run()
    assert (op.status, op.error) == (operation.COMPLETE, '')
    (warning,) = op.warnings
    assert warning.startswith('other-databases: postgresql also holds the data of wiki:db')


def test_an_application_that_comes_after_the_check_stops_the_restore_before_data_is_replaced(
    sim: simulation.Simulation,
):
    restores.restore(sim, sim)
    sim.at_step('apply-passwords')
    with_a_wiki(sim)
    op = sim.run()
    assert op.status == operation.FAILED
    assert 'wiki:db' in op.error
    assert sim.tasks('restore') == []


def test_what_other_models_relate_to_an_offer_is_counted(sim: simulation.Simulation):
    sim.model.offer('database', site.POSTGRESQL, 'database', connections=2)
    found = check(sim)
    assert found.outcome == checking.BAD
    assert '2 relation(s) of other models to offer database' in found.sentence
    assert check(sim, **{other_databases.ALLOWED: 'true'}).outcome == checking.WARNING


@pytest.mark.parametrize(
    ('application', 'endpoint', 'connections'),
    [
        (site.POSTGRESQL, 'database', 0),
        (site.POSTGRESQL, 's3-parameters', 1),
        (site.S3_MAAS, 's3-credentials', 1),
    ],
)
def test_an_offer_that_gives_nobody_a_database_is_none_of_them(
    sim: simulation.Simulation, application: str, endpoint: str, connections: int
):
    sim.model.offer('other', application, endpoint, connections=connections)
    assert check(sim).outcome == checking.OK


# --- The action ----------------------------------------------------------------------------------


@pytest.fixture
def reached(
    sim: simulation.Simulation, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> simulation.Simulation:
    """A site with another application's data, as the charm's actions reach it."""
    programs.Programs(tmp_path / 'bin', monkeypatch)
    charm_states.reach(sim.world, monkeypatch)
    with_a_wiki(sim)
    return sim


@pytest.mark.parametrize(
    ('given', 'verdict'),
    [
        ({}, 'not ready: other-databases'),
        ({'other_databases': True}, 'ready, with warnings (other-databases)'),
    ],
)
def test_the_dry_run_names_them_in_checks_plan_and_what_is_replaced(
    reached: simulation.Simulation, given: dict[str, bool], verdict: str
):
    state = charm_states.state()
    results, _ = charm_states.act('restore-all', state, backup_id='latest', **given)
    assert results['verdict'].startswith(verdict)
    assert 'also holds the data of wiki:db' in results['checks']
    assert (
        'start the restore of the database on postgresql, with the data of wiki:db'
        in results['plan']
    )
    assert '), with the data of wiki:db, images, preseeds' in results['replaces']
    assert ('other-databases=true' in results['next']) == bool(given)


def test_the_operation_keeps_that_it_is_meant_and_repeats_it(reached: simulation.Simulation):
    given = {'backup_id': 'latest', 'other_databases': True, 'confirm': True}
    _, out = charm_states.act('restore-all', charm_states.state(), **given)
    assert charm_states.saved(out).parameters['other-databases'] == 'true'
