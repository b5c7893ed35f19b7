"""The SHA-256 of a signed set's objects: recorded once it was read, and relied on afterwards."""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from coordinator import ports, times
from coordinator.engine import operation
from coordinator.sets import addendum, catalogue, manifest, signing, verification
from rehearsal import memory_store
from tests import restores, signers, simulation

IMAGES = 'image-storage.tar.gz'


@pytest.fixture
def site() -> simulation.Simulation:
    return restores.backed_up(regions=1, postgresql_units=1)


def found(sim: simulation.Simulation) -> manifest.Manifest:
    (name,) = catalogue.ids(sim.world.maas_store)
    return catalogue.opened(sim.world.maas_store, name)


def verify(sim: simulation.Simulation, deep: str = 'true') -> operation.Operation:
    sim.clock.advance(60)
    sim.begin('verify-backup', backup_id='latest', deep=deep)
    return sim.run()


def recorded(sim: simulation.Simulation) -> addendum.Addendum | None:
    key = catalogue.addendum_key(found(sim).backup_id)
    stored = {item.key for item in sim.world.maas_store.list(key)}
    return addendum.parse(sim.world.maas_store.get(key), key) if key in stored else None


def key_of(sim: simulation.Simulation, name: str) -> str:
    return next(item.key for item in found(sim).maas.objects if item.key.endswith(name))


def bucket(sim: simulation.Simulation) -> memory_store.MemoryBucket:
    return sim.s3.buckets[sim.world.maas_store.place['bucket']]


def full(sim: simulation.Simulation, key: str) -> str:
    return f'{sim.world.maas_store.place["path"]}/{key}'


def rewrite(sim: simulation.Simulation, key: str) -> None:
    """Have the server keep the same content under another ETag, as a copy in parts does."""
    sim.clock.advance(5)
    sim.world.maas_store.put(key, sim.world.maas_store.get(key, limit=1 << 30))
    bucket(sim).etags[full(sim, key)] = 'f' * 32


def exchange(sim: simulation.Simulation, key: str) -> None:
    """Put other content of the same size in the place of an object."""
    sim.clock.advance(5)
    content = sim.world.maas_store.get(key, limit=1 << 30)
    sim.world.maas_store.put(key, bytes(reversed(content)))


def resign(sim: simulation.Simulation, key: str, **said: str) -> None:
    """Let the manifest say something else of an object, as if S3 had said that from the start."""
    there, signer = found(sim), sim.world.signer
    objects = tuple(
        item.model_copy(update=said if item.key == key else {}) for item in there.maas.objects
    )
    maas = there.maas.model_copy(update={'objects': objects})
    changed = there.model_copy(update={'maas': maas})
    signed = changed.signed(signer.keys()[0], signer.sign('backup-set', changed.digest))
    catalogue.commit(sim.world.maas_store, signed)


def claim_good(sim: simulation.Simulation) -> None:
    """Write that the set was read whole and is right, as whoever can write to the bucket can."""
    sim.clock.advance(5)
    told = verification.Verification.of(
        times.stamp(sim.clock.now()), whole=True, objects=1, bytes=1, findings=()
    )
    catalogue.note_verification(sim.world.maas_store, found(sim).backup_id, told)


def restore(sim: simulation.Simulation) -> operation.Operation:
    """Begin a restore; see its first step."""
    sim.clock.advance(60)
    sim.begin('restore-all', backup_id='latest', identity=restores.IDENTITY)
    sim.until(lambda: not sim.op.open or sim.op.step != 'check')
    return sim.op


def test_reading_a_signed_set_whole_records_the_sha256_of_its_files(site: simulation.Simulation):
    assert verify(site).status == operation.COMPLETE
    made, keys = recorded(site), site.world.signer.keys()
    assert made is not None
    assert made.standing(keys) == signing.SIGNED
    assert made.of_manifest == found(site).digest
    assert {item.key: item.sha256 for item in made.objects} == {
        item.key: hashlib.sha256(site.world.maas_store.get(item.key, limit=1 << 30)).hexdigest()
        for item in found(site).maas.objects
    }


def test_a_second_reading_writes_nothing_anew(site: simulation.Simulation):
    verify(site)
    first = recorded(site)
    assert verify(site).status == operation.COMPLETE
    assert recorded(site) == first


@pytest.mark.parametrize('deep', ['true', 'false'])
def test_nothing_is_recorded_of_a_set_that_nobody_has_signed(
    site: simulation.Simulation, deep: str
):
    if deep == 'true':
        unsigned = found(site).model_copy(update={'signature': None})
        catalogue.commit(site.world.maas_store, unsigned)
    assert verify(site, deep).status == operation.COMPLETE
    assert recorded(site) is None


def test_a_set_that_is_damaged_is_not_vouched_for(site: simulation.Simulation):
    exchange(site, key_of(site, IMAGES))
    assert verify(site).status == operation.FAILED
    assert recorded(site) is None


def test_a_coordinator_without_a_key_makes_one_to_vouch_for_a_trusted_set(
    site: simulation.Simulation,
):
    trusted = tuple(site.world.signer.keys())
    site.world.signing.private.clear()
    site.config = dataclasses.replace(site.config, trusted_signers=trusted)
    assert verify(site).status == operation.COMPLETE
    made = recorded(site)
    assert made is not None
    assert made.standing(site.world.signer.keys()) == signing.SIGNED


def test_a_copy_is_restored_once_it_was_read(site: simulation.Simulation):
    key = key_of(site, IMAGES)
    rewrite(site, key)
    refused = restore(site)
    assert (refused.status, refused.step) == (operation.FAILED, 'check')
    assert f'{key} in' in refused.error
    assert 'deep=true checks its content' in refused.error
    assert verify(site).status == operation.COMPLETE
    assert restore(site).step == 'mark-backup-set'


def test_nothing_stays_beside_a_set_that_is_deleted_meanwhile(
    site: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    backup_id, store = found(site).backup_id, site.world.maas_store
    put = type(store).put

    def put_late(self: memory_store.MemoryStore, key: str, content: bytes) -> ports.StoredObject:
        for name in catalogue.names(store, backup_id):
            store.delete(catalogue.folder(backup_id) + name)
        return put(self, key, content)

    site.clock.advance(60)
    site.begin('verify-backup', backup_id=backup_id, deep='true')
    site.until(lambda: bool(site.world.reading.started))
    monkeypatch.setattr(type(store), 'put', put_late)
    site.run()
    assert catalogue.names(store, backup_id) == set()


# --- Attacks -------------------------------------------------------------------------------------


def test_a_verification_that_somebody_has_written_excuses_no_object(site: simulation.Simulation):
    key = key_of(site, IMAGES)
    exchange(site, key)
    claim_good(site)
    op = restore(site)
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert f'{key} in' in op.error


def test_a_crc_that_fits_excuses_no_object(site: simulation.Simulation):
    # Whoever wants to can make other content with the same CRC.
    key = key_of(site, IMAGES)
    resign(site, key, checksum='crc32:deadbeef')
    bucket(site).told[full(site, key)] = 'crc32:deadbeef'
    assert restore(site).step == 'mark-backup-set'
    site.op = site.op.forced_to_end(site.clock.now(), ())
    exchange(site, key)
    op = restore(site)
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert f'{key} in' in op.error


def forge(sim: simulation.Simulation, by: signers.Signer) -> None:
    """Put an addendum there that says what the objects are now."""
    store, there = sim.world.maas_store, found(sim)
    assert there.signature is not None
    made = addendum.Addendum(
        backup_id=there.backup_id,
        of_manifest=there.signature.covers,
        read=there.verified,
        objects=tuple(
            item.model_copy(update={'etag': store.head(item.key).etag, 'sha256': '0' * 64})
            for item in there.maas.objects
        ),
    )
    signed = made.signed(by.keys()[0], by.sign(made.purpose, made.digest))
    store.put(catalogue.addendum_key(there.backup_id), signed.to_json())


def test_an_addendum_of_somebody_else_excuses_no_object(site: simulation.Simulation):
    exchange(site, key_of(site, IMAGES))
    forge(site, signers.with_key('thief'))
    op = restore(site)
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert 'is not the object that was verified' in op.error


def test_an_addendum_of_another_set_excuses_no_object(site: simulation.Simulation):
    verify(site)
    made = recorded(site)
    assert made is not None
    rewrite(site, key_of(site, IMAGES))
    other = made.model_copy(update={'of_manifest': '0' * 64, 'signature': None})
    signer = site.world.signer
    signed = other.signed(signer.keys()[0], signer.sign(other.purpose, other.digest))
    key = catalogue.addendum_key(found(site).backup_id)
    site.world.maas_store.put(key, signed.to_json())
    assert restore(site).status == operation.FAILED


def test_an_object_that_was_exchanged_after_it_was_read_is_not_vouched_for(
    site: simulation.Simulation,
):
    key = key_of(site, IMAGES)
    site.world.reading.looks = 1
    site.clock.advance(60)
    site.begin('verify-backup', backup_id='latest', deep='true')
    site.until(lambda: bool(site.world.reading.started))
    exchange(site, key)
    site.run()
    assert recorded(site) is None
    op = restore(site)
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert f'{key} in' in op.error


def test_garbage_in_the_place_of_an_addendum_is_none(site: simulation.Simulation):
    site.world.maas_store.put(catalogue.addendum_key(found(site).backup_id), b'{"version": 1}')
    assert restore(site).step == 'mark-backup-set'


@pytest.mark.parametrize('read', [True, False])
def test_other_content_is_found_by_the_recorded_sha256_alone(
    site: simulation.Simulation, read: bool
):
    # As if the new content had the ETag of the former, which somebody can bring about.
    key = key_of(site, 'controllers.txt')
    resign(site, key, etag='')
    if read:
        assert verify(site).status == operation.COMPLETE
    exchange(site, key)
    op = verify(site)
    assert op.status == (operation.FAILED if read else operation.COMPLETE)
    assert not read or f'{key} has another checksum' in op.error
