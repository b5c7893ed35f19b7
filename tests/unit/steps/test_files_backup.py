"""A files backup is ours when our task names it, or when it provably is; else it is repeated."""

from __future__ import annotations

import datetime
import json

import pytest

from coordinator import times
from coordinator.engine import operation
from coordinator.parts import maas_backup
from coordinator.sets import catalogue
from coordinator.steps.maas_region import files_backup
from rehearsal import model, site
from tests import simulation


@pytest.fixture
def sim() -> simulation.Simulation:
    """A small backup whose next step is the files backup."""
    small = simulation.Simulation(regions=1, postgresql_units=1)
    small.at_step('back-up-maas')
    return small


def task(sim: simulation.Simulation) -> model.Task:
    """Let the operation start its task; return that."""
    sim.until(lambda: sim.tasks('create-backup', 'maas-region'))
    return sim.tasks('create-backup', 'maas-region')[-1]


def back_up_another_model(sim: simulation.Simulation, name: str = 'other') -> str:
    """Let maas-region of another model, a namesake of ours, back up below the same path."""
    store, backup_id = sim.world.maas_store, times.stamp(sim.clock.now())
    store.put(
        maas_backup.LATEST,
        f'Date Backup Requested: {backup_id}\nModel Name: {name}\n'
        'Application Name: maas-region\nUnit Name: maas-region/0\n'.encode(),
    )
    metadata = {'maas_snap_version': '3.6.1', 'unit_name': 'maas-region/0', 'success': True}
    for part, content in (
        ('controllers.txt', b'others'),
        ('image-storage.tar.gz', b'images of the other model'),
        ('preseeds.tar.gz', b'preseeds of the other model'),
        ('backup_metadata.json', json.dumps(metadata).encode()),
    ):
        store.put(maas_backup.folder(backup_id) + part, content)
    return backup_id


def assert_own_files(sim: simulation.Simulation, attempts: int) -> None:
    assert sim.run().status == operation.COMPLETE
    found = catalogue.opened(sim.world.maas_store, sim.op.backup_id)
    assert found.maas.controllers == tuple(sim.site.database['controllers'])
    assert len(sim.tasks('create-backup', 'maas-region')) == attempts


@pytest.mark.parametrize('at', ['start', 'end'])
def test_a_backup_of_another_model_is_not_taken_for_ours_that_was_cut_short(
    sim: simulation.Simulation, at: str
):
    sim.maas.fail_next('create-backup', 'action terminated', at=at)
    task(sim)
    sim.clock.advance(1)
    back_up_another_model(sim)
    assert_own_files(sim, attempts=2)


def test_a_backup_that_fails_fails_although_another_model_backs_up(sim: simulation.Simulation):
    sim.maas.fail_next('create-backup', 'no space left', at='middle')
    task(sim)
    sim.clock.advance(1)
    back_up_another_model(sim)
    op = sim.run()
    assert op.status == operation.FAILED
    assert 'Failed to archive and upload MAAS files to S3' in op.error
    assert sim.manifests() == []


@pytest.mark.parametrize('name', ['other', 'maas'])
def test_a_backup_that_another_model_makes_after_ours_is_not_taken_for_ours(
    sim: simulation.Simulation, name: str
):
    sim.maas.fail_next('create-backup', 'action terminated', at='end')
    ours = task(sim)
    while not ours.ended:
        sim.clock.advance(1)
    back_up_another_model(sim, name)
    sim.clock.advance(60)
    back_up_another_model(sim, name)
    assert_own_files(sim, attempts=2)


def test_a_backup_that_another_model_had_begun_before_ours_is_not_taken_for_ours(
    sim: simulation.Simulation,
):
    store, theirs = sim.world.maas_store, times.stamp(sim.clock.now())
    store.put(maas_backup.folder(theirs) + 'controllers.txt', b'others')
    sim.clock.advance(2)
    ours = task(sim)
    sim.until(lambda: ours.status == 'running')
    sim.clock.advance(1)
    latest = store.get(maas_backup.LATEST)
    # Theirs ends, and ours is cut short; they said that they begin before we did.
    for item in list(store.list(maas_backup.folder(back_up_another_model(sim)))):
        store.put(item.key.replace(item.key.split('/')[1], theirs), store.get(item.key))
        store.delete(item.key)
    store.put(maas_backup.LATEST, latest)
    sim.model.restart_agent('maas-region/0')
    assert_own_files(sim, attempts=2)


def test_a_backup_of_another_model_that_is_quicker_is_not_taken_for_ours(
    sim: simulation.Simulation,
):
    task(sim)
    sim.clock.advance(1)
    back_up_another_model(sim)
    assert_own_files(sim, attempts=1)


def test_a_task_that_made_nothing_is_not_good_because_another_model_backed_up(
    sim: simulation.Simulation,
):
    sim.maas.make_nothing_next('create-backup')
    task(sim)
    sim.clock.advance(1)
    back_up_another_model(sim)
    assert_own_files(sim, attempts=2)


def test_one_that_provably_is_ours_is_adopted(sim: simulation.Simulation):
    sim.maas.fail_next('create-backup', 'action terminated', at='end')
    assert_own_files(sim, attempts=1)


def test_one_that_an_operator_began_is_ours_as_his_task_names_it(sim: simulation.Simulation):
    sim.model.enqueue([('maas-region/0', 'create-backup', {}, True, '')])
    assert_own_files(sim, attempts=1)


def test_an_operation_of_an_older_revision_adopts_nothing_that_no_task_names(
    sim: simulation.Simulation,
):
    back_up_another_model(sim, 'maas')
    facts = {name: text for name, text in sim.op.facts.items() if 'requested' not in name}
    assert len(facts) < len(sim.op.facts)
    sim.op = operation.Operation.from_json(
        json.dumps({**json.loads(sim.op.to_json()), 'facts': facts})
    )
    assert_own_files(sim, attempts=1)


# --- Whose turn it is ----------------------------------------------------------------------------


def turns(sim: simulation.Simulation) -> list[str]:
    return [item.key for item in sim.world.maas_store.list('coordinator/files-backups/')]


def test_one_backup_begins_after_the_other_and_nothing_is_left_of_that(
    sim: simulation.Simulation,
):
    other = 'coordinator/files-backups/claim-ffffffff-0bad-400d-8000-4b1d0d06f00d-00000000'
    sim.world.maas_store.put(other, b'')
    sim.clock.advance(600)
    sim.dispatch()
    assert 'another model is starting its files backup' in sim.op.current.reason
    assert sim.tasks('create-backup', 'maas-region') == []
    sim.clock.advance(600)
    assert sim.run().status == operation.COMPLETE
    assert turns(sim) == [other]


def test_the_next_one_may_begin_while_a_long_backup_runs(sim: simulation.Simulation):
    sim.maas.backup = 7200
    task(sim)
    assert len(turns(sim)) == 1
    sim.until(lambda: not turns(sim))
    assert not sim.tasks('create-backup', 'maas-region')[0].ended


def test_an_abort_takes_back_that_it_begins(sim: simulation.Simulation):
    sim.maas.hang_next('create-backup')
    task(sim)
    sim.op = sim.op.aborting(sim.clock.now())
    assert sim.run().status == operation.ABORTED
    assert turns(sim) == []
    left = [item.key for item in sim.world.maas_store.list('coordinator/')]
    assert left == []


def test_a_backup_that_is_ended_by_force_tells_what_may_be_left(sim: simulation.Simulation):
    task(sim)
    (key,) = turns(sim)
    assert key in ' '.join(files_backup.remains(sim.op))
    assert site.MAAS in sim.op.settings.maas


def test_a_turn_that_was_waited_for_too_long_is_said_again_before_the_backup_begins():
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    sim.until(lambda: turns(sim))
    # Nobody leads for a while.
    sim.clock.advance(20 * 60)
    sim.dispatch()
    assert not sim.tasks('create-backup', 'maas-region')
    (said,) = sim.world.maas_store.list('coordinator/files-backups/')
    assert sim.clock.now() - said.modified < datetime.timedelta(minutes=1)
    assert sim.run().status == operation.COMPLETE
