"""A set that a clock has dated years ahead: reported, passed over, and deleted when asked."""

from __future__ import annotations

import pytest

from coordinator.engine import operation
from coordinator.report import listing
from coordinator.sets import catalogue, rules
from coordinator.steps.checks import fitting
from tests import backup_sets, simulation

AHEAD = '2031-01-01T00:00:00Z'


@pytest.fixture
def sim() -> simulation.Simulation:
    """A site with a set of a day, one of now, and one of years ahead."""
    sets = backup_sets.simulate(rules.Policy(last=1), days=backup_sets.DAYS[:1])
    backup_sets.add(sets, AHEAD)
    return sets


def test_it_is_reported(sim: simulation.Simulation):
    entries = catalogue.entries(sim.world.maas_store)
    told = {e.backup_id: e.problem for e in listing.with_ahead(entries, sim.clock.now())}
    assert 'dated in the future' in told.pop(AHEAD)
    assert set(told.values()) == {''}


def test_the_latest_set_is_the_newest_of_the_past(sim: simulation.Simulation):
    found = fitting.chosen({'backup-id': 'latest'}, sim.config, sim.world)
    assert found.backup_id == backup_sets.made(sim)


def test_it_is_the_latest_only_where_there_is_no_other(sim: simulation.Simulation):
    for name in (backup_sets.name(backup_sets.DAYS[0]), backup_sets.made(sim)):
        catalogue.withdraw(sim.world.maas_store, name)
    found = fitting.chosen({'backup-id': 'latest'}, sim.config, sim.world)
    assert found.backup_id == AHEAD


def test_later_sets_come_and_go_as_if_it_were_not_there(sim: simulation.Simulation):
    sim.begin('backup-all')
    assert sim.run().status == operation.COMPLETE
    assert backup_sets.listed(sim) == [sim.op.id, AHEAD]


def test_it_can_be_deleted(sim: simulation.Simulation):
    sim.begin('delete-backup', backup_id=AHEAD)
    assert sim.run().status == operation.COMPLETE
    assert AHEAD not in backup_sets.listed(sim)
