"""The charm's last dispatches leave an operation behind, and its first one takes one over."""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib

import pytest
from ops import testing

import charm
from coordinator import errors, ports
from coordinator.engine import operation
from coordinator.operations import leaving, taking_over
from coordinator.record import history
from tests import charm_states, examples, programs, simulation, worlds

pytestmark = pytest.mark.filterwarnings('ignore:JujuVersion.from_environ:DeprecationWarning')
S3 = {'bucket': 'maas', 'endpoint': 'https://s3.example'}


class LostWorld(worlds.StoredWorld):
    """A world with a site in it."""

    def __init__(self, sim: simulation.Simulation) -> None:
        super().__init__()
        self.sim = sim
        self.model_uuid = sim.model.uuid

    @property
    def juju(self) -> ports.JujuModel:
        return self.sim.world.juju

    @property
    def maas_store(self) -> ports.ObjectStore:
        return self.sim.world.maas_store

    def maas_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        return self.sim.world.maas_store_at(bucket, path)


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture(autouse=True)
def own_disk(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(charm, '_NEWEST', tmp_path / 'newest')


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> LostWorld:
    """A site that is scaled down for a backup."""
    sim = simulation.Simulation()
    sim.at_step('back-up-postgresql')
    found = LostWorld(sim)
    charm_states.reach(found, monkeypatch)
    return found


def leaving_state(op: operation.Operation, **given: object) -> testing.State:
    state = charm_states.state(op, s3=S3, **given)  # type: ignore[arg-type]
    return dataclasses.replace(state, planned_units=0)


def told(world: worlds.StoredWorld, op: operation.Operation) -> operation.Operation:
    return history.read(op.id, world.maas_store, world.model_uuid).operation


@pytest.mark.parametrize('name', ['stop', 'remove'])
def test_the_last_unit_puts_back_what_it_can_and_writes_it_down(world: LostWorld, name: str):
    context = charm_states.context()
    op = world.sim.op
    out = context.run(getattr(context.on, name)(), leaving_state(op))
    assert len(world.sim.postgresql_units()) == 3
    assert leaving.REMOVED in charm_states.saved(out).current.reason
    assert told(world, op).status == operation.HELD


@pytest.mark.parametrize('endpoint', [*charm_states.OTHERS, 'coordinator'])
def test_a_relation_that_juju_breaks_before_it_stops_the_unit_is_early_enough(
    world: LostWorld, endpoint: str, systemd: programs.Programs
):
    context = charm_states.context()
    wake = charm_states.state(world.sim.op, s3=S3, leader=False)
    context.run(context.on.update_status(), wake)
    state = leaving_state(world.sim.op)
    (relation,) = state.get_relations(endpoint)
    context.run(context.on.relation_broken(relation), state)
    assert len(world.sim.postgresql_units()) == 3
    assert systemd.stopped == 1
    if endpoint != 's3-maas':
        assert told(world, world.sim.op).status == operation.HELD


def test_the_history_is_written_while_s3_is_still_related(world: LostWorld):
    context = charm_states.context()
    state = leaving_state(world.sim.op)
    (relation,) = state.get_relations('s3-maas')
    context.run(context.on.relation_departed(relation, remote_unit=0), state)
    assert told(world, world.sim.op).status == operation.HELD


def test_the_record_is_known_after_its_relation_has_gone(world: LostWorld):
    context = charm_states.context()
    wake = charm_states.state(world.sim.op, s3=S3, leader=False)
    context.run(context.on.update_status(), wake)
    without = charm_states.state(without=['coordinator'], s3=S3)
    context.run(context.on.stop(), dataclasses.replace(without, planned_units=0))
    assert len(world.sim.postgresql_units()) == 3
    assert told(world, world.sim.op).status == operation.HELD


def test_a_unit_that_is_not_the_last_leaves_the_operation_to_the_others(world: LostWorld):
    context = charm_states.context()
    state = dataclasses.replace(leaving_state(world.sim.op), planned_units=2)
    out = context.run(context.on.stop(), state)
    assert charm_states.saved(out) == world.sim.op
    assert len(world.sim.postgresql_units()) == 1


def test_a_last_unit_that_does_not_lead_tells_who_takes_over(
    world: LostWorld, caplog: pytest.LogCaptureFixture
):
    context = charm_states.context()
    out = context.run(context.on.stop(), leaving_state(world.sim.op, leader=False))
    assert charm_states.saved(out) == world.sim.op
    assert 'a coordinator that is deployed into this model takes it over' in caplog.text


def test_show_operation_looks_how_the_site_is(world: LostWorld):
    results, _ = charm_states.act('show-operation', charm_states.state(world.sim.op, s3=S3))
    assert 'now: postgresql has 1 of its 3 units' in results['operation']


# --- The next coordinator ------------------------------------------------------------------------


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> worlds.StoredWorld:
    """A repository, and nothing else that could be asked."""
    found = worlds.StoredWorld()
    charm_states.reach(found, monkeypatch)
    return found


def unfinished() -> operation.Operation:
    return charm_states.new_operation().beginning(0, {}, worlds.START)


def wake(state: testing.State) -> testing.State:
    context = charm_states.context()
    return context.run(context.on.update_status(), state)


def test_a_new_coordinator_shows_what_has_no_end_and_offers_to_go_on(stored: worlds.StoredWorld):
    history.write(unfinished(), stored)
    out = wake(charm_states.state(s3=S3))
    op = charm_states.saved(out)
    assert (op.id, op.status) == (examples.BACKUP_ID, operation.HELD)
    assert op.current.reason.startswith(taking_over.REASON)
    assert f'juju run {charm_states.APP}/leader abort-operation' in op.current.reason
    assert out.unit_status.name == 'blocked'
    assert f'juju run {charm_states.APP}/leader resume-operation' in out.unit_status.message
    results, _ = charm_states.act('show-operation', out)
    assert 'the coordinator that ran it was removed' in results['operation']
    _, resumed = charm_states.act('resume-operation', out)
    assert charm_states.saved(resumed).open
    _, aborted = charm_states.act('abort-operation', out)
    assert charm_states.saved(aborted).undoing


@pytest.mark.parametrize('ended', [True, False])
def test_where_nothing_is_left_the_history_is_read_once(
    stored: worlds.StoredWorld, ended: bool, monkeypatch: pytest.MonkeyPatch
):
    if ended:
        history.write(unfinished().ending(operation.COMPLETE, worlds.START), stored)
    out = wake(charm_states.state(s3=S3))
    assert list(charm_states.databag(out)) == ['history-looked-at']
    assert out.unit_status.name == 'active'

    def connect(charm: object) -> None:
        raise AssertionError('it has looked')

    monkeypatch.setattr(charm, 'connect', connect)
    assert charm_states.databag(wake(out)) == charm_states.databag(out)


def test_a_backup_does_not_begin_over_one_that_is_not_over(stored: worlds.StoredWorld):
    history.write(unfinished(), stored)
    state = charm_states.state(s3=S3)
    context = charm_states.context()
    with pytest.raises(testing.ActionFailed) as caught:
        context.run(context.on.action('backup-all'), state)
    assert 'resume-operation' in caught.value.message


def test_a_backup_does_not_begin_while_s3_does_not_tell_what_is_left(
    monkeypatch: pytest.MonkeyPatch,
):
    class Down(worlds.EmptyWorld):
        @property
        def maas_store(self) -> ports.ObjectStore:
            raise errors.StoreUnavailable('S3 does not answer')

    charm_states.reach(Down(), monkeypatch)
    found = charm_states.refusal('backup-all', charm_states.state(s3=S3))
    assert found == 'cannot find out whether an operation was left unfinished: S3 does not answer'


def test_a_history_that_cannot_be_read_does_not_keep_a_site_from_its_backups(
    stored: worlds.StoredWorld,
):
    stored.maas_store.put(history.key(examples.BACKUP_ID, stored.model_uuid), b'{}')
    results, _ = charm_states.act('backup-all', charm_states.state(s3=S3))
    assert results['status'] == 'started'


@pytest.mark.parametrize(
    'state',
    [
        charm_states.state(s3=S3, leader=False),
        charm_states.state(),
        charm_states.state(s3=S3, credentials=None),
        charm_states.state(s3=S3, without=['coordinator']),
        charm_states.state(s3=S3, last_complete='2026-08-01T00:00:00Z'),
    ],
    ids=['no-leader', 'no-s3-yet', 'no-credentials', 'no-peers', 'not-new'],
)
def test_nothing_is_taken_over_before_its_time(stored: worlds.StoredWorld, state: testing.State):
    history.write(unfinished(), stored)
    out = wake(state)
    assert not any(
        'operation' in charm_states.databag(out) for _ in out.get_relations('coordinator')
    )


def test_a_history_of_another_revision_is_told_and_left(
    stored: worlds.StoredWorld, caplog: pytest.LogCaptureFixture
):
    key = history.key(examples.BACKUP_ID, stored.model_uuid)
    stored.maas_store.put(key, charm_states.NEWER.encode())
    out = wake(charm_states.state(s3=S3))
    assert charm_states.databag(out) == {}, 'a refresh may read it'
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert any('refresh the charm' in line for line in warned)
    assert json.loads(charm_states.NEWER)['shape'] not in caplog.text


@pytest.mark.parametrize(
    'text',
    [
        '[' * 100_000,
        '{}',
        json.dumps({**json.loads(unfinished().to_json()), 'facts': {'postgresql-units': 5}}),
        json.dumps(
            {**json.loads(unfinished().to_json()), 'facts': {'postgresql-units': '[' * 9999}}
        ),
        json.dumps(
            {**json.loads(unfinished().to_json()), 'facts': {'postgresql-storage': '{"a": [1]}'}}
        ),
        json.dumps({**json.loads(unfinished().to_json()), 'parameters': {'x': 'y' * 99_999}}),
        json.dumps({**json.loads(unfinished().to_json()), 'kind': 'format-disk', 'status': 7}),
    ],
    ids=['nested', 'empty', 'number', 'nested fact', 'storage', 'large', 'unknown'],
)
def test_whatever_is_in_the_history_stops_no_hook(stored: worlds.StoredWorld, text: str):
    key = history.key(examples.BACKUP_ID, stored.model_uuid)
    stored.maas_store.put(key, text.encode())
    out = wake(charm_states.state(s3=S3))
    if 'operation' in charm_states.databag(out):
        assert not charm_states.saved(out).open
