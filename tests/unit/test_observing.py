"""Each dispatch leaves its note, and some have systemd listen."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ops import testing

from coordinator import errors, ports
from coordinator.engine import operation
from coordinator.observed import cos_agent, note, sets
from coordinator.record import schedules
from tests import charm_states, examples, exporters, otlp, programs, worlds

# object-storage-charmlib asks for the version of Juju in an older way.
pytestmark = pytest.mark.filterwarnings('ignore:JujuVersion.from_environ:DeprecationWarning')


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


class Unreached(worlds.StoredWorld):
    """A world whose controller does not answer."""

    @property
    def juju(self) -> ports.JujuModel:
        raise errors.ConnectionFailed('no controller answers')


def listens(systemd: programs.Programs) -> list[str]:
    """Return where systemd was asked to listen, and '' for each time it was asked to stop."""
    found: list[str] = []
    for call in systemd.calls:
        if call[:2] == ['systemctl', 'stop'] and call[-1].endswith('-metrics.service'):
            found.append('')
        found += [word.rpartition('=')[2] for word in call if 'ListenStream' in word]
    return found


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    """The unit's folder, which dispatches share."""
    folder = tmp_path / 'charm'
    folder.mkdir()
    return folder


def left(root: pathlib.Path, state: testing.State, event: str = 'update_status') -> note.Note:
    """Run a dispatch; return the note that it leaves."""
    context = charm_states.context(root)
    context.run(getattr(context.on, event)(), state)
    return note.Note.from_json((root / note.FILE).read_text())


def ended_operation() -> operation.Operation:
    op = charm_states.new_operation()
    return op.ending(operation.FAILED, worlds.START)


@pytest.mark.parametrize('event', ['start', 'config_changed', 'upgrade_charm'])
def test_systemd_listens_after_a_reboot_with_other_settings_and_with_other_code(
    systemd: programs.Programs, root: pathlib.Path, event: str
):
    left(root, charm_states.state(config={'metrics-port': 9999}), event)
    assert listens(systemd) == ['', '127.0.0.1:9999']


@pytest.mark.parametrize('event', ['update_status', 'leader_elected'])
def test_other_hooks_ask_nothing_of_systemd(
    systemd: programs.Programs, root: pathlib.Path, event: str
):
    left(root, charm_states.state(), event)
    assert listens(systemd) == []


@pytest.mark.parametrize('port', [0, -1, 65536])
def test_without_a_port_nothing_listens(systemd: programs.Programs, root: pathlib.Path, port: int):
    left(root, charm_states.state(config={'metrics-port': port}), 'config_changed')
    assert listens(systemd) == ['']


@pytest.mark.parametrize('event', ['stop', 'remove'])
def test_a_unit_that_goes_leaves_nothing_that_listens(
    systemd: programs.Programs, root: pathlib.Path, event: str
):
    left(root, charm_states.state(), event)
    assert listens(systemd) == ['']


def test_a_dispatch_notes_what_it_has_read(root: pathlib.Path):
    stored = sets.Sets({'complete': 1}, {'complete': examples.BACKUP_ID}).to_json()
    state = charm_states.state(
        ended_operation(),
        last_complete=examples.BACKUP_ID,
        config={'backup-max-age': 26},
        sets=stored,
    )
    found = left(root, state)
    assert found.leads
    assert found.last['backup-all'].status == 'failed'
    assert (found.last_complete, found.sets, found.max_age) == (
        examples.BACKUP_ID,
        stored,
        26 * 3600,
    )


@pytest.mark.parametrize(
    ('config', 'hours'),
    [
        ({}, 0),
        ({'backup-schedule': 'daily'}, 26),
        ({'backup-schedule': 'daily', 'backup-max-age': 7}, 7),
    ],
)
def test_with_a_schedule_the_newest_set_has_a_limit(
    root: pathlib.Path, config: dict[str, str | int], hours: int
):
    assert left(root, charm_states.state(config=config)).max_age == hours * 3600


def test_a_schedule_that_is_over_has_no_limit(root: pathlib.Path):
    kept = {'backup-all': schedules.Schedule(text='2026-08-22 10:15')}
    state = charm_states.state(config={'backup-schedule': '2026-08-22 10:15'}, kept=kept)
    assert left(root, state).max_age == 0


def test_a_record_of_a_newer_revision_leaves_the_note_as_it_is(root: pathlib.Path):
    before = left(root, charm_states.state(ended_operation()))
    assert left(root, charm_states.state(charm_states.NEWER, leader=False)) == before


def test_failures_of_a_dispatch_are_counted_once(
    root: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    errors.met.clear()
    charm_states.reach(Unreached(), monkeypatch)
    found = left(root, charm_states.state(charm_states.new_operation()))
    assert found.failures[errors.CONTROLLER_UNANSWERED] == 1
    again = left(root, charm_states.state())
    assert again.failures == found.failures


def test_the_leader_tells_all_units_what_it_has_listed(monkeypatch: pytest.MonkeyPatch):
    world = worlds.StoredWorld()
    charm_states.reach(world, monkeypatch)
    for leader in (True, False):
        _, out = charm_states.act('list-backups', charm_states.state(leader=leader))
        stored = charm_states.databag(out).get('sets')
        assert bool(stored) == leader
    _, out = charm_states.act('list-backups', charm_states.state())
    assert json.loads(charm_states.databag(out)['sets'])['newest'] == {}


# --- An agent of COS -----------------------------------------------------------------------------


def told(state: testing.State, event: str, root: pathlib.Path) -> str:
    """Return the relation data that a hook leaves for a related agent."""
    agent = testing.Relation('cos-agent', interface='cos_agent')
    related = dataclasses.replace(state, relations={*state.relations, agent})
    context = charm_states.context(root)
    on = context.on
    hook = getattr(on, event)
    out = context.run(hook(agent) if event.startswith('relation') else hook(), related)
    return out.get_relation(agent.id).local_unit_data.get(cos_agent.KEY, '')


TOPOLOGY = cos_agent.Topology(
    'maas', worlds.EmptyWorld.model_uuid, charm_states.APP, 'maas-backup-coordinator'
)


@pytest.mark.parametrize('leader', [True, False])
@pytest.mark.parametrize('event', ['relation_created', 'config_changed', 'upgrade_charm'])
def test_an_agent_is_told_what_belongs_to_this_code_and_these_settings(
    root: pathlib.Path, event: str, leader: bool
):
    state = charm_states.state(leader=leader, config={'metrics-port': 9999})
    assert told(state, event, root) == cos_agent.config(TOPOLOGY, 9999)


def test_an_agent_is_told_nothing_in_each_dispatch(root: pathlib.Path):
    assert told(charm_states.state(), 'update_status', root) == ''


# --- Traces --------------------------------------------------------------------------------------


@pytest.fixture
def receiver() -> Iterator[otlp.Receiver]:
    with otlp.receiving() as receiver:
        yield receiver


def traced(
    state: testing.State, receiver: otlp.Receiver
) -> tuple[testing.State, testing.Relation]:
    """Return the model with a receiver of traces."""
    offered = [{'protocol': {'name': 'otlp_http', 'type': 'http'}, 'url': receiver.url}]
    tempo = testing.Relation(
        'charm-tracing', interface='tracing', remote_app_data={'receivers': json.dumps(offered)}
    )
    return dataclasses.replace(state, relations={*state.relations, tempo}), tempo


def hear_of(state: testing.State, tempo: testing.Relation, root: pathlib.Path) -> testing.State:
    context = charm_states.context(root)
    return context.run(context.on.relation_changed(tempo), state)


def hook(state: testing.State, root: pathlib.Path) -> testing.State:
    context = charm_states.context(root)
    return context.run(context.on.leader_elected(), state)


def test_the_leader_asks_for_a_receiver_over_http(root: pathlib.Path, receiver: otlp.Receiver):
    state, tempo = traced(charm_states.state(), receiver)
    out = hear_of(state, tempo, root)
    assert out.get_relation(tempo.id).local_app_data == {'receivers': '["otlp_http"]'}
    state, tempo = traced(charm_states.state(leader=False), receiver)
    assert hear_of(state, tempo, root).get_relation(tempo.id).local_app_data == {}


def test_an_operation_that_has_ended_is_sent_once(root: pathlib.Path, receiver: otlp.Receiver):
    state, tempo = traced(charm_states.state(ended_operation()), receiver)
    out = hear_of(state, tempo, root)
    assert receiver.requests == 1
    assert charm_states.databag(out)['traced'] == ended_operation().id
    hook(out, root)
    assert receiver.requests == 1


def test_one_whose_checkpoint_was_lost_is_the_same_trace(
    root: pathlib.Path, receiver: otlp.Receiver
):
    state, tempo = traced(charm_states.state(ended_operation()), receiver)
    hear_of(state, tempo, root)
    # The dispatch was killed before its end: nothing that it has written is there.
    hook(state, root)
    assert (receiver.requests, len(receiver.traces)) == (2, 1)


def test_a_new_leader_sends_the_same_trace(
    tmp_path: pathlib.Path, root: pathlib.Path, receiver: otlp.Receiver
):
    another = tmp_path / 'another'
    another.mkdir()
    state, tempo = traced(charm_states.state(ended_operation(), leader=False), receiver)
    hear_of(state, tempo, root)
    hear_of(state, tempo, another)
    assert receiver.requests == 0
    hook(dataclasses.replace(state, leader=True), root)
    hook(dataclasses.replace(state, leader=True), another)
    assert (receiver.requests, len(receiver.traces)) == (2, 1)


def test_what_was_not_taken_is_sent_by_the_next_hook(root: pathlib.Path, receiver: otlp.Receiver):
    receiver.refuses = True
    state, tempo = traced(charm_states.state(ended_operation()), receiver)
    out = hear_of(state, tempo, root)
    assert 'traced' not in charm_states.databag(out)
    receiver.refuses = False
    hook(out, root)
    assert receiver.requests == 1


def test_nothing_is_sent_of_an_operation_under_way(root: pathlib.Path, receiver: otlp.Receiver):
    state, tempo = traced(charm_states.state(charm_states.new_operation().held('x')), receiver)
    hear_of(state, tempo, root)
    assert receiver.requests == 0


def test_without_the_relation_nothing_of_it_is_executed(root: pathlib.Path):
    program = """
import sys
import late
late.install()
import charm
for name in ('coordinator.observed.trace', 'coordinator.observed.tracing'):
    assert type(sys.modules[name]) is late.Late, name
"""
    ran = subprocess.run(
        [sys.executable, '-c', program],
        env={'PYTHONPATH': f'{exporters.SOURCE}:{exporters.SOURCE.parent / "lib"}'},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


def test_when_the_receiver_goes_nothing_is_left(root: pathlib.Path, receiver: otlp.Receiver):
    state, tempo = traced(charm_states.state(), receiver)
    hear_of(state, tempo, root)
    assert (root / '.tracing').exists()
    context = charm_states.context(root)
    context.run(context.on.relation_broken(tempo), state)
    assert not (root / '.tracing').exists()
