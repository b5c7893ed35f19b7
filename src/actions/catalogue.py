"""The actions that look at backup sets: list-backups and show-backup."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence

import ops

from actions import base as action_base
from coordinator import errors, integrators, ports
from coordinator.engine import operation
from coordinator.report import backup_set_report, listing, preview, status
from coordinator.sets import catalogue, manifest, retention, signing
from coordinator.steps import checking
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.checks import fitting
from coordinator.steps.maas import inventories


@dataclasses.dataclass(frozen=True)
class ListBackups:
    """Parameters of list-backups."""

    limit: int = 100
    since: str = ''
    all_models: bool = False
    format: str = 'table'


@dataclasses.dataclass(frozen=True)
class ShowBackup:
    """Parameters of show-backup."""

    backup_id: str
    compare: bool = False
    format: str = 'table'


class CatalogueActions(action_base.ActionBase):
    """Handles list-backups and show-backup, on any unit."""

    def __init__(self, charm: ops.CharmBase, desk: action_base.Desk):
        super().__init__(charm, desk)
        self.admit('list-backups', ListBackups, self._list_backups)
        self.admit('show-backup', ShowBackup, self._show_backup)

    def _list_backups(self, params: ListBackups) -> action_base.Results:
        """List the backup sets in the repository."""
        wanted = listing.Wanted.checked(
            params.limit, params.since, params.all_models, params.format
        )
        with self.given.connected() as reachable:
            found = self._listed(reachable)
            choice = listing.choose(found, wanted, reachable.model_uuid)
            choice = self._vouched(choice, reachable)
            place = integrators.where(reachable.maas_store.place)
        left, missing = self._left_to_do(), listing.missing(found, self.newest_made())
        # Apart from the list, which programs read.
        return {
            **listing.results(choice, wanted, place),
            **({'missing': missing} if missing else {}),
            **({'left-to-do': left} if left else {}),
        }

    def _vouched(self, choice: listing.Choice, reachable: ports.World) -> listing.Choice:
        """Return the sets that are shown, with their signatures."""
        keys = self._keys(reachable)
        if keys is None:
            return choice
        shown = catalogue.vouched(reachable.maas_store, choice.shown, keys)
        return dataclasses.replace(choice, shown=shown)

    def _keys(self, reachable: ports.World) -> Sequence[str] | None:
        """Return the public keys whose signatures count here; None if that is not known now."""
        with contextlib.suppress(errors.CoordinatorError):
            trusted = signing.signers(str(self.given.config.get('trusted-signers') or ''))
            return [*reachable.signer.keys(), *trusted]
        return None

    def _left_to_do(self) -> str:
        """Return what a person must still do for the last backup or restore, '' if nothing."""
        with contextlib.suppress(errors.ForeignRecordError):
            return status.left_to_do(self.record.load(), self.record.earlier, self.record.since)
        return ''

    def _listed(self, reachable: ports.World) -> list[catalogue.Entry]:
        """Return all sets; the leader stores what the metrics say of them."""
        leads = self.given.unit.is_leader()
        op = self._last()
        # Only the leader may store anything: a healed index too. A throw-away model stores none.
        heal = leads and not (op is not None and op.fact(operation.THROWAWAY))
        running = op.backup_id if op is not None and not op.terminal else ''
        listed = listing.listed(reachable, running=running, heal=heal)
        if leads:
            self.observing.note_sets(listed, reachable)
        return listed

    def _last(self) -> operation.Operation | None:
        """Return the newest operation, if there is one that can be read."""
        with contextlib.suppress(errors.ForeignRecordError):
            return self.record.load()
        return None

    def _show_backup(self, params: ShowBackup) -> action_base.Results:
        """Show one backup set, and whether it could be restored here now."""
        with self.given.connected() as reachable:
            found, outcomes = self._judged(params.backup_id.strip(), reachable)
            store = reachable.maas_store
            pinned = catalogue.pinned(store, found.backup_id)
            verified = catalogue.standing(store, found.backup_id)
            rehearsed = catalogue.last_rehearsal(store, found.backup_id)
            changes = self._changes(found, reachable) if params.compare else {}
            keys = self._keys(reachable)
        state = retention.INCONSISTENT if found.inconsistent else retention.COMPLETE
        if verified is not None and not verified.good:
            state = retention.ARCHIVED if verified.archived else retention.DAMAGED
        standing = backup_set_report.Standing(
            state, pinned, '' if keys is None else found.standing(keys), rehearsed
        )
        return {
            'backup-set': backup_set_report.set_text(found, standing)
            if params.format == 'table'
            else backup_set_report.for_programs(found, standing, params.format),
            'checks': preview.checks_text(outcomes),
            'verdict': preview.verdict(outcomes),
            'restore': backup_set_report.restore_command(found, outcomes, self.app),
            **changes,
        }

    def _changes(self, found: manifest.Manifest, reachable: ports.World) -> dict[str, str]:
        """Return what a restore of a set would change of what MAAS holds now."""
        try:
            application = self.given.settings(for_restore=True).maas
        except errors.PreconditionError as error:
            return {'changes': f'not compared: {error}'}
        return {'changes': inventories.preview(found, reachable, application)}

    def _judged(
        self, backup_id: str, reachable: ports.World
    ) -> tuple[manifest.Manifest, list[checking.Check]]:
        """Return the set that is asked for, and the checks of a restore of it."""
        try:
            config = self.given.settings(for_restore=True)
        except errors.PreconditionError as error:
            if backup_id == chosen_set.LATEST:
                raise
            # A model that is still being built: the set says what to deploy.
            missing = checking.Check('settings', checking.BAD, str(error))
            return chosen_set.named(backup_id, reachable), [missing]
        parameters = {'backup-id': backup_id}
        found = fitting.chosen(parameters, config, reachable)
        return found, self.restore_outcomes(found, parameters, config, reachable)
