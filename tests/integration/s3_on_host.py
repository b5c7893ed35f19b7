"""An S3 server on this machine, for the machines of a Juju model."""

from __future__ import annotations

import socket
from typing import Self

import boto3
from moto.server import ThreadedMotoServer

from coordinator import s3

BUCKETS = {'maas': 'maas-backups', 'postgresql': 'postgresql-backups'}
KEYS = {'access-key': 'integration', 'secret-key': 'integration-secret'}
_REGION = 'us-east-1'
_SOMEWHERE = ('192.0.2.1', 9)
"""An address that is nobody's: a route to it leads out of this machine."""


class S3OnHost:
    """Serves both buckets. As a context manager it runs within."""

    def __init__(self, address: str | None = None):
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
        for bucket in BUCKETS.values():
            client.create_bucket(Bucket=bucket)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.stop()

    def options(self, name: str) -> dict[str, str]:
        """Return the options of the s3-integrator that leads to a bucket."""
        _, port = self._server.get_host_and_port()
        return {
            'endpoint': f'http://{self._address}:{port}',
            'bucket': BUCKETS[name],
            'region': _REGION,
            'path': name,
            's3-uri-style': 'path',
        }

    def store(self, name: str) -> s3.S3Store:
        """Return what lies in a bucket, below its integrator's path."""
        return s3.S3Store(self._connection(name))

    def _connection(self, name: str) -> s3.Connection:
        return s3.Connection.from_relation('s3-integrator', self.options(name) | KEYS)


def _own_address() -> str:
    """Return the address of this machine on the network that it reaches others by."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(_SOMEWHERE)
        return str(probe.getsockname()[0])
