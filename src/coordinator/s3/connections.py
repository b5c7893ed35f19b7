"""Connections to S3 that use the first address of a host name that answers.

urllib3 alone tries one address after the other, each for the whole timeout.
"""

from __future__ import annotations

import socket
from typing import Any

import botocore.awsrequest
import urllib3.exceptions

from coordinator import reaching


def _reached(connection: Any) -> socket.socket:
    """Return the socket of a new connection; raises what urllib3 does."""
    host, seconds = connection._dns_host.strip('[]'), connection.timeout
    try:
        return reaching.connect(host, connection.port, seconds, connection.socket_options or ())
    except socket.gaierror as error:
        raise urllib3.exceptions.NameResolutionError(host, connection, error) from error
    except TimeoutError as error:
        why = f'no address of {host} answered in {seconds} s'
        raise urllib3.exceptions.ConnectTimeoutError(connection, why) from error
    except OSError as error:
        raise urllib3.exceptions.NewConnectionError(connection, str(error)) from error


class _Plain(botocore.awsrequest.AWSHTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _reached(self)


class _Secure(botocore.awsrequest.AWSHTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _reached(self)


class _PlainPool(botocore.awsrequest.AWSHTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(botocore.awsrequest.AWSHTTPSConnectionPool):
    ConnectionCls = _Secure


POOLS = {'http': _PlainPool, 'https': _SecurePool}
"""By scheme, as botocore's session keeps them."""
