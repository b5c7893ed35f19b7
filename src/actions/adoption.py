"""The action that makes a backup set out of backups made by hand."""

from __future__ import annotations

import typing

import ops

from actions import base as action_base
from coordinator.engine import operation
from coordinator.record import databag

if typing.TYPE_CHECKING:
    import charm


class AdoptionActions(action_base.ActionBase):
    """Handles adopt-backup."""

    def __init__(self, coordinator_charm: charm.CoordinatorCharm, kept: databag.Record):
        super().__init__(coordinator_charm, kept, 'adoption-actions')
        self.framework.observe(coordinator_charm.on.adopt_backup_action, self._on_adopt_backup)

    def _on_adopt_backup(self, event: ops.ActionEvent) -> None:
        """Begin to adopt a pair, if it is one."""
        from coordinator.steps import adopting

        with self.failing(event):
            self.must_lead('adopt-backup')
            config = self.charm.settings()
            parameters = {
                name: str(event.params[name]).strip()
                for name in (adopting.MAAS, adopting.POSTGRESQL)
            }
            if event.params.get(adopting.UNCHANGED):
                parameters[adopting.UNCHANGED] = 'true'
            with self.charm.connected() as reachable:
                adopting.pair(parameters, config, reachable)
            # The set is as old as its database, whatever time it is now.
            parameters[operation.ADOPTED] = parameters[adopting.POSTGRESQL]
            op = self.begin('adopt-backup', config, parameters)
            event.set_results(
                {
                    'operation-id': op.id,
                    'backup-id': op.backup_id,
                    'status': 'started',
                    'retention': 'the rules apply to this set as to any other; '
                    'pin it with keep-backup',
                    'follow': self.follow(),
                }
            )
