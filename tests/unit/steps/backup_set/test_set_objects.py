"""What S3 kept of an object when it was backed up is compared with what it keeps now."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.integrity import contents
from coordinator.sets import catalogue, manifest
from coordinator.steps import checking
from coordinator.steps.backup_set import set_objects
from coordinator.steps.checks import before_restore
from rehearsal import memory_store
from tests import backup_sets, simulation


@pytest.fixture
def sim() -> simulation.Simulation:
    """A site with one set, whose S3 has kept checksums of it."""
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    bucket(sim).keeps_checksums = True
    assert sim.run().status == operation.COMPLETE
    return sim


def bucket(sim: simulation.Simulation) -> memory_store.MemoryBucket:
    return sim.s3.bucket('maas-backups')


def backed_up(sim: simulation.Simulation) -> manifest.Manifest:
    return catalogue.opened(sim.world.maas_store, backup_sets.made(sim))


def encrypted_anew(wanted: manifest.Manifest) -> manifest.Manifest:
    """Return the manifest of a set whose objects have got other ETags since."""
    copied = [item.model_copy(update={'etag': 'of-another-key'}) for item in wanted.maas.objects]
    maas = wanted.maas.model_copy(update={'objects': tuple(copied)})
    return wanted.model_copy(update={'maas': maas})


def without_checksums(wanted: manifest.Manifest) -> manifest.Manifest:
    objects = [item.model_copy(update={'checksum': ''}) for item in wanted.maas.objects]
    maas = wanted.maas.model_copy(update={'objects': tuple(objects)})
    return wanted.model_copy(update={'maas': maas})


def test_a_backup_records_what_s3_keeps_of_the_files(sim: simulation.Simulation):
    store = sim.world.maas_store
    for item in backed_up(sim).maas.objects:
        content = store.get(item.key, limit=1 << 30)
        assert item.checksum == f'sha256:{hashlib.sha256(content).hexdigest()}', item.key


def test_what_is_recorded_is_compared_with_what_is_read(sim: simulation.Simulation):
    for item in backed_up(sim).maas.objects:
        found = {checksum.algorithm: checksum for checksum in contents.expected(item, False)}
        assert found.keys() == {'MD5', 'SHA256'}
        assert found['SHA256'].certain


def test_a_backup_on_a_server_that_keeps_nothing_records_nothing():
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    assert sim.run().status == operation.COMPLETE
    assert {item.checksum for item in backed_up(sim).maas.objects} == {''}
    assert 'complete' in set_objects.maas_objects(backed_up(sim), sim.world)


@pytest.mark.parametrize('etags', [True, False])
def test_another_checksum_is_damage_whatever_the_etag_says(
    sim: simulation.Simulation, etags: bool
):
    wanted = backed_up(sim)
    item = wanted.maas.objects[0]
    full = f'{wanted.maas.place.path}/{item.key}'
    kept = bucket(sim).objects[full]
    bucket(sim).objects[full] = dataclasses.replace(kept, content=kept.content[::-1])
    said = 'is not the object that was verified: S3 reports sha256:'
    with pytest.raises(errors.StepError, match=said):
        set_objects.maas_objects(wanted, sim.world, etags=etags)


def test_an_equal_checksum_makes_another_etag_harmless(sim: simulation.Simulation):
    wanted = encrypted_anew(backed_up(sim))
    assert 'complete' in set_objects.maas_objects(wanted, sim.world)
    with pytest.raises(errors.StepError, match='it was written again'):
        set_objects.maas_objects(without_checksums(wanted), sim.world)


def test_a_server_that_keeps_nothing_any_more_leaves_the_etag_to_tell(sim: simulation.Simulation):
    wanted = backed_up(sim)
    bucket(sim).keeps_checksums = False
    assert 'complete' in set_objects.maas_objects(wanted, sim.world)
    with pytest.raises(errors.StepError, match='it was written again'):
        set_objects.maas_objects(encrypted_anew(wanted), sim.world)


# --- What pgBackRest has twice ---------------------------------------------------------------


def database_checks(sim: simulation.Simulation) -> checking.Check:
    """Return what restore-all finds out about the database backup before it begins."""
    wanted = backed_up(sim)
    parameters = {'backup-id': wanted.backup_id}
    config = sim.op.settings
    (found,) = (
        check
        for check in before_restore.restore_checks(wanted, parameters, config, sim.world)
        if check.name == 'postgresql-objects'
    )
    return found


def pairs(sim: simulation.Simulation) -> dict[str, str]:
    part = backed_up(sim).postgresql
    return {
        'manifest': part.manifest.key,
        'archive': f'archive/{part.stanza}/archive.info',
        'list': f'backup/{part.stanza}/backup.info',
    }


@pytest.mark.parametrize('pair', ['manifest', 'archive', 'list'])
@pytest.mark.parametrize('damaged', ['', '.copy'])
@pytest.mark.parametrize('content', [b'[backrest]\n', None])
def test_a_restore_warns_of_one_damaged_twin_and_refuses_two(
    sim: simulation.Simulation, pair: str, damaged: str, content: bytes | None
):
    key, store = pairs(sim)[pair], sim.world.postgresql_store
    assert database_checks(sim).outcome == checking.OK

    def damage(twin: str) -> None:
        if content is None:
            store.delete(f'{key}{twin}')
        else:
            store.put(f'{key}{twin}', content)

    damage(damaged)
    one = database_checks(sim)
    damage('.copy' if not damaged else '')
    both = database_checks(sim)

    assert (one.outcome, both.outcome) == (checking.WARNING, checking.BAD)
    assert f'{key}{damaged}' in one.sentence
    assert 'pgBackRest uses its twin instead' in one.sentence


def test_a_backup_whose_manifest_is_gone_but_for_its_copy_is_found_where_it_is(
    sim: simulation.Simulation,
):
    wanted = backed_up(sim)
    place = wanted.postgresql.place.model_copy(update={'endpoint': 'https://elsewhere'})
    part = wanted.postgresql.model_copy(update={'place': place})
    sim.world.postgresql_store.delete(part.manifest.key)

    found = set_objects.postgresql_objects(
        wanted.model_copy(update={'postgresql': part}), sim.world
    )

    assert 'complete' in found.sentence
