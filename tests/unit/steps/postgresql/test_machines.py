"""Which machines leave with PostgreSQL's units, and which get the new ones."""

from __future__ import annotations

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.steps.postgresql import machines, strategy
from rehearsal import model, site
from rehearsal.standins import agent, subordinate
from tests import simulation


def with_agents(sim: simulation.Simulation) -> list[str]:
    """Let an agent live beside each unit of PostgreSQL; return their names."""
    charm = subordinate.Subordinate()
    hosted = agent.StandInAgent(sim.model, charm, sim.s3.store_for)
    sim.model.deploy('grafana-agent', charm.charm, hosted, units=0)
    names = [sim.model.add_subordinate('grafana-agent', unit) for unit in sim.postgresql_units()]
    site.settle(sim.model)
    return names


def machines_of(sim: simulation.Simulation) -> dict[str, str]:
    app = sim.world.juju.status().applications[site.POSTGRESQL]
    return {unit.name: unit.machine for unit in app.units.values()}


def replicas(sim: simulation.Simulation) -> list[model.Machine]:
    """Return the machines of the units that scaling down removes."""
    shown = sim.model.application(site.POSTGRESQL).units.values()
    return [unit.machine for unit in shown if unit.workload.message != 'Primary']


def test_manual_machines_with_a_subordinate_each_are_not_given_away(sim: simulation.Simulation):
    with_agents(sim)
    for unit in sim.model.application(site.POSTGRESQL).units.values():
        unit.machine.instance_id = f'manual:{unit.machine.hostname}'
    status = sim.world.juju.status()
    with pytest.raises(errors.StepError, match='were added by hand'):
        strategy.leaving_machines(status, site.POSTGRESQL)


def test_subordinates_leave_with_their_principal_and_its_machine(sim: simulation.Simulation):
    names = with_agents(sim)
    before = machines_of(sim)
    op = sim.run()
    assert (op.status, op.error) == (operation.COMPLETE, '')
    site.settle(sim.model)
    left = set(before) - set(machines_of(sim))
    assert len(left) == 2
    assert {before[unit] for unit in left}.isdisjoint(sim.model.machines)
    assert len([name for name in names if name in sim.model.units]) == 1


@pytest.mark.parametrize('keeps', ['container', 'controller'])
def test_a_machine_that_something_else_keeps_stays_and_gets_the_new_unit(
    sim: simulation.Simulation, keeps: str
):
    hosts = replicas(sim)
    for machine in hosts:
        if keeps == 'container':
            sim.model.add_container(machine.id)
        else:
            machine.controller = True
    said = strategy.leaving_machines(sim.world.juju.status(), site.POSTGRESQL)
    assert said == 'no machine will be removed'
    before = set(machines_of(sim).values())

    op = sim.run()
    assert (op.status, op.error) == (operation.COMPLETE, '')
    site.settle(sim.model)
    assert {machine.life for machine in hosts} == {'alive'}
    assert set(machines_of(sim).values()) == before


def test_a_manual_machine_with_a_container_may_be_left_for_a_while(sim: simulation.Simulation):
    for machine in replicas(sim):
        machine.instance_id = f'manual:{machine.hostname}'
        sim.model.add_container(machine.id)
    assert (
        strategy.leaving_machines(sim.world.juju.status(), site.POSTGRESQL)
        == 'no machine will be removed'
    )


def test_of_units_that_leave_together_none_keeps_the_other_s_machine():
    sim = simulation.Simulation()
    first, second = replicas(sim)
    status = sim.world.juju.status()
    leaving = [name for name, machine in machines_of(sim).items() if machine != first.id]
    assert second.id not in machines.kept(status, leaving)
    assert first.id in machines.kept(status, leaving)
