"""A region that is gone stays in MAAS until it is deleted there: what a backup says of it."""

from __future__ import annotations

from coordinator.engine import operation
from coordinator.steps import checking
from coordinator.steps.checks import before_backup
from coordinator.steps.maas_region import controllers
from tests import restores, simulation

GONE = 'zombie'


def check(sim: simulation.Simulation) -> checking.Check:
    made = before_backup.looking_checks(sim.config, sim.world)
    return next(check for check in made if check.name == 'controllers')


def test_a_backup_with_too_many_controllers_names_them_and_what_to_delete():
    sim = simulation.Simulation()
    sim.maas.gone = (GONE,)
    assert sim.run().status == operation.FAILED
    assert 'MAAS knows 4 region controllers (' in sim.op.error
    assert GONE in sim.op.error
    assert 'juju exec --application maas-region -- cat' in sim.op.error
    assert '…' not in sim.op.error, 'a record keeps only the beginning of an error'
    assert len(sim.postgresql_units()) == 3


def test_the_next_backup_warns_of_it_before_anything_is_backed_up():
    sim = simulation.Simulation()
    assert check(sim).outcome == checking.OK
    sim.maas.gone = (GONE,)
    sim.run()
    found = check(sim)
    assert found.outcome == checking.WARNING
    assert '1 of them is gone: in MAAS' in found.sentence

    sim.maas.gone = ()
    sim.clock.advance(60)
    sim.begin('backup-all')
    assert sim.run().status == operation.COMPLETE
    assert check(sim).outcome == checking.OK


def test_files_backups_of_another_model_in_the_same_place_are_no_reason_to_warn():
    sim = restores.backed_up()
    store = sim.world.maas_store
    (own,) = (name for name in store.folders('backup/'))
    for item in list(store.list(f'backup/{own}/')):
        name = item.key.rpartition('/')[2]
        content = b'aaa\nbbb\nccc\nddd' if name == 'controllers.txt' else store.get(item.key)
        store.put(f'backup/2030-01-01T00:00:00Z/{name}', content)
    assert check(sim).outcome == checking.OK


def test_too_few_controllers_are_waited_for_and_not_deleted():
    said = controllers.mismatch('maas-region', ['abc'], 3)
    assert 'every region active' in said
    assert 'delete' not in said
