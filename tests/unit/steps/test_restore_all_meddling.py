"""A second operator has a hand in the restore."""

from __future__ import annotations

from coordinator.engine import operation
from coordinator.sets import manifest
from rehearsal import site
from tests import restores


def test_a_relation_that_somebody_puts_back_is_taken_away_again():
    fresh = restores.under_way('restore-maas')
    fresh.model.integrate('maas-region:maas-db', 'postgresql:database')
    fresh.run()
    restores.assert_restored(fresh, 3)


def test_a_unit_that_joins_a_blocked_cluster_holds_the_restore_until_it_is_gone():
    fresh = restores.under_way('renew-repository')
    fresh.model.add_units('postgresql', 1)
    site.settle(fresh.model, ('active', 'blocked', 'waiting'))
    op = fresh.run()
    added = max(fresh.postgresql_units())
    assert op.status == operation.HELD
    assert f'juju remove-unit {added}, then resume-operation' in op.current.reason
    fresh.model.remove_unit(added)
    site.settle(fresh.model, ('active', 'blocked', 'waiting'))
    fresh.op = op.resumed(fresh.clock.now())
    fresh.run()
    restores.assert_restored(fresh, 3)


def test_nothing_is_restored_on_a_cluster_that_has_lost_its_quorum():
    sim = restores.backed_up()
    restores.restore(sim, sim)
    sim.at_step('scale-down-postgresql')
    primary, *others = sorted(sim.postgresql_units())
    for unit in others:
        sim.model.remove_unit(unit)
    site.settle(sim.model, ('active', 'blocked', 'waiting'))
    op = sim.run()
    assert op.status == operation.FAILED
    assert f'juju run {primary} promote-to-primary scope=unit force=true' in op.error
    assert not sim.tasks('restore', 'postgresql')


def test_a_path_that_somebody_changes_has_the_restore_undone():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.at_step('restore-postgresql')
    fresh.model.set_config('s3-integrator-postgresql', {'path': 'elsewhere'})
    site.settle(fresh.model, ('active', 'blocked', 'waiting'))
    op = fresh.run()
    assert op.status == operation.FAILED
    assert 'Invalid backup-id' not in op.error
    assert 'juju config s3-integrator-postgresql bucket=' in op.error
    site.settle(fresh.model, ('active', 'blocked'))
    fresh.model.set_config('s3-integrator-postgresql', {'path': 'postgresql'})
    site.settle(fresh.model, ('active', 'blocked'))
    restores.restore(fresh, lost)
    fresh.run()
    restores.assert_restored(fresh, 3)


def test_a_restore_that_somebody_was_quicker_to_start_is_adopted():
    fresh = restores.under_way('restore-postgresql')
    wanted = manifest.Manifest.model_validate_json(fresh.fact('backup-set'))
    given = {'backup-id': wanted.postgresql.backup_id}
    fresh.model.enqueue([('postgresql/0', 'restore', given, True, '')])
    fresh.run()
    restores.assert_restored(fresh, 3)
    assert len(fresh.tasks('restore', 'postgresql')) == 1


def test_files_whose_integrator_somebody_aims_elsewhere_hold_the_restore_until_it_is_back():
    fresh = restores.under_way('restore-maas')
    fresh.model.set_config('s3-integrator-maas', {'path': 'elsewhere'})
    site.settle(fresh.model, ('active', 'blocked', 'waiting'))
    op = fresh.run()
    assert (op.status, op.step) == (operation.HELD, 'restore-maas')
    assert 'juju config s3-integrator-maas bucket=' in op.current.reason
    assert 'path=maas' in op.current.reason
    fresh.model.set_config('s3-integrator-maas', {'path': 'maas'})
    site.settle(fresh.model, ('active', 'blocked', 'waiting'))
    fresh.op = op.resumed(fresh.clock.now())
    fresh.run()
    restores.assert_restored(fresh, 3)


def test_a_region_that_somebody_adds_holds_the_restore():
    fresh = restores.under_way('restore-maas')
    fresh.model.add_units('maas-region', 1)
    op = fresh.run()
    assert op.status == operation.HELD
    assert (
        'the restore began with maas-region/0, maas-region/1, maas-region/2' in op.current.reason
    )


def test_a_region_that_somebody_adds_while_nothing_is_replaced_ends_the_restore():
    fresh = restores.under_way('apply-passwords')
    fresh.model.add_units('maas-region', 1)
    op = fresh.run()
    assert op.status == operation.FAILED
    assert 'maas-region has 4 units now, but the set has 3 controllers' in op.error


def test_a_relation_that_somebody_takes_away_at_the_end_holds_the_restore_until_it_is_back():
    fresh = restores.under_way('restore-postgresql-scale')
    fresh.model.remove_relation('maas-region:maas-db', 'postgresql:database')
    op = fresh.run()
    assert (op.status, op.step) == (operation.HELD, 'verify')
    assert 'juju integrate maas-region:maas-db postgresql:database' in op.current.reason
    fresh.model.integrate('maas-region:maas-db', 'postgresql:database')
    site.settle(fresh.model)
    fresh.op = op.resumed(fresh.clock.now())
    fresh.run()
    restores.assert_restored(fresh, 3)


def test_a_region_that_somebody_adds_at_the_end_holds_the_restore_until_it_is_removed():
    fresh = restores.under_way('restore-postgresql-scale')
    (name,) = fresh.model.add_units('maas-region', 1)
    op = fresh.run()
    assert (op.status, op.step) == (operation.HELD, 'verify')
    assert 'maas-region has 4 units, but the set has 3' in op.current.reason
    assert 'juju remove-unit' in op.current.reason
    fresh.model.remove_unit(name)
    # It may still be on its way out.
    fresh.op = op.resumed(fresh.clock.now())
    fresh.run()
    restores.assert_restored(fresh, 3)


def test_an_archive_that_somebody_aims_elsewhere_is_named_while_its_proof_is_missing():
    sim = restores.backed_up()
    restores.restore(sim, sim)
    sim.at_step('await-postgresql')
    sim.model.set_config('s3-integrator-postgresql', {'path': 'elsewhere'})
    op = sim.run()
    assert (op.status, op.step) == (operation.HELD, 'await-postgresql')
    assert 'juju config s3-integrator-postgresql bucket=' in op.current.reason
    assert 'MAAS is detached' in op.current.reason
