"""The actions that delete backup sets, and the one that pins them."""

from __future__ import annotations

import typing

import ops

from actions import base as action_base
from coordinator import errors
from coordinator.record import databag
from coordinator.sets import rules

if typing.TYPE_CHECKING:
    import charm
    from coordinator.engine import settings


class ExpiryActions(action_base.ActionBase):
    """Handles delete-backup, expire and keep-backup."""

    def __init__(self, coordinator_charm: charm.CoordinatorCharm, kept: databag.Record):
        super().__init__(coordinator_charm, kept, 'expiry-actions')
        on = coordinator_charm.on
        for event, handler in (
            (on.delete_backup_action, self._on_delete_backup),
            (on.expire_action, self._on_expire),
            (on.keep_backup_action, self._on_keep_backup),
        ):
            self.framework.observe(event, handler)

    def _on_delete_backup(self, event: ops.ActionEvent) -> None:
        """Begin to delete one backup set, or show what of it would go."""
        from coordinator.report import operation_report, retention_report
        from coordinator.sets import catalogue, deletion
        from coordinator.steps import expiry

        with self.failing(event):
            config = self.charm.settings(for_restore=True)
            backup_id = str(event.params['backup-id']).strip()
            with self.charm.connected() as reachable:
                store = reachable.maas_store
                listed = catalogue.with_failed(store)
                target = expiry.chosen(backup_id, listed, store, reachable)
                found = deletion.objects(store, target, listed)
            if not event.params.get('confirm'):
                event.set_results(
                    {
                        'would-delete': retention_report.deletion_text(target, found),
                        'next': operation_report.command(
                            self.app, 'delete-backup', {'backup-id': backup_id}
                        ),
                    }
                )
                return
            self._begin_and_tell(event, 'delete-backup', config, {'backup-id': backup_id})

    def _on_expire(self, event: ops.ActionEvent) -> None:
        """Begin to delete what no rule keeps, or show which sets would go."""
        with self.failing(event):
            if event.params.get('dry-run'):
                event.set_results({'backups': self._judged(event.params.get('format') == 'json')})
                return
            config = self.charm.settings(for_restore=True)
            if not config.retention.rules:
                raise errors.PreconditionError(
                    f'{config.retention}, so every backup set is kept: juju config {self.app} '
                    'keep-last=...; expire dry-run=true shows what would be deleted'
                )
            self._begin_and_tell(event, 'expire', config, {})

    def _judged(self, for_programs: bool) -> str:
        from coordinator.report import retention_report
        from coordinator.sets import catalogue
        from coordinator.steps import expiry

        policy = rules.Policy.from_config(self.charm.config)
        with self.charm.connected() as reachable:
            store = reachable.maas_store
            listed = catalogue.with_failed(store)
            verdicts = expiry.verdicts(listed, policy, store, reachable)
        if for_programs:
            return retention_report.as_json(verdicts)
        return retention_report.text(verdicts, policy, self.app, action_base.utc_now())

    def _begin_and_tell(
        self,
        event: ops.ActionEvent,
        kind: str,
        config: settings.Settings,
        parameters: dict[str, str],
    ) -> None:
        op = self.begin(kind, config, parameters)
        event.set_results({'operation-id': op.id, 'status': 'started', 'follow': self.follow()})

    def _on_keep_backup(self, event: ops.ActionEvent) -> None:
        """Pin a backup set, or unpin it."""
        from coordinator.sets import catalogue

        with self.failing(event):
            # On the leader alone: so it never comes in the middle of a dispatch that deletes.
            self.must_lead('keep-backup')
            backup_id = catalogue.check_id(str(event.params['backup-id']).strip())
            keep = bool(event.params.get('keep', True))
            with self.charm.connected() as reachable:
                store = reachable.maas_store
                if backup_id not in catalogue.ids(store):
                    raise errors.PreconditionError(
                        f'the repository has no backup set {backup_id}: juju run '
                        f'{self.app}/leader list-backups'
                    )
                (catalogue.pin if keep else catalogue.unpin)(store, backup_id)
            event.set_results({'backup-id': backup_id, 'status': 'pinned' if keep else 'unpinned'})
