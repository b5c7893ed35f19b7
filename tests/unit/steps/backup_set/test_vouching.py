"""Who vouches for a backup set, and which sets a restore accepts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, manifest, signing
from tests import restores, signers, simulation

Attack = Callable[[simulation.Simulation], None]


@pytest.fixture
def site() -> simulation.Simulation:
    return restores.backed_up(regions=1, postgresql_units=1)


def key(sim: simulation.Simulation) -> str:
    return sim.world.signer.keys()[0]


def found(sim: simulation.Simulation) -> manifest.Manifest:
    return catalogue.opened(sim.world.maas_store, catalogue.ids(sim.world.maas_store)[-1])


def publish(sim: simulation.Simulation, contents: manifest.Manifest) -> None:
    """Write a manifest as somebody who can write to the bucket."""
    catalogue.commit(sim.world.maas_store, contents)


def unsign(sim: simulation.Simulation) -> None:
    publish(sim, found(sim).model_copy(update={'signature': None}))


def forge(sim: simulation.Simulation) -> None:
    """Sign the set again, with a key of somebody else."""
    thief = signers.with_key('thief')
    contents = found(sim)
    publish(sim, contents.signed(thief.keys()[0], thief.sign('backup-set', contents.digest)))


def change(sim: simulation.Simulation) -> None:
    publish(sim, found(sim).model_copy(update={'strategy': 'as the thief likes'}))


def restore(
    after: simulation.Simulation, *trusted: str, fresh: bool = True, **parameters: str
) -> operation.Operation:
    """Begin a restore; see its first step."""
    sim = restores.simulate(regions=1, postgresql_units=1, after=after) if fresh else after
    sim.clock.advance(60)
    sim.config = dataclasses.replace(sim.config, trusted_signers=trusted)
    sim.begin('restore-all', backup_id='latest', identity=restores.IDENTITY, **parameters)
    sim.until(lambda: not sim.op.open or sim.op.step != 'check')
    return sim.op


def warnings(op: operation.Operation) -> str:
    assert op.step == 'mark-backup-set', op.error
    return '; '.join(text for text in op.warnings if text.startswith('signature'))


def test_a_backup_makes_the_key_in_a_dispatch_and_signs_in_the_next():
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    sim.until(lambda: 'key' in sim.op.current.reason)
    assert (sim.op.step, sim.manifests()) == ('publish', [])
    assert sim.run().status == operation.COMPLETE
    assert found(sim).standing([key(sim)]) == signing.SIGNED


def test_a_key_that_was_lost_with_its_dispatch_has_signed_nothing():
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    sim.at_step('publish')
    lost = sim.world.signer.create()
    sim.world.signer.lose()
    assert sim.run().status == operation.COMPLETE
    assert found(sim).standing([lost]) == signing.OTHER_KEY
    assert found(sim).standing([key(sim)]) == signing.SIGNED


def test_the_next_backup_signs_with_the_same_key(site: simulation.Simulation):
    before = key(site)
    site.clock.advance(60)
    site.begin('backup-all')
    assert site.run().status == operation.COMPLETE
    assert found(site).standing([before]) == signing.SIGNED


def test_a_signed_set_is_restored_without_a_warning(site: simulation.Simulation):
    assert warnings(restore(site, fresh=False)) == ''


def test_a_set_of_a_former_key_still_counts(site: simulation.Simulation):
    site.world.signer.rotate()
    assert warnings(restore(site, fresh=False)) == ''


def test_another_model_warns_of_a_key_that_it_does_not_know(site: simulation.Simulation):
    told = warnings(restore(site))
    assert signing.fingerprint(key(site)) in told
    assert 'neither trusted nor of this coordinator' in told
    # An operator would copy it, and trust whoever has put the set there.
    assert key(site) not in told


def test_a_trusted_signer_is_accepted_without_a_warning(site: simulation.Simulation):
    assert warnings(restore(site, key(site))) == ''


@pytest.mark.parametrize('attack', [unsign, forge])
def test_without_trusted_signers_a_set_that_is_not_signed_is_warned_of(
    site: simulation.Simulation, attack: Attack
):
    attack(site)
    assert 'whoever can write to the bucket' in warnings(restore(site, fresh=False))


@pytest.mark.parametrize('attack', [unsign, forge])
def test_with_trusted_signers_it_is_refused_by_name(site: simulation.Simulation, attack: Attack):
    name, trusted = found(site).backup_id, key(site)
    attack(site)
    op = restore(site, trusted)
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert f'backup set {name} is' in op.error
    assert 'trusted-signers is set' in op.error
    assert 'accept-unsigned=true' in op.error


@pytest.mark.parametrize('attack', [unsign, forge])
def test_accept_unsigned_accepts_it_with_a_warning(site: simulation.Simulation, attack: Attack):
    trusted = key(site)
    attack(site)
    assert 'accepts it' in warnings(restore(site, trusted, accept_unsigned='true'))


@pytest.mark.parametrize('trusts', [True, False])
def test_a_bad_signature_is_never_accepted(site: simulation.Simulation, trusts: bool):
    trusted = [key(site)] if trusts else []
    change(site)
    op = restore(site, *trusted, accept_unsigned='true')
    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert 'does not hold: somebody changed the set after it was signed' in op.error
