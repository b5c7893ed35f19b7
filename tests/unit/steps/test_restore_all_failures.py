"""What goes wrong in a restore, and how it goes on."""

from __future__ import annotations

import json

import pytest

from coordinator.engine import operation, settings, step
from coordinator.operations import plans, steering
from coordinator.report import operation_report
from coordinator.steps import relations
from rehearsal import site
from tests import restores, simulation


def test_a_region_that_failed_is_tried_again_alone_with_the_same_id():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    fresh.maas.fail_next('restore-backup', 'S3 timed out', at='middle')
    restores.restore(fresh, lost)
    fresh.run()
    restores.assert_restored(fresh, 3)
    tasks = fresh.tasks('restore-backup')
    assert len(tasks) == 4
    again = [t.parameters['controller-id'] for t in tasks if t.unit == tasks[0].unit]
    assert len(set(again)) == 1


def test_a_region_that_fails_for_good_holds_the_operation_and_it_can_be_resumed():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    for _ in range(9):
        fresh.maas.fail_next('restore-backup', 'disk full', at='middle')
    restores.restore(fresh, lost)
    op = fresh.run()
    assert op.status == operation.HELD
    assert 'Failed to download and extract images' in op.current.reason
    fresh.maas.faults.clear()
    fresh.op = op.resumed(fresh.clock.now())
    fresh.run()
    restores.assert_restored(fresh, 3)


def test_a_refused_restore_of_the_database_holds_and_can_be_resumed():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    fresh.database.fail_next('restore', 'no such stanza')
    restores.restore(fresh, lost)
    op = fresh.run()
    assert op.status == operation.HELD
    assert 'no such stanza' in op.current.reason
    fresh.op = op.resumed(fresh.clock.now())
    fresh.run()
    restores.assert_restored(fresh, 3)


@pytest.mark.parametrize(
    'step',
    ['scale-down-postgresql', 'apply-passwords', 'detach-maas', 'restore-postgresql'],
)
def test_aborted_before_data_is_replaced_everything_is_as_it_was(step: str):
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    before = fresh.site.fingerprint()
    path = fresh.world.postgresql_store.place
    restores.restore(fresh, lost)
    fresh.at_step(step)
    if step != 'restore-postgresql':
        # There its first effect would be the restore itself.
        fresh.dispatch()
        fresh.clock.advance(1)
    assert fresh.op.step == step
    fresh.op = fresh.op.aborting(fresh.clock.now())
    fresh.run()
    assert fresh.op.status == operation.ABORTED
    site.settle(fresh.model, ('active', 'blocked'), limit=900)
    assert fresh.site.fingerprint() == before
    assert fresh.world.postgresql_store.place == path
    assert len(fresh.postgresql_units()) == 3
    labels = [secret.label for secret in fresh.world.juju.secrets()]
    assert not [label for label in labels if label.startswith('maas-backup-coordinator')]


def test_aborted_nothing_is_left_of_the_passwords_of_the_latest_set():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    found = restores.restore(fresh, lost, backup_id='latest')
    label = f'maas-backup-coordinator: system users of backup set {found}'
    fresh.until(lambda: fresh.world.juju.secrets(label))
    assert f'secret "{label}" may be left' in '\n'.join(
        plans.PLANS['restore-all'].remains(fresh.op)
    )
    fresh.op = fresh.op.aborting(fresh.clock.now())
    assert fresh.run().status == operation.ABORTED
    assert not fresh.world.juju.secrets(label)


def test_aborted_while_the_repository_is_aimed_it_is_aimed_back():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    assert fresh.run().status == operation.COMPLETE
    moved = fresh.world.postgresql_store.place
    restores.restore(fresh, lost)
    fresh.at_step('aim-repositories')
    fresh.dispatch()
    assert fresh.world.postgresql_store.place != moved
    fresh.op = fresh.op.aborting(fresh.clock.now())
    assert fresh.run().status == operation.ABORTED
    assert fresh.world.postgresql_store.place == moved


def test_a_relation_that_still_goes_is_waited_for_before_it_is_put_back():
    fresh = restores.under_way('detach-maas')
    fresh.dispatch()
    assert 'is being removed' in fresh.op.current.reason
    going = int(fresh.fact('relation-being-removed'))
    outcome = relations.attach_again(fresh.op, fresh.world)
    assert isinstance(outcome, step.Wait)
    assert outcome.reason == fresh.op.current.reason
    fresh.op = fresh.op.aborting(fresh.clock.now())
    assert fresh.run().status == operation.ABORTED
    back = relations.database(fresh.world.juju.status(), fresh.config)
    assert back == ('maas-region:maas-db', 'postgresql:database')
    assert going not in {relation.id for relation in fresh.world.juju.status().relations}


def test_an_abort_that_comes_when_the_restore_has_begun_is_told_to_be_too_late():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.at_step('restore-postgresql')
    fresh.dispatch()
    fresh.op = fresh.op.aborting(fresh.clock.now())
    op = fresh.run()
    (task,) = fresh.tasks('restore', 'postgresql')
    began = f'task {task.id} on postgresql/0 had started to restore the database'
    assert (op.status, op.problems) == (operation.COMPLETE, (f'not aborted: {began}',))
    site.settle(fresh.model, limit=600)
    assert fresh.site.fingerprint() == fresh.at_backup


def in_a_second_attempt_to_restore(after: str) -> tuple[simulation.Simulation, object]:
    """Return a restore whose first attempt failed with a message, and the site as it was."""
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    before = fresh.site.fingerprint()
    fresh.database.fail_next('restore', after)
    restores.restore(fresh, lost)
    fresh.at_step('restore-postgresql')
    fresh.until(lambda: fresh.op.current.attempts == 2)
    return fresh, before


def test_an_abort_is_too_late_when_an_earlier_attempt_to_restore_was_cut_short():
    fresh, _ = in_a_second_attempt_to_restore(after='action terminated')
    assert fresh.op.current.task is None
    fresh.op = steering.aborted(fresh.op, fresh.clock.now())
    op = fresh.run()
    cut_short, _ = fresh.tasks('restore', 'postgresql')
    began = f'task {cut_short.id} on postgresql/0 had started to restore the database'
    assert (op.status, op.problems) == (operation.COMPLETE, (f'not aborted: {began}',))
    site.settle(fresh.model, limit=600)
    assert fresh.site.fingerprint() == fresh.at_backup


def test_an_abort_comes_in_time_when_the_unit_only_did_not_lead_yet():
    fresh, before = in_a_second_attempt_to_restore(
        after='Unit cannot restore backup as it was not elected the leader unit yet'
    )
    fresh.op = steering.aborted(fresh.op, fresh.clock.now())
    assert fresh.run().status == operation.ABORTED
    site.settle(fresh.model, ('active', 'blocked'), limit=900)
    assert fresh.site.fingerprint() == before


def test_a_region_that_is_lost_passes_its_controller_id_on_to_the_one_in_its_place():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.at_step('restore-maas')
    fresh.model.remove_unit('maas-region/1')
    fresh.model.add_units('maas-region', 1)
    site.settle(fresh.model, ('active', 'blocked', 'waiting'))
    fresh.op = fresh.op if fresh.op.open else fresh.op.resumed(fresh.clock.now())
    fresh.run()
    restores.assert_restored(fresh, 3)


def test_regions_that_are_done_stay_so_when_another_one_is_cut_short_for_good():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.at_step('restore-maas')
    fresh.until(lambda: len(fresh.tasks('restore-backup')) == 2)
    for _ in range(4):
        fresh.maas.fail_next('restore-backup', 'action terminated')
    fresh.until(lambda: not fresh.op.open or fresh.op.status == operation.HELD)
    units = [task.unit for task in fresh.tasks('restore-backup')]
    assert units.count('maas-region/0') == units.count('maas-region/1') == 1


def test_whatever_backs_postgresql_up_it_is_scaled_down_for_a_restore():
    config = settings.from_config(
        {
            'postgresql-backup-strategy': 'replica',
            'scaling-deadline': 120,
            'postgresql-backup-deadline': 720,
            'maas-backup-deadline': 360,
            'image-sync-deadline': 60,
        },
        settings.Applications('maas-region', 'postgresql', 's3-maas', 's3-postgresql'),
        for_restore=True,
    )
    assert config.strategy == 'scale-down'


@pytest.mark.long
def test_no_lost_checkpoint_restores_anything_twice():
    first = restores.backed_up(regions=2, postgresql_units=1)
    count = restores.simulate(after=first, regions=2, postgresql_units=1)
    restores.restore(count, first)
    count.run()
    for number in range(1, count.dispatches + 1):
        lost = restores.backed_up(regions=2, postgresql_units=1)
        sim = restores.simulate(after=lost, regions=2, postgresql_units=1)
        restores.restore(sim, lost)
        while sim.op.open:
            before = sim.op
            changed = sim.dispatch()
            if sim.dispatches == number:
                sim.op = before
            sim.clock.advance(0.1 if changed else simulation.BEAT_SECONDS)
        assert sim.op.status == operation.COMPLETE, f'lost checkpoint {number}: {sim.op.error}'
        assert len(sim.tasks('restore', 'postgresql')) == 1, f'lost checkpoint {number}'
        assert len(sim.tasks('restore-backup')) == 2, f'lost checkpoint {number}'
        assert sim.site.fingerprint() == sim.at_backup, f'lost checkpoint {number}'


def test_no_password_reaches_a_record_or_s3():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.run()
    text = fresh.all_text()
    secrets = [*lost.site.passwords.values(), *fresh.site.passwords.values(), str(restores.KEY)]
    assert not [value for value in secrets if value in text]
    assert str(restores.KEY) not in json.dumps(list(fresh.saved))


def test_a_replica_that_does_not_come_back_leaves_a_complete_restore_with_work_to_do():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    fresh.at_step('restore-postgresql-scale')
    fresh.database.stuck_replica = True
    op = fresh.run()
    assert (op.status, op.error) == (operation.COMPLETE, '')
    (left,) = op.unfinished
    assert 'awaiting for member to start' in left
    told = operation_report.operation_text(op, 'backups', fresh.clock.now())
    assert f'left to do: restore-postgresql-scale: {left}' in told
    assert 'restore-all backup-id' not in told
    assert 'confirm=true' not in told
