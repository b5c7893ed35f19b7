"""Makes the calls on a controller, and keeps what it answers, scrubbed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Protocol, cast

from tests import frames
from tests.recordings import calls, scrubbing

Json = dict[str, Any]

_SECONDS = 30.0
_TASK_SECONDS = 180.0
_POLL_SECONDS = 0.05
_ENDED = ('completed', 'failed', 'cancelled', 'aborted', 'error')


@dataclasses.dataclass(frozen=True)
class Login:
    """Which model of which controller, and as whom: an admin of the model."""

    address: str
    """`host:port`."""
    ca_pem: str
    model_uuid: str
    user: str
    password: str = dataclasses.field(repr=False)


class Line(Protocol):
    """What frames go out and come in by."""

    def send(self, payload: str) -> object: ...

    def recv(self) -> str | bytes: ...


@contextlib.contextmanager
def dialled(login: Login) -> Generator[Line]:
    """Lend a line to the model's API."""
    path = f'/model/{login.model_uuid}/api'
    with frames.dialled(login.address, login.ca_pem, path, _SECONDS) as line:
        yield cast(Line, line)


def record(
    line: Line, login: Login, before: Callable[[str], object] = lambda name: None
) -> list[Json]:
    """Make all calls, and return them with their answers.

    Args:
        line: to the controller.
        login: the admin who makes the calls.
        before: is called with the name of each call before it is made.

    Raises:
        TimeoutError: a task did not end.
    """
    recorder = _Recorder(line)
    entries = [recorder.log_in(login)]
    try:
        for call in calls.CALLS:
            before(call.name)
            entries.append(recorder.entry(call))
    finally:
        recorder.sweep()
    return scrubbing.scrubbed(entries)


class _Recorder:
    def __init__(self, line: Line):
        self._line = line
        self._last_id = 0
        self._versions: dict[str, int] = {}
        self._known: dict[str, str] = {'probe': f'probe-{time.time_ns()}'}
        self._made: list[str] = []
        """Secrets of ours."""

    def log_in(self, login: Login) -> Json:
        """Log in; what is returned holds no password."""
        params = {
            'auth-tag': f'user-{login.user}',
            'credentials': login.password,
            'client-version': '4.0.15',
        }
        answer = self._answer('Admin', 3, 'Login', params)
        if 'facades' not in answer['response']:
            raise PermissionError(str(answer.get('error', 'the controller asks for a macaroon')))
        offered = answer['response']['facades']
        self._versions = {facade['name']: max(facade['versions']) for facade in offered}
        return _entry('login', 'Admin', 3, 'Login', params | {'credentials': '...'}, answer)

    def entry(self, call: calls.Call) -> Json:
        """Make one call and learn from its answer."""
        version = call.version or self._versions[call.facade]
        params = _filled(call.params, self._known)
        answer = self._make(call, self._known)
        end = time.monotonic() + _TASK_SECONDS
        while call.until_ended and answer['response']['results'][0]['status'] not in _ENDED:
            if time.monotonic() > end:
                raise TimeoutError(f'{call.name}: {self._known["task"]} does not end')
            time.sleep(_POLL_SECONDS)
            answer = self._make(call, self._known)
        if 'error' not in answer:
            self._learn(call, answer['response'])
            answer = answer | {'response': _part(answer['response'], call.only)}
        return _entry(call.name, call.facade, version, call.request, params, answer)

    def sweep(self) -> None:
        """Remove what the calls have left behind."""
        self._make(calls.UNSET, {})
        for uri in self._made:
            self._make(calls.REMOVE, {'leftover': uri})
        status = self._make(calls.STATUS, {})['response']
        for name, unit in status['applications'][calls.COORDINATOR]['units'].items():
            if not unit['machine']:
                # 3.6 has added it before it found that there is no such machine.
                self._make(calls.DESTROY, {'leftover': 'unit-' + name.replace('/', '-')})

    def _make(self, call: calls.Call, known: Mapping[str, str]) -> Json:
        version = call.version or self._versions[call.facade]
        return self._answer(call.facade, version, call.request, _filled(call.params, known))

    def _learn(self, call: calls.Call, response: Json) -> None:
        match call.request:
            case 'EnqueueOperation' if 'action' in response['actions'][0]:
                self._known['operation'] = response['operation']
                self._known['task'] = response['actions'][0]['action']['tag']
            case 'ListSecrets' if call.params['filter'].get('label') == calls.LABEL:
                self._known['charm-secret'] = response['results'][0]['uri']
            case 'CreateSecrets' if response['results'][0]['result']:
                self._made.append(response['results'][0]['result'])
                self._known.setdefault('secret', self._made[0])
            case 'ListStorageDetails' if call.params['filters']:
                tags = [item['storage-tag'] for item in response['results'][0]['result']]
                self._known['storage'] = next(tag for tag in tags if calls.STORAGE in tag)
            case _:
                pass

    def _answer(self, facade: str, version: int, request: str, params: Json) -> Json:
        self._last_id += 1
        frame = {
            'request-id': self._last_id,
            'type': facade,
            'version': version,
            'request': request,
            'params': params,
        }
        self._line.send(json.dumps(frame))
        answer: Json = json.loads(self._line.recv())
        while answer.pop('request-id') != self._last_id:
            answer = json.loads(self._line.recv())
        return answer


def _entry(name: str, facade: str, version: int, request: str, params: Json, answer: Json) -> Json:
    return {
        'name': name,
        'facade': facade,
        'version': version,
        'request': request,
        'params': params,
        'answer': answer,
    }


def _filled(params: Any, known: Mapping[str, str]) -> Any:
    match params:
        case dict():
            named = cast(Json, params)
            return {key: _filled(value, known) for key, value in named.items()}
        case list():
            return [_filled(value, known) for value in cast(list[Any], params)]
        case str() if '{' in params:
            return params.format_map(known)
        case _:
            return params


def _part(response: Json, keys: tuple[str, ...]) -> Json:
    """Return the response with nothing but what these keys lead to."""
    if not keys:
        return response
    return {keys[0]: _part(response[keys[0]], keys[1:])}
