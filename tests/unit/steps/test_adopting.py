"""The plan of adopt-backup on the model in memory."""

from __future__ import annotations

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.operations import steering
from coordinator.parts import pgbackrest
from coordinator.sets import catalogue
from coordinator.steps import adopting
from tests import by_hand, restores, simulation


@pytest.fixture
def sim() -> simulation.Simulation:
    """A site with one database backup and one files backup, that are no set."""
    return by_hand.backed_up()


def adopt(sim: simulation.Simulation, **changes: str) -> operation.Operation:
    given = {
        **by_hand.pair(sim),
        **{name.replace('_', '-'): text for name, text in changes.items()},
    }
    adopted = {operation.ADOPTED: given[adopting.POSTGRESQL]}
    sim.begin('adopt-backup', **given, **adopted)
    return sim.run()


def test_a_pair_becomes_a_set_as_old_as_its_database(sim: simulation.Simulation):
    wanted = by_hand.pair(sim)
    op = adopt(sim)
    assert (op.status, op.error) == (operation.COMPLETE, '')
    found = catalogue.opened(sim.world.maas_store, wanted[adopting.POSTGRESQL])
    assert found.started == found.backup_id == found.postgresql.backup_id
    assert (found.maas.backup_id, found.strategy) == (wanted[adopting.MAAS], 'by hand')
    assert len(found.maas.controllers) == found.maas.charm.units == 1


def test_a_set_that_was_adopted_can_be_restored():
    sim = by_hand.backed_up()
    name = by_hand.pair(sim)[adopting.POSTGRESQL]
    adopt(sim)
    assert restores.restore(sim, sim) == name
    sim.run()
    restores.assert_restored(sim, units=1)


def test_files_that_are_older_than_the_database_are_refused(sim: simulation.Simulation):
    wanted, store = by_hand.pair(sim), sim.world.maas_store
    early = '2020-01-01T00:00:00Z'
    for item in list(store.list(f'backup/{wanted[adopting.MAAS]}/')):
        store.put(item.key.replace(wanted[adopting.MAAS], early), store.get(item.key, 1 << 30))
    op = adopt(sim, maas_backup_id=early)
    assert op.status == operation.FAILED
    assert f'files backup {early} (by the clock of its unit;' in op.error
    assert 'began before database backup' in op.error
    assert not catalogue.ids(store)


def test_files_that_s3_saw_before_the_database_are_refused_whatever_their_id_says(
    sim: simulation.Simulation,
):
    store = sim.world.postgresql_store
    stanza = 'backup/maas.postgresql'
    (label,) = (b.label for b in pgbackrest.backups(store, 'maas.postgresql'))
    key = f'{stanza}/{label}/backup.manifest'
    store.put(key, store.get(key))
    assert 'began before database backup' in adopt(sim).error


def test_a_backup_of_another_major_version_is_refused(sim: simulation.Simulation):
    sim.model.application('postgresql').workload_version = '17.2'
    assert 'the database backup is of PostgreSQL 16, postgresql is now 17.2' in adopt(sim).error


@pytest.mark.parametrize(
    ('parameter', 'why'),
    [
        ('maas_backup_id', 'backup_metadata.json is missing'),
        ('postgresql_backup_id', 'pgBackRest lists no full backup 2020-01-01T00:00:00Z'),
    ],
)
def test_a_backup_that_is_not_there_is_named(sim: simulation.Simulation, parameter: str, why: str):
    assert why in adopt(sim, **{parameter: '2020-01-01T00:00:00Z'}).error


def test_a_backup_belongs_to_one_set(sim: simulation.Simulation):
    adopt(sim)
    sim.clock.advance(60)
    op = adopt(sim)
    assert op.status == operation.FAILED
    assert 'already exists, complete' in op.error
    assert len(catalogue.ids(sim.world.maas_store)) == 1


def test_passwords_that_changed_since_are_refused_unless_they_are_known(
    sim: simulation.Simulation,
):
    (secret,) = (
        s for s in sim.model.secrets.values() if s.label == 'database-peers.postgresql.app'
    )
    sim.model.update_secret(secret, {**secret.content, 'raft-password': 'new'})
    op = adopt(sim)
    assert op.status == operation.FAILED
    assert 'the passwords of postgresql changed at' in op.error
    assert 'passwords-unchanged=true' in op.error
    sim.clock.advance(60)
    assert adopt(sim, passwords_unchanged='true').status == operation.COMPLETE


def test_an_abort_leaves_no_passwords_behind(sim: simulation.Simulation):
    given = by_hand.pair(sim)
    sim.begin('adopt-backup', **given, **{operation.ADOPTED: given[adopting.POSTGRESQL]})
    while sim.op.step != 'publish':
        assert sim.op.open, sim.op.error
        sim.dispatch()
    sim.op = steering.aborted(sim.op, sim.clock.now())
    assert sim.run().status == operation.ABORTED
    left = [item.key for item in sim.world.maas_store.list('coordinator/backup-sets/')]
    assert left == []


def test_a_backup_id_of_another_form_is_refused(sim: simulation.Simulation):
    given = {**by_hand.pair(sim), adopting.MAAS: '../../x'}
    with pytest.raises(errors.PreconditionError, match='is not a backup id'):
        adopting.pair(given, sim.config, sim.world)
