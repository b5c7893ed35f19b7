"""The actions list-backups and show-backup."""

from __future__ import annotations

import dataclasses
import json
import pathlib

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, index
from rehearsal import memory_store
from tests import charm_states, examples, programs, restores, simulation, worlds

APP = charm_states.APP


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> worlds.StoredWorld:
    world = worlds.StoredWorld()
    charm_states.reach(world, monkeypatch)
    catalogue.commit(world.maas_store, examples.backup_set())
    return world


# --- list-backups --------------------------------------------------------------------------------


@pytest.mark.parametrize('leader', [True, False])
def test_list_backups_lists_on_any_unit_and_without_any_operation(
    repository: worlds.StoredWorld, leader: bool
):
    results, _ = charm_states.act('list-backups', charm_states.state(leader=leader))
    assert results['backups'].startswith('Backup sets in backups/maas:\n')
    assert examples.BACKUP_ID in results['backups']


@pytest.mark.parametrize('leader', [True, False])
def test_list_backups_stores_the_index_on_the_leader_only(
    repository: worlds.StoredWorld, leader: bool
):
    charm_states.act('list-backups', charm_states.state(leader=leader))
    assert (examples.BACKUP_ID in index.load(repository.maas_store)) == leader


def test_list_backups_stores_no_index_in_a_throwaway_model(repository: worlds.StoredWorld):
    given = {'backup-id': examples.BACKUP_ID, operation.REHEARSAL: 'true'}
    op = dataclasses.replace(
        charm_states.new_operation(), kind='restore-all', parameters=given
    ).remembering({operation.THROWAWAY: 'maas-rehearsal'})
    charm_states.act(
        'list-backups', charm_states.state(op.ending(operation.COMPLETE, worlds.START))
    )
    assert index.load(repository.maas_store) == {}


def test_list_backups_lists_for_programs(repository: worlds.StoredWorld):
    results, _ = charm_states.act('list-backups', charm_states.state(), format='json')
    assert [entry['backup-id'] for entry in json.loads(results['backups'])] == [examples.BACKUP_ID]


def test_list_backups_lists_what_is_asked_for(repository: worlds.StoredWorld):
    newer = [f'2026-09-{day:02}T10:15:00Z' for day in range(1, 5)]
    for backup_id in newer:
        catalogue.commit(repository.maas_store, examples.backup_set(backup_id))
    results, _ = charm_states.act(
        'list-backups', charm_states.state(), format='json', limit=2, since='2026-09-02'
    )
    assert [entry['backup-id'] for entry in json.loads(results['backups'])] == newer[2:]
    assert results['note'] == (
        f'1 backup set(s) older than {newer[2]} are not shown: list-backups limit=...'
    )


def test_list_backups_shows_the_sets_of_other_models_when_asked(repository: worlds.StoredWorld):
    found = examples.backup_set('2026-09-01T10:15:00Z')
    other = found.model.model_copy(update={'name': 'elsewhere', 'uuid': 'other'})
    catalogue.commit(repository.maas_store, found.model_copy(update={'model': other}))
    results, _ = charm_states.act('list-backups', charm_states.state())
    assert 'elsewhere' not in results['backups']
    assert 'of other models are not shown' in results['backups']
    results, _ = charm_states.act('list-backups', charm_states.state(), all_models=True)
    assert 'elsewhere' in results['backups']


def test_list_backups_shows_failed_sets_but_not_the_one_under_way(repository: worlds.StoredWorld):
    ids = ('2026-09-01T10:15:00Z', '2026-09-02T10:15:00Z')
    for backup_id in ids:
        repository.maas_store.put(catalogue.sealed_key(backup_id), b'sealed')
    state = charm_states.state(charm_states.new_operation(ids[1]))
    results, _ = charm_states.act('list-backups', state)
    assert f'{ids[0]} | failed' in results['backups']
    assert ids[1] not in results['backups']


def test_list_backups_names_what_a_complete_backup_has_left_to_do(
    repository: worlds.StoredWorld,
):
    text = 'postgresql has 2 of 3 units: juju add-unit postgresql'
    broken = charm_states.new_operation().step_ended(operation.BROKEN, worlds.START, text)
    over = broken.ending(operation.COMPLETE, worlds.START)
    results, _ = charm_states.act('list-backups', charm_states.state(over))
    assert results['left-to-do'] == text
    results, _ = charm_states.act('list-backups', charm_states.state())
    assert 'left-to-do' not in results


def test_list_backups_needs_no_record_that_it_can_read(repository: worlds.StoredWorld):
    results, _ = charm_states.act('list-backups', charm_states.state(charm_states.NEWER))
    assert examples.BACKUP_ID in results['backups']


def test_list_backups_fails_with_what_s3_says(repository: worlds.StoredWorld):
    repository.bucket.exists = False
    assert charm_states.refusal('list-backups', charm_states.state()) == (
        'the bucket backups does not exist: NoSuchBucket'
    )


@pytest.fixture
def backed_up(monkeypatch: pytest.MonkeyPatch) -> simulation.Simulation:
    """Return a site with one backup set."""
    sim = restores.backed_up(regions=1, postgresql_units=1)
    charm_states.reach(sim.world, monkeypatch)
    return sim


def test_list_backups_warns_of_a_database_part_that_has_expired(
    backed_up: simulation.Simulation,
):
    results, _ = charm_states.act('list-backups', charm_states.state())
    assert 'expired' not in results['backups']
    store = backed_up.world.maas_store
    (backup_id,) = catalogue.ids(store)
    found = catalogue.opened(store, backup_id)
    lost = found.postgresql.model_copy(update={'label': '20200101-000000F'})
    catalogue.commit(store, found.model_copy(update={'postgresql': lost}))
    results, _ = charm_states.act('list-backups', charm_states.state())
    assert f'{backup_id} | database-expired | ' in results['backups']
    assert 'it cannot be restored any more' in results['backups']


# --- show-backup ---------------------------------------------------------------------------------


def stored(sim: simulation.Simulation) -> dict[str, dict[str, memory_store.MemoryObject]]:
    """Return all objects, by bucket and key."""
    return {name: dict(bucket.objects) for name, bucket in sim.s3.buckets.items()}


@pytest.mark.parametrize('leader', [True, False])
def test_show_backup_shows_a_set_and_that_it_can_be_restored(
    backed_up: simulation.Simulation, leader: bool
):
    (backup_id,) = catalogue.ids(backed_up.world.maas_store)
    before = stored(backed_up)
    state = charm_states.state(leader=leader)
    results, out = charm_states.act('show-backup', state, backup_id='latest')
    assert results['backup-set'].startswith(f'backup set {backup_id}: complete\n')
    assert results['verdict'].startswith('ready')
    command = f'juju run {APP}/leader restore-all backup-id={backup_id} confirm=true'
    assert results['restore'] == command
    assert stored(backed_up) == before
    assert charm_states.databag(out) == charm_states.databag(state)


def test_show_backup_says_why_a_set_cannot_be_restored_here(backed_up: simulation.Simulation):
    (backup_id,) = catalogue.ids(backed_up.world.maas_store)
    found = catalogue.opened(backed_up.world.maas_store, backup_id)
    backed_up.world.maas_store.delete(found.maas.objects[-1].key)
    results, _ = charm_states.act('show-backup', charm_states.state(), backup_id=backup_id)
    assert results['verdict'] == 'not ready: maas-objects'
    assert f'{found.maas.objects[-1].key} of the files backup is missing' in results['checks']


def test_show_backup_asks_maas_only_when_that_is_wanted(
    monkeypatch: pytest.MonkeyPatch,
):
    sim = simulation.Simulation(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY)
    sim.run()
    sim.site.add_machine('new-node')
    sim.clock.advance(60)
    charm_states.reach(sim.world, monkeypatch)
    state = charm_states.state()
    results, _ = charm_states.act('show-backup', state, backup_id=sim.op.id)
    assert 'changes' not in results
    results, _ = charm_states.act('show-backup', state, backup_id=sim.op.id, compare=True)
    assert results['changes'].startswith('this restore removes 1 machine added after the backup')
    assert 'new-node.maas' in results['changes']
    given = {'backup_id': sim.op.id}
    results, _ = charm_states.act('restore-all', state, **given)
    assert results['changes'].startswith('this restore removes 1 machine')


def test_show_backup_says_why_a_set_cannot_be_compared(backed_up: simulation.Simulation):
    (backup_id,) = catalogue.ids(backed_up.world.maas_store)
    given = {'backup_id': backup_id, 'compare': True}
    results, _ = charm_states.act('show-backup', charm_states.state(), **given)
    assert results['changes'].startswith('not compared: ')


def test_show_backup_shows_that_a_set_is_inconsistent(monkeypatch: pytest.MonkeyPatch):
    sim = simulation.Simulation(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY)
    sim.at_step('back-up-maas')
    sim.api.delete_image('custom/rocky-9/amd64')
    sim.run()
    charm_states.reach(sim.world, monkeypatch)
    results, _ = charm_states.act('show-backup', charm_states.state(), backup_id=sim.op.id)
    assert results['backup-set'].startswith(f'backup set {sim.op.id}: inconsistent\n')
    assert 'inconsistent: custom/rocky-9' in results['backup-set']
    assert 'inconsistent=true' in results['checks']


def test_show_backup_shows_a_pin(backed_up: simulation.Simulation):
    (backup_id,) = catalogue.ids(backed_up.world.maas_store)
    catalogue.pin(backed_up.world.maas_store, backup_id)
    results, _ = charm_states.act('show-backup', charm_states.state(), backup_id=backup_id)
    assert results['backup-set'].startswith(f'backup set {backup_id}: complete, pinned\n')


def test_show_backup_shows_a_set_to_a_model_that_is_still_being_built(
    repository: worlds.StoredWorld,
):
    state = charm_states.state(without=['postgresql'])
    results, _ = charm_states.act('show-backup', state, backup_id=examples.BACKUP_ID)
    assert 'charm postgresql from 16/stable' in results['backup-set']
    assert results['verdict'] == 'not ready: settings'
    assert f'missing relation: juju integrate {APP}:postgresql' in results['checks']
    refused = charm_states.refusal('show-backup', state, backup_id='latest')
    assert refused.startswith('missing relation')


def test_show_backup_says_when_there_is_no_such_set(repository: worlds.StoredWorld):
    state = charm_states.state()
    assert charm_states.refusal('show-backup', state, backup_id='2026-01-01T00:00:00Z') == (
        'there is no complete backup set 2026-01-01T00:00:00Z in backups/maas: '
        'list-backups shows the sets'
    )
    refused = charm_states.refusal('show-backup', state, backup_id='../x')
    assert refused.startswith("'../x' is not a backup id")
