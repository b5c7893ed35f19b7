#!/usr/bin/env python3
"""A charm that requests backups, and remembers what it was told."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import ops

from charms.maas_backup_coordinator.v0 import maas_backup


class RiskyCharm(ops.CharmBase):
    """Would do something risky if it had a workload."""

    _stored = ops.StoredState()

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self._stored.set_default(told='[]')
        self.backup = maas_backup.MaasBackupRequirer(self)
        observe = framework.observe
        observe(self.on.start, self._on_start)
        observe(self.on.request_action, self._on_request)
        observe(self.on.withdraw_action, self._on_withdraw)
        observe(self.on.show_action, self._on_show)
        observe(self.backup.on.backup_ready, self._on_ready)
        observe(self.backup.on.backup_failed, self._on_failed)

    def _on_start(self, event: ops.StartEvent) -> None:
        self.unit.status = ops.ActiveStatus()

    def _on_request(self, event: ops.ActionEvent) -> None:
        try:
            event.set_results({'request': self.backup.request_backup()})
        except (maas_backup.NotRelated, maas_backup.NotLeader) as error:
            event.fail(str(error))

    def _on_withdraw(self, event: ops.ActionEvent) -> None:
        self.backup.withdraw()

    def _on_show(self, event: ops.ActionEvent) -> None:
        answer, newest = self.backup.answer, self.backup.newest
        shown = {
            'request': self.backup.request_id,
            'answer': dataclasses.asdict(answer) if answer is not None else None,
            'newest': newest.as_dict() if newest is not None else None,
            'told': self._told,
        }
        event.set_results({'shown': json.dumps(shown)})

    def _on_ready(self, event: maas_backup.BackupReadyEvent) -> None:
        self._note({'request': event.request_id, 'ready': event.backup_set.backup_id})

    def _on_failed(self, event: maas_backup.BackupFailedEvent) -> None:
        self._note({'request': event.request_id, 'failed': event.reason})

    @property
    def _told(self) -> list[dict[str, str]]:
        return json.loads(str(self._stored.told))

    def _note(self, told: dict[str, Any]) -> None:
        self._stored.told = json.dumps([*self._told, told])


if __name__ == '__main__':
    ops.main(RiskyCharm)
