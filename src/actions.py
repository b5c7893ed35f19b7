"""The charm's actions: they check, store what the engine then does, and print."""

from __future__ import annotations

import contextlib
import datetime
import logging
import re
import typing

import ops

from coordinator import errors, keys, operation, record

if typing.TYPE_CHECKING:
    import charm
    from coordinator import history, settings
    from coordinator.steps import checks

logger = logging.getLogger(__name__)

_SECRET = re.compile(r'secret:(//[0-9a-f-]{36}/)?[0-9a-v]{20}')


class Actions(ops.Object):
    """Handles every action. No handler works on an operation: the next dispatch does."""

    def __init__(self, coordinator_charm: charm.CoordinatorCharm, kept: record.Record):
        super().__init__(coordinator_charm, 'actions')
        self._charm = coordinator_charm
        self._record = kept
        on = coordinator_charm.on
        for event, handler in (
            (on.backup_all_action, self._on_backup_all),
            (on.restore_all_action, self._on_restore_all),
            (on.show_operation_action, self._on_show_operation),
            (on.list_backups_action, self._on_list_backups),
            (on.resume_operation_action, self._on_resume_operation),
            (on.abort_operation_action, self._on_abort_operation),
        ):
            self.framework.observe(event, handler)

    # --- Beginning an operation --------------------------------------------------------------

    def _on_backup_all(self, event: ops.ActionEvent) -> None:
        """Begin a backup, or show what it would do."""
        with self._failing(event):
            config = self._charm.settings()
            if event.params.get('dry-run'):
                event.set_results(self._backup_plan(config))
                return
            op = self._begin('backup-all', config, {})
            event.set_results({'backup-id': op.id, 'status': 'started', 'follow': self._follow()})

    def _on_restore_all(self, event: ops.ActionEvent) -> None:
        """Begin a restore, or show what it would do."""
        with self._failing(event):
            config = self._charm.settings(for_restore=True)
            parameters = _restore_parameters(event.params)
            if not event.params.get('confirm'):
                event.set_results(self._restore_plan(config, parameters))
                return
            op = self._begin('restore-all', config, parameters)
            event.set_results(
                {'operation-id': op.id, 'status': 'started', 'follow': self._follow()}
            )

    def _begin(
        self, kind: str, config: settings.Settings, parameters: dict[str, str]
    ) -> operation.Operation:
        """Store a new operation; it starts when this action has ended.

        Raises:
            PreconditionError: this unit does not lead, or another operation is not over.
        """
        from coordinator import plans

        self._must_lead(kind)
        last = self._record.load()
        if last is not None and not last.terminal:
            next_command = 'show-operation' if last.open else 'resume-operation'
            raise errors.PreconditionError(
                f'{last.kind} {last.id} is {"running" if last.open else "held"}, one operation at '
                f'a time: juju run {self._app}/leader {next_command}'
            )
        now = _now()
        latest = max(last.id if last else '', self._record.last_complete)
        if latest >= operation.stamp(now):
            # Ids only ever rise, whatever the clock does.
            now = operation.parse_stamp(latest) + datetime.timedelta(seconds=1)
        names = plans.PLANS[kind].names
        op = operation.Operation.new(operation.stamp(now), kind, names, config, now, parameters)
        self._record.save(op)
        logger.info('%s: %s begins', op.at, kind)
        return op

    def _idle_check(self) -> checks.Check:
        """Say whether an operation could begin now."""
        from coordinator.steps import checks

        last = self._record.load()
        if last is None or last.terminal:
            return checks.Check('operation', checks.OK, 'no operation is under way')
        return checks.Check('operation', checks.BAD, f'{last.kind} {last.id} is {last.status}')

    def _backup_plan(self, config: settings.Settings) -> dict[str, str]:
        from coordinator import plans, report
        from coordinator.steps import checks

        with self._charm.connected() as reachable:
            outcomes = [self._idle_check(), *checks.backup_checks(config, reachable)]
            results = {'checks': report.checks_text(outcomes)}
            with contextlib.suppress(errors.CoordinatorError):
                model = reachable.juju.status()
                results['plan'] = report.plan_text(plans.BACKUP_ALL, config, model)
        return {**results, 'verdict': report.verdict(outcomes)}

    def _restore_plan(
        self, config: settings.Settings, parameters: dict[str, str]
    ) -> dict[str, str]:
        from coordinator import plans, report
        from coordinator.steps import restore_checks

        with self._charm.connected() as reachable:
            found = restore_checks.chosen(parameters, config, reachable)
            outcomes = [
                self._idle_check(),
                *restore_checks.restore_checks(found, parameters, config, reachable),
            ]
            results = {
                'backup-id': found.backup_id,
                'checks': report.checks_text(outcomes),
                'replaces': report.replaced_text(found, config),
            }
            with contextlib.suppress(errors.CoordinatorError):
                model = reachable.juju.status()
                results['plan'] = report.plan_text(plans.RESTORE_ALL, config, model)
        results['next'] = f'juju run {self._app}/leader restore-all ... confirm=true'
        return {**results, 'verdict': report.verdict(outcomes)}

    # --- Looking -------------------------------------------------------------------------------

    def _on_show_operation(self, event: ops.ActionEvent) -> None:
        """Show the running or last operation, one of the history, or all that have ended."""
        from coordinator import history, report

        for_programs = event.params.get('format') == 'json'
        with self._failing(event):
            if event.params.get('earlier'):
                past = self._record.earlier
                if not past:
                    raise errors.PreconditionError(
                        f'no operation has ended yet: {self._follow()} shows the one that runs'
                    )
                event.set_results(
                    {
                        'operations': report.earlier_json(past)
                        if for_programs
                        else report.earlier_text(past, self._app)
                    }
                )
                return
            operation_id = str(event.params.get('operation-id') or '')
            op, messages = self._asked_for(operation_id)
            with history.telling(operation_id) if operation_id else contextlib.nullcontext():
                shown = (
                    report.operation_json(op, messages)
                    if for_programs
                    else report.operation_text(op, self._app, _now(), messages)
                )
            event.set_results({'operation': shown})

    def _asked_for(
        self, operation_id: str
    ) -> tuple[operation.Operation, typing.Sequence[history.Message] | None]:
        """Return an operation and what its history says besides; without an id, the last one.

        Raises:
            PreconditionError: there is none.
        """
        from coordinator import history

        if not operation_id:
            op = self._record.load()
            if op is None:
                raise errors.PreconditionError(
                    f'no operation yet: juju run {self._app}/leader backup-all'
                )
            return op, None
        with self._charm.connected() as reachable:
            try:
                told = history.read(operation_id, reachable.maas_store)
            except errors.NotFound:
                raise errors.PreconditionError(
                    f'the repository has no operation {operation_id}: juju run {self._app}/leader '
                    'show-operation earlier=true lists the last ones'
                ) from None
        return told.operation, told.messages

    def _on_list_backups(self, event: ops.ActionEvent) -> None:
        """List the backup sets in the repository."""
        from coordinator import catalogue, report
        from coordinator.steps import checks

        with self._failing(event), self._charm.connected() as reachable:
            store = reachable.maas_store
            every = catalogue.ids(store)
            # An action's results travel as one argument of a program, which has its bounds.
            shown = every[-int(event.params.get('limit') or 100) :]
            entries = catalogue.read(store, shown)
            if event.params.get('format') == 'json':
                event.set_results({'backups': report.backups_json(entries)})
            else:
                older = len(every) - len(shown)
                text = report.backups_text(entries, checks.where(store), older)
                event.set_results({'backups': text})

    # --- Steering --------------------------------------------------------------------------------

    def _on_resume_operation(self, event: ops.ActionEvent) -> None:
        """Go on with a held operation."""
        from coordinator import steering

        with self._failing(event):
            self._must_lead('resume-operation')
            op = steering.resumed(self._record.load(), _now(), _checked(event.params))
            self._record.save(op)
            logger.info('%s: resumed by the operator', op.at)
            event.set_results(
                {
                    'operation-id': op.id,
                    'status': 'resumed',
                    'step': op.step,
                    'follow': self._follow(),
                }
            )

    def _on_abort_operation(self, event: ops.ActionEvent) -> None:
        """Undo the open or held operation; end one that cannot be undone, if that is forced."""
        from coordinator import history, steering

        with self._failing(event):
            self._must_lead('abort-operation')
            force = bool(event.params.get('force'))
            op = steering.aborted(self._record.load(), _now(), force=force)
            op = self._record.save(op) or op
            state = 'aborted' if op.terminal else 'aborting'
            logger.warning('%s: %s by the operator', op.at, state)
            if op.terminal:
                # No dispatch will work on it any more, so none would tell its end.
                with self._charm.connected() as reachable:
                    history.write(op, reachable)
            event.set_results({'operation-id': op.id, 'status': state, 'follow': self._follow()})

    # --- What they share -------------------------------------------------------------------------

    @property
    def _app(self) -> str:
        return self._charm.app.name

    def _follow(self) -> str:
        return f'juju run {self._app}/leader show-operation'

    @contextlib.contextmanager
    def _failing(self, event: ops.ActionEvent) -> typing.Generator[None]:
        """Fail the action with the sentence of any error of ours."""
        try:
            yield
        except errors.CoordinatorError as error:
            event.fail(str(error))

    def _must_lead(self, action: str) -> None:
        if not self._charm.unit.is_leader():
            raise errors.PreconditionError(
                f'{self._charm.unit.name} is not the leader: juju run {self._app}/leader {action}'
            )
        if not self._record.ready:
            raise errors.PreconditionError('the charm is still being installed: try again')


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _restore_parameters(params: typing.Mapping[str, object]) -> dict[str, str]:
    """Check what restore-all was given.

    Raises:
        PreconditionError: a parameter is not of its form.
    """
    from coordinator import catalogue

    given = _checked(params)
    if given.get('backup-id') != 'latest':
        catalogue.check_id(given.get('backup-id', ''))
    return given


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
