"""restore-all on the model in memory: in a fresh model, and on a living site."""

from __future__ import annotations

import pytest

from coordinator import times
from coordinator.engine import operation
from coordinator.sets import catalogue
from rehearsal import site
from tests import restores, simulation


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
@pytest.mark.parametrize('s3_track', [1, 2])
@pytest.mark.parametrize('units', [1, 3])
@pytest.mark.parametrize('regions', [1, 3])
def test_a_lost_site_comes_back_in_a_fresh_model(
    version: str, s3_track: int, units: int, regions: int
):
    lost = restores.backed_up(
        regions=regions, postgresql_units=units, version=version, s3_track=s3_track
    )
    fresh = restores.simulate(
        regions=regions, postgresql_units=units, version=version, s3_track=s3_track, after=lost
    )
    restores.restore(fresh, lost)
    fresh.run()
    restores.assert_restored(fresh, units)
    assert fresh.world.postgresql_store.place['path'] == 'postgresql-restored-1'


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
@pytest.mark.parametrize('units', [1, 3])
@pytest.mark.parametrize('regions', [1, 3])
def test_a_living_site_is_rolled_back(version: str, units: int, regions: int):
    sim = restores.backed_up(regions=regions, postgresql_units=units, version=version)
    restores.restore(sim, sim, identity='')
    sim.run()
    restores.assert_restored(sim, units)


def test_a_second_restore_finds_the_repository_that_has_moved_since():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.run()
    fresh.site.add_machine('after-the-first-restore')
    site.settle(fresh.model)
    restores.restore(fresh, lost)
    fresh.run()
    restores.assert_restored(fresh, 3)
    assert fresh.world.postgresql_store.place['path'] == 'postgresql-restored-2'


def test_a_restored_site_can_be_backed_up_and_restored_again():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.run()
    fresh.clock.advance(60)
    fresh.begin('backup-all')
    assert fresh.run().status == operation.COMPLETE
    entries = catalogue.entries(fresh.world.maas_store)
    assert [entry.problem for entry in entries] == ['', '']


def test_latest_is_the_newest_set_that_fits():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost, backup_id='latest')
    fresh.run()
    restores.assert_restored(fresh, 3)


def with_regions_that_take_long() -> simulation.Simulation:
    """Return a restore in a fresh model whose regions restore for half an hour."""
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    fresh.maas.restore = 1800
    restores.restore(fresh, lost)
    return fresh


def test_postgresql_gets_its_new_path_while_the_regions_still_restore():
    fresh = with_regions_that_take_long()
    fresh.until(lambda: fresh.op.fact('postgresql-ready'))
    assert fresh.op.step == 'restore-maas'
    assert not any(task.ended for task in fresh.tasks('restore-backup'))
    assert fresh.world.postgresql_store.place['path'] == 'postgresql-restored-1'
    fresh.run()
    restores.assert_restored(fresh, 3)
    assert fresh.op.entry('renew-repository').state == operation.DONE


def test_a_region_can_be_tried_again_when_postgresql_has_its_new_path():
    fresh = with_regions_that_take_long()
    fresh.until(lambda: fresh.op.fact('postgresql-ready'))
    running = next(task for task in fresh.tasks('restore-backup') if not task.ended)
    fresh.model.restart_agent(running.unit)
    fresh.run()
    restores.assert_restored(fresh, 3)
    assert len(fresh.tasks('restore-backup')) == 4


def test_a_database_that_was_not_restored_does_not_disturb_the_regions():
    sim = restores.backed_up()
    sim.maas.restore = 1800
    restores.restore(sim, sim)
    sim.database.make_nothing_next('restore')
    op = sim.run()
    assert (op.status, op.step) == (operation.HELD, 'await-postgresql')
    assert all(task.status == 'completed' for task in sim.tasks('restore-backup'))


def test_maas_is_down_no_longer_than_its_relation_is_gone():
    lost = restores.backed_up()
    lost.maas.restore = 120
    fresh = restores.simulate(after=lost)
    fresh.maas.restore = 120
    restores.restore(fresh, lost)
    fresh.run()
    down, up = (fresh.fact(name) for name in ('maas-down-since', 'maas-up-since'))
    seconds = (times.parse_stamp(up) - times.parse_stamp(down)).total_seconds()
    assert 120 < seconds < 2 * 120 + 400, 'the regions restore at the same time'
