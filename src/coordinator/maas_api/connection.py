"""One request to MAAS: authenticated, with a limit of its time, its failure in our own words.

No text of an answer enters an error: whatever answers there has seen the key, and may repeat it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Generator, Iterator, Mapping

import oauthlib.oauth1

from coordinator import errors, reaching
from coordinator.maas_api import login

CHUNK = 1 << 16
_API = '/api/2.0/'
_EXPLAINING = 4096
"""Bytes of a refusal that are checked."""
_BUSY = (408, 425, 429, 500, 502, 503, 504)
"""What a later request may be spared: MAAS answers 503 itself, and 500 when its database had to
give way to another transaction; proxies answer 502 and 504 while it starts."""


@dataclasses.dataclass(frozen=True)
class Timeouts:
    """How long MAAS is waited for, in seconds."""

    connect: float = 10.0
    """For a connection."""
    silence: float = 60.0
    """For the next bytes of an answer."""
    whole: float = 120.0
    """For a whole answer."""


class NotThere(Exception):
    """MAAS has nothing at this path, or knows no setting of this name."""


class Line:
    """A connection that carries one request after the other. One thread at a time uses it."""

    def __init__(self, endpoint: login.Endpoint):
        self._endpoint = endpoint
        parts = urllib.parse.urlsplit(endpoint.url)
        self._base = parts.path + _API
        self._http = _Http(parts.hostname or '', parts.port, _context(endpoint, parts.scheme))
        self._overdue = threading.Event()

    def close(self) -> None:
        """Hang up."""
        self._http.close()

    @contextlib.contextmanager
    def answer(
        self, path: str, query: Mapping[str, str], timeouts: Timeouts
    ) -> Generator[Iterator[bytes]]:
        """Send a GET request, and lend the answer's chunks.

        Raises:
            MaasUnavailable: there is no answer, or not all of it, or MAAS cannot just now.
            MaasKeyRefused: the key is not valid.
            MaasRefused: the user may not do this, or the certificate is not trusted.
            MaasUnintelligible: this is not MAAS.
            NotThere: the status is 404 or 400.
        """
        self._overdue.clear()
        watchdog = threading.Timer(timeouts.whole, self._hang_up)
        watchdog.daemon = True
        watchdog.start()
        whole = False
        try:
            with contextlib.ExitStack() as stack:
                with self._explaining(timeouts):
                    response = stack.enter_context(self._request(path, query, timeouts))
                    self._in_time()
                    self._judge(response)
                yield self._chunks(response, timeouts)
                whole = response.isclosed()
        finally:
            watchdog.cancel()
            if not whole:
                # What was not read would be taken for the next answer.
                self.close()

    def _request(
        self, path: str, query: Mapping[str, str], timeouts: Timeouts
    ) -> http.client.HTTPResponse:
        where = self._base + path + (f'?{urllib.parse.urlencode(query)}' if query else '')
        self._http.timeout = timeouts.connect
        self._http.open(timeouts.silence)
        # Nothing is packed: a small answer may be unpacked to an enormous one.
        headers = {'Accept': 'application/json', 'Accept-Encoding': 'identity'}
        self._http.request('GET', where, headers=headers | self._authorization(where))
        return self._http.getresponse()

    def _authorization(self, where: str) -> dict[str, str]:
        """Return the header that MAAS takes; the consumer has no secret.

        See `maasserver/api/auth.py`.
        """
        client = oauthlib.oauth1.Client(
            self._endpoint.consumer,
            client_secret='',
            resource_owner_key=self._endpoint.token,
            resource_owner_secret=self._endpoint.secret,
            signature_method=oauthlib.oauth1.SIGNATURE_PLAINTEXT,
        )
        return client.sign(urllib.parse.urljoin(self._endpoint.url, where))[1]

    def _chunks(self, response: http.client.HTTPResponse, timeouts: Timeouts) -> Iterator[bytes]:
        while True:
            with self._explaining(timeouts):
                chunk = response.read1(CHUNK)
                if not chunk:
                    self._in_time()
                    if response.length:
                        raise http.client.IncompleteRead(b'')
            if not chunk:
                return
            yield chunk

    def _judge(self, response: http.client.HTTPResponse) -> None:
        """Raise what an answer other than 200 means."""
        status, url = response.status, self._endpoint.url
        if status == 200:
            return
        if status in (400, 404):
            raise NotThere
        if status in _BUSY:
            raise errors.MaasUnavailable(f'MAAS at {url} answered with status {status}')
        if status == 401:
            raise errors.MaasKeyRefused(self._refusal(response.read(_EXPLAINING)))
        if status == 403:
            raise errors.MaasRefused(
                f'MAAS at {url} does not allow the user of the API key to see this: '
                'give the user more rights, or give the coordinator the key of another user'
            )
        raise errors.MaasUnintelligible(
            f'{url} answered with status {status}, which the API of MAAS never returns: '
            f'set endpoint in the secret of maas-api-key to the URL of MAAS: {login.how()}'
        )

    def _refusal(self, said: bytes) -> str:
        url = self._endpoint.url
        if b'timestamp' in said.lower():
            # OAuth, as MAAS has it, allows for five minutes.
            return (
                f'MAAS at {url} refuses the API key, '
                'because the clocks of this unit and of MAAS are more than 5 min apart: '
                'timedatectl shows whether they are synchronised'
            )
        return (
            f'MAAS at {url} refuses the API key: it was deleted, or belongs to another MAAS. '
            'A restore also returns the keys to the time of the backup. Create a key, then: '
            'juju update-secret <name> api-key#file=<file>'
        )

    @contextlib.contextmanager
    def _explaining(self, timeouts: Timeouts) -> Generator[None]:
        """Turn what the libraries raise into our own errors."""
        url = self._endpoint.url
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise errors.MaasRefused(
                f'the certificate of MAAS at {url} is not trusted ({error.verify_message}): '
                'set ca-cert in the secret of maas-api-key to the CA that has signed it'
            ) from None
        except (OSError, http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            why = self._why(error, timeouts)
            raise errors.MaasUnavailable(f'MAAS at {url} does not answer ({why})') from None
        except (http.client.HTTPException, ValueError) as error:
            if self._overdue.is_set():
                why = self._why(error, timeouts)
                raise errors.MaasUnavailable(f'MAAS at {url} does not answer ({why})') from None
            raise errors.MaasUnintelligible(
                f'the server at {url} does not speak HTTP ({type(error).__name__})'
            ) from None

    def _why(self, error: Exception, timeouts: Timeouts) -> str:
        if self._overdue.is_set():
            return f'the answer took longer than {timeouts.whole:g} s'
        if isinstance(error, TimeoutError):
            return f'no data for {timeouts.silence:g} s'
        if isinstance(error, OSError) and error.strerror:
            return error.strerror
        return type(error).__name__

    def _in_time(self) -> None:
        """Make sure that it is not our own hanging up that looks like the end of an answer."""
        if self._overdue.is_set():
            raise TimeoutError

    def _hang_up(self) -> None:
        """End a request that takes too long, however slowly its answer drips."""
        self._overdue.set()
        self._http.shut()


class _Http(http.client.HTTPConnection):
    """A connection to any address of a host, with TLS or without."""

    def __init__(self, host: str, port: int | None, context: ssl.SSLContext | None):
        self.default_port = http.client.HTTPS_PORT if context else http.client.HTTP_PORT
        super().__init__(host, port)
        self._context = context
        self._wire: socket.socket | None = None

    def connect(self) -> None:
        self.sock = self._wire = reaching.connect(self.host, self.port, self.timeout or 0.0)
        if self._context is not None:
            # Whoever hangs up must find the socket while it still shakes hands.
            self.sock = self._wire = secured = self._context.wrap_socket(
                self.sock, server_hostname=self.host, do_handshake_on_connect=False
            )
            secured.do_handshake()

    def open(self, silence: float) -> None:
        """Connect, unless it is done; `silence` is the longest wait for a byte, in seconds."""
        if not self.sock:
            self.connect()
        self.sock.settimeout(silence)

    def shut(self) -> None:
        """Wake up whoever waits for this connection.

        `sock` may be gone by then, as an answer without a length takes the connection over.
        """
        if self._wire is not None:
            with contextlib.suppress(OSError):
                self._wire.shutdown(socket.SHUT_RDWR)


def _context(endpoint: login.Endpoint, scheme: str) -> ssl.SSLContext | None:
    if scheme != 'https':
        return None
    try:
        return ssl.create_default_context(cadata=endpoint.ca_cert or None)
    except (ssl.SSLError, ValueError):
        raise errors.Lacking(
            'ca-cert in the secret of maas-api-key is not a PEM certificate: '
            'juju update-secret <name> ca-cert#file=<file>'
        ) from None
