"""The actions on operations: they check, store an operation for the engine, and print."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import typing

import ops

from actions import base as action_base
from actions import forms
from coordinator import errors, ports
from coordinator.engine import operation, settings
from coordinator.operations import aftermath, plans, steering
from coordinator.parts import maas_backup
from coordinator.record import ended, history, repository
from coordinator.report import (
    backup_set_report,
    operation_report,
    preview,
    progress,
    situation,
    status,
)
from coordinator.sets import catalogue
from coordinator.steps import other_databases
from coordinator.steps.backup_set import chosen_set, marking, set_objects
from coordinator.steps.checks import before_backup, fitting
from coordinator.steps.maas import inventories

logger = logging.getLogger(__name__)


class OperationActions(action_base.ActionBase):
    """Handles the actions on operations. The next dispatch works on the operation itself."""

    def __init__(self, charm: ops.CharmBase, desk: action_base.Desk):
        super().__init__(charm, desk)
        self.admit('backup-all', forms.BackupAll, self._backup_all)
        self.admit('restore-all', forms.RestoreAll, self._restore_all)
        self.admit('prove-restore', forms.ProveRestore, self._prove_restore, leader=True)
        self.admit('show-operation', forms.ShowOperation, self._show_operation)
        self.admit('resume-operation', forms.ResumeOperation, self._resume, leader=True)
        self.admit('abort-operation', forms.AbortOperation, self._abort, leader=True)

    # --- Beginning an operation --------------------------------------------------------------

    def _backup_all(self, params: forms.BackupAll) -> action_base.Results:
        """Begin a backup, or show what it would do."""
        config = self.given.settings()
        if params.dry_run:
            return self._backup_plan(config)
        op = self.begin_backup(params.kept)
        return {'backup-id': op.id, 'status': 'started', 'follow': self.follow()}

    def begin_backup(self, parameters: dict[str, str] | None = None) -> operation.Operation:
        """Start a backup, for an action, a schedule or a request.

        Raises:
            PreconditionError: it cannot begin; says why.
        """
        return self.begin('backup-all', self.given.settings(), parameters or {})

    def _restore_all(self, params: forms.RestoreAll) -> action_base.Results:
        """Begin a restore, or show what it would do."""
        config = self.given.settings(for_restore=True)
        if not params.confirm:
            return self._restore_plan(config, params.kept)
        return self.begin_and_follow('restore-all', config, params.kept)

    def _prove_restore(self, params: forms.ProveRestore) -> action_base.Results:
        """Begin to compare MAAS with the set that was restored."""
        config = self.given.settings(for_restore=True)
        parameters = params.kept(self._restored)
        with self.given.connected() as reachable:
            chosen_set.named(parameters['backup-id'], reachable)
        return self.begin_and_follow('prove-restore', config, parameters)

    def _restored(self) -> str:
        """Return the set of the last restore.

        Raises:
            PreconditionError: the last operation restored nothing.
        """
        last = self.record.load()
        if last is None or not last.fact(chosen_set.BACKUP_SET):
            raise errors.PreconditionError(
                'the last operation was not a restore: '
                f'juju run {self.app}/leader prove-restore backup-id=... names the backup set'
            )
        return chosen_set.of(last).backup_id

    def _backup_plan(self, config: settings.Settings) -> dict[str, str]:
        with self.given.connected() as reachable:
            outcomes = [self.idle_check(), *before_backup.backup_checks(config, reachable)]
            results = {'checks': preview.checks_text(outcomes)}
            with contextlib.suppress(errors.CoordinatorError):
                model = reachable.juju.status()
                results['plan'] = preview.plan_text(plans.BACKUP_ALL, config, model)
        return {**results, 'verdict': preview.verdict(outcomes)}

    def _restore_plan(
        self, config: settings.Settings, parameters: dict[str, str]
    ) -> dict[str, str]:
        with self.given.connected() as reachable:
            found = fitting.chosen(parameters, config, reachable)
            outcomes = self.restore_outcomes(found, parameters, config, reachable)
            results = {
                'backup-id': found.backup_id,
                'checks': preview.checks_text(outcomes),
            }
            listed, model = 1, None
            with contextlib.suppress(errors.CoordinatorError):
                listed = len(maas_backup.ids(set_objects.maas_store(found, reachable)))
            with contextlib.suppress(errors.CoordinatorError):
                model = reachable.juju.status()
            rehearsed = catalogue.last_rehearsal(reachable.maas_store, found.backup_id)
            others = other_databases.found(model, config) if model else ()
            results['changes'] = inventories.preview(found, reachable, config.maas)
            results['replaces'] = preview.replaced_text(found, config, listed, others, rehearsed)
            if model:
                results['plan'] = preview.plan_text(
                    plans.PLANS[plans.named('restore-all', parameters)], config, model
                )
        results['next'] = backup_set_report.restore_command(found, outcomes, self.app, parameters)
        return {**results, 'verdict': preview.verdict(outcomes)}

    # --- Looking -------------------------------------------------------------------------------

    def _show_operation(self, params: forms.ShowOperation) -> action_base.Results:
        """Show the running or last operation, one of the history, or all that have ended."""
        for_programs = params.format == 'json'
        if params.earlier:
            return {'operations': self._earlier(for_programs)}
        with (
            history.telling(params.operation_id)
            if params.operation_id
            else contextlib.nullcontext()
        ):
            return {'operation': self._shown(params.operation_id, for_programs)}

    def _earlier(self, for_programs: bool) -> str:
        past = self.record.earlier
        if not past:
            raise errors.PreconditionError(
                f'no operation has ended yet: {self.follow()} shows the running one'
            )
        if for_programs:
            return operation_report.earlier_json(past)
        return operation_report.earlier_text(past, self.app)

    def _shown(self, operation_id: str, for_programs: bool) -> str:
        op, messages = self._asked_for(operation_id)
        ahead = None if operation_id else self._progress(op)
        if for_programs:
            return operation_report.operation_json(op, messages, ahead)
        site = [] if operation_id else self._site(op)
        now = action_base.utc_now()
        return operation_report.operation_text(op, self.app, now, messages, site, ahead)

    def _site(self, op: operation.Operation) -> list[str]:
        """Return the state of the site while an operation has not ended, or needs a person."""
        if op.terminal:
            return self._since(op)
        with self.given.connected() as reachable:
            lines = situation.seen(op, reachable)
        quiet = (
            None if self.given.unit.is_leader() else self.record.unchanged(action_base.utc_now())
        )
        if op.open and status.is_abandoned(quiet):
            lines.append(
                f'no unit has continued it for {status.span(quiet)}, so there may be no leader'
            )
        return lines

    def _progress(self, op: operation.Operation) -> progress.Progress | None:
        """Estimate how far the step under way has come."""
        if not op.open or op.undoing:
            return None
        before = self.observing.before(op.kind)
        with self.given.connected() as reachable:
            if not before.seconds:
                before = dataclasses.replace(before, seconds=self._rehearsed(op, reachable))
            return progress.of(op, before, action_base.utc_now(), reachable)

    def _rehearsed(self, op: operation.Operation, reachable: ports.World) -> dict[str, int]:
        """Return how long the steps of a restore took in the last rehearsal of its set."""
        found = None
        with contextlib.suppress(errors.CoordinatorError):
            if op.fact(chosen_set.BACKUP_SET):
                backup_id = chosen_set.of(op).backup_id
                store = repository.of(op, reachable)
                found = catalogue.last_rehearsal(store, backup_id)
        return found.seconds if found else {}

    def _since(self, op: operation.Operation) -> list[str]:
        """Return what is left to do now after an operation that has left something to do."""
        if op.status == operation.FAILED or not ended.of(op).error:
            return []
        with self.given.connected() as reachable:
            left = aftermath.seen(op, reachable)
        return ['nothing is left to do'] if left == [] else left or []

    def _asked_for(
        self, operation_id: str
    ) -> tuple[operation.Operation, typing.Sequence[history.Message] | None]:
        """Return an operation and the messages in its history; without an id, the last operation.

        Raises:
            PreconditionError: there is none.
        """
        if not operation_id:
            op = self.record.load()
            if op is None:
                raise errors.PreconditionError(
                    f'no operation has run yet: juju run {self.app}/leader backup-all'
                )
            return op, None
        with self.given.connected() as reachable:
            try:
                told = history.read(operation_id, reachable.maas_store, reachable.model_uuid)
            except errors.NotFound:
                raise errors.PreconditionError(
                    f'the repository has no operation {operation_id}: juju run '
                    f'{self.app}/leader show-operation earlier=true lists the last ones'
                ) from None
        return told.operation, told.messages

    # --- Steering --------------------------------------------------------------------------------

    def _resume(self, params: forms.ResumeOperation) -> action_base.Results:
        """Continue a held operation."""
        op = steering.resumed(self.record.load(), action_base.utc_now(), params.kept)
        self.record.save(op)
        logger.info('%s: resumed by the operator', op.at)
        return {
            'operation-id': op.id,
            'status': 'resumed',
            'step': op.step,
            'follow': self.follow(),
        }

    def _abort(self, params: forms.AbortOperation) -> action_base.Results:
        """Undo the open or held operation; end one that cannot be undone, if that is forced."""
        with self.given.connected() as reachable:
            op = steering.aborted(
                self.record.load(), action_base.utc_now(), force=params.force, world=reachable
            )
            op = self.record.save(op) or op
            state = 'aborted' if op.terminal else 'aborting'
            logger.warning('%s: %s by the operator', op.at, state)
            if op.terminal:
                # No dispatch will run for this operation again, so the mark is removed here.
                marking.forget(op, reachable)
                history.write(op, reachable)
        return {'operation-id': op.id, 'status': state, 'follow': self.follow()}
