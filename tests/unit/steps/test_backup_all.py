"""backup-all from end to end on the model in memory: what it leaves, and in which order."""

from __future__ import annotations

import pytest

from coordinator import times
from coordinator.engine import operation
from coordinator.sets import catalogue, sealing
from rehearsal import site
from tests import examples, simulation


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
@pytest.mark.parametrize('strategy', ['scale-down', 'replica'])
@pytest.mark.parametrize('units', [1, 3])
@pytest.mark.parametrize('regions', [1, 3])
def test_it_leaves_one_complete_set(version: str, strategy: str, units: int, regions: int):
    sim = simulation.Simulation(
        regions=regions, postgresql_units=units, strategy=strategy, version=version
    )
    op = sim.run()
    assert (op.status, op.error, op.problems) == (operation.COMPLETE, '', ())
    assert len(sim.postgresql_units()) == units
    (entry,) = catalogue.entries(sim.world.maas_store)
    assert entry.backup_id == op.id
    found = catalogue.opened(sim.world.maas_store, op.id)
    assert len(found.maas.controllers) == regions
    assert found.postgresql.charm.units == units
    assert found.maas.version == '3.6.1'
    site.settle(sim.model, limit=60)


def test_a_cluster_of_one_is_backed_up_again_at_once():
    sim = simulation.Simulation(regions=1, postgresql_units=1)
    sim.run()
    sim.clock.advance(1)
    shown = sim.world.juju.status().applications[site.POSTGRESQL].units.values()
    messages = {unit.message for unit in shown}
    assert messages == {''}, 'it says that it is the primary at its next hook'
    sim.begin('backup-all')
    assert (sim.run().status, sim.op.error) == (operation.COMPLETE, '')


def test_a_backup_never_restarts_maas(sim: simulation.Simulation):
    sim.run()
    assert sim.site.maas_restarts == sim.restarts


def test_the_primary_stays_and_the_others_go_one_at_a_time(sim: simulation.Simulation):
    seen: set[tuple[str, ...]] = set()
    primary = 'postgresql/0'
    sim.until(
        lambda: (
            seen.add(tuple(sorted(sim.model.application('postgresql').units)))
            or sim.op.step == 'back-up-postgresql'
        )
    )
    assert sim.fact('postgresql-primary') == primary
    assert sorted(map(len, seen)) == [1, 2, 3]
    assert all(primary in units for units in seen)


def test_the_database_is_backed_up_before_the_files(sim: simulation.Simulation):
    sim.run()
    (database,) = sim.tasks('create-backup', 'postgresql')
    (files,) = sim.tasks('create-backup', 'maas-region')
    assert database.completed is not None
    assert files.started is not None
    assert database.completed <= files.started


def test_units_come_back_while_the_files_are_backed_up(sim: simulation.Simulation):
    sim.maas.backup = 600
    sim.at_step('back-up-maas')
    assert len(sim.postgresql_units()) == 3
    sim.clock.advance(120)
    (files,) = sim.tasks('create-backup', 'maas-region') or [None]
    assert files is None or not files.ended
    assert sim.run().status == operation.COMPLETE


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
def test_storage_in_the_root_file_system_is_never_left_behind(version: str):
    sim = simulation.Simulation(version=version, detachable_storage=False)
    before = {item.id for item in sim.world.juju.storage()}
    sim.at_step('restore-postgresql-scale')
    kept = {item.id for item in sim.world.juju.storage()}
    op = sim.run()

    assert len(before - kept) == 8, 'two units have taken their four each along'
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert all(item.owner for item in sim.world.juju.storage())


def test_storage_left_behind_goes_last_and_completely(sim: simulation.Simulation):
    before = {item.id for item in sim.world.juju.storage()}
    sim.at_step('restore-postgresql-scale')
    left = {item.id for item in sim.world.juju.storage() if not item.owner}
    assert len(left) == 8
    assert left < before
    sim.run()
    assert all(item.owner for item in sim.world.juju.storage())
    assert len(sim.world.juju.storage()) == 12


def test_with_the_replica_strategy_every_unit_stays(sim: simulation.Simulation):
    sim = simulation.Simulation(strategy='replica', version=sim.model.version)
    sim.run()
    assert sim.postgresql_units() == ['postgresql/0', 'postgresql/1', 'postgresql/2']
    (task,) = sim.tasks('create-backup', 'postgresql')
    assert task.unit == 'postgresql/1'


def test_the_sealed_passwords_open_with_the_identity_and_are_nowhere_else(
    sim: simulation.Simulation,
):
    op = sim.run()
    sealed = sim.world.maas_store.get(catalogue.sealed_key(op.id))
    opened = sealing.unseal(sealed, str(examples.IDENTITY), op.id)
    real = sim.site.passwords
    assert opened['operator'] == real['operator-password']
    assert set(opened) == {'operator', 'replication', 'rewind', 'monitoring'}
    text = sim.all_text()
    assert not [name for name, value in real.items() if value in text]
    assert 'hunter2' not in text


def test_the_manifest_is_written_last(sim: simulation.Simulation):
    sim.at_step('publish')
    assert sim.manifests() == []
    sim.run()
    assert len(sim.manifests()) == 1


def test_two_backups_after_one_another_make_two_sets(sim: simulation.Simulation):
    first = sim.run()
    sim.clock.advance(60)
    now = sim.clock.now()
    sim.op = operation.Operation.new(
        times.stamp(now), 'backup-all', tuple(s.name for s in first.steps), first.settings, now
    )
    second = sim.run()
    assert second.status == operation.COMPLETE
    entries = catalogue.entries(sim.world.maas_store)
    labels = [entry.summary.label for entry in entries if entry.summary]
    assert len(set(labels)) == 2
    assert [entry.backup_id for entry in entries] == [first.id, second.id]


def test_machines_of_removed_units_are_not_used_again_while_they_are_still_listed(
    sim: simulation.Simulation,
):
    sim.model.release_after = 3600
    sim.at_step('back-up-maas')
    dying = {item.id for item in sim.model.machines.values() if item.life == 'dying'}
    assert dying <= sim.world.juju.status().machines.keys()
    assert len(dying) == 2
    assert sim.run().status == operation.COMPLETE
    assert dying <= sim.model.machines.keys()
    assert not dying & {unit.machine.id for unit in sim.model.units.values()}
    sim.clock.advance(3600)
    assert not dying & sim.model.machines.keys()


def test_a_unit_comes_back_to_a_machine_that_others_use(sim: simulation.Simulation):
    shared = sim.model.unit('postgresql/1').machine.id
    sim.model.add_units('s3-integrator-maas', 1, [shared])
    site.settle(sim.model)
    assert sim.run().status == operation.COMPLETE
    machines = {sim.model.unit(name).machine.id for name in sim.postgresql_units()}
    assert shared in machines


def test_a_unit_that_somebody_added_meanwhile_is_reported_and_left_alone(
    sim: simulation.Simulation,
):
    sim.at_step('restore-postgresql-scale')
    sim.model.add_units('postgresql', 1)
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert op.problems == (
        'postgresql has 1 unit(s) more than before. If you do not need them: juju remove-unit',
    )
    assert len(sim.postgresql_units()) == 4
