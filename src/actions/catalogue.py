"""The actions that look at backup sets: list-backups and show-backup."""

from __future__ import annotations

import contextlib
import typing

import ops

from actions import base as action_base
from coordinator import errors
from coordinator.record import databag

if typing.TYPE_CHECKING:
    import charm
    from coordinator import ports
    from coordinator.sets import catalogue, manifest
    from coordinator.steps import checks


class CatalogueActions(action_base.ActionBase):
    """Handles list-backups and show-backup, on any unit."""

    def __init__(self, coordinator_charm: charm.CoordinatorCharm, kept: databag.Record):
        super().__init__(coordinator_charm, kept, 'catalogue-actions')
        on = coordinator_charm.on
        self.framework.observe(on.list_backups_action, self._on_list_backups)
        self.framework.observe(on.show_backup_action, self._on_show_backup)

    def _on_list_backups(self, event: ops.ActionEvent) -> None:
        """List the backup sets in the repository."""
        from coordinator.report import listing
        from coordinator.steps import checks

        with self.failing(event), self.charm.connected() as reachable:
            wanted = listing.Wanted.from_parameters(event.params)
            choice = listing.choose(self._listed(reachable), wanted, reachable.model_uuid)
            place = checks.where(reachable.maas_store)
            left = self._left_to_do()
            # Apart from the list, which programs read.
            results = {
                **listing.results(choice, wanted, place),
                **({'left-to-do': left} if left else {}),
            }
            event.set_results(results)

    def _left_to_do(self) -> str:
        """Return what a person must still do for the last backup or restore, '' if nothing."""
        from coordinator.report import status

        with contextlib.suppress(errors.ForeignRecordError):
            return status.left_to_do(self.record.load(), self.record.earlier, self.record.since)
        return ''

    def _listed(self, reachable: ports.World) -> list[catalogue.Entry]:
        """Return all sets; the leader stores what the metrics say of them."""
        from coordinator.report import listing

        leads = self.charm.unit.is_leader()
        # Only the leader may store anything: a healed index too.
        listed = listing.listed(reachable, running=self._running(), heal=leads)
        if leads:
            self.charm.observing.note_sets(listed, reachable)
        return listed

    def _running(self) -> str:
        """Return the id of the operation that is under way or held, if one is."""
        try:
            op = self.record.load()
        except errors.ForeignRecordError:
            return ''
        return op.backup_id if op is not None and not op.terminal else ''

    def _on_show_backup(self, event: ops.ActionEvent) -> None:
        """Show one backup set, and whether it could be restored here now."""
        from coordinator.report import backup_set_report, operation_report
        from coordinator.sets import catalogue, retention

        form = str(event.params.get('format') or 'table')
        with self.failing(event), self.charm.connected() as reachable:
            backup_id = str(event.params['backup-id']).strip()
            found, outcomes = self._judged(backup_id, reachable)
            store = reachable.maas_store
            pinned = catalogue.pinned(store, found.backup_id)
            verified = catalogue.standing(store, found.backup_id)
            state = retention.INCONSISTENT if found.inconsistent else retention.COMPLETE
            if verified is not None and not verified.good:
                state = retention.ARCHIVED if verified.archived else retention.DAMAGED
            event.set_results(
                {
                    'backup-set': backup_set_report.set_text(found, state, pinned)
                    if form == 'table'
                    else backup_set_report.for_programs(found, state, pinned, form),
                    'checks': operation_report.checks_text(outcomes),
                    'verdict': operation_report.verdict(outcomes),
                    'restore': backup_set_report.restore_command(found, outcomes, self.app),
                    **(self._changes(found, reachable) if event.params.get('compare') else {}),
                }
            )

    def _changes(self, found: manifest.Manifest, reachable: ports.World) -> dict[str, str]:
        """Return what a restore of a set would change of what MAAS holds now."""
        from coordinator.steps import inventories

        try:
            application = self.charm.settings(for_restore=True).maas
        except errors.PreconditionError as error:
            return {'changes': f'not compared: {error}'}
        return {'changes': inventories.preview(found, reachable, application)}

    def _judged(
        self, backup_id: str, reachable: ports.World
    ) -> tuple[manifest.Manifest, list[checks.Check]]:
        """Return the set that is asked for, and the checks of a restore of it."""
        from coordinator.steps import checks, restore_checks

        try:
            config = self.charm.settings(for_restore=True)
        except errors.PreconditionError as error:
            if backup_id == restore_checks.LATEST:
                raise
            # A model that is still being built: the set says what to deploy.
            missing = checks.Check('settings', checks.BAD, str(error))
            return restore_checks.named(backup_id, reachable), [missing]
        parameters = {'backup-id': backup_id}
        found = restore_checks.chosen(parameters, config, reachable)
        return found, self.restore_outcomes(found, parameters, config, reachable)
