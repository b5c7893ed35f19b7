"""A logged-in connection to a controller. The only place that knows the websocket library."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import logging
import ssl
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any, Self

import websocket

from coordinator import errors, reaching
from coordinator.juju_api import answers, dial, login, refusals, remembered

logger = logging.getLogger(__name__)

FRAME_LIMIT = 64 << 20
"""Bytes of one answer; the status of a large model has many MiB."""
_UPGRADE_LIMIT = 64 << 10
_CLOSING_SECONDS = 1.0


@dataclasses.dataclass(frozen=True)
class Timeouts:
    """Seconds until the other side is given up."""

    address: float = 5.0
    """To reach one address, TLS and the websocket's upgrade included."""
    connecting: float = 20.0
    """For all addresses together, logins included."""
    login: float = 10.0
    shortest_login: float = 3.0
    """Least seconds for a login, if that much time is left: a busy controller is slow."""
    call: float = 30.0


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """Where the controller is, which model is meant, and who asks."""

    addresses: Sequence[str]
    """`host:port` each, `[ipv6]:port`; the first ones are preferred."""
    ca_cert: str = dataclasses.field(repr=False)
    """PEM."""
    model_uuid: str
    username: str
    password: str = dataclasses.field(repr=False)
    model_name: str = ''
    """For messages; the UUID stands in for it."""

    @property
    def caller(self) -> refusals.Caller:
        return refusals.Caller(self.username, self.model_name or self.model_uuid)


class Connection:
    """A logged-in connection. One call at a time; any failure of the connection closes it."""

    def __init__(self, socket: dial.BoundedSocket, endpoint: Endpoint, timeouts: Timeouts):
        self._socket = socket
        self._endpoint = endpoint
        self._timeouts = timeouts
        self._ids = itertools.count(1)
        # The library checks UTF-8 byte by byte in Python, which takes seconds for a large
        # status; here the JSON decoder checks it.
        self._websocket = websocket.WebSocket(skip_utf8_validation=True)
        self._session: login.Session | None = None
        self.closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def session(self) -> login.Session:
        """What the login has brought."""
        assert self._session is not None, 'log in first'
        return self._session

    def log_in(self, seconds: float) -> None:
        """Log in, after `open`."""
        request = login.request(self._endpoint.username, self._endpoint.password)
        reply = self._exchange('Admin', 3, 'Login', request, seconds)
        if reply.get('error'):
            raise login.refusal(reply, self._endpoint.caller)
        self._session = login.session(reply.get('response'), self._endpoint.caller)

    def call(self, facade: str, method: str, params: Mapping[str, Any]) -> object:
        """Return the response to a call; what the controller refuses is raised."""
        version = self.session.version(facade)
        reply = self._exchange(facade, version, method, params, self._timeouts.call)
        # Errors come with an empty response as well.
        if reply.get('error'):
            error = answers.Error(
                message=str(reply['error']), code=str(reply.get('error-code') or '')
            )
            raise self.refusal(f'{facade}.{method}', error)
        return reply.get('response')

    def refusal(self, what: str, error: answers.Error) -> errors.CoordinatorError:
        """Return the error of a call, or of one of its items, as one of ours."""
        return refusals.translate(what, error.message, error.code, self._endpoint.caller)

    def close(self) -> None:
        """Say goodbye, and close whatever comes back."""
        if not self.closed:
            self._socket.allow(_CLOSING_SECONDS, _UPGRADE_LIMIT)
            self._websocket.close(timeout=_CLOSING_SECONDS)
        self.drop()

    def drop(self) -> None:
        """Close the connection at once, without a closing handshake."""
        self.closed = True
        self._websocket.shutdown()
        self._socket.close()

    def open(self, seconds: float) -> None:
        """Open the websocket."""
        url = f'wss://{dial.SERVER_NAME}/model/{self._endpoint.model_uuid}/api'
        self._socket.allow(seconds, _UPGRADE_LIMIT)
        with self._dropped_on_failure('the websocket handshake'):
            # With a socket given, the library looks at no proxy and no CA bundle that the
            # environment names; nor may a redirect lead anywhere else.
            self._websocket.connect(
                url, socket=self._socket, suppress_origin=True, redirect_limit=0
            )

    def _exchange(
        self, facade: str, version: int, method: str, params: Mapping[str, Any], seconds: float
    ) -> Mapping[str, Any]:
        if self.closed:
            raise errors.ConnectionFailed('The connection to the controller is closed.')
        what = f'{facade}.{method}'
        number = next(self._ids)
        request = {
            'request-id': number,
            'type': facade,
            'version': version,
            'request': method,
            'params': params,
        }
        started = time.monotonic()
        with self._dropped_on_failure(what):
            self._socket.allow(seconds, FRAME_LIMIT)
            self._websocket.send(json.dumps(request))
            reply: Mapping[str, Any] = {}
            # Answers come in any order: one that nobody waits for any more is passed over.
            while reply.get('request-id') != number:
                self._socket.allow(started + seconds - time.monotonic(), FRAME_LIMIT)
                reply = self._receive(what)
        logger.debug('%s v%s took %.3f s', what, version, time.monotonic() - started)
        return reply

    def _receive(self, what: str) -> Mapping[str, Any]:
        kind, data = self._websocket.recv_data()
        if kind == websocket.ABNF.OPCODE_CLOSE:
            raise errors.ConnectionFailed(f'The controller closed the connection during {what}.')
        try:
            reply = json.loads(data)
        except (ValueError, RecursionError):
            reply = None
        if not isinstance(reply, dict):
            # Without the cause, which would carry the answer: it may hold secrets.
            raise errors.UnexpectedAnswer(f'The answer to {what} is not a JSON object.')
        return reply

    @contextlib.contextmanager
    def _dropped_on_failure(self, what: str) -> Generator[None]:
        """Close the connection when anything happens to it, and raise an error of ours.

        Not chained, for the library's errors quote what was received.
        """
        try:
            yield
        except errors.CoordinatorError:
            self.drop()
            raise
        except dial.LimitExceededError:
            failure = errors.UnexpectedAnswer(f'The answer to {what} is too large to be read.')
        except (websocket.WebSocketTimeoutException, TimeoutError):
            failure = errors.ConnectionFailed(f'The controller did not answer {what} in time.')
        except websocket.WebSocketBadStatusException as error:
            failure = _not_upgraded(error.status_code)
        except (websocket.WebSocketException, OSError) as error:
            failure = errors.ConnectionFailed(
                f'The connection to the controller broke during {what} ({type(error).__name__}).'
            )
        else:
            return
        self.drop()
        raise failure


def connect(
    endpoint: Endpoint,
    timeouts: Timeouts | None = None,
    last: remembered.LastAddress | None = None,
) -> Connection:
    """Log in at the first address that answers; `last` is where that is remembered.

    Addresses are dialled in parallel, each a moment after the one before, but only one login runs
    at a time. A failure of one address leads to the next one; a refusal by a controller is final.
    """
    timeouts = timeouts or Timeouts()
    last = last or remembered.LastAddress()
    context = dial.trusting(endpoint.ca_cert)
    addresses = last.first(endpoint.addresses)
    end = time.monotonic() + timeouts.connecting
    race = reaching.Race(
        [functools.partial(_opened, each, endpoint, context, timeouts, end) for each in addresses],
        Connection.drop,
    )
    failures: dict[int, errors.CoordinatorError] = {}
    try:
        for number, opened, error in race.outcomes(end):
            if opened is None:
                if not isinstance(error, errors.CoordinatorError):
                    raise error or AssertionError('an attempt without an outcome')
                failures[number] = error
                continue
            try:
                _log_in(opened, end, race.outstanding, timeouts)
            except (errors.ConnectionFailed, errors.UntrustedController) as failure:
                failures[number] = failure
            else:
                last.note(addresses[number])
                return opened
    finally:
        race.close()
    raise _unreached(addresses, failures)


def _opened(
    address: str, endpoint: Endpoint, context: ssl.SSLContext, timeouts: Timeouts, end: float
) -> Connection:
    """Open the websocket at one address."""
    started = time.monotonic()
    seconds = min(timeouts.address, max(end - started, 0.1))
    connection = Connection(dial.dial(address, context, seconds), endpoint, timeouts)
    connection.open(max(started + seconds - time.monotonic(), 0.1))
    return connection


def _log_in(connection: Connection, end: float, others: int, timeouts: Timeouts) -> None:
    """Log in, with a share of the time that is left: a controller may hang."""
    left = end - time.monotonic()
    share = max(left / (1 + others), timeouts.shortest_login)
    try:
        connection.log_in(max(min(left, share, timeouts.login), 0.1))
    except BaseException:
        connection.close()
        raise


def _unreached(
    addresses: Sequence[str], failures: Mapping[int, errors.CoordinatorError]
) -> errors.CoordinatorError:
    reasons = '; '.join(
        f'{address}: {failures.get(number, "not tried, or no answer in time")}'
        for number, address in enumerate(addresses)
    )
    reasons = reasons or 'no address of the controller is known'
    if any(isinstance(error, errors.UntrustedController) for error in failures.values()):
        return errors.UntrustedController(
            f'The certificate of the controller is not trusted ({reasons}). {dial.CHECK_CA}.'
        )
    for error in failures.values():
        if not isinstance(error, errors.ConnectionFailed):
            return error
    return errors.ConnectionFailed(
        f'No controller address answered ({reasons}). '
        'If this unit reaches the controller at other addresses, name them as '
        '`endpoints=<host>:17070` in the secret that the option juju-credentials names, '
        'beside username and password (juju update-secret)'
    )


def _not_upgraded(status: int) -> errors.CoordinatorError:
    if 400 <= status < 500:
        return errors.UnexpectedAnswer(
            f'The controller does not serve this model (HTTP {status}): check the model UUID'
        )
    return errors.ConnectionFailed(f'The controller cannot serve now (HTTP {status}).')
