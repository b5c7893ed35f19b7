#!/usr/bin/env python3
"""The charm: Juju's events in, status and results out. All else is in `coordinator`.

Whatever wakes the unit advances the operation that is open; no event means anything more.
`coordinator` modules that are costly to import are imported where they are needed: while no
operation is open a dispatch must cost next to nothing.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import logging
import typing

import object_storage
import ops

from coordinator import errors, operation, pacemaker, record, settings, status

if typing.TYPE_CHECKING:
    from coordinator import ports

logger = logging.getLogger(__name__)

MAAS, POSTGRESQL = 'maas-region', 'postgresql'
S3 = ('s3-maas', 's3-postgresql')
RELATIONS = {
    MAAS: 'maas-region:juju-info',
    POSTGRESQL: 'postgresql:juju-info',
    's3-maas': 's3-integrator-maas',
    's3-postgresql': 's3-integrator-postgresql',
}
"""Endpoints that must be related, each with what a site usually relates it to."""


def connect(charm: CoordinatorCharm) -> ports.World:
    """Return the world as this dispatch can reach it. Tests put another in its place."""
    import world

    return world.LiveWorld(charm)


class AdvanceEvent(ops.EventBase):
    """The pacemaker's dispatch."""


class CoordinatorEvents(ops.CharmEvents):
    """Juju's events and our own."""

    advance = ops.EventSource(AdvanceEvent)


class CoordinatorCharm(ops.CharmBase):
    """Backs up charmed MAAS."""

    on = CoordinatorEvents()

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        # Each line is a juju-log process: debug lines would cost more than the dispatch itself.
        logging.getLogger().setLevel(logging.INFO)
        self.stores = {name: object_storage.S3Requirer(self, name) for name in S3}
        self._record = record.Record(self.model)
        self._pacemaker = pacemaker.Pacemaker(self.unit.name, str(self.charm_dir))
        for event in self._waking_events():
            framework.observe(event, self._on_wake)
        framework.observe(self.on.backup_all_action, self._on_backup_all)
        framework.observe(self.on.show_operation_action, self._on_show_operation)
        framework.observe(self.on.list_backups_action, self._on_list_backups)
        framework.observe(self.on.resume_operation_action, self._on_resume_operation)
        framework.observe(self.on.collect_unit_status, self._on_collect_status)
        framework.observe(self.on.collect_app_status, self._on_collect_status)

    def _waking_events(self) -> list[ops.BoundEvent]:
        events = [
            self.on.advance,
            self.on.start,
            self.on.config_changed,
            self.on.update_status,
            self.on.upgrade_charm,
            self.on.leader_elected,
            self.on.secret_changed,
            self.on[record.RELATION].relation_created,
            self.on[record.RELATION].relation_changed,
            self.on[record.RELATION].relation_departed,
        ]
        for name in (MAAS, POSTGRESQL, *S3):
            of_relation = self.on[name]
            events += [of_relation.relation_joined, of_relation.relation_departed]
        return [*events, *(self.on[name].relation_changed for name in S3)]

    # --- The engine's dispatch ---------------------------------------------------------------

    def _on_wake(self, event: ops.EventBase) -> None:
        """Take the open operation one checkpoint further."""
        beats = isinstance(event, AdvanceEvent)
        op = self._open_operation()
        if op is None or not self.unit.is_leader():
            if beats:
                self._pacemaker.stop()
            return
        moved = self._advance(op)
        if moved != op:
            self._record.save(moved)
        if not moved.open:
            self._pacemaker.stop()
        elif not beats:
            self._pacemaker.start()

    def _open_operation(self) -> operation.Operation | None:
        try:
            op = self._record.load()
        except errors.ForeignRecordError as error:
            logger.error('%s', error)
            return None
        return op if op is not None and op.open else None

    def _advance(self, op: operation.Operation) -> operation.Operation:
        from coordinator import advance, history, plans

        plan = plans.PLANS.get(op.kind)
        if plan is None:
            return op.held(f'this revision of the charm knows no operation {op.kind}')
        with self._connected() as reachable:
            moved = advance.advance(op, plan, reachable)
            if moved != op:
                history.write(moved, reachable)
        if moved.terminal and plans.published(moved):
            self._record.set_last_complete(moved.id)
        return moved

    @contextlib.contextmanager
    def _connected(self) -> typing.Generator[ports.World]:
        reachable = connect(self)
        try:
            yield reachable
        finally:
            close = getattr(reachable, 'close', None)
            if close is not None:
                close()

    # --- Actions -------------------------------------------------------------------------------

    def _on_backup_all(self, event: ops.ActionEvent) -> None:
        """Begin a backup, or show what it would do."""
        try:
            config = self._settings()
            if event.params.get('dry-run'):
                event.set_results(self._dry_run(config))
                return
            op = self._begin('backup-all', config)
        except errors.CoordinatorError as error:
            event.fail(str(error))
            return
        event.set_results(
            {
                'backup-id': op.id,
                'status': 'started',
                'follow': f'juju run {self.app.name}/leader show-operation',
            }
        )

    def _begin(self, kind: str, config: settings.Settings) -> operation.Operation:
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
                f'a time: juju run {self.app.name}/leader {next_command}'
            )
        now = datetime.datetime.now(datetime.UTC)
        latest = max(last.id if last else '', self._record.last_complete)
        if latest >= operation.stamp(now):
            # Ids only ever rise, whatever the clock does.
            now = operation.parse_stamp(latest) + datetime.timedelta(seconds=1)
        plan = plans.PLANS[kind]
        op = operation.Operation.new(operation.stamp(now), kind, plan.names, config, now)
        self._record.save(op)
        logger.info('%s %s begins', kind, op.id)
        return op

    def _dry_run(self, config: settings.Settings) -> dict[str, str]:
        from coordinator import plans, report
        from coordinator.steps import checks

        with self._connected() as reachable:
            outcomes = list(checks.backup_checks(config, reachable))
            bad = [check.name for check in outcomes if check.outcome != checks.OK]
            results = {'checks': report.checks_text(outcomes)}
            with contextlib.suppress(errors.CoordinatorError):
                model = reachable.juju.status()
                results['plan'] = report.backup_plan(plans.BACKUP_ALL, config, model)
        results['verdict'] = (
            f'not ready: {", ".join(bad)}' if bad else 'ready: nothing was changed so far'
        )
        return results

    def _on_show_operation(self, event: ops.ActionEvent) -> None:
        """Show the running or last operation."""
        from coordinator import report

        try:
            op = self._record.load()
        except errors.ForeignRecordError as error:
            event.fail(str(error))
            return
        if op is None:
            event.fail(f'no operation yet: juju run {self.app.name}/leader backup-all')
        elif event.params.get('format') == 'json':
            event.set_results({'operation': report.operation_json(op)})
        else:
            now = datetime.datetime.now(datetime.UTC)
            event.set_results({'operation': report.operation_text(op, self.app.name, now)})

    def _on_list_backups(self, event: ops.ActionEvent) -> None:
        """List the backup sets in the repository."""
        from coordinator import catalogue, report

        try:
            with self._connected() as reachable:
                store = reachable.maas_store
                entries = catalogue.entries(store)
        except errors.CoordinatorError as error:
            event.fail(str(error))
            return
        if event.params.get('format') == 'json':
            event.set_results({'backups': report.backups_json(entries)})
        else:
            place = '/'.join(filter(None, (store.place['bucket'], store.place['path'])))
            event.set_results({'backups': report.backups_text(entries, place)})

    def _on_resume_operation(self, event: ops.ActionEvent) -> None:
        """Go on with a held operation."""
        try:
            self._must_lead('resume-operation')
            op = self._record.load()
            if op is None or op.status != operation.HELD:
                state = 'there is none' if op is None else f'{op.kind} {op.id} is {op.status}'
                raise errors.PreconditionError(f'no operation is held: {state}')
        except errors.CoordinatorError as error:
            event.fail(str(error))
            return
        self._record.save(op.resumed(datetime.datetime.now(datetime.UTC)))
        event.set_results({'operation-id': op.id, 'status': 'resumed', 'step': op.step})

    def _must_lead(self, action: str) -> None:
        if not self.unit.is_leader():
            raise errors.PreconditionError(
                f'{self.unit.name} is not the leader: juju run {self.app.name}/leader {action}'
            )
        if not self._record.ready:
            raise errors.PreconditionError('the charm is still being installed: try again')

    # --- Config and status ---------------------------------------------------------------------

    def _settings(self) -> settings.Settings:
        """Return the settings for a new operation.

        Raises:
            PreconditionError: something is missing; says the command that gives it.
        """
        for name, other in RELATIONS.items():
            if self._related(name) is None:
                raise errors.PreconditionError(
                    f'missing relation: juju integrate {self.app.name}:{name} {other}'
                )
        try:
            content = self.credentials()
        except errors.TransientError as error:
            raise errors.PreconditionError(str(error)) from error
        missing = [key for key in ('username', 'password') if not content.get(key)]
        if missing:
            raise errors.PreconditionError(
                f'the secret of juju-credentials has no {" and no ".join(missing)}: '
                'juju update-secret <name> username=<user> password=<password>'
            )
        return settings.from_config(
            self.config, self._related(MAAS) or '', self._related(POSTGRESQL) or ''
        )

    def credentials(self) -> dict[str, str]:
        """Return the newest content of the secret that `juju-credentials` names.

        Raises:
            TransientError: there is none, or it is not granted to this application. Granting it
                raises no event, so the next dispatch must look again.
        """
        reference = str(self.config.get('juju-credentials') or '')
        if not reference:
            raise errors.TransientError(
                f'missing credentials: juju config {self.app.name} juju-credentials=secret:<id>'
            )
        try:
            return self.model.get_secret(id=reference).get_content(refresh=True)
        except (ops.SecretNotFoundError, ops.ModelError):
            # No `from`: whatever the cause says, it is about a secret.
            raise errors.TransientError(
                f'{reference} cannot be read: juju grant-secret {reference} {self.app.name}'
            ) from None

    def _related(self, endpoint: str) -> str | None:
        relation = self.model.get_relation(endpoint)
        return relation.app.name if relation is not None else None

    def _on_collect_status(self, event: ops.CollectStatusEvent) -> None:
        """Say the one thing that matters now."""
        event.add_status(self._status)

    @functools.cached_property
    def _status(self) -> ops.StatusBase:
        """The status of the unit and, by the leader, of the application: worked out once."""
        try:
            op = self._record.load()
        except errors.ForeignRecordError as error:
            return ops.BlockedStatus(str(error))
        if op is None or op.terminal:
            try:
                self._settings()
            except errors.PreconditionError as error:
                return ops.BlockedStatus(str(error))
        now = datetime.datetime.now(datetime.UTC)
        name, message = status.describe(op, self._record.last_complete, self.app.name, now)
        return ops.StatusBase.from_name(name, message)


if __name__ == '__main__':
    ops.main(CoordinatorCharm)
