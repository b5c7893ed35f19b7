"""Who answers for the ports.

For `JujuModel` the model itself, and the client at a controller; for `ObjectStore` the memory, and
the adapter at S3 servers: the rehearsal's, and others where they are on this machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Protocol, TypeVar

import boto3
import botocore.client
import pytest

from coordinator import ports
from coordinator.juju_api import connection
from coordinator.juju_api import model as juju_api
from coordinator.s3 import object_store as s3_adapter
from rehearsal import clock, direct, memory_store, model, s3_gate, s3_server
from tests import facade_schemas, real_s3, served_model, stores

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
        known = schemas.knows(facade, method)
        if known:
            schemas.check_request(facade, method, params)
        response = call(self, facade, method, params)
        if known:
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


# --- S3 ------------------------------------------------------------------------------------------

_numbers = itertools.count()


@dataclasses.dataclass(frozen=True)
class S3Site:
    """An S3 server, and the way in: one process for all tests, a bucket for each."""

    name: str
    endpoint: str
    keys: tuple[str, str]

    def fields(self, bucket: str) -> dict[str, str]:
        """Return the fields of an s3 relation that lead to a bucket."""
        return {
            'endpoint': self.endpoint,
            'bucket': bucket,
            'access-key': self.keys[0],
            'secret-key': self.keys[1],
        }

    @functools.cached_property
    def client(self) -> Any:
        """Whoever else works on the server, with the settings that maas-region has."""
        return boto3.client(
            's3',
            endpoint_url=self.endpoint,
            region_name=s3_server.REGION,
            aws_access_key_id=self.keys[0],
            aws_secret_access_key=self.keys[1],
            config=botocore.client.Config(
                request_checksum_calculation='when_required',
                response_checksum_validation='when_required',
                s3={'addressing_style': 'path'},
            ),
        )

    def new_bucket(self, **options: Any) -> str:
        """Make a bucket that nobody has used before; return its name."""
        name = f'contract-{next(_numbers)}'
        self.client.create_bucket(Bucket=name, **options)
        return name


SERVERS = (
    'rehearsal',
    *(pytest.param(name, marks=pytest.mark.real_s3) for name in real_s3.PROGRAMS),
)


@pytest.fixture(scope='session')
def s3_sites(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], S3Site]]:
    """Lend what starts each server when it is first asked for."""
    with contextlib.ExitStack() as stack:

        @functools.cache
        def start(name: str) -> S3Site:
            if name == 'rehearsal':
                endpoint = stack.enter_context(s3_server.S3Server()).endpoint
                site = S3Site(name, endpoint, s3_gate.WRITER)
            else:
                folder = tmp_path_factory.mktemp(name)
                endpoint = stack.enter_context(real_s3.serving(name, folder))
                site = S3Site(name, endpoint, real_s3.KEYS)
            stack.callback(site.client.close)
            return site

        yield start


@pytest.fixture(params=SERVERS)
def s3_site(request: pytest.FixtureRequest, s3_sites: Callable[[str], S3Site]) -> S3Site:
    real_s3.need(request.param)
    return s3_sites(request.param)


@pytest.fixture
def s3_store(s3_site: S3Site) -> Iterator[s3_adapter.S3Store]:
    """Lend a store on a bucket of its own."""
    with stores.opened({**s3_site.fields(s3_site.new_bucket()), 'path': 'some/path'}) as opened:
        yield opened


@pytest.fixture(params=['memory', *SERVERS])
def object_store(
    request: pytest.FixtureRequest, s3_sites: Callable[[str], S3Site]
) -> Iterator[ports.ObjectStore]:
    if request.param == 'memory':
        yield memory_store.MemoryStore(memory_store.MemoryBucket(), 'some/path')
        return
    real_s3.need(request.param)
    site = s3_sites(request.param)
    with stores.opened({**site.fields(site.new_bucket()), 'path': 'some/path'}) as opened:
        yield opened
