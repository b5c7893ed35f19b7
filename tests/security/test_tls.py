"""Whom the coordinator speaks to: the controller and the S3 server that it was told of."""

from __future__ import annotations

import datetime
import os
import pathlib
import ssl
import stat
import tempfile
from collections.abc import Sequence

import pytest
import trustme

from coordinator import errors
from coordinator.juju_api import connection
from rehearsal import tls
from tests import scripted_controller, stores
from tests.security import hostile

LISTING = (
    b'<?xml version="1.0"?><ListBucketResult><Name>backups</Name><IsTruncated>false</IsTruncated>'
    b'</ListBucketResult>'
)
PAST = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
HOST = '127.0.0.1'


# --- The controller --------------------------------------------------------------------------


class Expired(tls.Authority):
    """Vouches for leaves whose time is over."""

    def server_context(self, server_name: str = tls.SERVER_NAME) -> ssl.SSLContext:
        return hostile.server_context(self._ca, server_name, PAST)


def test_a_controller_whose_certificate_has_expired_is_sent_nothing():
    authority = Expired()
    with scripted_controller.ScriptedController(authority) as controller:
        with pytest.raises(errors.UntrustedController, match='expired'):
            connection.connect(controller.endpoint(authority))
        assert controller.paths == []


# --- S3 ----------------------------------------------------------------------------------------


@pytest.fixture(scope='module')
def authority() -> trustme.CA:
    return trustme.CA()


def pem(authority: trustme.CA) -> str:
    return authority.cert_pem.bytes().decode()


def serve(
    authority: trustme.CA, name: str = HOST, not_after: datetime.datetime | None = None
) -> hostile.Server:
    """Return a server that lists an empty bucket to whoever trusts it."""
    context = hostile.server_context(authority, name, not_after)
    return hostile.Server(lambda line: line.answer(LISTING, 'Connection: close'), context)


def fields(server: hostile.Server, chain: Sequence[str]) -> dict[str, object]:
    return {'endpoint': f'https://{server.address}', 'tls-ca-chain': list(chain)}


def assert_refused(server: hostile.Server, chain: Sequence[str]) -> None:
    with (
        stores.opened(fields(server, chain)) as store,
        pytest.raises(errors.StoreRefused, match='is not trusted: set tls-ca-chain with juju co'),
    ):
        list(store.list(''))
    assert server.requests == []


def test_an_s3_server_of_the_ca_chain_is_trusted(authority: trustme.CA):
    chain = [pem(trustme.CA()), pem(authority)]
    with serve(authority) as server, stores.opened(fields(server, chain)) as store:
        assert [list(store.list('')) for _ in range(2)] == [[], []]
        # Each request comes on a connection of its own, for which the chain is read anew.
        assert len(server.lines) == 2


def test_an_s3_server_of_another_ca_is_sent_nothing(authority: trustme.CA):
    with serve(trustme.CA()) as server:
        assert_refused(server, [pem(authority)])


def test_an_s3_server_of_a_private_ca_is_sent_nothing_without_a_chain(authority: trustme.CA):
    with serve(authority) as server:
        assert_refused(server, [])


@pytest.mark.parametrize('name', ['s3.example', '127.0.0.2'])
def test_an_s3_server_of_another_name_is_sent_nothing(authority: trustme.CA, name: str):
    with serve(authority, name) as server:
        assert_refused(server, [pem(authority)])


def test_an_s3_server_whose_certificate_has_expired_is_sent_nothing(authority: trustme.CA):
    with serve(authority, not_after=PAST) as server:
        assert_refused(server, [pem(authority)])


def test_a_chain_that_is_none_trusts_nobody(authority: trustme.CA):
    with serve(authority) as server:
        assert_refused(server, ['no PEM'])


def test_the_ca_chain_is_in_no_folder_and_nobody_elses_to_read(
    authority: trustme.CA, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, 'tempdir', str(tmp_path))
    with serve(authority) as server, stores.opened(fields(server, [pem(authority)])) as store:
        assert store._ca is not None
        file = os.fstat(store._ca.fileno())
        assert (stat.S_IMODE(file.st_mode), file.st_nlink) == (0o600, 0)
        list(store.list(''))
        # So there is nothing to remove, also when the process is killed now.
        assert list(tmp_path.iterdir()) == []
    assert store._ca.closed
