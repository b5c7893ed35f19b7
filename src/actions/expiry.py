"""The actions that delete backup sets, and the one that pins them."""

from __future__ import annotations

import dataclasses

import ops

from actions import base as action_base
from coordinator import errors
from coordinator.report import operation_report, retention_report
from coordinator.sets import catalogue, deletion, rules
from coordinator.steps.backup_set import expiry


@dataclasses.dataclass(frozen=True)
class DeleteBackup:
    """Parameters of delete-backup."""

    backup_id: str
    confirm: bool = False


@dataclasses.dataclass(frozen=True)
class Expire:
    """Parameters of expire."""

    dry_run: bool = False
    format: str = 'table'


@dataclasses.dataclass(frozen=True)
class KeepBackup:
    """Parameters of keep-backup."""

    backup_id: str
    keep: bool = True


class ExpiryActions(action_base.ActionBase):
    """Handles delete-backup, expire and keep-backup."""

    def __init__(self, charm: ops.CharmBase, desk: action_base.Desk):
        super().__init__(charm, desk)
        self.admit('delete-backup', DeleteBackup, self._delete_backup)
        self.admit('expire', Expire, self._expire)
        # On the leader alone: so it never comes in the middle of a dispatch that deletes.
        self.admit('keep-backup', KeepBackup, self._keep_backup, leader=True)

    def _delete_backup(self, params: DeleteBackup) -> action_base.Results:
        """Begin to delete one backup set, or show what of it would be deleted."""
        config = self.given.settings(for_restore=True)
        parameters = {'backup-id': params.backup_id.strip()}
        with self.given.connected() as reachable:
            store = reachable.maas_store
            listed = catalogue.with_failed(store)
            target = expiry.chosen(parameters['backup-id'], listed, store, reachable)
            found = deletion.objects(store, target, listed)
        if params.confirm:
            return self.begin_and_follow('delete-backup', config, parameters)
        return {
            'would-delete': retention_report.deletion_text(target, found),
            'next': operation_report.command(self.app, 'delete-backup', parameters),
        }

    def _expire(self, params: Expire) -> action_base.Results:
        """Begin to delete what no rule keeps, or show which sets would be deleted."""
        if params.dry_run:
            return {'backups': self._judged(params.format == 'json')}
        config = self.given.settings(for_restore=True)
        if not config.retention.rules:
            raise errors.PreconditionError(
                f'{config.retention}, so every backup set is kept: juju config {self.app} '
                'keep-last=...; expire dry-run=true shows what would be deleted'
            )
        return self.begin_and_follow('expire', config, {})

    def _judged(self, for_programs: bool) -> str:
        policy = rules.Policy.from_config(self.given.config)
        with self.given.connected() as reachable:
            store = reachable.maas_store
            listed = catalogue.with_failed(store)
            verdicts = expiry.verdicts(listed, policy, store, reachable)
        if for_programs:
            return retention_report.as_json(verdicts)
        return retention_report.text(verdicts, policy, self.app, action_base.utc_now())

    def _keep_backup(self, params: KeepBackup) -> action_base.Results:
        """Pin a backup set, or unpin it."""
        backup_id = catalogue.check_id(params.backup_id.strip())
        with self.given.connected() as reachable:
            store = reachable.maas_store
            if backup_id not in catalogue.ids(store):
                raise errors.PreconditionError(
                    f'the repository has no backup set {backup_id}: '
                    f'juju run {self.app}/leader list-backups'
                )
            (catalogue.pin if params.keep else catalogue.unpin)(store, backup_id)
        return {'backup-id': backup_id, 'status': 'pinned' if params.keep else 'unpinned'}
