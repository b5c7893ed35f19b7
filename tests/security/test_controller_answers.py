"""What the controller may send: nothing without end, and nothing of another shape."""

from __future__ import annotations

import base64
import hashlib
import re
import typing
from collections.abc import Callable
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator import errors
from coordinator.juju_api import answers, connection, facades, shapes, wire
from rehearsal import tls
from tests import scripted_controller
from tests.security import hostile

BOUND = 1 << 20
"""Limit of an answer in these tests, so that they are fast."""
QUICK = connection.Timeouts(address=2, connecting=3, login=2, call=2)
TEXT, BINARY, PING, MORE = 0x81, 0x82, 0x89, 0x00


@pytest.fixture(scope='module')
def authority() -> tls.Authority:
    return tls.Authority()


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, 'FRAME_LIMIT', BOUND)


def frame(kind: int, payload: bytes, length: int | None = None) -> bytes:
    """Return a websocket frame; `length` is what it says of itself."""
    said = len(payload) if length is None else length
    if said < 126:
        return bytes([kind, said]) + payload
    return bytes([kind, 127]) + said.to_bytes(8) + payload


def upgrade(line: hostile.Line) -> None:
    """Become a websocket."""
    found = re.search(rb'(?i)sec-websocket-key: (\S+)', line.head)
    assert found is not None
    digest = hashlib.sha1(found[1] + b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
    line.send(
        b'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
        b'Sec-WebSocket-Accept: ' + base64.b64encode(digest.digest()) + b'\r\n\r\n'
    )


def failure(
    authority: tls.Authority, script: Callable[[hostile.Line], None]
) -> tuple[errors.CoordinatorError, int]:
    """Log in where the answer is such; return how that failed, and how much had been sent."""
    with hostile.Server(script, authority.server_context()) as server:
        endpoint = connection.Endpoint(
            (server.address,), authority.ca_pem, 'uuid', 'backup-bot', 'hunter2'
        )
        with pytest.raises(errors.CoordinatorError) as caught:
            connection.connect(endpoint, QUICK)
    return caught.value, server.sent


def test_headers_without_end_are_not_read_to_their_end(authority: tls.Authority):
    def script(line: hostile.Line) -> None:
        line.send(b'HTTP/1.1 101 Switching Protocols\r\n')
        line.flood(b'x: y\r\n' * 1000)

    error, sent = failure(authority, script)
    assert 'The answer to the websocket handshake is too large' in str(error)
    assert sent < hostile.ENOUGH // 4


@pytest.mark.parametrize('length', [BOUND + 1, 1 << 62])
def test_a_frame_is_not_read_because_it_says_how_large_it_is(
    authority: tls.Authority, length: int
):
    def script(line: hostile.Line) -> None:
        upgrade(line)
        line.send(frame(TEXT, b'', length))
        line.flood(b' ' * 65536)

    error, sent = failure(authority, script)
    assert str(error) == 'The answer to Admin.Login is too large to be read.'
    assert sent < hostile.ENOUGH // 4


def test_fragments_are_counted_together(authority: tls.Authority):
    def script(line: hostile.Line) -> None:
        upgrade(line)
        line.send(frame(TEXT & 0x7F, b'{'))
        line.flood(frame(MORE, b' ' * 1000))

    error, sent = failure(authority, script)
    assert str(error) == 'The answer to Admin.Login is too large to be read.'
    assert sent < hostile.ENOUGH // 4


def test_pings_without_end_are_not_answered_for_ever(authority: tls.Authority):
    def script(line: hostile.Line) -> None:
        upgrade(line)
        line.flood(frame(PING, b'x' * 100) * 100)

    error, sent = failure(authority, script)
    assert type(error) in (errors.UnexpectedAnswer, errors.ConnectionFailed)
    assert sent < hostile.ENOUGH // 4


def test_a_packed_frame_is_not_unpacked(authority: tls.Authority):
    def script(line: hostile.Line) -> None:
        upgrade(line)
        # The bit that says so, which nobody has agreed to.
        line.send(frame(TEXT | 0x40, b'\x00' * 100))

    error, _ = failure(authority, script)
    assert 'Admin.Login' in str(error)


def test_pages_without_end_are_not_asked_for(
    authority: tls.Authority, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(facades.action, 'MOST_PAGES', 5)
    page = {'results': [{'operation': 'operation-1', 'actions': []}], 'truncated': True}
    with scripted_controller.ScriptedController(authority) as controller:
        controller.answers['Action.ListOperations'] = [page]
        with (
            connection.connect(controller.endpoint(authority), QUICK) as opened,
            pytest.raises(errors.UnexpectedAnswer, match='it has more than 5 pages'),
        ):
            facades.action.tasks(opened, 'create-backup')
        assert len(controller.called('Action.ListOperations')) == 5


def nested(depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for _ in range(depth):
        found = {'x': found}
    return found


def test_results_that_are_nested_too_deep_are_an_error(authority: tls.Authority):
    def script(request: dict[str, Any], send: scripted_controller.Send) -> None:
        output = '{"x":' * 5000 + '1' + '}' * 5000
        action = '{"tag":"action-1","receiver":"unit-pg-0","name":"echo"}'
        send(
            f'{{"request-id": {request["request-id"]}, "response": '
            f'{{"results": [{{"action": {action}, "output": {output}}}]}}}}'
        )

    with scripted_controller.ScriptedController(authority) as controller:
        controller.answers['Action.Actions'] = [script]
        with (
            connection.connect(controller.endpoint(authority), QUICK) as opened,
            pytest.raises(errors.UnexpectedAnswer, match=r'Action\.Actions'),
        ):
            facades.action.task(opened, 1)
    # Later versions of Python read deeper nested JSON than they can walk.
    with pytest.raises(ValueError, match='nested too deep'):
        wire.results(nested(5000))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=8,
)


def below(of: type[shapes.Shape]) -> list[type[shapes.Shape]]:
    return [of, *(deeper for sub in of.__subclasses__() for deeper in below(sub))]


@pytest.mark.parametrize('shape', below(shapes.Shape)[1:], ids=lambda shape: shape.__name__)
@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=60, deadline=None)
def test_answers_of_any_shape_are_read_or_refused(shape: type[shapes.Shape], data: st.DataObject):
    names = {
        name.replace('_', '-'): st.sampled_from(LIKELY) | JSON
        for name in typing.get_type_hints(shape)
    }
    document = data.draw(JSON | st.fixed_dictionaries({}, optional=names))
    said = 'read'
    try:
        answers.read(shape, document, 'Facade.Method')
    except errors.UnexpectedAnswer as error:
        said = str(error)
    assert said.isprintable()


LIKELY: list[object] = [
    'action-1', 'unit-pg-0', 'application-pg', 'storage-pg-0', 'secret:x', 'dGV4dA==', '9' * 5000,
    '9999-12-31T23:59:59-23:59', {'x': 'dGV4dA=='}, {'x': 'no base64'}, [{}], [None], nested(300),
]  # fmt: skip
