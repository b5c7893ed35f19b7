"""The controller's own certificate authority, and its leaf for `juju-apiserver`."""

from __future__ import annotations

import ssl

import trustme

SERVER_NAME = 'juju-apiserver'
"""The only name in the leaf: a client that verifies the dialled address instead is found out."""


class Authority:
    """A self-signed authority as a Juju controller makes one when it is bootstrapped."""

    def __init__(self) -> None:
        self._ca = trustme.CA(organization_name='juju', organization_unit_name='rehearsal')

    @property
    def ca_pem(self) -> str:
        """The CA certificate: `cacert` in agent.conf, `ca-cert` in the credentials' secret."""
        return self._ca.cert_pem.bytes().decode()

    def server_context(self, server_name: str = SERVER_NAME) -> ssl.SSLContext:
        """Return a context for the controller, with a new leaf for `server_name` alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(server_name).configure_cert(context)
        return context
