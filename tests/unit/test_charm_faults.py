"""A fault of our own fails an action with a sentence that repeats nothing of what went wrong."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from coordinator import ports
from coordinator.engine import operation
from coordinator.record import databag
from tests import charm_states, programs, worlds

ID, WORDS = worlds.BEGAN, 'hunter2'

ACTIONS: dict[str, dict[str, str | bool]] = {
    'abort-operation': {},
    'acknowledge-operation': {},
    'adopt-backup': {'maas_backup_id': ID, 'postgresql_backup_id': ID},
    'backup-all': {},
    'delete-backup': {'backup_id': ID},
    'expire': {'dry_run': True},
    'keep-backup': {'backup_id': ID},
    'list-backups': {},
    'prove-restore': {'backup_id': ID},
    'restore-all': {'backup_id': ID, 'confirm': True},
    'resume-operation': {},
    'show-backup': {'backup_id': ID},
    'show-operation': {},
    'verify-backup': {'backup_id': ID},
}
UNTROUBLED = {'rotate-signing-key', 'show-schedule', 'show-signing-key'}
"""Those that neither load the record nor reach for anything while no schedule is set."""
LOADING = {
    'abort-operation',
    'acknowledge-operation',
    'backup-all',
    'restore-all',
    'resume-operation',
    'show-operation',
}
"""Those that load the record and reach for nothing before."""


class Faulty(worlds.EmptyWorld):
    """A world in which whatever is reached for raises what nobody expects."""

    @property
    def juju(self) -> ports.JujuModel:
        raise ValueError(WORDS)

    @property
    def maas_store(self) -> ports.ObjectStore:
        raise ValueError(WORDS)


def test_there_is_a_fault_for_each_action():
    declared = yaml.safe_load(pathlib.Path('actions.yaml').read_text())
    assert declared.keys() == ACTIONS.keys() | UNTROUBLED


@pytest.mark.parametrize('name', ACTIONS)
def test_an_action_that_meets_a_fault_fails_with_a_sentence(
    name: str,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    programs.Programs(tmp_path / 'bin', monkeypatch)
    charm_states.reach(Faulty(), monkeypatch)
    load, faults = databag.Record.load, [ValueError(WORDS)] if name in LOADING else []

    def load_once_in_vain(self: databag.Record) -> operation.Operation | None:
        if faults:
            raise faults.pop()
        return load(self)

    monkeypatch.setattr(databag.Record, 'load', load_once_in_vain)
    said = charm_states.refusal(name, charm_states.state(), **ACTIONS[name])
    assert said == (
        'internal error (ValueError), the traceback is in juju debug-log. juju run '
        f'{charm_states.APP}/leader show-operation shows whether an operation is running'
    )
    assert f'{name}: ValueError' in caplog.text
    assert WORDS not in caplog.text
