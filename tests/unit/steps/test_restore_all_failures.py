"""What goes wrong in a restore, and how it goes on."""

from __future__ import annotations

import json

import pytest

from coordinator import operation
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
    'step', ['aim-repositories', 'scale-down-postgresql', 'apply-passwords', 'detach-maas']
)
def test_aborted_before_data_is_replaced_everything_is_as_it_was(step: str):
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    before = fresh.site.fingerprint()
    path = fresh.world.postgresql_store.place
    restores.restore(fresh, lost)
    fresh.at_step(step)
    fresh.dispatch()
    fresh.clock.advance(1)
    if fresh.op.step == step:
        fresh.op = fresh.op.aborting()
        fresh.run()
        assert fresh.op.status == operation.ABORTED
        site.settle(fresh.model, ('active', 'blocked'), limit=900)
        assert fresh.site.fingerprint() == before
        assert fresh.world.postgresql_store.place == path
        assert len(fresh.postgresql_units()) == 3


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
