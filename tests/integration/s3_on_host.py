"""An S3 server on this machine, for the machines of a Juju model."""

from __future__ import annotations

import secrets
import socket
from typing import Self

import boto3
from moto.server import ThreadedMotoServer

from coordinator.s3 import object_store

KEYS = {'access-key': 'integration', 'secret-key': 'integration-secret'}
_REGION = 'us-east-1'
_SOMEWHERE = ('192.0.2.1', 9)
"""An address that is nobody's: a route to it leads out of this machine."""


class S3OnHost:
    """Serves both buckets. As a context manager it runs within.

    All servers of a process have the same objects, so each has buckets with names of its own.
    """

    def __init__(self, address: str | None = None):
        number = secrets.token_hex(4)
        self._buckets = {name: f'{name}-backups-{number}' for name in ('maas', 'postgresql')}
        self._address = address or _own_address()
        self._server = ThreadedMotoServer(ip_address='0.0.0.0', port=0, verbose=False)

    def __enter__(self) -> Self:
        self._server.start()
        client = boto3.client(
            's3',
            endpoint_url=self.options('maas')['endpoint'],
            region_name=_REGION,
            aws_access_key_id=KEYS['access-key'],
            aws_secret_access_key=KEYS['secret-key'],
        )
        for bucket in self._buckets.values():
            client.create_bucket(Bucket=bucket)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.stop()

    def options(self, name: str) -> dict[str, str]:
        """Return the options of the s3-integrator that leads to a bucket."""
        _, port = self._server.get_host_and_port()
        return {
            'endpoint': f'http://{self._address}:{port}',
            'bucket': self._buckets[name],
            'region': _REGION,
            'path': name,
            's3-uri-style': 'path',
        }

    def store(self, name: str) -> object_store.S3Store:
        """Return what lies in a bucket, below its integrator's path."""
        return object_store.S3Store(self._connection(name))

    def _connection(self, name: str) -> object_store.Connection:
        return object_store.Connection.from_relation('s3-integrator', self.options(name) | KEYS)


def _own_address() -> str:
    """Return the address of this machine on the network that it reaches others by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_SOMEWHERE)
        return str(probe.getsockname()[0])
