"""What a restore notices of objects that somebody changed or exchanged in the bucket.

`tests/unit/steps/test_restore_all_refusals.py` has the plain cases; here somebody takes care.
"""

from __future__ import annotations

import dataclasses
import hashlib

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, manifest, retention, sealing
from tests import restores, signers, simulation

RECIPIENT = (str(restores.KEY.to_public()),)


@dataclasses.dataclass
class Site:
    """A site with two backup sets, in a bucket that somebody else can write to."""

    sim: simulation.Simulation
    old: str
    new: str

    def manifest(self, backup_id: str) -> manifest.Manifest:
        return catalogue.opened(self.sim.world.maas_store, backup_id)

    def put(self, key: str, content: bytes) -> None:
        self.sim.world.maas_store.put(key, content)

    def seal(self, backup_id: str, sealed: bytes, hashes: dict[str, str]) -> None:
        """Put other sealed passwords into a set, and have its manifest say so."""
        self.put(catalogue.sealed_key(backup_id), sealed)
        found = self.manifest(backup_id)
        entry = found.passwords.sealed.model_copy(
            update={'size': len(sealed), 'sha256': hashlib.sha256(sealed).hexdigest()}
        )
        passwords = found.passwords.model_copy(update={'sealed': entry, 'hashes': hashes})
        changed = found.model_copy(update={'passwords': passwords})
        self.put(catalogue.manifest_key(backup_id), changed.to_json())

    @property
    def key(self) -> str:
        """The public key of the site."""
        return self.sim.world.signer.keys()[0]

    def unsign(self, backup_id: str) -> None:
        """Remove the signature of a set."""
        unsigned = self.manifest(backup_id).model_copy(update={'signature': None})
        self.put(catalogue.manifest_key(backup_id), unsigned.to_json())

    def restore(self, backup_id: str, *trusted: str) -> operation.Operation:
        """Begin a restore in a fresh model, which must open the passwords; see its first step."""
        fresh = restores.simulate(regions=1, postgresql_units=1, after=self.sim)
        fresh.config = dataclasses.replace(fresh.config, trusted_signers=trusted)
        fresh.clock.advance(60)
        fresh.begin('restore-all', backup_id=backup_id, identity=restores.IDENTITY)
        fresh.until(lambda: not fresh.op.open or fresh.op.step != 'check')
        return fresh.op


@pytest.fixture
def attacked() -> Site:
    sim = restores.backed_up(regions=1, postgresql_units=1)
    sim.begin('backup-all')
    assert sim.run().status == operation.COMPLETE
    return Site(sim, *catalogue.ids(sim.world.maas_store))


def assert_refused(op: operation.Operation, words: str) -> None:
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert words in op.error


def test_an_untouched_set_is_accepted(attacked: Site):
    assert attacked.restore(attacked.new).step == 'mark-backup-set'


def test_an_old_manifest_in_the_place_of_a_new_one_is_found_out(attacked: Site):
    store = attacked.sim.world.maas_store
    attacked.put(
        catalogue.manifest_key(attacked.new), store.get(catalogue.manifest_key(attacked.old))
    )
    words = (
        f'is the manifest of {attacked.old}: it was swapped with another, '
        'so do not restore from it'
    )
    assert_refused(attacked.restore(attacked.new), words)
    old, new = catalogue.entries(store)
    assert (old.state, old.problem) == (retention.COMPLETE, '')
    assert (new.state, new.summary, words in new.problem) == (retention.UNREADABLE, None, True)


def test_latest_passes_over_an_exchanged_manifest(attacked: Site):
    old = attacked.sim.world.maas_store.get(catalogue.manifest_key(attacked.old))
    later = '2999-01-01T00:00:00Z'
    attacked.put(catalogue.manifest_key(later), old)
    op = attacked.restore('latest')
    assert op.step == 'mark-backup-set'
    assert attacked.new in op.fact('backup-set')


@pytest.mark.parametrize('name', ['image-storage.tar.gz', 'preseeds.tar.gz', 'controllers.txt'])
def test_another_file_of_maas_is_found_out(attacked: Site, name: str):
    part = attacked.manifest(attacked.new).maas
    key = f'backup/{part.backup_id}/{name}'
    content = attacked.sim.world.maas_store.get(key)
    attacked.put(key, bytes(reversed(content)))
    words = f'{key} in maas-backups/maas is not the object that was verified'
    assert_refused(attacked.restore(attacked.new), words)


def test_another_manifest_of_pgbackrest_is_found_out(attacked: Site):
    key = attacked.manifest(attacked.new).postgresql.manifest.key
    store = attacked.sim.world.postgresql_store
    store.put(key, store.get(key) + b'\n')
    assert_refused(attacked.restore(attacked.new), 'is not the one that was verified')


def test_sealed_passwords_of_another_set_are_found_out(attacked: Site):
    old = attacked.manifest(attacked.old).passwords
    sealed = attacked.sim.world.maas_store.get(catalogue.sealed_key(attacked.old))
    attacked.seal(attacked.new, sealed, old.hashes)
    words = f'the sealed passwords of backup set {attacked.new} are those of {attacked.old}'
    assert_refused(attacked.restore(attacked.new), words)


def test_sealed_passwords_that_do_not_fit_the_hashes_are_found_out(attacked: Site):
    hashes = attacked.manifest(attacked.new).passwords.hashes
    forged = dict.fromkeys(hashes, 'chosen-by-somebody')
    sealed = sealing.seal(attacked.new, 'uuid', forged, RECIPIENT)
    attacked.seal(attacked.new, sealed, hashes)
    words = (
        'are not those of its manifest: one of them was swapped with another, '
        'so do not restore from'
    )
    assert_refused(attacked.restore(attacked.new), words)


@pytest.fixture
def forged(attacked: Site) -> Site:
    """A site whose newest set is forged: manifest, passwords, hashes and checksum fit."""
    hashes = attacked.manifest(attacked.new).passwords.hashes
    words = dict.fromkeys(hashes, 'chosen-by-somebody')
    sealed = sealing.seal(attacked.new, 'uuid', words, RECIPIENT)
    new = {name: sealing.hash_password(password) for name, password in words.items()}
    attacked.seal(attacked.new, sealed, new)
    return attacked


def test_a_set_that_was_forged_as_a_whole_has_a_bad_signature(forged: Site):
    assert_refused(forged.restore(forged.new), 'does not hold')


def test_a_forged_set_without_a_signature_is_warned_of(forged: Site):
    # A fresh model knows no key that it could insist on.
    forged.unsign(forged.new)
    op = forged.restore(forged.new)
    assert op.step == 'mark-backup-set'
    assert 'is not signed' in '; '.join(op.warnings)


def test_a_forged_set_without_a_signature_is_refused_where_signers_are_listed(forged: Site):
    forged.unsign(forged.new)
    assert_refused(forged.restore(forged.new, forged.key), f'{forged.new} is not signed')


def test_a_signature_of_another_set_does_not_hold(attacked: Site):
    old = attacked.manifest(attacked.old).signature
    changed = attacked.manifest(attacked.new).model_copy(update={'signature': old})
    attacked.put(catalogue.manifest_key(attacked.new), changed.to_json())
    assert_refused(attacked.restore(attacked.new, attacked.key), 'does not hold')


@pytest.mark.parametrize('part', ['maas', 'postgresql', 'passwords', 'inventory', 'images'])
def test_a_part_of_another_set_is_found_out(attacked: Site, part: str):
    old, new = (attacked.manifest(name) for name in (attacked.old, attacked.new))
    changed = new.model_copy(update={part: getattr(old, part)})
    if changed == new:
        changed = new.model_copy(update={part: None})
    attacked.put(catalogue.manifest_key(attacked.new), changed.to_json())
    assert_refused(attacked.restore(attacked.new, attacked.key), 'does not hold')


@pytest.mark.parametrize('length', [0, 1, 40, 84, 87])
def test_a_truncated_signature_does_not_hold(attacked: Site, length: int):
    found = attacked.manifest(attacked.new)
    assert found.signature is not None
    value = found.signature.value[:length]
    attacked.put(
        catalogue.manifest_key(attacked.new), found.signed(found.signature.key, value).to_json()
    )
    assert_refused(attacked.restore(attacked.new, attacked.key), 'does not hold')


def test_a_set_signed_by_somebody_else_under_the_name_of_the_trusted_key(attacked: Site):
    thief = signers.with_key('thief')
    found = attacked.manifest(attacked.new)
    forged = found.signed(attacked.key, thief.sign('backup-set', found.digest))
    attacked.put(catalogue.manifest_key(attacked.new), forged.to_json())
    assert_refused(attacked.restore(attacked.new, attacked.key), 'does not hold')


def test_an_index_that_calls_a_forged_set_whole_decides_nothing(forged: Site):
    forged.unsign(forged.new)
    # Its ETag and size are those of the forged manifest, as a listing by the leader stores them.
    catalogue.entries(forged.sim.world.maas_store, heal=True)
    assert_refused(forged.restore('latest', forged.key), f'{forged.new} is not signed')
