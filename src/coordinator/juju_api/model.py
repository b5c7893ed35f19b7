"""`ports.JujuModel` over a controller's API."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Self, TypeVar

from coordinator import errors, ports, repeating
from coordinator.juju_api import connection, facades, remembered, status, wire

logger = logging.getLogger(__name__)

_TRYING_SECONDS = 45.0

_T = TypeVar('_T')
_Call = Callable[[connection.Connection], _T]


def _unfenced() -> None:
    pass


class JujuApi:
    """The model as the controller's API shows it.

    The connection is opened at the first call, and again after it was lost. A call that only
    looks is repeated while the controller fails in passing. A call with an effect is sent once:
    only the opening of its connection is repeated. `fence` is called right before each call with
    an effect, and raises when this unit is the leader no longer.
    """

    def __init__(
        self,
        endpoint: connection.Endpoint,
        *,
        fence: Callable[[], None] = _unfenced,
        answered: Callable[[], None] = _unfenced,
        timeouts: connection.Timeouts | None = None,
        last: remembered.LastAddress | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self._endpoint = endpoint
        self._fence = fence
        self._answered = answered
        self._timeouts = timeouts
        self._last = last
        self._connection: connection.Connection | None = None
        self._retrying = repeating.policy(errors.TransientError, _TRYING_SECONDS, logger, sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> connection.Connection:
        if self._connection is None or self._connection.closed:
            self._connection = connection.connect(self._endpoint, self._timeouts, self._last)
        return self._connection

    def _look(self, call: _Call[_T]) -> _T:
        return self._retrying(lambda: call(self._open()))

    def _change(self, call: _Call[_T]) -> _T:
        opened = self._retrying(self._open)
        self._fence()
        try:
            result = call(opened)
        except errors.ConnectionFailed as error:
            raise errors.AnswerLost(str(error)) from error
        except errors.CoordinatorError:
            self._answered()
            raise
        self._answered()
        return result

    # --- Looking -----------------------------------------------------------------------------

    def access(self) -> ports.Access:
        return self._look(lambda c: c.session.access)

    def status(self, *applications: str) -> ports.ModelStatus:
        if not applications:
            return status.model_status(self._look(facades.client.full_status))
        shown = status.model_status(
            self._look(lambda c: facades.client.full_status(c, applications))
        )
        if not shown.applications.keys() >= set(applications):
            # Juju 3.6 matches no application that has no units.
            shown = status.model_status(self._look(facades.client.full_status))
        return shown.only(applications)

    def leader(self, application: str) -> str:
        return self._look(lambda c: facades.application.leader(c, application))

    def actions(self, application: str) -> Set[str]:
        return self._look(lambda c: facades.action.actions(c, application))

    def tasks(self, action: str) -> Sequence[ports.Task]:
        found = self._look(lambda c: facades.action.tasks(c, action))
        # Without results, which 3.6 leaves out of listings and 4.0 may not.
        return sorted((_task(answer, {}) for answer in found), key=lambda task: task.id)

    def task(self, task_id: int) -> ports.Task:
        answer = self._look(lambda c: facades.action.task(c, task_id))
        return _task(answer, answer.output)

    def storage(self) -> Sequence[ports.Storage]:
        return [
            ports.Storage(
                id=details.storage_tag,
                owner=details.owner_tag,
                attached_to=tuple(a.unit_tag for a in details.attachments.values()),
                alive=status.is_alive(details.life),
            )
            for details in self._look(facades.storage.storage)
        ]

    def config(self, application: str) -> Mapping[str, str | int | float | bool]:
        options = self._look(lambda c: facades.application.config(c, application))
        return {key: o.value for key, o in options.items() if o.value is not None}

    def options(self, application: str) -> Set[str]:
        return self._look(lambda c: facades.application.config(c, application)).keys()

    def secrets(self, label: str = '') -> Sequence[ports.Secret]:
        wanted = {'label': label} if label else {}
        found = self._look(lambda c: facades.secrets.secrets(c, wanted))
        return [
            ports.Secret(s.uri, s.owner_tag, s.label, s.update_time)
            for s in found
            if label in ('', s.label)
        ]

    def reveal_secret(self, secret_id: str) -> Mapping[str, str]:
        wanted = {'uri': wire.secret_uri(secret_id)}
        found = self._look(lambda c: facades.secrets.secrets(c, wanted, content=True))
        for secret in found:
            if secret.uri == secret_id and secret.value is not None:
                return secret.value.data
        raise errors.NotFound(f'The secret {secret_id} is not in the model.')

    # --- Changing ----------------------------------------------------------------------------

    def run_action(
        self, unit: str, action: str, parameters: Mapping[str, str | bool | int]
    ) -> ports.Task:
        answer = self._change(lambda c: facades.action.enqueue(c, unit, action, parameters))
        return _task(answer, {})

    def cancel_task(self, task_id: int) -> None:
        def ask(opened: connection.Connection) -> None:
            try:
                facades.action.cancel(opened, task_id)
            except errors.ShutOut:
                raise
            except errors.StepError as error:
                # Juju 4.0 fails here whenever the task exists.
                logger.info('task %s could not be cancelled: %s', task_id, error)

        self._change(ask)

    def add_units(
        self, application: str, count: int, machines: Sequence[str] = ()
    ) -> Sequence[str]:
        return self._change(
            lambda c: facades.application.add_units(c, application, count, machines)
        )

    def remove_unit(self, unit: str) -> None:
        self._remove(lambda c: facades.application.destroy_unit(c, unit))

    def remove_storage(self, ids: Sequence[str]) -> None:
        for storage_id in ids:
            self._remove(
                lambda c, storage_id=storage_id: facades.storage.remove_storage(c, storage_id)
            )

    def integrate(self, endpoint: str, other: str) -> None:
        self._change(lambda c: facades.application.add_relation(c, (endpoint, other)))

    def remove_relation(self, endpoint: str, other: str) -> None:
        self._change(lambda c: facades.application.destroy_relation(c, (endpoint, other)))

    def set_config(self, application: str, values: Mapping[str, str]) -> None:
        self._change(lambda c: facades.application.set_config(c, application, values))

    def reset_config(self, application: str, options: Sequence[str]) -> None:
        self._change(lambda c: facades.application.reset_config(c, application, options))

    def create_secret(self, label: str, content: Mapping[str, str], description: str = '') -> str:
        return self._change(
            lambda c: facades.secrets.create_secret(c, label, content, description)
        )

    def grant_secret(self, secret_id: str, application: str) -> None:
        self._change(lambda c: facades.secrets.grant_secret(c, secret_id, application))

    def remove_secret(self, secret_id: str) -> None:
        self._remove(lambda c: facades.secrets.remove_secret(c, secret_id))

    def _remove(self, call: _Call[None]) -> None:
        """Remove something that may be gone already."""

        def remove(opened: connection.Connection) -> None:
            try:
                call(opened)
            except errors.NotFound as error:
                logger.info('nothing to remove: %s', error)

        self._change(remove)


def _task(answer: facades.action.ActionResult, results: Mapping[str, str]) -> ports.Task:
    if answer.action is None:
        raise errors.UnexpectedAnswer('The controller described a task without its action.')
    return ports.Task(
        id=answer.action.tag,
        unit=answer.action.receiver,
        action=answer.action.name,
        parameters=answer.action.parameters,
        status=answer.status,
        message=answer.message,
        results=results,
        enqueued=answer.enqueued,
        started=answer.started,
        completed=answer.completed,
    )
