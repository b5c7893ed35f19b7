"""A rehearsal of a restore in a throw-away model: what it shows, and what it leaves alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, rehearsal
from coordinator.steps import site as steps_site
from rehearsal import model, site
from rehearsal.maas import direct
from tests import restores, simulation


def deployed(*, postgresql_units: int = 3) -> tuple[simulation.Simulation, simulation.Simulation]:
    """Return a site with a backup set, and a throw-away model beside it."""
    lives = restores.backed_up(
        regions=1, postgresql_units=postgresql_units, maas_key=simulation.MAAS_KEY
    )
    return lives, restores.throwaway(lives, regions=1, postgresql_units=postgresql_units)


def new_keys(sim: simulation.Simulation, before: dict[str, tuple[bytes, object]]) -> list[str]:
    """Return what is new where the set lies; nothing that was there is another now."""
    now = restores.contents(sim)
    assert {key: now.get(key) for key in before} == before
    return sorted(now.keys() - before.keys())


def test_a_rehearsal_restores_the_set_and_writes_one_object_beside_it():
    lives, sim = deployed()
    before = restores.contents(sim)
    backup_id = restores.rehearse(sim, lives)

    sim.run()

    restores.assert_restored(sim, 3)
    (key,) = new_keys(sim, before)
    assert key.startswith(f'maas-backups/maas/{catalogue.folder(backup_id)}rehearsed-')
    found = catalogue.last_rehearsal(sim.world.maas_store, backup_id)
    assert found is not None
    assert (found.proof, found.model.name) == (rehearsal.PROVEN, 'maas-rehearsal')
    assert found.seconds['restore-maas'] > 0
    assert found.downtime_seconds
    assert found.total_seconds > found.downtime_seconds
    assert found.postgresql.charm == 'postgresql'


def test_postgresql_goes_on_beside_its_own_path_in_its_own_bucket():
    lives, sim = deployed()
    restores.rehearse(sim, lives)

    sim.run()

    place = sim.world.postgresql_store.place
    assert (place['bucket'], place['path']) == (
        restores.OWN_BUCKET,
        'maas-rehearsal-restored-1',
    )
    assert sim.world.maas_store.place['path'] == 'maas'


def test_a_repeated_last_step_writes_the_same_object_again():
    lives, sim = deployed(postgresql_units=1)
    before = restores.contents(sim)
    restores.rehearse(sim, lives)
    sim.at_step('record-rehearsal')
    record = sim.op
    sim.dispatch()
    (key,) = new_keys(sim, before)
    written = restores.contents(sim)[key][0]

    sim.op = record
    sim.clock.advance(600)
    sim.run()

    assert sim.op.status == operation.COMPLETE
    assert new_keys(sim, before) == [key]
    assert restores.contents(sim)[key][0] == written


def test_a_set_that_is_deleted_meanwhile_gets_no_result():
    lives, sim = deployed(postgresql_units=1)
    backup_id = restores.rehearse(sim, lives)
    sim.at_step('record-rehearsal')
    store = lives.world.maas_store
    for name in catalogue.names(store, backup_id):
        store.delete(catalogue.folder(backup_id) + name)

    sim.run()

    assert sim.op.status == operation.COMPLETE
    assert 'was deleted in the meantime' in sim.op.problems[-1]
    assert catalogue.names(store, backup_id) == set()


def test_a_rehearsal_says_what_differs_and_stores_the_differences_nowhere_else():
    lives, sim = deployed(postgresql_units=1)
    before = restores.contents(sim)
    backup_id = restores.rehearse(sim, lives)
    sim.at_step('prove')
    sim.api.remove_machine('before-the-backup')

    sim.run()

    (key,) = new_keys(sim, before)
    assert '-different-' in key
    found = catalogue.last_rehearsal(sim.world.maas_store, backup_id)
    assert found is not None
    assert found.told == f'MAAS is up, and differs from backup set {backup_id} in 1 thing(s)'
    assert found.left == ()
    assert found.outcome.good is False


def test_a_rehearsal_without_a_key_of_the_set_is_not_proven():
    lives, sim = deployed(postgresql_units=1)
    sim.world.maas_key = restores.FRESH_KEY
    backup_id = restores.rehearse(sim, lives)

    sim.run()

    assert sim.op.status == operation.COMPLETE
    found = catalogue.last_rehearsal(sim.world.maas_store, backup_id)
    assert found is not None
    assert found.proof == rehearsal.UNPROVEN
    assert 'refuses the API key' in found.told


# --- Refusals --------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def pair() -> tuple[simulation.Simulation, simulation.Simulation]:
    """A site with a set and a throw-away model, for tests that change nothing."""
    return deployed(postgresql_units=1)


def refusal(sim: simulation.Simulation, lives: simulation.Simulation) -> str:
    """Begin a rehearsal that must be refused before anything changes; return why."""
    before, tasks = restores.contents(sim), len(sim.model.tasks)
    restores.rehearse(sim, lives)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert [entry.name for entry in sim.op.steps if entry.begun] == ['check']
    assert new_keys(sim, before) == []
    assert len(sim.model.tasks) == tasks
    return sim.op.error


def test_the_model_that_made_the_set_is_refused():
    lives = restores.backed_up(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY)

    assert 'juju add-model maas-rehearsal' in refusal(lives, lives)


def test_a_model_of_the_name_of_the_sets_is_refused():
    lives = restores.backed_up(regions=1, postgresql_units=1, maas_key=simulation.MAAS_KEY)
    sim = restores.throwaway(lives, name='maas', regions=1, postgresql_units=1)

    found = refusal(sim, lives)

    assert 'has the same stanza as the set, maas.postgresql' in found
    assert 'juju add-model maas-rehearsal' in found


def test_a_maas_with_a_machine_is_refused(
    pair: tuple[simulation.Simulation, simulation.Simulation],
):
    lives, sim = pair
    sim.site.add_machine('somebodys')
    try:
        assert 'has machines, such as somebodys' in refusal(sim, lives)
    finally:
        sim.api.remove_machine('somebodys')


@pytest.mark.parametrize(
    ('fields', 'told'),
    [
        ({'maas_key': ''}, 'no API key of MAAS is configured'),
        ({'fresh_key': ''}, 'refuses the API key'),
        ({'fresh_key': 'no-one:at:all'}, 'refuses the API key'),
        ({'maas_endpoint': ''}, 'get-api-endpoint'),
    ],
)
def test_a_maas_that_cannot_be_asked_is_refused(
    pair: tuple[simulation.Simulation, simulation.Simulation], fields: dict[str, str], told: str
):
    lives, sim = pair
    world = sim.world
    sim.world = dataclasses.replace(world, **fields)
    try:
        assert told in refusal(sim, lives)
    finally:
        sim.world = world


def controllers(maas: direct.DirectMaas) -> Iterator[str]:
    yield 'a controller'


@pytest.mark.parametrize('sees_controllers', [False, True])
def test_a_key_that_may_not_see_all_machines_is_refused(
    pair: tuple[simulation.Simulation, simulation.Simulation],
    monkeypatch: pytest.MonkeyPatch,
    sees_controllers: bool,
):
    # Since MAAS 3.8 a group may let its users see controllers and no machines.
    lives, sim = pair
    sim.api.add_key('c:t:s', 'auditor', admin=False)
    monkeypatch.setattr(sim.world, 'fresh_key', 'c:t:s')
    if sees_controllers:
        monkeypatch.setattr(direct.DirectMaas, 'controllers', controllers)

    assert 'use an API key of an admin' in refusal(sim, lives)


@pytest.mark.parametrize(
    'aim',
    [
        {'bucket': 'postgresql-backups', 'path': 'postgresql'},
        {'bucket': 'postgresql-backups', 'path': 'postgresql/deeper'},
        {'bucket': 'maas-backups', 'path': 'maas'},
    ],
)
def test_a_path_that_is_not_apart_from_the_sets_is_refused(
    pair: tuple[simulation.Simulation, simulation.Simulation], aim: dict[str, str]
):
    lives, sim = pair
    own = {key: sim.world.postgresql_store.place[key] for key in ('bucket', 'path')}
    sim.world.elsewhere[site.S3_POSTGRESQL] = {
        **dict(sim.model.application(site.S3_POSTGRESQL).settings),
        **aim,
    }
    try:
        found = refusal(sim, lives)
    finally:
        del sim.world.elsewhere[site.S3_POSTGRESQL]

    assert 'is not apart from the repository of the set' in found
    assert sim.world.postgresql_store.place['path'] == own['path']


@pytest.mark.parametrize('path', ['postgresql/deeper', 'postgresql'])
def test_a_new_path_inside_the_repository_of_the_set_is_refused(
    pair: tuple[simulation.Simulation, simulation.Simulation], path: str
):
    lives, sim = pair
    sim.world.elsewhere[site.S3_POSTGRESQL] = {
        **dict(sim.model.application(site.S3_POSTGRESQL).settings),
        'bucket': 'postgresql-backups',
        'path': 'of-the-rehearsal',
    }
    restores.rehearse(sim, lives, postgresql_path=path)
    try:
        sim.run()
    finally:
        del sim.world.elsewhere[site.S3_POSTGRESQL]

    assert sim.op.status == operation.FAILED
    assert f'postgresql-path={path} is not apart from the repository of the set' in sim.op.error


def test_a_model_that_has_restored_the_set_is_refused_even_without_machines():
    lives, sim = deployed(postgresql_units=1)
    restores.rehearse(sim, lives)
    assert sim.run().status == operation.COMPLETE
    sim.world.fresh_key = ''
    for machine in sim.site.database['machines']:
        sim.api.remove_machine(machine)

    found = refusal(sim, lives)

    assert 'was restored from this cluster already' in found


def test_postgresql_that_could_write_beside_the_set_is_not_restored():
    lives, sim = deployed(postgresql_units=1)
    restores.rehearse(sim, lives)
    sim.at_step('detach-maas')
    show = sim.model.set_status

    def show_no_block(unit: model.Unit, current: str, message: str = '') -> None:
        blocked = message == steps_site.ANOTHER_CLUSTER
        show(unit, 'active' if blocked else current, '' if blocked else message)

    sim.model.set_status = show_no_block
    show_no_block(sim.model.units['postgresql/0'], 'active')

    sim.run()

    assert sim.op.status == operation.FAILED
    assert 'so it could write there' in sim.op.error
    assert sim.tasks('restore', site.POSTGRESQL) == []
