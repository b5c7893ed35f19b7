"""The action that makes a backup set out of backups made by hand."""

from __future__ import annotations

import dataclasses

import ops

from actions import base as action_base
from coordinator.engine import operation
from coordinator.steps import adopting


@dataclasses.dataclass(frozen=True)
class AdoptBackup:
    """Parameters of adopt-backup."""

    maas_backup_id: str
    postgresql_backup_id: str
    passwords_unchanged: bool = False


class AdoptionActions(action_base.ActionBase):
    """Handles adopt-backup."""

    def __init__(self, charm: ops.CharmBase, desk: action_base.Desk):
        super().__init__(charm, desk)
        self.admit('adopt-backup', AdoptBackup, self._adopt_backup, leader=True)

    def _adopt_backup(self, params: AdoptBackup) -> action_base.Results:
        """Begin to adopt a pair, if it is one."""
        config = self.given.settings()
        parameters = {
            adopting.MAAS: params.maas_backup_id.strip(),
            adopting.POSTGRESQL: params.postgresql_backup_id.strip(),
        }
        if params.passwords_unchanged:
            parameters[adopting.UNCHANGED] = 'true'
        with self.given.connected() as reachable:
            adopting.pair(parameters, config, reachable)
        # The set is as old as its database, whatever time it is now.
        parameters[operation.ADOPTED] = parameters[adopting.POSTGRESQL]
        op = self.begin('adopt-backup', config, parameters)
        return {
            'operation-id': op.id,
            'backup-id': op.backup_id,
            'status': 'started',
            'retention': 'the rules apply to this set as to any other; pin it with keep-backup',
            'follow': self.follow(),
        }
