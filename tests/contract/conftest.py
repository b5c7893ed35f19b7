"""Who answers for the port `JujuModel`: the model itself, and the client at a controller."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import pytest

from coordinator import ports
from coordinator.juju_api import connection
from coordinator.juju_api import model as juju_api
from rehearsal import clock, direct, model
from tests import facade_schemas, served_model

_T = TypeVar('_T')

VIRTUAL_SECONDS = 3600


class Site(Protocol):
    """A model of toy applications, furnished as `served_model` says, behind one adapter."""

    @property
    def juju(self) -> model.Model:
        """The model itself, to be touched by way of `do` only."""
        ...

    @property
    def agent(self) -> served_model.ToyAgent: ...

    def do(self, fn: Callable[..., _T], *args: Any) -> _T:
        """Do something to the model behind the adapter's back."""
        ...

    def until(self, condition: Callable[[], _T]) -> _T:
        """Let things happen until the condition is met; return its value."""
        ...

    def connect(self, user: str, fence: Callable[[], None]) -> ports.JujuModel:
        """Return the adapter under test, logged in as a user."""
        ...


class DirectSite:
    """The model without a wire, in virtual time."""

    def __init__(self, version: str):
        self._clock = clock.VirtualClock()
        self.juju = model.Model('prod', self._clock, version)
        self.agent = served_model.ToyAgent(self.juju)
        served_model.furnish(self.juju, self.agent)
        self.until(lambda: served_model.settled(self.juju))

    def do(self, fn: Callable[..., _T], *args: Any) -> _T:
        return fn(*args)

    def until(self, condition: Callable[[], _T]) -> _T:
        for _ in range(VIRTUAL_SECONDS):
            value = condition()
            if value:
                return value
            self._clock.advance(1)
        raise AssertionError('it did not come about in an hour of virtual time')

    def connect(self, user: str, fence: Callable[[], None]) -> ports.JujuModel:
        return direct.DirectModel(self.juju, self.juju.users[user], fence=fence)


class ServedSite:
    """The model behind an embedded controller, in real time."""

    def __init__(self, served: served_model.ServedModel, stack: contextlib.ExitStack):
        self.juju = served.juju
        self.agent = served.agent
        self.until = served.until
        self.do = served.thread.call
        self._served = served
        self._stack = stack

    def connect(self, user: str, fence: Callable[[], None]) -> ports.JujuModel:
        endpoint = connection.Endpoint(
            addresses=self._served.controller.addresses,
            ca_cert=self._served.authority.ca_pem,
            model_uuid=self.juju.uuid,
            username=user,
            password=f'{user}-password',
        )
        return self._stack.enter_context(juju_api.JujuApi(endpoint, fence=fence))


@pytest.fixture(params=[f'{kind}-{v}' for kind in ('direct', 'api') for v in ('3.6.26', '4.0.15')])
def site(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    kind, version = request.param.split('-')
    if kind == 'direct':
        yield DirectSite(version)
        return
    check_frames(monkeypatch, version)
    with served_model.ServedModel(version) as served, contextlib.ExitStack() as stack:
        yield ServedSite(served, stack)


def check_frames(monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """Let every call that the client makes be compared with Juju's schemas, if they are here."""
    if not facade_schemas.FOLDER.is_dir():
        return
    schemas = facade_schemas.load(version)
    call = connection.Connection.call

    def checked_call(self: connection.Connection, facade: str, method: str, params: Any) -> object:
        schemas.check_request(facade, method, params)
        response = call(self, facade, method, params)
        schemas.check_result(facade, method, response)
        return response

    monkeypatch.setattr(connection.Connection, 'call', checked_call)


@pytest.fixture
def connect(site: Site) -> Callable[[str], ports.JujuModel]:
    """Log in as a user: boss (admin), writer, reader, nobody (no access), root (superuser)."""
    return lambda user: site.connect(user, lambda: None)


@pytest.fixture
def juju(connect: Callable[[str], ports.JujuModel]) -> ports.JujuModel:
    return connect('boss')
