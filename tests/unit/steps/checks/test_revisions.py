from __future__ import annotations

import dataclasses

import pytest

from coordinator import ports
from coordinator.sets import catalogue, manifest
from coordinator.steps import checking
from coordinator.steps.checks import before_restore, revisions
from tests import restores, simulation


@pytest.fixture(scope='module')
def sim() -> simulation.Simulation:
    return restores.backed_up(regions=1, postgresql_units=1)


def made_by(sim: simulation.Simulation, revision: int) -> manifest.Manifest:
    found = catalogue.opened(sim.world.maas_store, catalogue.ids(sim.world.maas_store)[-1])
    charm = found.postgresql.charm.model_copy(update={'revision': revision})
    part = found.postgresql.model_copy(update={'charm': charm})
    return found.model_copy(update={'postgresql': part})


def with_revision(sim: simulation.Simulation, revision: int, channel: str) -> ports.ModelStatus:
    status = sim.world.juju.status()
    app = status.applications['postgresql']
    changed = dataclasses.replace(app, revision=revision, channel=channel)
    return dataclasses.replace(status, applications={**status.applications, 'postgresql': changed})


@pytest.mark.parametrize(
    ('then', 'now', 'channel', 'warned'),
    [
        (843, 1158, '16/stable', True),
        (1089, 1200, '16/edge', True),
        (1158, 1158, '16/stable', False),
        (843, 1089, '16/stable', False),
        (843, 1200, '', False),
    ],
)
def test_pairs_that_leave_trouble_are_warned_of_with_the_cure(
    sim: simulation.Simulation, then: int, now: int, channel: str, warned: bool
):
    found = revisions.check(made_by(sim, then), sim.config, with_revision(sim, now, channel))
    assert isinstance(found, checking.Warned) == warned
    if isinstance(found, checking.Warned):
        assert f'made by revision {then} of postgresql' in found.sentence
        assert 'juju deploy postgresql --channel=16/stable --revision=1089' in found.sentence


def test_the_dry_run_of_a_restore_makes_the_check(sim: simulation.Simulation):
    outcomes = before_restore.restore_checks(made_by(sim, 843), {}, sim.config, sim.world)
    assert 'revisions' in {check.name for check in outcomes}
