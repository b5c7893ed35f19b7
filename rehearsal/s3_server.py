"""An S3 server in a process of its own: moto's, behind a gate that can refuse and break off.

`python -m rehearsal.s3_server` serves until it is told to end; `S3Server` is the handle for
those who start one. Objects live in the process's memory: they outlast everything else of a
rehearsal, and with a journal the server as well.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import logging
import os
import pathlib
import select
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import urllib.request
from typing import Any, Self

from rehearsal import s3_gate, s3_journal, s3_listing, tls

_ROOT = pathlib.Path(__file__).resolve().parents[1]
REGION = 'us-east-1'
START_LIMIT = 120.0
"""Seconds: Python may need long to import moto on a machine that has much to do."""
_ADDRESS = '127.0.0.1'
_NAME = 'localhost'
"""In the certificate: pgBackRest compares no addresses."""
_FAREWELL_SECONDS = 1.0


class S3Server:
    """A server on a free loopback port. As a context manager it runs within.

    With a journal, a file that is made when it is not there, the objects outlast the process.
    With `secure` it is reached over TLS alone, with the certificate of a site's own authority.
    """

    def __init__(self, journal: pathlib.Path | None = None, *, secure: bool = False) -> None:
        self._journal = journal
        self._authority = tls.Authority('site') if secure else None
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        if self._authority is None:
            return f'http://{_ADDRESS}:{self._port}'
        return f'https://{_NAME}:{self._port}'

    def connection(
        self, bucket: str, path: str = '', keys: tuple[str, str] = s3_gate.WRITER
    ) -> dict[str, str]:
        """Return the fields of an s3 relation that lead to a bucket of this server."""
        fields = {
            'endpoint': self.endpoint,
            'bucket': bucket,
            'region': REGION,
            'path': path,
            's3-uri-style': 'path',
            'access-key': keys[0],
            'secret-key': keys[1],
        }
        if self._authority is not None:
            fields['tls-ca-chain'] = self._authority.ca_pem
        return fields

    def start(self) -> None:
        """Start the process and wait until it answers; a second start takes the same port.

        Raises:
            TimeoutError: it does not answer.
        """
        with tempfile.NamedTemporaryFile('w', suffix='.pem') as leaf:
            if self._authority is not None:
                leaf.write(self._authority.leaf_pem(_NAME))
                leaf.flush()
            self._process = process = subprocess.Popen(
                [*self._command(), *self._certificate(leaf.name)],
                # The process ends when this pipe closes: also when whoever started it was killed.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=os.environ | {'PYTHONPATH': f'{_ROOT / "src"}{os.pathsep}{_ROOT}'},
            )
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], START_LIMIT)
            line = process.stdout.readline() if ready else b''
        if not line:
            self.stop()
            raise TimeoutError(f'the S3 server did not start within {START_LIMIT:.0f} s')
        self._port = int(line)

    def _command(self) -> list[str]:
        command = [sys.executable, '-m', 'rehearsal.s3_server', '--guarded']
        command += ['--port', str(self._port)]
        return command if self._journal is None else [*command, '--journal', str(self._journal)]

    def _certificate(self, leaf: str) -> list[str]:
        return [] if self._authority is None else ['--certificate', leaf]

    def stop(self) -> None:
        """Kill the process; without a journal its objects are gone."""
        if self._process is None:
            return
        self._process.kill()
        self._process.communicate()
        self._process = None

    def restart(self) -> None:
        """Stop, and start on the same port; without a journal there are no buckets then."""
        self.stop()
        self.start()

    def create_bucket(self, name: str) -> None:
        """Make a bucket; one that is there already is no error."""
        self._request('PUT', f'/{name}')

    def fault(self, kind: str, count: int = 1, method: str = '', prefix: str = '/') -> None:
        """Make the next `count` requests of a method, to paths that begin so, go wrong.

        A path is `/<bucket>/<key>`; kinds are those of `s3_gate.KINDS`.
        """
        if kind not in s3_gate.KINDS:
            raise ValueError(f'no fault {kind!r}; there are {", ".join(s3_gate.KINDS)}')
        rules = [*self.rules, s3_gate.Rule(kind, count, method, prefix)]
        body = json.dumps([dataclasses.asdict(rule) for rule in rules])
        self._request('PUT', s3_gate.CONTROL, body.encode())

    @property
    def running(self) -> bool:
        """Whether it was started, and not stopped since."""
        return self._process is not None

    @property
    def rules(self) -> list[s3_gate.Rule]:
        """The faults that were set; each counts down to 0, and a process that ends forgets it."""
        return [s3_gate.Rule(**rule) for rule in self._state()['rules']]

    def clear_faults(self) -> None:
        """Let everything go well again."""
        self._request('PUT', s3_gate.CONTROL, b'[]')

    @property
    def requests(self) -> collections.Counter[str]:
        """How many requests have come so far, by method."""
        return collections.Counter(self._state()['requests'])

    def _state(self) -> dict[str, Any]:
        return json.loads(self._request('GET', s3_gate.CONTROL))

    def _request(self, method: str, path: str, body: bytes | None = None) -> bytes:
        credential = f'Credential={s3_gate.WRITER[0]}/20260101/{REGION}/s3/aws4_request'
        request = urllib.request.Request(
            self.endpoint + path,
            data=body,
            method=method,
            headers={'Authorization': f'AWS4-HMAC-SHA256 {credential}, Signature=0'},
        )
        # Whatever proxy the environment names does not lead to this machine.
        handlers: list[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
        if self._authority is not None:
            trusted = ssl.create_default_context(cadata=self._authority.ca_pem)
            handlers.append(urllib.request.HTTPSHandler(context=trusted))
        opener = urllib.request.build_opener(*handlers)
        with opener.open(request, timeout=START_LIMIT) as answer:
            return answer.read()


def serve(
    port: int,
    guarded: bool,
    journal: pathlib.Path | None = None,
    certificate: pathlib.Path | None = None,
) -> None:
    """Serve until the process is ended; print the port when requests are answered.

    Guarded: end when standard input closes. With a journal, begin with what it holds. With a
    certificate, a file that holds its key too, serve over TLS.
    """
    # moto takes a second to import: only this process needs it.
    import moto.moto_server.werkzeug_app as moto_app
    import werkzeug.serving

    class Quiet(werkzeug.serving.WSGIRequestHandler):
        protocol_version = 'HTTP/1.1'
        # Headers and body go out apart: the body would wait until the headers are acknowledged.
        disable_nagle_algorithm = True

        def log(self, type: str, message: str, *args: Any) -> None:
            """Say nothing of requests."""

    class Server(werkzeug.serving.ThreadedWSGIServer):
        # Many small requests come on new connections at once.
        request_queue_size = 128

        def shutdown_request(self, request: Any) -> None:
            """Close a connection; over TLS only after a word of farewell.

            Without it an answer that ends with the connection looks cut off, and pgBackRest
            refuses it.
            """
            if isinstance(request, ssl.SSLSocket):
                # Whoever is gone already hears nothing.
                with contextlib.suppress(OSError, ValueError):
                    request.settimeout(_FAREWELL_SECONDS)
                    request.unwrap()
            super().shutdown_request(request)

    logging.basicConfig(level=logging.ERROR)
    application: Any = s3_listing.Listing(moto_app.create_backend_app('s3'))
    gate = s3_gate.Gate(s3_journal.Journal(application, journal) if journal else application)
    # Of the addresses that a name has, pgBackRest tries the first alone.
    address = _ADDRESS if certificate is None else socket.getaddrinfo(_NAME, None)[0][4][0]
    server = Server(str(address), port, gate, Quiet)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.ssl_context = context
        # Hands are shaken in each connection's own thread: nobody holds up the others.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    if guarded:
        threading.Thread(target=_end_with_stdin, daemon=True).start()
    print(server.server_port, flush=True)
    server.serve_forever()


def _end_with_stdin() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Run the server from the command line."""
    parser = argparse.ArgumentParser(prog='python -m rehearsal.s3_server', description=__doc__)
    parser.add_argument('--port', type=int, default=0, help='port to serve on; 0 takes a free one')
    parser.add_argument('--guarded', action='store_true', help='end when standard input closes')
    parser.add_argument('--journal', type=pathlib.Path, help='file that keeps the objects')
    parser.add_argument('--certificate', type=pathlib.Path, help='file for TLS, with its key')
    arguments = parser.parse_args()
    serve(arguments.port, arguments.guarded, arguments.journal, arguments.certificate)


if __name__ == '__main__':
    main()
