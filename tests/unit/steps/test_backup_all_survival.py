"""backup-all that is disturbed: it goes on, and starts nothing twice."""

from __future__ import annotations

import datetime

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue
from tests import lost_answers, simulation


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
    count = simulation.Simulation()
    count.run()
    for lost in range(1, count.dispatches + 1):
        sim = simulation.Simulation()
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


@pytest.mark.parametrize('step', ['scale-down-postgresql', 'back-up-postgresql'])
def test_an_agent_that_is_lost_for_a_minute_is_waited_for(sim: simulation.Simulation, step: str):
    sim.at_step(step)
    unit = sim.model.unit('postgresql/0')
    sim.model.set_agent_status(unit, 'lost')
    sim.until(lambda: 'postgresql/0 is unknown' in sim.op.current.reason)
    sim.clock.advance(60)
    sim.model.set_agent_status(unit, 'idle')
    sim.site.postgresql.poke()
    assert sim.run().status == operation.COMPLETE
    assert sim.op.problems == ()


def test_patroni_that_is_silent_for_two_minutes_is_asked_again(sim: simulation.Simulation):
    sim.at_step('scale-down-postgresql')
    sim.database.no_primary = True
    end = sim.clock.now().timestamp() + 120
    sim.until(lambda: sim.clock.now().timestamp() > end)
    assert len(sim.postgresql_units()) == 3
    assert 'named no primary' in sim.op.current.reason
    assert len([name for name in sim.op.facts if 'doubted' in name]) == 1
    sim.database.no_primary = False
    assert sim.run().status == operation.COMPLETE
    assert len(sim.tasks('get-primary')) > 3


@pytest.mark.parametrize('loses', ['nothing', 'the checkpoint', 'the answer'])
def test_after_a_failover_between_two_removals_the_new_primary_stays(
    sim: simulation.Simulation, loses: str
):
    if loses == 'the answer':
        sim.world.juju = lost_answers.LosingModel(sim.model, sim.user, 'remove_unit')
    sim.at_step('scale-down-postgresql')
    before = sim.op
    while len(sim.postgresql_units()) == 3:
        before = sim.op
        sim.clock.advance(simulation.BEAT_SECONDS)
        sim.dispatch()
    if loses == 'the checkpoint':
        sim.op = before
    sim.clock.advance(60)
    # The units notice when their next hook runs: until then status shows the old primary.
    sim.site.postgresql._peer.app_data['postgresql']['primary'] = '"postgresql/1"'
    sim.at_step('back-up-postgresql')
    assert sim.postgresql_units() == ['postgresql/1']
    assert sim.fact('postgresql-primary') == 'postgresql/1'
    assert sim.run().status == operation.COMPLETE


def test_when_maas_gets_another_leader_that_one_is_asked_to_back_up(sim: simulation.Simulation):
    sim.at_step('back-up-maas')
    while not sim.tasks('create-backup', 'maas-region'):
        sim.dispatch()
    (task,) = sim.tasks('create-backup', 'maas-region')
    assert (task.unit, task.status) == ('maas-region/0', 'pending')
    sim.model.set_leader('maas-region/1')
    assert sim.run().status == operation.COMPLETE
    first, second = sim.tasks('create-backup', 'maas-region')
    assert (first.status, second.unit) == ('failed', 'maas-region/1')


@pytest.mark.parametrize('seconds', [0, 10], ids=['at-once', 'later'])
@pytest.mark.parametrize('call', ['run_action create-backup', 'add_units', 'remove_unit'])
def test_a_request_whose_answer_was_lost_is_not_sent_again(
    sim: simulation.Simulation, call: str, seconds: float
):
    losing = lost_answers.LosingModel(sim.model, sim.user, call, seconds)
    sim.world.juju = losing
    assert sim.run().status == operation.COMPLETE
    assert losing.lost
    assert {name: losing.sent.count(name) for name in sorted(set(losing.sent))} == {
        'add_units': 1,
        'remove_unit': 2,
        'run_action create-backup': 2,
        'run_action get-primary': 2,
    }
    assert sorted(sim.postgresql_units()) == ['postgresql/0', 'postgresql/3', 'postgresql/4']


@pytest.mark.parametrize('seconds', [0, 10], ids=['at-once', 'later'])
def test_units_whose_request_went_unanswered_are_not_requested_again_by_the_undo(
    sim: simulation.Simulation, seconds: float
):
    sim.database.fail_next('create-backup', 'no space left')
    losing = lost_answers.LosingModel(sim.model, sim.user, 'add_units', seconds)
    sim.world.juju = losing
    assert sim.run().status == operation.FAILED
    assert losing.sent.count('add_units') == 1
    assert sorted(sim.postgresql_units()) == ['postgresql/0', 'postgresql/3', 'postgresql/4']


def test_a_leader_whose_clock_is_ahead_waits_for_no_other_files_backup(
    sim: simulation.Simulation,
):
    sim.at_step('back-up-postgresql')
    sim.world.skew = datetime.timedelta(hours=1)

    assert sim.run().status == operation.COMPLETE


def test_a_leader_whose_clock_is_behind_publishes_the_set_all_the_same(
    sim: simulation.Simulation,
):
    sim.at_step('back-up-postgresql')
    sim.world.skew = datetime.timedelta(hours=-1)

    assert sim.run().status == operation.COMPLETE

    (published,) = catalogue.entries(sim.world.maas_store)
    spent = catalogue.opened(sim.world.maas_store, published.backup_id).seconds
    assert 'scale-down-postgresql' in spent
    # Nobody knows how long it took: it began by one clock and ended by another.
    assert 'back-up-postgresql' not in spent
