"""The charm's actions: they check, store what the engine then does, and print."""

from __future__ import annotations

import contextlib
import logging
import re
import typing

import ops

from actions import base as action_base
from coordinator import errors, keys
from coordinator.engine import operation
from coordinator.record import databag

if typing.TYPE_CHECKING:
    import charm
    from coordinator.engine import settings
    from coordinator.record import history
    from coordinator.report import progress

logger = logging.getLogger(__name__)

_SECRET = re.compile(r'secret:(//[0-9a-f-]{36}/)?[0-9a-v]{20}')


class Actions(action_base.ActionBase):
    """Handles the actions on operations. None works on one: the next dispatch does."""

    def __init__(self, coordinator_charm: charm.CoordinatorCharm, kept: databag.Record):
        super().__init__(coordinator_charm, kept, 'actions')
        on = coordinator_charm.on
        for event, handler in (
            (on.backup_all_action, self._on_backup_all),
            (on.restore_all_action, self._on_restore_all),
            (on.prove_restore_action, self._on_prove_restore),
            (on.show_operation_action, self._on_show_operation),
            (on.resume_operation_action, self._on_resume_operation),
            (on.abort_operation_action, self._on_abort_operation),
        ):
            self.framework.observe(event, handler)

    # --- Beginning an operation --------------------------------------------------------------

    def _on_backup_all(self, event: ops.ActionEvent) -> None:
        """Begin a backup, or show what it would do."""
        with self.failing(event):
            config = self.charm.settings()
            if event.params.get('dry-run'):
                event.set_results(self._backup_plan(config))
                return
            op = self.begin_backup(_backup_parameters(event.params))
            event.set_results({'backup-id': op.id, 'status': 'started', 'follow': self.follow()})

    def begin_backup(self, parameters: dict[str, str] | None = None) -> operation.Operation:
        """Begin a backup, for whoever asks.

        Raises:
            PreconditionError: it cannot begin; says why.
        """
        return self.begin('backup-all', self.charm.settings(), parameters or {})

    def _on_restore_all(self, event: ops.ActionEvent) -> None:
        """Begin a restore, or show what it would do."""
        with self.failing(event):
            config = self.charm.settings(for_restore=True)
            parameters = _restore_parameters(event.params)
            if not event.params.get('confirm'):
                event.set_results(self._restore_plan(config, parameters))
                return
            op = self.begin('restore-all', config, parameters)
            event.set_results(
                {'operation-id': op.id, 'status': 'started', 'follow': self.follow()}
            )

    def _on_prove_restore(self, event: ops.ActionEvent) -> None:
        """Begin to compare MAAS with the set that was restored."""
        from coordinator.sets import catalogue
        from coordinator.steps import restore_checks

        with self.failing(event):
            self.must_lead('prove-restore')
            config = self.charm.settings(for_restore=True)
            parameters = {'backup-id': '', **_checked(event.params)}
            parameters['backup-id'] = parameters['backup-id'] or self._restored()
            catalogue.check_id(parameters['backup-id'])
            with self.charm.connected() as reachable:
                restore_checks.named(parameters['backup-id'], reachable)
            op = self.begin('prove-restore', config, parameters)
            event.set_results(
                {'operation-id': op.id, 'status': 'started', 'follow': self.follow()}
            )

    def _restored(self) -> str:
        """Return the set of the last restore.

        Raises:
            PreconditionError: the last operation restored nothing.
        """
        from coordinator.steps import restore_checks

        last = self.record.load()
        if last is None or not last.fact(restore_checks.BACKUP_SET):
            raise errors.PreconditionError(
                f'the last operation was no restore: juju run {self.app}/leader prove-restore '
                'backup-id=... names the backup set'
            )
        return restore_checks.backup_set(last).backup_id

    def _backup_plan(self, config: settings.Settings) -> dict[str, str]:
        from coordinator.operations import plans
        from coordinator.report import operation_report
        from coordinator.steps import checks

        with self.charm.connected() as reachable:
            outcomes = [self.idle_check(), *checks.backup_checks(config, reachable)]
            results = {'checks': operation_report.checks_text(outcomes)}
            with contextlib.suppress(errors.CoordinatorError):
                model = reachable.juju.status()
                results['plan'] = operation_report.plan_text(plans.BACKUP_ALL, config, model)
        return {**results, 'verdict': operation_report.verdict(outcomes)}

    def _restore_plan(
        self, config: settings.Settings, parameters: dict[str, str]
    ) -> dict[str, str]:
        from coordinator.operations import plans
        from coordinator.parts import maas_backup
        from coordinator.report import backup_set_report, operation_report
        from coordinator.steps import inventories, other_databases, restore_checks, set_checks

        with self.charm.connected() as reachable:
            found = restore_checks.chosen(parameters, config, reachable)
            outcomes = self.restore_outcomes(found, parameters, config, reachable)
            results = {
                'backup-id': found.backup_id,
                'checks': operation_report.checks_text(outcomes),
            }
            listed, model = 1, None
            with contextlib.suppress(errors.CoordinatorError):
                listed = len(maas_backup.ids(set_checks.maas_store(found, reachable)))
            with contextlib.suppress(errors.CoordinatorError):
                model = reachable.juju.status()
            others = other_databases.found(model, config) if model else ()
            results['changes'] = inventories.preview(found, reachable, config.maas)
            results['replaces'] = operation_report.replaced_text(found, config, listed, others)
            if model:
                results['plan'] = operation_report.plan_text(plans.RESTORE_ALL, config, model)
        results['next'] = backup_set_report.restore_command(found, outcomes, self.app, parameters)
        return {**results, 'verdict': operation_report.verdict(outcomes)}

    # --- Looking -------------------------------------------------------------------------------

    def _on_show_operation(self, event: ops.ActionEvent) -> None:
        """Show the running or last operation, one of the history, or all that have ended."""
        from coordinator.record import history
        from coordinator.report import operation_report

        for_programs = event.params.get('format') == 'json'
        with self.failing(event):
            if event.params.get('earlier'):
                past = self.record.earlier
                if not past:
                    raise errors.PreconditionError(
                        f'no operation has ended yet: {self.follow()} shows the one that runs'
                    )
                event.set_results(
                    {
                        'operations': operation_report.earlier_json(past)
                        if for_programs
                        else operation_report.earlier_text(past, self.app)
                    }
                )
                return
            operation_id = str(event.params.get('operation-id') or '')
            op, messages = self._asked_for(operation_id)
            site = [] if operation_id or for_programs else self._site(op)
            ahead = None if operation_id else self._progress(op)
            with history.telling(operation_id) if operation_id else contextlib.nullcontext():
                shown = (
                    operation_report.operation_json(op, messages, ahead)
                    if for_programs
                    else operation_report.operation_text(
                        op, self.app, action_base.utc_now(), messages, site, ahead
                    )
                )
            event.set_results({'operation': shown})

    def _site(self, op: operation.Operation) -> list[str]:
        """Return how the site is while an operation is not over, or needs a person."""
        from coordinator.report import situation, status

        if op.terminal:
            return self._since(op)
        with self.charm.connected() as reachable:
            lines = situation.seen(op, reachable)
        quiet = (
            None if self.charm.unit.is_leader() else self.record.unchanged(action_base.utc_now())
        )
        if op.open and status.is_abandoned(quiet):
            lines.append(
                f'no unit has continued it for {status.span(quiet)}, so there may be no leader'
            )
        return lines

    def _progress(self, op: operation.Operation) -> progress.Progress | None:
        """Estimate how far the step under way has come."""
        from coordinator.report import progress

        if not op.open or op.undoing:
            return None
        before = self.charm.observing.before(op.kind)
        with self.charm.connected() as reachable:
            return progress.of(op, before, action_base.utc_now(), reachable)

    def _since(self, op: operation.Operation) -> list[str]:
        """Return what is left to do now after an operation that has left something to do."""
        from coordinator.operations import aftermath
        from coordinator.record import ended

        if op.status == operation.FAILED or not ended.of(op).error:
            return []
        with self.charm.connected() as reachable:
            left = aftermath.seen(op, reachable)
        return ['nothing is left to do'] if left == [] else left or []

    def _asked_for(
        self, operation_id: str
    ) -> tuple[operation.Operation, typing.Sequence[history.Message] | None]:
        """Return an operation and what its history says besides; without an id, the last one.

        Raises:
            PreconditionError: there is none.
        """
        from coordinator.record import history

        if not operation_id:
            op = self.record.load()
            if op is None:
                raise errors.PreconditionError(
                    f'no operation yet: juju run {self.app}/leader backup-all'
                )
            return op, None
        with self.charm.connected() as reachable:
            try:
                told = history.read(operation_id, reachable.maas_store, reachable.model_uuid)
            except errors.NotFound:
                raise errors.PreconditionError(
                    f'the repository has no operation {operation_id}: juju run {self.app}/leader '
                    'show-operation earlier=true lists the last ones'
                ) from None
        return told.operation, told.messages

    # --- Steering --------------------------------------------------------------------------------

    def _on_resume_operation(self, event: ops.ActionEvent) -> None:
        """Go on with a held operation."""
        from coordinator.operations import steering

        with self.failing(event):
            self.must_lead('resume-operation')
            op = steering.resumed(
                self.record.load(), action_base.utc_now(), _checked(event.params)
            )
            self.record.save(op)
            logger.info('%s: resumed by the operator', op.at)
            event.set_results(
                {
                    'operation-id': op.id,
                    'status': 'resumed',
                    'step': op.step,
                    'follow': self.follow(),
                }
            )

    def _on_abort_operation(self, event: ops.ActionEvent) -> None:
        """Undo the open or held operation; end one that cannot be undone, if that is forced."""
        from coordinator.operations import steering
        from coordinator.record import history
        from coordinator.steps import marking

        with self.failing(event):
            self.must_lead('abort-operation')
            force = bool(event.params.get('force'))
            with self.charm.connected() as reachable:
                op = steering.aborted(
                    self.record.load(), action_base.utc_now(), force=force, world=reachable
                )
                op = self.record.save(op) or op
                state = 'aborted' if op.terminal else 'aborting'
                logger.warning('%s: %s by the operator', op.at, state)
                if op.terminal:
                    # No dispatch will run for this operation again, so the mark is removed here.
                    marking.forget(op, reachable)
                    history.write(op, reachable)
            event.set_results({'operation-id': op.id, 'status': state, 'follow': self.follow()})


def _backup_parameters(params: typing.Mapping[str, object]) -> dict[str, str]:
    """Return what backup-all was given: what is not so is left out."""
    from coordinator.steps import fence

    return {fence.SKIP: 'true'} if params.get(fence.SKIP) else {}


def _restore_parameters(params: typing.Mapping[str, object]) -> dict[str, str]:
    """Check what restore-all was given.

    Raises:
        PreconditionError: a parameter is not of its form.
    """
    from coordinator.sets import catalogue
    from coordinator.steps import other_databases, restore_checks

    given = _checked(params)
    if given.get('backup-id') != 'latest':
        catalogue.check_id(given.get('backup-id', ''))
    # What is not so is left out: it would only be repeated.
    allowed = (other_databases.ALLOWED, restore_checks.INCONSISTENT)
    return {**given, **{name: 'true' for name in allowed if params.get(name)}}


def _checked(params: typing.Mapping[str, object]) -> dict[str, str]:
    """Return what was given for a restore, if it may be kept.

    Raises:
        PreconditionError: a parameter is not of its form; the identity is not repeated, as it
            may be the key itself.
    """
    given = {
        key: str(params[key]).strip()
        for key in ('backup-id', 'identity', 'postgresql-path', 'postgresql-units')
        if params.get(key)
    }
    if 'identity' in given and not _SECRET.fullmatch(given['identity']):
        raise errors.PreconditionError(
            'identity must be the URI of a user secret (secret:<id>), never the key itself: juju '
            'add-secret backup-identity identity#file=backup-identity.txt'
        )
    if not keys.is_plain(given.get('postgresql-path', '').strip('/')):
        raise errors.PreconditionError('postgresql-path must be a plain path, without ".."')
    return given
