"""The base of all actions: reads parameters, answers, refuses, and starts operations."""

from __future__ import annotations

import dataclasses
import datetime
import logging
import typing
from collections.abc import Callable, Mapping

import ops

import given
import lease
import observing
import succession
from coordinator import errors, ports, times
from coordinator.engine import log, operation, settings
from coordinator.operations import asked, plans
from coordinator.record import databag, requests
from coordinator.sets import manifest
from coordinator.steps import checking
from coordinator.steps.checks import before_restore

logger = logging.getLogger(__name__)


_Parameters = typing.TypeVar('_Parameters')
Results = Mapping[str, str]


@dataclasses.dataclass(frozen=True)
class Desk:
    """What the handlers of actions work with."""

    given: given.Given
    record: databag.Record
    succession: succession.Succession
    observing: observing.Observing


class ActionBase(ops.Object):
    """Base of the action handlers. They only store an operation; the next dispatch works on it."""

    def __init__(self, charm: ops.CharmBase, desk: Desk):
        super().__init__(charm, type(self).__name__)
        self._on = charm.on
        self._doors: dict[str, Callable[[ops.ActionEvent], Results]] = {}
        self.given, self.record = desk.given, desk.record
        self.succession, self.observing = desk.succession, desk.observing

    def admit(
        self,
        action: str,
        form: type[_Parameters],
        handle: Callable[[_Parameters], Results],
        *,
        leader: bool = False,
    ) -> None:
        """Handle an action.

        Args:
            action: its name.
            form: a dataclass with a field for each parameter, which may refuse what was given
                with a CoordinatorError. Types were checked by Juju.
            handle: gets the parameters, and returns the results of the action.
            leader: whether only the leader may run it.
        """

        def door(event: ops.ActionEvent) -> Results:
            if leader:
                self._must_lead(action)
            # Not `errors='fail'`: ops would end the dispatch before its status and its note.
            return handle(event.load_params(form))

        event = self._on[action].action
        self._doors[action] = door
        self.framework.observe(event, self._on_action)

    def _on_action(self, event: ops.ActionEvent) -> None:
        """Answer an action. If anything goes wrong, fail it with a message."""
        name = event.handle.kind.removesuffix('_action').replace('_', '-')
        try:
            event.set_results(dict(self._doors[name](event)))
        except errors.CoordinatorError as error:
            event.fail(str(error))
        except Exception as error:
            fault = log.fault(name, error)
            event.fail(f'{fault}. {self.follow()} shows whether an operation is running')

    def begin(
        self, kind: str, config: settings.Settings, parameters: dict[str, str]
    ) -> operation.Operation:
        """Store a new operation; it starts when this action has ended.

        Raises:
            PreconditionError: this unit does not lead, or another operation is not over.
        """
        self._must_lead(kind)
        if not lease.Lease(self.given.began).holds():
            raise errors.PreconditionError(
                f'{self.given.unit.name} may no longer be the leader, so nothing was started: '
                'run the action again'
            )
        # First take over what another coordinator has left unfinished.
        unknown = self.succession.take_over()
        if unknown:
            raise errors.PreconditionError(unknown)
        last = self.record.load()
        if last is not None and not last.terminal:
            next_command = 'show-operation' if last.open else 'resume-operation'
            raise errors.PreconditionError(
                f'{last.kind} {last.id} is {"running" if last.open else "held"}, '
                f'one operation at a time: juju run {self.app}/leader {next_command}'
            )
        throwaway = last.fact(operation.THROWAWAY) if last else ''
        if throwaway and operation.REHEARSAL not in parameters:
            raise errors.PreconditionError(
                f'{throwaway} is a throw-away model, in which a restore was rehearsed: {kind} '
                'would write to the repository of the site. Run it in the model of the site, '
                f'and destroy this one: juju destroy-model {throwaway}'
            )
        now = utc_now()
        known = [self.record.last_complete, *((last.id, last.backup_id) if last else ())]
        # An id from a clock that was years ahead must not push all later ids into the future.
        latest = max((name for name in known if not times.is_ahead(name, now)), default='')
        if latest >= times.stamp(now):
            # Ids only rise, even if the clock is set back.
            now = times.parse_stamp(latest) + datetime.timedelta(seconds=1)
        names = plans.PLANS[plans.named(kind, parameters)].names
        op = operation.Operation.new(times.stamp(now), kind, names, config, now, parameters)
        expired = last.fact(operation.DATABASE_EXPIRED) if last else ''
        if expired:
            # The status shows the warning until the repository of the database is read again.
            op = op.remembering({operation.DATABASE_EXPIRED: expired})
        if throwaway:
            op = op.remembering({operation.THROWAWAY: throwaway})
        if kind == 'restore-all' and self.newest_made():
            op = op.remembering({operation.NEWEST_MADE: self.newest_made()})
        op, answered = self._answering(op, now)
        # If it cannot be stored, the requests wait on.
        self.record.save(op)
        self.record.set_requests(answered)
        logger.info('%s: %s begins', op.at, kind)
        return op

    def _answering(
        self, op: operation.Operation, now: datetime.datetime
    ) -> tuple[operation.Operation, str]:
        """Have a backup answer the requests that wait for one; return what to store of both."""
        text = self.record.requests
        if not text or op.kind != 'backup-all':
            return op, text

        after, op = asked.joined(requests.from_json(text), op, now)
        return op, requests.to_json(after)

    def begin_and_follow(
        self, kind: str, config: settings.Settings, parameters: dict[str, str]
    ) -> Results:
        """Store a new operation, and return the results of the action that began it.

        Raises:
            PreconditionError: this unit does not lead, or another operation is not over.
        """
        op = self.begin(kind, config, parameters)
        return {'operation-id': op.id, 'status': 'started', 'follow': self.follow()}

    def idle_check(self) -> checking.Check:
        """Return whether an operation could start now, as a check."""
        last = self.record.load()
        if last is None or last.terminal:
            return checking.Check('operation', checking.OK, 'no operation is running')
        return checking.Check('operation', checking.BAD, f'{last.kind} {last.id} is {last.status}')

    def restore_outcomes(
        self,
        found: manifest.Manifest,
        parameters: dict[str, str],
        config: settings.Settings,
        reachable: ports.World,
    ) -> list[checking.Check]:
        """Return the checks of a restore, for any action that shows them."""
        made = before_restore.restore_checks(found, parameters, config, reachable)
        older = before_restore.older(found, parameters, self.newest_made())
        return [self.idle_check(), *older, *made]

    def newest_made(self) -> str:
        """Return the id of the newest complete set that this application has made, or ''."""
        made = self.record.last_complete
        # An id from a clock that was ahead would be the newest for years.
        return '' if times.is_ahead(made, utc_now()) else made

    @property
    def app(self) -> str:
        """Name of this application, for commands."""
        return self.given.app.name

    def follow(self) -> str:
        """Return the command that shows the operation."""
        return f'juju run {self.app}/leader show-operation'

    def _must_lead(self, action: str) -> None:
        """Make sure that this unit may store an operation.

        Raises:
            PreconditionError: it does not lead, or the charm is still being installed.
        """
        if not self.given.unit.is_leader():
            raise errors.PreconditionError(
                f'{self.given.unit.name} is not the leader: juju run {self.app}/leader {action}'
            )
        if not self.record.ready:
            raise errors.PreconditionError(
                'the charm is still being installed: run the action again in a minute'
            )


def utc_now() -> datetime.datetime:
    """Return the time."""
    return datetime.datetime.now(datetime.UTC)
