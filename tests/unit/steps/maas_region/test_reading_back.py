"""Before anything is detached, maas-region itself lists the files backup that it is to restore."""

from __future__ import annotations

import pytest

from coordinator.engine import facts, operation
from coordinator.steps.maas_region import reading_back
from rehearsal import site
from tests import restores, simulation


@pytest.fixture
def sim() -> simulation.Simulation:
    """A restore of a set of two regions."""
    backed_up = restores.backed_up(regions=2, postgresql_units=1)
    restores.restore(backed_up, backed_up)
    return backed_up


def refused(sim: simulation.Simulation) -> str:
    """Return why a restore is refused with MAAS still attached, and nothing left behind."""
    op = sim.run()
    assert op.status == operation.FAILED
    assert op.error.startswith('ask-maas-region: ')
    assert sim.tasks('restore') == []
    assert sim.site.maas_downtime == {'maas-region/0': 0, 'maas-region/1': 0}
    left = [item.key for item in sim.world.maas_store.list('coordinator/') if 'in-use' in item.key]
    assert left == []
    return op.error


def test_every_region_is_asked_once(sim: simulation.Simulation):
    assert sim.run().status == operation.COMPLETE
    assert sorted(task.unit for task in sim.tasks('list-backups')) == [
        'maas-region/0',
        'maas-region/1',
    ]


@pytest.mark.parametrize(
    ('name', 'content'), [('controllers.txt', b''), ('backup_metadata.json', b'{"success": tru')]
)
def test_a_folder_that_breaks_the_list_of_maas_region_is_named(
    sim: simulation.Simulation, name: str, content: bytes
):
    sim.world.maas_store.put(f'backup/2020-01-01T00:00:00Z/{name}', content)
    why = refused(sim)
    assert 'list-backups on maas-region/0 failed' in why
    assert 'backup/2020-01-01T00:00:00Z/ in maas-backups/maas is empty' in why


def test_a_revision_that_cuts_digits_off_ids_is_found_out():
    sim = simulation.Simulation(
        regions=2, postgresql_units=1, recipient=str(restores.KEY.to_public())
    )
    sim.maas.strips_ids = True
    sim.model.set_config(site.S3_MAAS, {'path': 'maas-2'})
    site.settle(sim.model)
    assert sim.run().status == operation.COMPLETE
    restores.restore(sim, sim)
    why = refused(sim)
    assert 'not at all instead of as finished' in why
    assert 'juju refresh maas-region' in why


def test_a_backup_that_maas_region_calls_failed_is_refused(sim: simulation.Simulation):
    sim.at_step('mark-backup-set')
    (folder,) = sim.world.maas_store.folders('backup/')
    sim.world.maas_store.put(f'backup/{folder}/stray', b'x')
    assert 'as failed instead of as finished' in refused(sim)


def test_a_region_whose_agent_restarts_is_asked_again(sim: simulation.Simulation):
    sim.maas.fail_next('list-backups', 'action terminated')
    assert sim.run().status == operation.COMPLETE
    assert len(sim.tasks('list-backups')) == 4


def test_a_region_that_is_lost_before_it_lists_is_named_and_the_restore_undone(
    sim: simulation.Simulation,
):
    sim.at_step('ask-maas-region')
    sim.model.set_agent_status(sim.model.unit('maas-region/1'), 'lost')
    why = refused(sim)
    assert 'the agent of maas-region/1 has been lost' in why
    assert 'juju remove-unit --force maas-region/1' in why
    assert sim.op.age < 15 * 60


def test_no_lost_checkpoint_asks_a_region_twice(sim: simulation.Simulation):
    sim.at_step('ask-maas-region')
    while sim.op.step == 'ask-maas-region':
        before = sim.op
        sim.dispatch()
        sim.op = before
        sim.clock.advance(simulation.BEAT_SECONDS)
        sim.dispatch()
    assert len(sim.tasks('list-backups')) == 2


def test_a_fresh_model_waits_until_maas_region_follows_its_integrator():
    lost = restores.backed_up(regions=1, postgresql_units=1)
    fresh = restores.simulate(regions=1, postgresql_units=1, after=lost)
    restores.restore(fresh, lost)
    assert fresh.run().status == operation.COMPLETE


def test_regions_are_asked_now_and_then_while_their_integrator_may_have_been_aimed_too_late(
    sim: simulation.Simulation,
):
    sim.at_step('ask-maas-region')
    (folder,) = sim.world.maas_store.folders('backup/')
    sim.world.maas_store.put(f'backup/{folder}/stray', b'x')
    here = {key: sim.world.maas_store.place[key] for key in ('bucket', 'path')}
    sim.op = sim.op.remembering(facts.AIMED_BEFORE.put({site.S3_MAAS: here}))
    assert 'as failed instead of as finished' in refused(sim)
    assert 120 <= sim.op.age < 200
    assert 3 * 2 <= len(sim.tasks('list-backups')) <= 8 * 2


def test_the_status_of_each_backup_is_read_out_of_a_table_of_any_columns():
    old = (
        'Storage bucket name: b\nBackups base path: /maas/backup/\n\n'
        'backup-id            | action      | status   | backup-path\n'
        '-----\n'
        '2026-08-22T10:00:00Z | full backup | finished | /maas/backup/2026-08-22T10:00:00Z\n'
    )
    assert reading_back.listed(old) == {'2026-08-22T10:00:00Z': 'finished'}
    assert reading_back.listed('') == {}
    assert reading_back.listed('nothing\n | \n') == {}
