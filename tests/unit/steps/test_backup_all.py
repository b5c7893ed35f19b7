"""backup-all from end to end on the model in memory: what must hold, and each way to fail."""

from __future__ import annotations

import pyrage
import pytest

from coordinator import catalogue, errors, operation, sealing
from rehearsal import site
from tests import simulation

KEY = pyrage.x25519.Identity.generate()


def simulate(
    *,
    regions: int = 3,
    postgresql_units: int = 3,
    strategy: str = 'scale-down',
    version: str = '3.6.26',
) -> simulation.Simulation:
    return simulation.Simulation(
        regions=regions,
        postgresql_units=postgresql_units,
        strategy=strategy,
        version=version,
        recipient=str(KEY.to_public()),
    )


@pytest.fixture(params=['3.6.26', '4.0.15'])
def sim(request: pytest.FixtureRequest) -> simulation.Simulation:
    return simulate(version=request.param)


# --- It works ---------------------------------------------------------------------------------


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
@pytest.mark.parametrize('strategy', ['scale-down', 'replica'])
@pytest.mark.parametrize('units', [1, 3])
@pytest.mark.parametrize('regions', [1, 3])
def test_it_leaves_one_complete_set(version: str, strategy: str, units: int, regions: int):
    sim = simulate(regions=regions, postgresql_units=units, strategy=strategy, version=version)
    op = sim.run()
    assert (op.status, op.error, op.problems) == (operation.COMPLETE, '', ())
    assert len(sim.postgresql_units()) == units
    (entry,) = catalogue.entries(sim.world.maas_store)
    assert entry.manifest is not None
    assert entry.backup_id == op.id
    assert len(entry.manifest.maas.controllers) == regions
    assert entry.manifest.postgresql.charm.units == units
    assert entry.manifest.maas.version == '3.6.1'
    site.settle(sim.model, limit=60)


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
    sim = simulate(strategy='replica', version=sim.model.version)
    sim.run()
    assert sim.postgresql_units() == ['postgresql/0', 'postgresql/1', 'postgresql/2']
    (task,) = sim.tasks('create-backup', 'postgresql')
    assert task.unit == 'postgresql/1'


def test_the_sealed_passwords_open_with_the_identity_and_are_nowhere_else(
    sim: simulation.Simulation,
):
    op = sim.run()
    sealed = sim.world.maas_store.get(catalogue.sealed_key(op.id))
    opened = sealing.unseal(sealed, str(KEY), op.id)
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
        operation.stamp(now), 'backup-all', tuple(s.name for s in first.steps), first.settings, now
    )
    second = sim.run()
    assert second.status == operation.COMPLETE
    entries = catalogue.entries(sim.world.maas_store)
    labels = [entry.manifest.postgresql.label for entry in entries if entry.manifest]
    assert len(set(labels)) == 2
    assert [entry.backup_id for entry in entries] == [first.id, second.id]


# --- It fails cleanly ---------------------------------------------------------------------------


def assert_nothing_is_left(sim: simulation.Simulation) -> None:
    assert sim.op.status == operation.FAILED
    assert sim.manifests() == []
    sealed = [i.key for i in sim.world.maas_store.list('coordinator/backup-sets/')]
    assert sealed == []
    assert len(sim.postgresql_units()) == 3


@pytest.mark.parametrize('access', ['read', 'write'])
def test_a_user_that_is_no_admin_is_told_so_before_anything_changes(
    sim: simulation.Simulation, access: str
):
    sim.user.model_access = access
    op = sim.run()
    assert 'juju grant backup-bot admin maas' in op.error
    assert_nothing_is_left(sim)
    assert sim.tasks('get-primary') == []


def test_a_bucket_that_does_not_exist_is_named(sim: simulation.Simulation):
    sim.s3.buckets['maas-backups'].exists = False
    op = sim.run()
    assert 'maas-backups' in op.error
    assert op.status == operation.FAILED
    assert sim.tasks('create-backup') == []


def test_a_bucket_that_refuses_writes_is_found_before_anything_changes(
    sim: simulation.Simulation,
):
    sim.s3.buckets['postgresql-backups'].refuses_writes = True
    op = sim.run()
    assert 'AccessDenied' in op.error
    assert sim.tasks('create-backup') == []


def test_blocked_maas_is_refused_by_unit_and_message(sim: simulation.Simulation):
    sim.site.maas.block('no more disk')
    sim.clock.advance(5)
    op = sim.run()
    assert 'maas-region/0 is blocked (no more disk)' in op.error
    assert_nothing_is_left(sim)


def test_postgresql_without_a_primary_is_refused(sim: simulation.Simulation):
    sim.database.no_primary = True
    sim.site.postgresql.poke()
    sim.clock.advance(5)
    op = sim.run()
    assert 'primar' in op.error
    assert_nothing_is_left(sim)


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_a_sub_backup_that_fails_brings_the_units_back(
    sim: simulation.Simulation, application: str
):
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.fail_next('create-backup', 'no space left')
    op = sim.run()
    assert 'no space left' in op.error
    assert f'create-backup on {application}/0 failed (task ' in op.error
    assert 'juju show-task' in op.error
    assert_nothing_is_left(sim)
    assert len(sim.tasks('create-backup', application)) == 1


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_a_sub_backup_that_hangs_is_given_up_at_its_deadline(application: str):
    sim = simulate()
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.hang_next('create-backup')
    op = sim.run()
    assert 'not done within' in op.error
    assert_nothing_is_left(sim)
    (task,) = sim.tasks('create-backup', application)
    assert task.status == 'aborted'


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_an_action_that_made_nothing_is_tried_again_within_bounds(
    sim: simulation.Simulation, application: str
):
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.make_nothing_next('create-backup')
    assert sim.run().status == operation.COMPLETE
    assert len(sim.tasks('create-backup', application)) == 2


def test_storage_stays_and_is_reported_when_there_is_no_database_backup(
    sim: simulation.Simulation,
):
    sim.database.fail_next('create-backup', 'no space left')
    op = sim.run()
    left = [item.id for item in sim.world.juju.storage() if not item.owner]
    assert len(left) == 8
    assert any(left[0] in problem and 'juju remove-storage' in problem for problem in op.problems)


def test_a_replica_that_never_comes_back_does_not_cost_the_set(sim: simulation.Simulation):
    sim.at_step('back-up-maas')
    sim.database.stuck_replica = True
    op = sim.run()
    assert op.status == operation.FAILED
    assert 'restore-postgresql-scale' in op.error
    assert len(sim.manifests()) == 1


def test_credentials_that_are_revoked_hold_the_operation_until_they_are_back(
    sim: simulation.Simulation,
):
    sim.at_step('back-up-postgresql')
    del sim.model.users['backup-bot']
    op = sim.run()
    assert op.status == operation.HELD
    assert 'juju-credentials' in op.error
    sim.model.users['backup-bot'] = sim.user
    sim.op = op.resumed(sim.clock.now())
    sim.run()
    assert_nothing_is_left(sim)


def test_a_password_that_changes_meanwhile_is_not_published(sim: simulation.Simulation):
    sim.at_step('back-up-maas')
    secret = next(s for s in sim.model.secrets.values() if s.label.endswith('postgresql.app'))
    sim.model.update_secret(secret, {**secret.content, 'operator-password': 'changed-meanwhile'})
    op = sim.run()
    assert 'the passwords of operator changed while the backup ran' in op.error
    assert sim.manifests() == []


def test_a_backup_that_somebody_else_runs_is_not_joined_by_a_second_one(
    sim: simulation.Simulation,
):
    sim.database.backup = 600
    sim.model.enqueue([('maas-region/0', 'create-backup', {}, True, '')])
    sim.clock.advance(1)
    op = sim.run()
    assert 'create-backup is under way on maas-region/0' in op.error


def test_manual_machines_are_never_given_away():
    sim = simulate()
    for unit in sim.model.application('postgresql').units.values():
        unit.machine.instance_id = f'manual:{unit.machine.hostname}'
    op = sim.run()
    assert 'were added by hand' in op.error
    assert 'postgresql-backup-strategy=replica' in op.error
    assert_nothing_is_left(sim)


# --- It survives ----------------------------------------------------------------------------------


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_an_agent_that_dies_after_the_backup_leaves_one_that_is_adopted(
    sim: simulation.Simulation, application: str
):
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.fail_next('create-backup', 'action terminated', at='end')
    assert sim.run().status == operation.COMPLETE
    assert len(sim.tasks('create-backup', application)) == 1


@pytest.mark.parametrize('application', ['postgresql', 'maas-region'])
def test_an_agent_that_dies_before_the_end_gets_another_attempt(
    sim: simulation.Simulation, application: str
):
    switches = sim.database if application == 'postgresql' else sim.maas
    switches.fail_next('create-backup', 'action terminated', at='start')
    assert sim.run().status == operation.COMPLETE
    assert len(sim.tasks('create-backup', application)) == 2


def test_no_lost_checkpoint_starts_anything_twice():
    count = simulate()
    count.run()
    for lost in range(1, count.dispatches + 1):
        sim = simulate()
        while sim.op.open:
            before = sim.op
            changed = sim.dispatch()
            if sim.dispatches == lost:
                sim.op = before
            sim.clock.advance(0.1 if changed else simulation.BEAT_SECONDS)
        assert sim.op.status == operation.COMPLETE, f'lost checkpoint {lost}: {sim.op.error}'
        assert len(sim.tasks('create-backup', 'postgresql')) == 1, f'lost checkpoint {lost}'
        assert len(sim.tasks('create-backup', 'maas-region')) == 1, f'lost checkpoint {lost}'
        assert sorted(sim.postgresql_units()) == ['postgresql/0', 'postgresql/3', 'postgresql/4']


def test_s3_that_is_away_for_a_while_is_waited_for(sim: simulation.Simulation):
    sim.at_step('capture-secrets')
    sim.s3.buckets['maas-backups'].unavailable = 3
    assert sim.run().status == operation.COMPLETE


def test_the_error_hierarchy_says_what_happens_next():
    assert issubclass(errors.StoreUnavailable, errors.TransientError)
    assert issubclass(errors.StoreRefused, errors.StepError)
