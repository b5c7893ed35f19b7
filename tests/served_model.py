"""A model of toy applications behind an embedded controller, and a bare client for its wire.

The client knows nothing but frames, and checks every one against Juju's schemas where they are
at hand: what the controller says is tested without the help of the coordinator's own client.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, TypeVar

import websocket

from rehearsal import clock, hosted, model, tls
from rehearsal.controller import faults, server
from tests import facade_schemas, frames

_T = TypeVar('_T')
Json = dict[str, Any]

VERSIONS = ('3.6.26', '4.0.15')
TIMEOUT = 10.0
"""Seconds after which a test stops waiting; nothing here takes that long."""

CHARM = model.CharmSpec(
    'toy',
    endpoints=(
        model.Endpoint('peers', 'peer', 'toy_peers'),
        model.Endpoint('db', 'requirer', 'toy_db', limit=1),
        model.Endpoint('database', 'provider', 'toy_db'),
    ),
    options={
        'profile': model.Option('string', 'production', 'How to tune.'),
        'size': model.Option('int', 5),
        'system-users': model.Option('secret'),
    },
    actions={
        'echo': model.ActionSpec(
            'echo',
            'Says what it was told.',
            {'text': {'type': 'string', 'default': 'hello'}},
            additional_properties=False,
            parallel=True,
            execution_group='talk',
        ),
        'refuse': model.ActionSpec('refuse'),
        'wait': model.ActionSpec('wait'),
    },
    storage=('pg-data',),
    channel='16/stable',
    revision=553,
)


class ToyAgent:
    """Settles at once. Its action `wait` lasts until it is released."""

    def __init__(self, juju: model.Model):
        self._juju = juju
        self.released = False

    def run(self, unit: model.Unit, event: model.Event) -> clock.Work:
        if event.task is not None:
            yield from self._act(event.task)
        elif event.name == 'start':
            unit.workload_version = '1.2'
            self._juju.set_status(unit, 'active', 'ready')

    def _act(self, task: model.Task) -> clock.Work:
        task.log.append((self._juju.clock.now(), f'running {task.name}'))
        self._juju.changed()
        if task.name == 'refuse':
            raise model.ActionFailed('not today')
        while task.name == 'wait' and not self.released:
            yield 0.01
        task.output = {'said': {'text': task.parameters.get('text', '')}, 'return-code': 0}

    def kill(self, unit: model.Unit) -> None:
        pass

    def removed(self, unit: model.Unit) -> None:
        pass


def furnish(juju: model.Model, agent: ToyAgent) -> None:
    """Add users of every access, and two toy applications: `pg` of three units, `app` of one."""
    for name, access in (('boss', 'admin'), ('writer', 'write'), ('reader', 'read')):
        juju.users[name] = model.User(name, f'{name}-password', access)
    juju.users['nobody'] = model.User('nobody', 'nobody-password', '')
    juju.users['root'] = model.User('root', 'root-password', '', 'superuser')
    juju.deploy('pg', CHARM, agent, 3)
    juju.deploy('app', CHARM, agent, 1)
    juju.integrate('app:db', 'pg:database')


def settled(juju: model.Model) -> bool:
    """Whether all units are idle."""
    return all(unit.agent.current == 'idle' for unit in juju.units.values())


class Refused(Exception):
    """The controller's answer was an error."""

    def __init__(self, answer: Json):
        super().__init__(answer['error'])
        self.code: str = answer.get('error-code', '')
        self.info: Json = answer.get('error-info', {})


class Lost(Exception):
    """The controller ended the connection."""


class ServedModel:
    """A furnished model behind a controller."""

    def __init__(self, version: str):
        self.thread = hosted.LoopThread()
        self.juju = model.Model('prod', clock.LoopClock(self.thread.loop), version)
        self.juju.idle_after = 0.01
        self.agent = ToyAgent(self.juju)
        self.authority = tls.Authority()
        self.faults = faults.Faults()
        self.controller = server.Controller(self.juju, self.authority, faults=self.faults)
        self._changed = threading.Event()

    def __enter__(self) -> Self:
        self.thread.start()
        self.juju.on_change.append(self._changed.set)
        self.thread.call(furnish, self.juju, self.agent)
        self.thread.run(self.controller.start())
        self.until(lambda: settled(self.juju))
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.thread.run(self.controller.stop())
        self.thread.stop()

    def until(self, condition: Callable[[], _T]) -> _T:
        """Wait for the model to change until the condition is met, and return its value."""
        while True:
            self._changed.clear()
            value = self.thread.call(condition)
            if value:
                return value
            assert self._changed.wait(TIMEOUT), 'nothing happens in the model any more'

    def connect(self, user: str = 'boss', *, model_uuid: str | None = None) -> Client:
        """Open a connection and log in; `model_uuid` '' is the controller's own."""
        client = self.dial(model_uuid)
        client.log_in(user)
        return client

    def dial(self, model_uuid: str | None = None) -> Client:
        """Open a connection without logging in."""
        model_uuid = self.juju.uuid if model_uuid is None else model_uuid
        path = f'/model/{model_uuid}/api' if model_uuid else '/api'
        return Client(self, path)


def serve(version: str) -> Iterator[ServedModel]:
    """Serve a model of toys: the body of a fixture."""
    with ServedModel(version) as served:
        yield served


class Client:
    """One connection: frames out and in."""

    def __init__(self, served: ServedModel, path: str):
        self._open = contextlib.ExitStack()
        self.socket = self._open.enter_context(
            frames.dialled(served.controller.addresses[0], served.authority.ca_pem, path, TIMEOUT)
        )
        self.versions: dict[str, int] = {'Admin': 3}
        """The newest version of each facade that the login offered."""
        self._schemas = (
            facade_schemas.load(served.juju.version) if facade_schemas.FOLDER.is_dir() else None
        )
        self._last_id = 0
        self._answers: dict[int, Json] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._open.close()

    def log_in(self, user: str, password: str | None = None) -> Json:
        """Log in, and take note of the facades on offer."""
        answer = self.call(
            'Admin',
            'Login',
            {
                'auth-tag': f'user-{user}',
                'credentials': f'{user}-password' if password is None else password,
                'nonce': '',
                'macaroons': None,
                'user-data': '',
                'client-version': '3.6.26',
                'cli-args': '',
                'bakery-version': 3,
            },
        )
        self.versions |= {f['name']: max(f['versions']) for f in answer.get('facades', ())}
        return answer

    def call(self, facade: str, method: str, params: Json | None = None, **frame: Any) -> Json:
        """Make a request and return its response; raise Refused when it is an error."""
        answer = self.answer_to(self.send(facade, method, params, **frame))
        if 'error' in answer:
            assert answer['response'] == {}
            raise Refused(answer)
        if self._schemas is not None and self._schemas.knows(facade, method):
            self._schemas.check_result(facade, method, answer['response'])
        return answer['response']

    def send(self, facade: str, method: str, params: Json | None = None, **frame: Any) -> int:
        """Send a request and return its id. Further arguments go into the frame."""
        if self._schemas is not None and self._schemas.knows(facade, method):
            self._schemas.check_request(facade, method, params)
        self._last_id += 1
        request: Mapping[str, Any] = {
            'request-id': self._last_id,
            'type': facade,
            'version': self.versions.get(facade, 1),
            'request': method,
            'params': params or {},
        }
        self.send_frame(json.dumps({**request, **frame}))
        return self._last_id

    def send_frame(self, text: str) -> None:
        """Send what may not be a request at all."""
        self.socket.send(text)

    def answer_to(self, request_id: int) -> Json:
        """Return the frame that answers a request; others that come first are kept."""
        while request_id not in self._answers:
            answer = self.receive()
            self._answers[answer['request-id']] = answer
        return self._answers.pop(request_id)

    def receive(self) -> Json:
        """Return the next frame; raise Lost when there will be none."""
        try:
            text = self.socket.recv()
        except (websocket.WebSocketConnectionClosedException, ConnectionError, ssl.SSLError) as e:
            raise Lost from e
        if not text:
            raise Lost('closed in order')
        return json.loads(text)
