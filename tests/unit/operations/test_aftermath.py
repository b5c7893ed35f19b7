"""What an ended operation has left to do is judged by the site, and clears by itself."""

from __future__ import annotations

import dataclasses

import pytest
from ops import testing

from coordinator import errors, ports
from coordinator.engine import operation
from coordinator.operations import aftermath, steering
from coordinator.record import ended
from rehearsal import site
from tests import charm_states, restores, simulation, worlds

APP = charm_states.APP


@pytest.fixture
def two_missing() -> simulation.Simulation:
    """A site whose last backup is complete, and lacks two units."""
    sim = simulation.Simulation()
    sim.at_step('back-up-maas')
    for unit in sim.postgresql_units()[1:]:
        sim.model.remove_unit(unit)
    assert sim.run().status == operation.COMPLETE
    return sim


def free_storage(sim: simulation.Simulation) -> list[str]:
    return [item.id for item in sim.world.juju.storage() if not item.owner]


def tidy(sim: simulation.Simulation) -> None:
    """Remove the storage that units have left."""
    for storage_id in free_storage(sim):
        sim.model.remove_storage(storage_id)


def settle(sim: simulation.Simulation) -> None:
    site.settle(sim.model, ('active', 'blocked', 'waiting'))


def left(sim: simulation.Simulation) -> str:
    return '\n'.join(aftermath.left(sim.op, sim.world))


# --- What the site shows -------------------------------------------------------------------------


def test_what_is_still_missing_is_counted_anew(two_missing: simulation.Simulation):
    sim = two_missing
    assert 'postgresql has 1 of 3 units: juju add-unit postgresql -n 2' in left(sim)
    sim.model.add_units('postgresql', 1)
    assert 'postgresql has 2 of 3 units: juju add-unit postgresql' in left(sim)
    sim.model.add_units('postgresql', 1)
    settle(sim)
    # With the units there the storage of the old ones is what remains.
    assert 'add-unit' not in left(sim)
    assert f'juju remove-storage {" ".join(sorted(free_storage(sim)[:1]))}' in left(sim)
    tidy(sim)
    assert left(sim) == ''


def test_a_unit_that_is_there_and_does_not_work_is_named(two_missing: simulation.Simulation):
    sim = two_missing
    tidy(sim)
    sim.database.stuck_replica = True
    sim.model.add_units('postgresql', 2)
    settle(sim)
    stuck = sim.postgresql_units()[-2]
    assert left(sim) == (
        f'{stuck} is waiting (awaiting for member to start): juju status postgresql'
    )
    sim.model.set_agent_status(sim.model.unit(stuck), 'lost')
    assert f'juju remove-unit --force {stuck}, juju add-unit postgresql' in left(sim)


def test_a_unit_that_runs_a_hook_works(two_missing: simulation.Simulation):
    sim = two_missing
    tidy(sim)
    sim.model.add_units('postgresql', 2)
    settle(sim)
    sim.model.set_agent_status(sim.model.unit(sim.postgresql_units()[-1]), 'executing')
    assert left(sim) == ''


def test_what_an_end_by_force_has_left_goes_as_it_is_put_right():
    sim = restores.under_way('detach-maas')
    sim.until(lambda: 'removed' in sim.op.current.reason or sim.op.step != 'detach-maas')
    sim.op = steering.aborted(sim.op, sim.clock.now(), force=True, world=sim.world)
    sim.clock.advance(60)
    found = left(sim)
    assert 'MAAS has no database: juju integrate' in found
    assert 'postgresql has 1 of 3 units: juju add-unit postgresql -n 2' in found
    sim.model.integrate('maas-region:maas-db', 'postgresql:database')
    sim.model.add_units('postgresql', 2)
    settle(sim)
    assert 'juju integrate' not in left(sim)
    assert 'add-unit' not in left(sim)
    # Nobody has looked into secrets and options, so the record speaks for them.
    assert 'juju config postgresql system-users=' in left(sim)


def test_an_operation_of_a_revision_with_fewer_steps_is_judged_as_well(
    two_missing: simulation.Simulation,
):
    sim = two_missing
    fewer = tuple(entry for entry in sim.op.steps if entry.name != 'await-images')
    sim.op = dataclasses.replace(sim.op, steps=fewer)
    assert 'postgresql has 1 of 3 units: juju add-unit postgresql -n 2' in left(sim)


def test_an_operation_of_a_revision_with_fewer_steps_can_be_ended_by_force():
    sim = simulation.Simulation()
    sim.at_step('back-up-postgresql')
    fewer = tuple(entry for entry in sim.op.steps if entry.name != 'await-images')
    held = dataclasses.replace(sim.op, steps=fewer).held('a person is needed')
    ended = steering.aborted(held, sim.clock.now(), force=True, world=sim.world)
    assert any('postgresql has 1 of 3 units' in problem for problem in ended.problems)
    assert [entry.name for entry in ended.steps] == [entry.name for entry in fewer]


def test_what_no_look_can_judge_stays_as_it_was_recorded():
    sim = simulation.Simulation()
    sim.at_step('expire-backups')
    broken = sim.op.step_ended(operation.BROKEN, sim.clock.now(), 'S3 refuses to delete')
    sim.op = broken.ending(operation.COMPLETE, sim.clock.now())
    del sim.model.users['backup-bot']
    assert left(sim) == 'S3 refuses to delete'


# --- In juju status ------------------------------------------------------------------------------


class Silent(worlds.EmptyWorld):
    """A world whose controller does not answer."""

    @property
    def juju(self) -> ports.JujuModel:
        raise errors.ConnectionFailed('no answer')


def hook(state: testing.State) -> testing.State:
    context = charm_states.context()
    return context.run(context.on.update_status(), state)


def again(out: testing.State) -> testing.State:
    """Return the model as the next hook finds it."""
    return dataclasses.replace(out, leader=True)


def test_the_status_follows_the_site_and_clears_by_itself(
    two_missing: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    sim = two_missing
    tidy(sim)
    charm_states.reach(sim.world, monkeypatch)
    done = sim.op.to_json()
    lines = (ended.of(sim.op),)
    state = charm_states.state(done, earlier=lines, last_complete=sim.op.id)

    missing_two = hook(state)
    assert missing_two.unit_status.message.startswith(
        'postgresql has 1 of 3 units: juju add-unit postgresql -n 2 (left to do after backup-all'
    )
    sim.model.add_units('postgresql', 1)
    missing_one = hook(again(missing_two))
    assert missing_one.unit_status.name == 'blocked'
    assert 'postgresql has 2 of 3 units: juju add-unit postgresql (left' in (
        missing_one.unit_status.message
    )
    sim.model.add_units('postgresql', 1)
    settle(sim)
    well = hook(again(missing_one))
    assert well.unit_status.name == 'active'
    assert charm_states.databag(well)['operation'] == done, 'a record never changes'

    # Whoever scales PostgreSQL later on does so knowingly.
    sim.model.remove_unit(sim.postgresql_units()[-1])
    assert hook(again(well)).unit_status.name == 'active'


def test_units_that_do_not_lead_say_what_the_leader_found(
    two_missing: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    sim = two_missing
    charm_states.reach(sim.world, monkeypatch)
    sim.model.add_units('postgresql', 1)
    found = hook(charm_states.state(sim.op, last_complete=sim.op.id))
    charm_states.reach(worlds.EmptyWorld(), monkeypatch)
    other = hook(dataclasses.replace(found, leader=False))
    assert 'postgresql has 2 of 3 units' in other.unit_status.message
    assert other.unit_status == found.unit_status


def test_a_look_that_finds_nothing_new_writes_nothing(
    two_missing: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    charm_states.reach(two_missing.world, monkeypatch)
    first = hook(charm_states.state(two_missing.op, last_complete=two_missing.op.id))
    assert charm_states.databag(hook(again(first))) == charm_states.databag(first)


def test_a_look_during_which_another_unit_became_the_leader_stores_nothing(
    two_missing: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    two_missing.model.add_units('postgresql', 1)
    charm_states.reach(two_missing.world, monkeypatch)
    monkeypatch.setattr(two_missing.world, 'leads', lambda: False)
    state = charm_states.state(two_missing.op, last_complete=two_missing.op.id)
    assert 'since-the-end' not in charm_states.databag(hook(state))


def test_when_the_controller_does_not_answer_the_status_stays(
    two_missing: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    charm_states.reach(Silent(), monkeypatch)
    state = charm_states.state(two_missing.op, last_complete=two_missing.op.id)
    out = hook(state)
    assert 'postgresql has 1 of 3 units' in out.unit_status.message
    assert charm_states.databag(out) == charm_states.databag(state)


def test_what_is_left_is_looked_at_even_after_another_operation(
    two_missing: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    sim = two_missing
    tidy(sim)
    charm_states.reach(sim.world, monkeypatch)
    state = charm_states.state(sim.op, last_complete=sim.op.id)
    _, begun = charm_states.act('verify-backup', state, backup_id='latest')
    verified = charm_states.saved(begun).ending(operation.ABORTED, sim.clock.now())
    bag = {**charm_states.databag(begun), 'operation': verified.to_json()}
    (peers,) = begun.get_relations('coordinator')
    changed = dataclasses.replace(peers, local_app_data=bag)
    others = [relation for relation in begun.relations if relation.id != peers.id]
    after = dataclasses.replace(begun, relations=[*others, changed])

    missing = hook(after)
    assert 'postgresql has 1 of 3 units' in missing.unit_status.message
    sim.model.add_units('postgresql', 2)
    settle(sim)
    assert hook(again(missing)).unit_status.name == 'active'


def test_a_site_with_nothing_left_to_do_is_not_looked_at(monkeypatch: pytest.MonkeyPatch):
    charm_states.reach(worlds.EmptyWorld(), monkeypatch)
    complete = charm_states.new_operation().ending(operation.COMPLETE, worlds.START)
    assert hook(charm_states.state(complete)).unit_status.name == 'active'


def test_why_an_operation_failed_is_not_looked_at(monkeypatch: pytest.MonkeyPatch):
    charm_states.reach(worlds.EmptyWorld(), monkeypatch)
    failed = charm_states.new_operation().turning_back('check: MAAS is blocked')
    out = hook(charm_states.state(failed.ending(operation.FAILED, worlds.START)))
    assert 'check: MAAS is blocked' in out.unit_status.message


# --- In the actions ------------------------------------------------------------------------------


def test_show_operation_and_list_backups_say_what_is_left_now(
    two_missing: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    sim = two_missing
    tidy(sim)
    charm_states.reach(sim.world, monkeypatch)
    sim.model.add_units('postgresql', 1)
    looked = hook(charm_states.state(sim.op, last_complete=sim.op.id))
    results, _ = charm_states.act('show-operation', again(looked))
    assert 'now: postgresql has 2 of 3 units: juju add-unit postgresql\n' in results['operation']
    results, _ = charm_states.act('list-backups', again(looked))
    assert results['left-to-do'] == 'postgresql has 2 of 3 units: juju add-unit postgresql'
    sim.model.add_units('postgresql', 1)
    settle(sim)
    results, _ = charm_states.act('show-operation', again(looked))
    assert 'now: nothing is left to do' in results['operation']
    results, _ = charm_states.act('list-backups', hook(again(looked)))
    assert 'left-to-do' not in results
