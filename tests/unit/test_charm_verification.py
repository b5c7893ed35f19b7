"""The action that verifies backup sets: what it stores, prints and refuses."""

from __future__ import annotations

import json
import pathlib

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, retention, rules, verification
from tests import backup_sets, charm_states, programs, simulation

APP = charm_states.APP


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> simulation.Simulation:
    """Return a site with five backup sets, which the charm reaches."""
    sim = backup_sets.simulate(rules.Policy())
    charm_states.reach(sim.world, monkeypatch)
    return sim


def record(sim: simulation.Simulation, *findings: str) -> str:
    """Keep the outcome of a verification of the newest set; return the set's id."""
    name = backup_sets.made(sim)
    found = verification.Verification.of(
        '2026-08-23T01:00:00Z', whole=True, objects=30, bytes=10_000, findings=findings
    )
    catalogue.note_verification(sim.world.maas_store, name, found)
    return name


@pytest.mark.parametrize(('wanted', 'count'), [('all', '5'), ('latest', '1')])
def test_it_begins_and_says_how_many_sets_there_are(
    sets: simulation.Simulation, wanted: str, count: str
):
    results, out = charm_states.act(
        'verify-backup', charm_states.state(), backup_id=wanted, deep=True
    )
    op = charm_states.saved(out)
    assert results == {
        'operation-id': op.id,
        'status': 'started',
        'backup-sets': count,
        'follow': f'juju run {APP}/leader show-operation',
    }
    assert (op.kind, op.parameters) == ('verify-backup', {'backup-id': wanted, 'deep': 'true'})
    sets.op = op
    assert sets.run().status == operation.COMPLETE


def test_it_does_not_hide_that_a_database_part_has_expired(sets: simulation.Simulation):
    warned = charm_states.new_operation().remembering({operation.DATABASE_EXPIRED: '2'})
    before = charm_states.state(warned.ending(operation.COMPLETE, sets.clock.now()))
    _, out = charm_states.act('verify-backup', before, backup_id='latest')
    assert charm_states.saved(out).fact(operation.DATABASE_EXPIRED) == '2'


@pytest.mark.parametrize(
    ('wanted', 'why'),
    [('2020-01-01T00:00:00Z', 'list-backups shows the sets'), ('../x', 'is not a backup id')],
)
def test_a_set_that_is_not_there_is_refused_at_once(
    sets: simulation.Simulation, wanted: str, why: str
):
    assert why in charm_states.refusal('verify-backup', charm_states.state(), backup_id=wanted)


def test_another_unit_than_the_leader_names_the_leader(sets: simulation.Simulation):
    state = charm_states.state(leader=False)
    assert charm_states.refusal('verify-backup', state, backup_id='latest').endswith(
        f'juju run {APP}/leader verify-backup'
    )


def test_a_damaged_set_is_listed_shown_and_not_the_latest(sets: simulation.Simulation):
    name = record(sets, 'image-storage.tar.gz has another checksum')
    results, _ = charm_states.act('list-backups', charm_states.state(), format='json')
    listed = {item['backup-id']: item for item in json.loads(results['backups'])}
    assert listed[name]['status'] == retention.DAMAGED
    assert f'show-backup backup-id={name}' in listed[name]['problem']
    assert (listed[name]['verified-again'], listed[name]['read-whole']) == (
        '2026-08-23T01:00:00Z',
        True,
    )
    shown, _ = charm_states.act('show-backup', charm_states.state(), backup_id=name)
    assert 'image-storage.tar.gz has another checksum' in shown['checks']
    shown, _ = charm_states.act('show-backup', charm_states.state(), backup_id='latest')
    assert f'backup set {backup_sets.name(backup_sets.DAYS[-1])}' in shown['backup-set']
