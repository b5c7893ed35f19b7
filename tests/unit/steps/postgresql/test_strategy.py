"""Strategy `auto`: a replica where the charm allows it, else scaling down, else a refusal."""

from __future__ import annotations

import dataclasses
import json

import pytest

from coordinator import errors, ports
from coordinator.engine import operation, settings
from coordinator.operations import plans
from coordinator.report import preview
from coordinator.sets import manifest
from coordinator.steps import checking
from coordinator.steps.checks import before_backup
from coordinator.steps.postgresql import strategy
from rehearsal import site
from tests import simulation

RELATE = 'juju integrate postgresql:certificates self-signed-certificates'


def auto(**layout: object) -> simulation.Simulation:
    return simulation.Simulation(strategy='auto', regions=1, **layout)  # type: ignore[arg-type]


def without_replicas(**layout: object) -> simulation.Simulation:
    """Return a site whose PostgreSQL charm does not back up a replica."""
    return auto(postgresql_track='14', **layout)


def choice(sim: simulation.Simulation) -> strategy.Choice:
    return strategy.chosen(sim.world.juju.status(), sim.config)


def refusal(sim: simulation.Simulation) -> str:
    with pytest.raises(errors.StepError) as refused:
        choice(sim)
    return str(refused.value)


def made_by_hand(sim: simulation.Simulation) -> None:
    for unit in sim.model.application(site.POSTGRESQL).units.values():
        unit.machine.instance_id = f'manual:{unit.machine.hostname}'


def published(sim: simulation.Simulation) -> manifest.Manifest:
    (key,) = sim.manifests()
    return manifest.Manifest.model_validate(json.loads(sim.world.maas_store.get(key)))


def plan(sim: simulation.Simulation) -> str:
    return preview.plan_text(plans.BACKUP_ALL, sim.config, sim.world.juju.status())


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
def test_a_replica_is_backed_up_where_the_charm_allows_it(version: str):
    sim = auto(version=version)
    before = sim.postgresql_units()
    assert 'nothing: keep all 3 unit(s) (auto: a replica of postgresql is' in plan(sim)
    assert (
        'make a full backup of the database on a replica (postgresql/1 or postgresql/2)'
        in plan(sim)
    )
    op = sim.run()
    assert (op.status, op.error, op.warnings) == (operation.COMPLETE, '', ())
    assert (sim.postgresql_units(), op.strategy) == (before, settings.REPLICA)
    assert published(sim).strategy == settings.REPLICA


def test_machines_that_must_stay_are_no_obstacle_to_a_replica():
    sim = auto()
    made_by_hand(sim)
    assert choice(sim).strategy == settings.REPLICA
    assert sim.run().status == operation.COMPLETE


def test_without_replicas_the_cluster_is_scaled_down():
    sim = without_replicas()
    before = sim.postgresql_units()
    told = 'one at a time; keep postgresql/0 (auto: postgresql is scaled down, because the charm'
    assert told in plan(sim)
    names = {check.name: check for check in before_backup.looking_checks(sim.config, sim.world)}
    assert names['strategy'].outcome == names['machines'].outcome == checking.OK
    op = sim.run()
    assert (op.status, op.error, op.strategy) == (operation.COMPLETE, '', settings.SCALE_DOWN)
    assert len(sim.postgresql_units()) == len(before)
    assert sim.postgresql_units() != before
    assert published(sim).strategy == settings.SCALE_DOWN


def test_juju_4_never_scales_a_cluster_down_by_itself():
    sim = without_replicas(version='4.0.15')
    before = sim.postgresql_units()
    said = refusal(sim)
    assert said.startswith('auto: the charm of postgresql, track 14, does not back up a replica')
    assert 'Juju 4.0.15 may not report' in said
    assert said.endswith(RELATE)
    op = sim.run()
    assert (op.status, op.error) == (operation.FAILED, f'check: {said}')
    assert sim.postgresql_units() == before
    assert 'nothing: keep all 3 unit(s)' in plan(sim), 'the plan is shown all the same'


def test_machines_that_cannot_come_back_are_not_given_away():
    sim = without_replicas()
    made_by_hand(sim)
    said = refusal(sim)
    assert 'were added by hand' in said
    assert said.endswith(RELATE)
    assert sim.run().status == operation.FAILED


def test_one_unit_is_backed_up_wherever_it_is():
    sim = without_replicas(version='4.0.15', postgresql_units=1)
    made_by_hand(sim)
    assert choice(sim).why == 'auto: postgresql has one unit, which is backed up'
    assert sim.run().status == operation.COMPLETE
    assert sim.postgresql_units() == ['postgresql/0']


def with_tls(status: ports.ModelStatus) -> ports.ModelStatus:
    relation = ports.Relation(99, ('postgresql:certificates', 'ca:certificates'))
    return dataclasses.replace(status, relations=(*status.relations, relation))


def test_with_tls_the_old_charm_backs_up_a_replica_too():
    sim = without_replicas()
    status = with_tls(sim.world.juju.status())
    assert strategy.chosen(status, sim.config).strategy == settings.REPLICA


def test_replica_is_refused_at_once_where_the_charm_would_refuse_it_later():
    sim = simulation.Simulation(strategy='replica', regions=1, postgresql_track='14')
    said = refusal(sim)
    assert RELATE in said
    assert said.endswith('or set postgresql-backup-strategy=scale-down')
    op = sim.run()
    assert (op.status, op.error) == (operation.FAILED, f'check: {said}')
    assert not sim.tasks('create-backup')


def test_what_was_chosen_holds_for_the_whole_operation():
    sim = auto()
    sim.at_step('back-up-postgresql')
    chosen = sim.op.strategy
    sim.config = dataclasses.replace(sim.config, strategy='scale-down')
    assert (sim.op.settings.strategy, chosen) == (settings.AUTO, settings.REPLICA)
    read_again = operation.Operation.from_json(sim.op.to_json())
    assert read_again.strategy == settings.REPLICA


def test_a_record_that_chose_nothing_has_the_strategy_that_was_configured():
    assert simulation.Simulation().op.strategy == settings.SCALE_DOWN
