"""A TLS connection to one controller address that is sure whom it speaks to."""

from __future__ import annotations

import ssl
import time
import urllib.parse

from coordinator import errors, reaching

SERVER_NAME = 'juju-apiserver'
"""The name in every controller's certificate, whatever address it is reached by."""
DEFAULT_PORT = 17070

CHECK_CA = (
    'If the secret that the option juju-credentials names has `ca-cert` or `endpoints`, '
    'set them to what `juju show-controller` prints, or remove both to use those of this unit'
)


class LimitExceededError(Exception):
    """More came in than was allowed."""


class BoundedSocket(ssl.SSLSocket):
    """Limits the bytes that it reads and the time that it waits.

    The websocket client reads as much as a frame announces, and its timeout is one for each
    read: a peer that sends a byte now and then would hold a dispatch forever.
    """

    _deadline = 0.0
    _left = 0

    def allow(self, seconds: float, size: int) -> None:
        """Allow so much to come in, and so much time for it and for what is sent."""
        self._deadline = time.monotonic() + seconds
        self._left = size

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Read as any socket does, within the bounds."""
        self._keep_deadline()
        data = super().recv(buflen, flags)
        self._left -= len(data)
        if self._left < 0:
            raise LimitExceededError
        return data

    def send(self, data: bytes, flags: int = 0) -> int:  # type: ignore[override]
        """Write as any socket does, within the deadline."""
        self._keep_deadline()
        return super().send(data, flags)

    def _keep_deadline(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError('timed out')
        self.settimeout(left)


def trusting(ca_cert: str) -> ssl.SSLContext:
    """Return a context that trusts certificates of this CA (PEM) alone.

    Not `ssl.create_default_context`: from Python 3.13 on it wants extensions that the CA of an
    older controller lacks, and it writes session keys to a file that the environment names.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = BoundedSocket
    try:
        context.load_verify_locations(cadata=ca_cert)
    except (ssl.SSLError, ValueError) as error:
        raise errors.UntrustedController(
            f'The CA certificate of the controller cannot be read as PEM. {CHECK_CA}.'
        ) from error
    return context


def split(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`, `[ipv6]:port` or a bare host."""
    try:
        parts = urllib.parse.urlsplit(f'//{address}')
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise errors.ConnectionFailed('this is not host:port') from error
    if not host or parts.netloc != address or '@' in address:
        raise errors.ConnectionFailed('this is not host:port')
    return host, port or DEFAULT_PORT


def dial(address: str, context: ssl.SSLContext, timeout: float) -> BoundedSocket:
    """Connect to one address and verify the controller's certificate."""
    host, port = split(address)
    end = time.monotonic() + timeout
    try:
        plain = reaching.connect(host, port, timeout)
    except UnicodeError as error:
        raise errors.ConnectionFailed('this is not a valid host name') from error
    except OSError as error:
        raise errors.ConnectionFailed(_reason(error)) from error
    try:
        plain.settimeout(max(end - time.monotonic(), 0.1))
        # Both SNI and the check of the certificate use this name.
        secure = context.wrap_socket(plain, server_hostname=SERVER_NAME)
    except ssl.SSLCertVerificationError as error:
        raise errors.UntrustedController(error.verify_message) from error
    except OSError as error:
        raise errors.ConnectionFailed(_reason(error)) from error
    finally:
        # Without effect when TLS has taken the connection over.
        plain.close()
    assert isinstance(secure, BoundedSocket)
    return secure


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
