"""The action that adopts backups made by hand: what it stores and refuses."""

from __future__ import annotations

import pathlib

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue
from tests import by_hand, charm_states, programs, simulation

APP = charm_states.APP


@pytest.fixture(autouse=True)
def systemd(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> programs.Programs:
    return programs.Programs(tmp_path / 'bin', monkeypatch)


@pytest.fixture
def sim(monkeypatch: pytest.MonkeyPatch) -> simulation.Simulation:
    made = by_hand.backed_up()
    charm_states.reach(made.world, monkeypatch)
    return made


def given(sim: simulation.Simulation, **changes: str) -> dict[str, str]:
    return {
        **{name.replace('-', '_'): text for name, text in by_hand.pair(sim).items()},
        **changes,
    }


def test_it_begins_with_the_id_that_the_set_will_have(sim: simulation.Simulation):
    results, out = charm_states.act('adopt-backup', charm_states.state(), **given(sim))
    op = charm_states.saved(out)
    assert results == {
        'operation-id': op.id,
        'backup-id': op.backup_id,
        'status': 'started',
        'retention': 'the rules apply to this set as to any other; pin it with keep-backup',
        'follow': f'juju run {APP}/leader show-operation',
    }
    assert op.backup_id < op.id
    sim.op = op
    assert sim.run().status == operation.COMPLETE
    assert catalogue.ids(sim.world.maas_store) == [op.backup_id]


def test_what_is_no_pair_is_refused_at_once(sim: simulation.Simulation):
    wrong = given(sim, maas_backup_id='2020-01-01T00:00:00Z')
    why = charm_states.refusal('adopt-backup', charm_states.state(), **wrong)
    assert 'backup/2020-01-01T00:00:00Z/backup_metadata.json is missing' in why
