"""The actions that delete and pin backup sets: what they print, store and refuse."""

from __future__ import annotations

import json
import pathlib

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, rules
from tests import backup_sets, charm_states, programs, simulation

APP = charm_states.APP
FOLLOW = f'juju run {APP}/leader show-operation'
OLDEST, OLDER, OLD, LATELY = map(backup_sets.name, backup_sets.DAYS)
KEEP_2: dict[str, str | int] = {'keep-last': 2}


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> simulation.Simulation:
    """Return a site with five backup sets, which the charm reaches."""
    sim = backup_sets.simulate(rules.Policy())
    charm_states.reach(sim.world, monkeypatch)
    return sim


def unchanged(sim: simulation.Simulation) -> set[str]:
    return backup_sets.keys(sim.world.maas_store)


# --- expire ----------------------------------------------------------------------------------


@pytest.mark.parametrize('leader', [True, False])
def test_a_dry_run_of_expire_prints_the_verdicts_and_changes_nothing(
    sets: simulation.Simulation, leader: bool
):
    before = unchanged(sets)
    state = charm_states.state(config=KEEP_2, leader=leader)
    results, out = charm_states.act('expire', state, dry_run=True)
    lines = results['backups'].splitlines()
    outcomes = [line.split(' | ')[3].strip(' |') for line in lines[2:7]]
    assert outcomes == ['deleted'] * 3 + ['kept'] * 2
    assert '3 of 5 backup set(s) would be deleted by keep-last=2' in lines
    assert charm_states.databag(out) == {}
    assert unchanged(sets) == before


def test_the_plan_equals_the_deed(sets: simulation.Simulation):
    state = charm_states.state(config=KEEP_2)
    told, _ = charm_states.act('expire', state, dry_run=True, format='json')
    staying = [item['backup-id'] for item in json.loads(told['backups']) if not item['goes']]
    results, out = charm_states.act('expire', state)
    op = charm_states.saved(out)
    assert results == {'operation-id': op.id, 'status': 'started', 'follow': FOLLOW}
    assert (op.kind, op.settings.retention) == ('expire', rules.Policy(last=2))
    sets.op = op
    assert sets.run().status == operation.COMPLETE
    assert backup_sets.listed(sets) == staying


def test_expire_without_a_rule_is_refused_with_how_to_set_one(sets: simulation.Simulation):
    assert charm_states.refusal('expire', charm_states.state()) == (
        f'no rule is set, so every backup set is kept: juju config {APP} keep-last=...; expire '
        'dry-run=true shows what would be deleted'
    )


def test_expire_is_refused_while_an_operation_runs(sets: simulation.Simulation):
    state = charm_states.state(charm_states.new_operation(), config=KEEP_2)
    assert 'one operation at a time' in charm_states.refusal('expire', state)


def test_a_rule_that_is_no_number_of_sets_is_refused(sets: simulation.Simulation):
    state = charm_states.state(config={'keep-daily': -1})
    for refusal in (
        charm_states.refusal('expire', state),
        charm_states.refusal('expire', state, dry_run=True),
        charm_states.refusal('backup-all', state),
    ):
        assert refusal.startswith("keep-daily is '-1'")


def test_backup_all_takes_its_rules_along(sets: simulation.Simulation):
    _, out = charm_states.act('backup-all', charm_states.state(config=KEEP_2))
    assert charm_states.saved(out).settings.retention == rules.Policy(last=2)


# --- delete-backup ---------------------------------------------------------------------------


@pytest.mark.parametrize('leader', [True, False])
def test_without_confirm_it_prints_what_would_go_and_changes_nothing(
    sets: simulation.Simulation, leader: bool
):
    before = unchanged(sets)
    state = charm_states.state(leader=leader)
    results, out = charm_states.act('delete-backup', state, backup_id=OLD)
    for key in backup_sets.owned(sets.world.maas_store, OLD):
        assert f'{key} ' in results['would-delete']
    assert 'its database backup remains' in results['would-delete']
    assert results['next'] == (f'juju run {APP}/leader delete-backup backup-id={OLD} confirm=true')
    assert charm_states.databag(out) == {}
    assert unchanged(sets) == before


def test_with_confirm_an_operation_begins(sets: simulation.Simulation):
    state = charm_states.state()
    results, out = charm_states.act('delete-backup', state, backup_id=OLD, confirm=True)
    op = charm_states.saved(out)
    assert results == {'operation-id': op.id, 'status': 'started', 'follow': FOLLOW}
    assert (op.kind, op.parameters) == ('delete-backup', {'backup-id': OLD})
    sets.op = op
    assert sets.run().status == operation.COMPLETE
    assert OLD not in backup_sets.listed(sets)


@pytest.mark.parametrize('confirm', [True, False])
@pytest.mark.parametrize(
    ('backup_id', 'sentence'),
    [
        ('latest', "'latest' is not a backup id"),
        ('../../backup', 'is not a backup id'),
        ('2020-01-01T00:00:00Z', 'the repository has no backup set 2020-01-01T00:00:00Z'),
        (OLDEST, 'is pinned: keep-backup'),
        ('newest', 'is the newest complete one of its model'),
    ],
)
def test_what_may_not_go_is_refused_at_once(
    sets: simulation.Simulation, backup_id: str, sentence: str, confirm: bool
):
    catalogue.pin(sets.world.maas_store, OLDEST)
    before = unchanged(sets)
    given = backup_sets.made(sets) if backup_id == 'newest' else backup_id
    state = charm_states.state()
    refusal = charm_states.refusal('delete-backup', state, backup_id=given, confirm=confirm)
    assert sentence in refusal
    assert unchanged(sets) == before


def test_a_deletion_is_refused_on_a_unit_that_does_not_lead(sets: simulation.Simulation):
    state = charm_states.state(leader=False)
    refusal = charm_states.refusal('delete-backup', state, backup_id=OLD, confirm=True)
    assert refusal == f'{APP}/0 is not the leader: juju run {APP}/leader delete-backup'


# --- keep-backup -----------------------------------------------------------------------------


def test_a_set_is_pinned_and_unpinned(sets: simulation.Simulation):
    store, state = sets.world.maas_store, charm_states.state()
    results, _ = charm_states.act('keep-backup', state, backup_id=OLD)
    assert results == {'backup-id': OLD, 'status': 'pinned'}
    assert [entry.backup_id for entry in catalogue.entries(store) if entry.pinned] == [OLD]
    results, _ = charm_states.act('keep-backup', state, backup_id=OLD, keep=False)
    assert results == {'backup-id': OLD, 'status': 'unpinned'}
    assert not any(entry.pinned for entry in catalogue.entries(store))


@pytest.mark.parametrize('keep', [True, False])
def test_a_set_that_there_is_not_cannot_be_pinned(sets: simulation.Simulation, keep: bool):
    before = unchanged(sets)
    refusal = charm_states.refusal(
        'keep-backup', charm_states.state(), backup_id='2020-01-01T00:00:00Z', keep=keep
    )
    assert refusal == (
        f'the repository has no backup set 2020-01-01T00:00:00Z: juju run {APP}/leader '
        'list-backups'
    )
    assert unchanged(sets) == before


def test_only_the_leader_pins(sets: simulation.Simulation):
    state = charm_states.state(leader=False)
    assert 'is not the leader' in charm_states.refusal('keep-backup', state, backup_id=OLD)
