"""A record outlives the revision that wrote it: older ones are carried on, newer ones left alone.

`records/` has records as older revisions wrote them, `<format>-<what>.json`.
"""

from __future__ import annotations

import json
import pathlib

import pytest
from ops import testing

import charm
from coordinator import errors, ports
from coordinator.engine import formats, operation
from coordinator.record import ended
from coordinator.sets import catalogue
from coordinator.steps.backup_set import chosen_set
from tests import charm_states, examples, programs, restores, simulation, worlds

APP = charm_states.APP
RECORDS = sorted((pathlib.Path(__file__).parent / 'records').glob('*.json'))


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


def reach(world: ports.World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the charm reach this world."""

    def connect(charm: object) -> ports.World:
        return world

    monkeypatch.setattr(charm, 'connect', connect)


def recorded(name: str) -> str:
    (path,) = [path for path in RECORDS if path.stem == name]
    return path.read_text()


# --- Older ---------------------------------------------------------------------------------------


def test_there_are_records_of_every_format_before_this_one():
    found = {json.loads(path.read_text())['format'] for path in RECORDS}
    assert found == set(range(1, formats.FORMAT))


@pytest.mark.parametrize('path', RECORDS, ids=lambda path: path.stem)
def test_an_older_record_is_read_and_written_in_the_format_of_today(path: pathlib.Path):
    before = json.loads(path.read_text())
    after = json.loads(operation.Operation.from_json(path.read_text()).to_json())
    added = {name: after.pop(name) for name in after.keys() - before.keys()}
    assert {entry.pop('began') for entry in after['steps']} == {None}
    assert after == before | {'format': formats.FORMAT}
    assert added | {'cut': 0} == {'cut': 0, 'warnings': [], 'age': 0, 'generation': 0}


def test_an_older_record_keeps_no_more_problems_than_todays_holds():
    document = json.loads(recorded('1-backup-that-failed'))
    document['problems'] = [f'problem {number}' for number in range(20)]
    op = operation.Operation.from_json(json.dumps(document))
    assert op.problems == tuple(f'problem {number}' for number in range(10, 20))


def test_what_a_restore_needs_of_its_set_is_in_an_older_record_too():
    found = chosen_set.of(operation.Operation.from_json(recorded('1-restore-that-is-held')))
    assert (found.backup_id, len(found.maas.objects)) == ('2026-08-22T10:00:08Z', 4)


def test_the_deadline_of_a_step_that_an_older_revision_began_runs_anew():
    op = operation.Operation.from_json(recorded('2-backup-in-mid-step'))
    assert (op.current.state, op.current.began) == (operation.DOING, None)
    assert op.aged(40).current.began == 40


def as_format_1(op: operation.Operation) -> operation.Operation:
    """Return an operation as it comes out of a record that format 1 would have made of it."""
    document = json.loads(op.to_json())
    for name in ('cut', 'warnings', 'age', 'generation'):
        del document[name]
    for entry in document['steps']:
        del entry['began']
    if op.kind == 'backup-all':
        document['facts'].pop('repository', None)
    return operation.Operation.from_json(json.dumps(document | {'format': 1}))


def carry_on(sim: simulation.Simulation) -> operation.Operation:
    """Run an operation whose every record is written by the older revision."""

    def ended() -> bool:
        sim.op = as_format_1(sim.op)
        return not sim.op.open

    sim.until(ended)
    return sim.op


def test_a_backup_is_carried_on_from_whatever_record_an_older_revision_left():
    sim = simulation.Simulation()
    op = carry_on(sim)
    assert (op.status, op.error, op.problems) == (operation.COMPLETE, '', ())
    assert len(sim.tasks('create-backup')) == 2
    assert len(sim.manifests()) == 1


def test_a_backup_of_an_older_revision_is_undone_as_well():
    sim = simulation.Simulation()
    sim.at_step('back-up-maas')
    sim.op = as_format_1(sim.op).aborting(sim.clock.now())
    assert carry_on(sim).status == operation.ABORTED
    assert len(sim.postgresql_units()) == 3
    assert not any('backup-sets' in item.key for item in sim.world.maas_store.list(''))


def test_a_restore_is_carried_on_from_whatever_record_an_older_revision_left():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost)
    carry_on(fresh)
    restores.assert_restored(fresh, units=3)


class SilentWorld(worlds.StoredWorld):
    """A world whose controller does not answer."""

    @property
    def juju(self) -> ports.JujuModel:
        raise errors.ConnectionFailed('no controller answers')


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> SilentWorld:
    world = SilentWorld()
    reach(world, monkeypatch)
    return world


def test_the_refresh_itself_takes_an_older_operation_on(
    silent: SilentWorld, systemd: programs.Programs
):
    context = charm_states.context()
    state = charm_states.state(recorded('1-backup-in-mid-step'))
    out = context.run(context.on.upgrade_charm(), state)
    op = charm_states.saved(out)
    assert (op.open, op.step) == (True, 'back-up-maas')
    assert op.current.reason == 'trying again: no controller answers'
    assert json.loads(charm_states.databag(out)['operation'])['format'] == formats.FORMAT
    assert systemd.started == 1


def test_an_older_operation_that_is_held_is_shown_and_resumed(silent: SilentWorld):
    state = charm_states.state(recorded('1-restore-that-is-held'))
    shown, _ = charm_states.act('show-operation', state)
    assert 'held, step 7 of 14' in shown['operation']
    _, out = charm_states.act('resume-operation', state)
    assert charm_states.saved(out).open
    assert charm_states.saved(out).step == 'restore-maas'


def test_an_older_operation_that_has_ended_is_remembered_when_the_next_one_begins(
    silent: SilentWorld,
):
    state = charm_states.state(recorded('1-backup-that-failed'))
    assert state.get_relations('coordinator')
    _, begun = charm_states.act('backup-all', state)
    shown, _ = charm_states.act('show-operation', begun, earlier=True)
    assert 'backup-all | failed' in shown['operations']
    assert 'postgresql/3 is waiting (awaiting for member to start)' in shown['operations']


# --- Newer ---------------------------------------------------------------------------------------

REFUSAL = (
    f'the operation record has format {formats.FORMAT + 1}, but this revision of the charm only '
    f'knows {formats.FORMAT}: refresh the charm to the newer revision again'
)


@pytest.fixture
def unreached(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail the test when the charm reaches for the world."""

    def connect(charm: object) -> ports.World:
        raise AssertionError('nothing was to be asked of the world')

    monkeypatch.setattr(charm, 'connect', connect)


@pytest.mark.parametrize('leader', [True, False])
@pytest.mark.parametrize(
    'name',
    ['start', 'config_changed', 'update_status', 'upgrade_charm', 'leader_elected', 'advance'],
)
def test_whatever_wakes_the_charm_a_newer_record_is_left_untouched_and_told(
    unreached: None, systemd: programs.Programs, name: str, leader: bool
):
    context = charm_states.context()
    event = charm_states.ADVANCE if name == 'advance' else getattr(context.on, name)()
    out = context.run(event, charm_states.state(charm_states.NEWER, leader=leader))
    assert charm_states.databag(out) == {'operation': charm_states.NEWER}
    assert (out.unit_status.name, out.unit_status.message) == ('blocked', REFUSAL)
    if leader:
        assert out.app_status == out.unit_status
    assert systemd.started == 0


def test_a_newer_record_that_changes_under_the_charm_is_left_untouched(unreached: None):
    context = charm_states.context()
    state = charm_states.state(charm_states.NEWER)
    (peers,) = state.get_relations('coordinator')
    out = context.run(context.on.relation_changed(peers, remote_unit=1), state)
    assert charm_states.databag(out) == {'operation': charm_states.NEWER}


@pytest.mark.parametrize(
    ('name', 'parameters'),
    [
        ('backup-all', {}),
        ('backup-all', {'dry_run': True}),
        ('restore-all', {'backup_id': examples.BACKUP_ID}),
        ('restore-all', {'backup_id': examples.BACKUP_ID, 'confirm': True}),
        ('show-operation', {}),
        ('resume-operation', {}),
        ('abort-operation', {}),
        ('abort-operation', {'force': True}),
    ],
    ids=lambda value: value if isinstance(value, str) else '-'.join(value) or 'plain',
)
def test_actions_leave_a_newer_record_to_the_newer_revision(
    silent: SilentWorld, name: str, parameters: dict[str, str | bool]
):
    catalogue.commit(silent.maas_store, examples.backup_set())
    state = charm_states.state(charm_states.NEWER)
    assert charm_states.refusal(name, state, **parameters) == REFUSAL
    assert not any('operations/' in key for key in silent.bucket.objects)


def test_looking_at_earlier_operations_needs_no_record_that_can_be_read(unreached: None):
    over = charm_states.new_operation().ending(operation.COMPLETE, worlds.START)
    state = charm_states.state(charm_states.NEWER, earlier=ended.adding((), over))
    results, out = charm_states.act('show-operation', state, earlier=True)
    assert over.id in results['operations']
    assert charm_states.databag(out) == charm_states.databag(state)


def test_a_record_of_no_format_that_there_ever_was_is_left_untouched(unreached: None):
    text = json.dumps(json.loads(charm_states.new_operation().to_json()) | {'format': 0})
    context = charm_states.context()
    out = context.run(context.on.update_status(), charm_states.state(text))
    assert charm_states.databag(out) == {'operation': text}
    assert isinstance(out.unit_status, testing.BlockedStatus)
