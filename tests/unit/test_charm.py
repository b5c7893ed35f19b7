"""What wakes the charm advances the open operation; without one, nothing happens at all."""

from __future__ import annotations

import dataclasses
import json
import logging
import pathlib
from collections.abc import Callable

import pytest
from ops import testing

import charm
from coordinator import errors, ports
from coordinator.engine import facts, operation
from coordinator.record import databag, history
from coordinator.sets import catalogue
from coordinator.steps import publishing
from coordinator.steps.postgresql import passwords
from tests import charm_states, examples, programs, worlds

# object-storage-charmlib asks for the version of Juju in an older way.
pytestmark = pytest.mark.filterwarnings('ignore:JujuVersion.from_environ:DeprecationWarning')


class SmallWorld(worlds.StoredWorld):
    """A world whose controller does not answer. Its repository may break in its own way."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False
        self.why = 'no controller answers'
        self.breaks: Callable[[], None] = lambda: None

    @property
    def maas_store(self) -> ports.ObjectStore:
        self.breaks()
        return super().maas_store

    @property
    def juju(self) -> ports.JujuModel:
        logging.getLogger('coordinator.juju_api').info('asking the controller')
        raise errors.ConnectionFailed(self.why)

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> SmallWorld:
    small = SmallWorld()

    def connect(charm: object) -> ports.World:
        return small

    monkeypatch.setattr(charm, 'connect', connect)
    return small


@pytest.fixture
def unreached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when the charm reaches for the world."""

    def connect(charm: object) -> ports.World:
        raise AssertionError('nothing was to be asked of the world')

    monkeypatch.setattr(charm, 'connect', connect)


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


def wake(state: testing.State) -> testing.State:
    context = charm_states.context()
    return context.run(context.on.update_status(), state)


def beat(state: testing.State) -> testing.State:
    return charm_states.context().run(charm_states.ADVANCE, state)


def waiting() -> operation.Operation:
    """Return the operation as the small world leaves it: waiting at its checks."""
    reason = (
        'no controller answers; there is no pgBackRest stanza maas.postgresql in the bucket of '
        's3-postgresql: check that postgresql:s3-parameters is related to the same integrator'
    )
    return (
        charm_states.new_operation().beginning(0, {}, worlds.START).waiting(reason, worlds.START)
    )


def about_to_publish() -> operation.Operation:
    """Return an operation that has everything but its manifest."""
    found = examples.backup_set()
    op = charm_states.new_operation()
    for name in op.steps[: op.steps.index(op.entry('publish'))]:
        op = op.moving_to(name.name).step_ended(operation.DONE, worlds.START)
    noted = {
        facts.MODEL.name: found.model.model_dump_json(by_alias=True),
        publishing.MAAS: found.maas.model_dump_json(by_alias=True),
        publishing.POSTGRESQL: found.postgresql.model_dump_json(by_alias=True),
        publishing.VERIFIED: found.verified,
        passwords.SEALED: found.passwords.sealed.model_dump_json(by_alias=True),
        **facts.PASSWORD_HASHES.put(found.passwords.hashes),
    }
    return op.moving_to('publish').beginning(0, noted, worlds.START)


# --- Something wakes the unit --------------------------------------------------------------------

RELATION_EVENTS = {
    'coordinator': ('created', 'changed', 'departed'),
    'maas-region': ('joined', 'departed'),
    'postgresql': ('joined', 'departed'),
    's3-maas': ('joined', 'changed', 'departed'),
    's3-postgresql': ('joined', 'changed', 'departed'),
}


@pytest.mark.parametrize(
    'name',
    ['start', 'config_changed', 'update_status', 'upgrade_charm', 'leader_elected'],
)
def test_whatever_wakes_the_leader_advances_the_operation(world: SmallWorld, name: str):
    context = charm_states.context()
    event = getattr(context.on, name)()
    out = context.run(event, charm_states.state(charm_states.new_operation()))
    assert charm_states.saved(out) == waiting()
    assert world.closed


@pytest.mark.parametrize(
    ('endpoint', 'kind'),
    [(endpoint, kind) for endpoint, kinds in RELATION_EVENTS.items() for kind in kinds],
)
def test_comings_and_goings_of_other_units_advance_the_operation(
    world: SmallWorld, endpoint: str, kind: str
):
    context = charm_states.context()
    state = charm_states.state(charm_states.new_operation())
    (relation,) = state.get_relations(endpoint)
    remote = {} if kind == 'created' else {'remote_unit': int(endpoint == 'coordinator')}
    event = getattr(context.on, f'relation_{kind}')(relation, **remote)
    assert charm_states.saved(context.run(event, state)) == waiting()


def test_a_change_of_the_credentials_advances_the_operation(world: SmallWorld):
    context = charm_states.context()
    state = charm_states.state(charm_states.new_operation())
    event = context.on.secret_changed(state.get_secret(id=charm_states.SECRET))
    assert charm_states.saved(context.run(event, state)) == waiting()


def test_the_pacemakers_dispatch_advances_the_operation(world: SmallWorld):
    out = beat(charm_states.state(charm_states.new_operation()))
    assert charm_states.saved(out) == waiting()


def test_each_change_is_in_the_history(world: SmallWorld):
    wake(charm_states.state(charm_states.new_operation()))
    content = world.maas_store.get(history.key(examples.BACKUP_ID, world.model_uuid))
    assert operation.Operation.from_json(content.decode()) == waiting()


def test_a_long_message_is_cut_in_the_record_and_whole_in_the_history(world: SmallWorld):
    world.why = f'the controller said: {"x" * 900}'
    out = wake(charm_states.state(charm_states.new_operation()))
    op = charm_states.saved(out)
    assert (op.cut, world.why in op.current.reason) == (1, False)
    (message,) = history.read(op.id, world.maas_store, world.model_uuid).messages
    assert world.why in message.text
    assert charm_states.databag(wake(out)) == charm_states.databag(out), 'said once, stored once'


def test_every_line_of_a_dispatch_names_the_operation(world: SmallWorld):
    context = charm_states.context()
    context.run(context.on.update_status(), charm_states.state(charm_states.new_operation()))
    ours = [line.message for line in context.juju_log if 'ask' in line.message]
    assert ours
    assert set(ours) == {f'{examples.BACKUP_ID}: check: asking the controller'}


def test_a_history_that_cannot_be_written_for_whatever_reason_stops_nothing(world: SmallWorld):
    def breaks() -> None:
        raise ValueError('Invalid header value')

    world.breaks = breaks
    out = wake(charm_states.state(charm_states.new_operation()))
    assert charm_states.saved(out) == waiting()


def test_a_dispatch_that_hung_for_longer_than_a_lease_stores_nothing(
    world: SmallWorld, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(world, 'leads', lambda: False)
    state = charm_states.state(charm_states.new_operation())
    out = wake(state)
    assert charm_states.databag(out) == charm_states.databag(state)
    assert world.bucket.objects == {}
    assert 'this dispatch stored nothing: this unit may no longer be the leader' in caplog.text


@pytest.mark.parametrize('leader', [True, False])
def test_an_ended_operation_that_a_late_writer_opened_again_is_ended_again(
    unreached: None, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, leader: bool
):
    monkeypatch.setattr(charm, '_NEWEST', tmp_path / 'newest')
    op = dataclasses.replace(charm_states.new_operation(), generation=5)
    ended = dataclasses.replace(op.ending(operation.COMPLETE, worlds.START), generation=8)
    wake(charm_states.state(ended))
    out = wake(charm_states.state(op, leader=leader))
    found = charm_states.saved(out)
    assert (found.status, found.generation) == (('complete', 9) if leader else ('open', 5))


def test_the_record_is_saved_before_the_history_is_written(
    world: SmallWorld, monkeypatch: pytest.MonkeyPatch
):
    order: list[str] = []
    save = databag.Record.save

    def saving(kept: databag.Record, op: operation.Operation) -> operation.Operation | None:
        order.append('record')
        return save(kept, op)

    monkeypatch.setattr(databag.Record, 'save', saving)
    world.breaks = lambda: order.append('history')
    wake(charm_states.state(charm_states.new_operation()))
    assert order == ['record', 'history']


def test_a_dispatch_that_only_waited_writes_nothing(world: SmallWorld):
    # The same record in other words: written again it would lose its indentation.
    stored = json.dumps(json.loads(waiting().to_json()), indent=1)
    out = wake(charm_states.state(stored))
    assert charm_states.databag(out) == {'operation': stored}
    assert not any('operations/' in key for key in world.bucket.objects)


def test_the_last_step_ends_the_operation_and_names_the_newest_set(
    world: SmallWorld, systemd: programs.Programs
):
    published = beat(charm_states.state(about_to_publish()))
    assert charm_states.saved(published).open
    assert json.loads(charm_states.databag(published)['last-complete']) == {
        'backup-id': examples.BACKUP_ID
    }
    out = wake(published)
    assert charm_states.saved(out).status == operation.COMPLETE
    (entry,) = catalogue.entries(world.maas_store)
    assert entry.backup_id == examples.BACKUP_ID
    assert systemd.calls == [], "the pacemaker's next beat stops it"
    assert out.unit_status.name == 'active'
    assert examples.BACKUP_ID in out.unit_status.message


def test_a_set_that_was_published_counts_even_if_a_step_after_both_parts_failed(world: SmallWorld):
    failed = about_to_publish().with_problem('a unit is missing')
    broken = failed.moving_to('restore-postgresql-scale').step_ended('failed', worlds.START)
    out = wake(wake(charm_states.state(broken.moving_to('publish'))))
    saved = charm_states.saved(out)
    assert (saved.status, saved.problems) == (operation.COMPLETE, ('a unit is missing',))
    assert 'last-complete' in charm_states.databag(out)


def test_a_failed_operation_leaves_the_newest_set_as_it_was(world: SmallWorld):
    op = charm_states.new_operation().turning_back('check: refused')
    out = wake(charm_states.state(op, last_complete='2026-08-01T00:00:00Z'))
    assert charm_states.saved(out).status == operation.FAILED
    assert '2026-08-01T00:00:00Z' in charm_states.databag(out)['last-complete']


def test_an_operation_of_a_kind_that_this_revision_does_not_know_is_held(
    unreached: None, systemd: programs.Programs
):
    unknown = json.loads(charm_states.new_operation().to_json()) | {'kind': 'expire-all'}
    out = wake(charm_states.state(json.dumps(unknown)))
    assert charm_states.saved(out).status == operation.HELD
    assert 'does not know the operation expire-all' in charm_states.saved(out).error
    assert systemd.calls == []


def test_a_step_that_this_revision_does_not_know_is_held(
    world: SmallWorld, systemd: programs.Programs
):
    text = charm_states.new_operation().to_json().replace('"check"', '"check-moon"')
    out = wake(charm_states.state(text))
    assert charm_states.saved(out).status == operation.HELD
    assert out.unit_status.name == 'blocked'
    assert systemd.calls == []


# --- Nothing is to be done -----------------------------------------------------------------------


@pytest.mark.parametrize('leader', [True, False])
def test_without_an_operation_nothing_is_asked_written_or_started(
    unreached: None, systemd: programs.Programs, leader: bool
):
    out = wake(charm_states.state(leader=leader))
    assert charm_states.databag(out) == {}
    assert systemd.calls == []


@pytest.mark.parametrize('status', [operation.COMPLETE, operation.FAILED, operation.ABORTED])
def test_an_ended_operation_is_left_alone(
    unreached: None, systemd: programs.Programs, status: str
):
    ended = charm_states.new_operation().ending(status, worlds.START)
    out = wake(charm_states.state(ended))
    assert charm_states.saved(out) == ended
    assert systemd.calls == []


def test_a_held_operation_is_left_to_its_person(unreached: None, systemd: programs.Programs):
    held = charm_states.new_operation().held('S3 refuses')
    out = wake(charm_states.state(held))
    assert charm_states.saved(out) == held
    assert systemd.calls == []


def test_a_unit_that_does_not_lead_leaves_the_operation_to_the_leader(
    unreached: None, systemd: programs.Programs
):
    op = charm_states.new_operation()
    out = wake(charm_states.state(op, leader=False))
    assert charm_states.saved(out) == op
    assert systemd.calls == []


def test_before_the_peer_relation_is_there_nothing_fails(unreached: None):
    context = charm_states.context()
    context.run(context.on.install(), charm_states.state(without=['coordinator']))


# --- The pacemaker -------------------------------------------------------------------------------


def test_an_operation_that_waits_is_paced(world: SmallWorld, systemd: programs.Programs):
    wake(charm_states.state(waiting()))
    assert (systemd.started, systemd.stopped) == (1, 0)
    assert '--unit=maas-backup-coordinator-0-pacemaker' in systemd.calls[-1]


def test_the_pacemakers_own_beat_starts_no_other(world: SmallWorld, systemd: programs.Programs):
    beat(charm_states.state(waiting()))
    assert systemd.calls == []


def test_the_pacemaker_of_a_unit_that_leads_no_more_stops(
    unreached: None, systemd: programs.Programs
):
    beat(charm_states.state(waiting(), leader=False))
    assert (systemd.started, systemd.stopped) == (0, 1)


@pytest.mark.parametrize(
    'op',
    [
        None,
        charm_states.new_operation().held('S3 refuses'),
        charm_states.new_operation().ending(operation.COMPLETE, worlds.START),
        charm_states.NEWER,
    ],
    ids=['none', 'held', 'ended', 'newer'],
)
def test_a_pacemaker_without_an_open_operation_stops(
    unreached: None, systemd: programs.Programs, op: operation.Operation | str | None
):
    beat(charm_states.state(op))
    assert (systemd.started, systemd.stopped) == (0, 1)


def test_the_pacemaker_stops_once_the_end_of_the_operation_is_committed(
    world: SmallWorld, systemd: programs.Programs
):
    ended = beat(beat(charm_states.state(about_to_publish())))
    stopped_too_soon = 'were the record lost, nothing would go on'
    assert (systemd.started, systemd.stopped) == (0, 0), stopped_too_soon
    beat(ended)
    assert (systemd.started, systemd.stopped) == (0, 1)


@pytest.mark.parametrize('name', ['stop', 'remove'])
@pytest.mark.parametrize('leader', [True, False])
def test_a_unit_that_goes_leaves_no_pacemaker_behind(
    unreached: None, systemd: programs.Programs, name: str, leader: bool
):
    context = charm_states.context()
    event = getattr(context.on, name)()
    context.run(event, charm_states.state(waiting(), leader=leader))
    assert (systemd.started, systemd.stopped) == (0, 1)


def test_the_operation_goes_on_where_no_pacemaker_can_be_started(
    world: SmallWorld, systemd: programs.Programs
):
    systemd.answer('systemd-run', stderr='no systemd here', code=1)
    out = wake(charm_states.state(charm_states.new_operation()))
    assert charm_states.saved(out) == waiting()
