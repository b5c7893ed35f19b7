"""What `make bench` weighs: the beats of a backup and of a restore, and the bytes of a server."""

from __future__ import annotations

import http.client
import http.server
import threading
import urllib.parse

import pytest

from tests.bench import beats, meter


def test_beats_are_weighed_for_each_step_that_waits_long():
    few, more = beats.weigh('3.6.26', 10), beats.weigh('3.6.26', 20)
    for step in beats._STEPS:
        assert few[step].beats > 10
        assert few[step].requests >= few[step].beats
        assert few[step].requests == more[step].requests
        # With Juju 3.6 it is no matter who else is in the model; only ids grow longer.
        assert more[step].bytes == pytest.approx(few[step].bytes, rel=0.01)
    # Of three beats, two ask for the task alone and one for PostgreSQL's units as well.
    assert few['back-up-postgresql'].bytes / few['back-up-postgresql'].beats < 2048


class _Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.wfile.write(b'HTTP/1.0 200 OK\r\n\r\nhello')

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of requests."""


def test_a_meter_counts_what_a_server_answers_with():
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), _Hello) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        with meter.Meter(f'http://127.0.0.1:{server.server_address[1]}') as counted:
            client = http.client.HTTPConnection(urllib.parse.urlsplit(counted.endpoint).netloc)
            client.request('GET', '/')
            assert client.getresponse().read() == b'hello'
            client.close()
            assert counted.bytes == len('HTTP/1.0 200 OK\r\n\r\nhello')
        server.shutdown()
        thread.join()
