"""A rehearsal's certificate authorities: the controller's own, and a site's private one for S3."""

from __future__ import annotations

import ssl

import trustme

SERVER_NAME = 'juju-apiserver'
"""The only name in the leaf: a client that verifies the dialled address instead is found out."""


class Authority:
    """A self-signed authority as a Juju controller makes one when it is bootstrapped."""

    def __init__(self, organization: str = 'juju') -> None:
        self._ca = trustme.CA(organization_name=organization, organization_unit_name='rehearsal')

    @property
    def ca_pem(self) -> str:
        """The CA certificate: `cacert` in agent.conf, `ca-cert` in the credentials' secret."""
        return self._ca.cert_pem.bytes().decode()

    def server_context(self, server_name: str = SERVER_NAME) -> ssl.SSLContext:
        """Return a context for the controller, with a new leaf for `server_name` alone."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(server_name).configure_cert(context)
        return context

    def leaf_pem(self, name: str) -> str:
        """Return a new leaf for a name, with its key, for a server in another process."""
        return self._ca.issue_cert(name).private_key_and_cert_chain_pem.bytes().decode()
