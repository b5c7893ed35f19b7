"""The action that verifies backup sets."""

from __future__ import annotations

import typing
from collections.abc import Sequence

import ops

from actions import base as action_base
from coordinator.engine import operation, settings
from coordinator.record import databag

if typing.TYPE_CHECKING:
    import charm


class VerificationActions(action_base.ActionBase):
    """Handles verify-backup."""

    def __init__(self, coordinator_charm: charm.CoordinatorCharm, kept: databag.Record):
        super().__init__(coordinator_charm, kept, 'verification-actions')
        self.framework.observe(coordinator_charm.on.verify_backup_action, self._on_verify_backup)

    def _on_verify_backup(self, event: ops.ActionEvent) -> None:
        """Begin to verify the backup sets that are meant."""
        with self.failing(event):
            wanted = str(event.params['backup-id']).strip()
            op, names = self._begun(wanted, deep=bool(event.params.get('deep')))
            event.set_results(
                {
                    'operation-id': op.id,
                    'status': 'started',
                    'backup-sets': str(len(names)),
                    'follow': self.follow(),
                }
            )

    def begin_of_schedule(self) -> operation.Operation:
        """Begin to verify the newest backup set, as deeply as the options say.

        Raises:
            CoordinatorError: it cannot begin; says why.
        """
        deep = settings.verifies_deeply(self.charm.config)
        return self._begun('latest', deep=deep)[0]

    def _begun(self, wanted: str, *, deep: bool) -> tuple[operation.Operation, Sequence[str]]:
        """Begin to verify backup sets; return the operation and the ids of the sets."""
        from coordinator.steps import verifying

        self.must_lead('verify-backup')
        config = self.charm.settings(for_restore=True)
        with self.charm.connected() as reachable:
            names = verifying.chosen(wanted, reachable.maas_store, reachable)
        given = {'backup-id': wanted, 'deep': 'true' if deep else 'false'}
        return self.begin('verify-backup', config, given), names
