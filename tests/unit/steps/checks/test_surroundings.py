"""What is refused up front, by backups, adoptions and restores alike."""

from __future__ import annotations

import dataclasses
import datetime
from typing import cast

import pytest

from coordinator import ports
from coordinator.engine import operation
from coordinator.steps import checking
from coordinator.steps.checks import before_backup, surroundings
from rehearsal import site
from tests import by_hand, restores, simulation


@pytest.fixture
def sim() -> simulation.Simulation:
    return simulation.Simulation(regions=1, postgresql_units=1)


@pytest.fixture(params=['backup-all', 'adopt-backup', 'restore-all'])
def about_to(request: pytest.FixtureRequest) -> simulation.Simulation:
    """A site at the beginning of an operation of each of these kinds."""
    if request.param == 'adopt-backup':
        return by_hand.adopting_them()
    if request.param == 'restore-all':
        backed_up = restores.backed_up(regions=1, postgresql_units=1)
        restores.restore(backed_up, backed_up)
        return backed_up
    return simulation.Simulation(regions=1, postgresql_units=1)


def refused(sim: simulation.Simulation) -> str:
    """Return why an operation is refused before it changes anything."""
    op = sim.run()
    assert (op.status, op.step) == (operation.FAILED, 'check')
    return op.error


class Shown:
    """A model whose status shows something else."""

    def __init__(self, juju: ports.JujuModel, **changes: object):
        self._juju, self._changes = juju, changes

    def status(self, *applications: str) -> ports.ModelStatus:
        return dataclasses.replace(self._juju.status(*applications), **self._changes)

    def __getattr__(self, name: str) -> object:
        return getattr(self._juju, name)


def show(sim: simulation.Simulation, **changes: object) -> None:
    """Let the coordinator see another status than the model's."""
    sim.world.juju = cast(ports.JujuModel, Shown(sim.world.juju, **changes))


def move_to_no_path(sim: simulation.Simulation) -> None:
    """Aim maas-region's integrator, and all that lies in the repository, at no path."""
    bucket = sim.s3.bucket('maas-backups')
    bucket.objects = {key.removeprefix('maas/'): item for key, item in bucket.objects.items()}
    sim.model.set_config(site.S3_MAAS, {'path': ''})
    site.settle(sim.model)


def test_an_empty_path_is_refused_as_maas_region_could_restore_nothing_from_it(
    about_to: simulation.Simulation,
):
    move_to_no_path(about_to)
    assert (
        's3-integrator-maas has no path, but without a path maas-region can neither list nor '
        'restore its backups: juju config s3-integrator-maas path=maas'
    ) in refused(about_to)


@pytest.mark.parametrize('path', ['', '/', ' ', ' / '])
def test_a_path_of_slashes_and_blanks_is_none(sim: simulation.Simulation, path: str):
    sim.model.set_config(site.S3_MAAS, {'path': path})
    found = [
        c for c in before_backup.looking_checks(sim.config, sim.world) if c.name == 's3-maas-path'
    ]
    assert [check.outcome for check in found] == [checking.BAD]


def test_a_second_coordinator_in_the_model_is_refused(about_to: simulation.Simulation):
    status = about_to.world.juju.status()
    app = status.applications[site.S3_MAAS]
    twins = {
        name: dataclasses.replace(app, name=name, charm='maas-backup-coordinator')
        for name in ('coordinator', 'second')
    }
    show(about_to, applications={**status.applications, **twins})
    assert 'coordinator and second are both maas-backup-coordinator' in refused(about_to)


def test_one_coordinator_and_one_that_has_no_units_left_are_no_two(sim: simulation.Simulation):
    status = sim.world.juju.status()
    app = dataclasses.replace(
        status.applications[site.S3_MAAS], name='a', charm='maas-backup-coordinator'
    )
    gone = dataclasses.replace(app, name='b', units={})
    shown = dataclasses.replace(status, applications={'a': app, 'b': gone})
    assert surroundings.only_coordinator(shown).startswith('no other')


# --- Clocks --------------------------------------------------------------------------------------


@pytest.mark.parametrize('minutes', [-6, 6, 60 * 24 * 365])
def test_a_clock_that_differs_from_the_controllers_is_refused(
    about_to: simulation.Simulation, minutes: int
):
    then = about_to.clock.now() + datetime.timedelta(minutes=minutes)
    show(about_to, time=then)
    assert "this unit's clock shows" in (why := refused(about_to))
    assert 'that of the Juju controller' in why


def test_a_clock_that_differs_from_that_of_s3_is_refused(sim: simulation.Simulation):
    bucket = sim.s3.bucket('postgresql-backups')
    bucket.now = lambda: sim.clock.now() - datetime.timedelta(minutes=6)
    assert 'that of the S3 server of postgresql-backups/postgresql' in refused(sim)
    assert list(sim.world.postgresql_store.list('coordinator/')) == []


def test_a_clock_that_is_some_minutes_off_is_not(sim: simulation.Simulation):
    off = datetime.timedelta(minutes=4)
    show(sim, time=sim.clock.now() + off)
    for bucket in sim.s3.buckets.values():
        bucket.now = lambda: sim.clock.now() - off
    assert sim.run().status == operation.COMPLETE


# --- Replication ---------------------------------------------------------------------------------


def replicating(sim: simulation.Simulation, endpoint: str) -> None:
    status = sim.world.juju.status()
    relation = ports.Relation(99, (f'postgresql:{endpoint}', 'standby:replication'))
    show(sim, relations=[*status.relations, relation])


@pytest.mark.parametrize('endpoint', ['replication', 'replication-offer'])
def test_a_restore_is_refused_while_postgresql_replicates(endpoint: str):
    sim = restores.backed_up(regions=1, postgresql_units=1)
    restores.restore(sim, sim)
    replicating(sim, endpoint)
    assert f'juju remove-relation postgresql:{endpoint} standby:replication' in refused(sim)


def test_a_backup_warns_while_postgresql_replicates(sim: simulation.Simulation):
    replicating(sim, 'replication-offer')
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert 'restore-all is refused until that relation is removed' in ' '.join(op.warnings)


def test_a_standby_is_refused(sim: simulation.Simulation):
    sim.model.set_status(sim.model.unit('postgresql/0'), 'active', 'Standby')
    assert 'postgresql is a standby of another cluster' in refused(sim)
