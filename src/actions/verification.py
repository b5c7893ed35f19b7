"""The action that verifies backup sets."""

from __future__ import annotations

import typing

import ops

from actions import base as action_base
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
        from coordinator.steps import verifying

        with self.failing(event):
            self.must_lead('verify-backup')
            config = self.charm.settings(for_restore=True)
            wanted = str(event.params['backup-id']).strip()
            with self.charm.connected() as reachable:
                names = verifying.chosen(wanted, reachable.maas_store, reachable)
            deep = 'true' if event.params.get('deep') else 'false'
            op = self.begin('verify-backup', config, {'backup-id': wanted, 'deep': deep})
            event.set_results(
                {
                    'operation-id': op.id,
                    'status': 'started',
                    'backup-sets': str(len(names)),
                    'follow': self.follow(),
                }
            )
