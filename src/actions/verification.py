"""The action that verifies backup sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import ops

from actions import base as action_base
from coordinator.engine import operation, settings
from coordinator.steps.backup_set import verifying


@dataclasses.dataclass(frozen=True)
class VerifyBackup:
    """Parameters of verify-backup."""

    backup_id: str
    deep: bool = False


class VerificationActions(action_base.ActionBase):
    """Handles verify-backup."""

    def __init__(self, charm: ops.CharmBase, desk: action_base.Desk):
        super().__init__(charm, desk)
        self.admit('verify-backup', VerifyBackup, self._verify_backup, leader=True)

    def _verify_backup(self, params: VerifyBackup) -> action_base.Results:
        """Begin to verify the backup sets that are meant."""
        op, names = self._begun(params.backup_id.strip(), deep=params.deep)
        return {
            'operation-id': op.id,
            'status': 'started',
            'backup-sets': str(len(names)),
            'follow': self.follow(),
        }

    def begin_of_schedule(self) -> operation.Operation:
        """Begin to verify the newest backup set, as deeply as the options say.

        Raises:
            CoordinatorError: it cannot begin; says why.
        """
        deep = settings.verifies_deeply(self.given.config)
        return self._begun('latest', deep=deep)[0]

    def _begun(self, wanted: str, *, deep: bool) -> tuple[operation.Operation, Sequence[str]]:
        """Begin to verify backup sets; return the operation and the ids of the sets."""
        config = self.given.settings(for_restore=True)
        with self.given.connected() as reachable:
            names = verifying.chosen(wanted, reachable.maas_store, reachable)
        parameters = {'backup-id': wanted, 'deep': 'true' if deep else 'false'}
        return self.begin('verify-backup', config, parameters), names
