"""Serves the metrics of one unit: a separate program, for which systemd listens on loopback.

It reads the note that dispatches leave whenever somebody scrapes, and asks nobody else. After ten
minutes without a scrape it ends: systemd goes on listening, and starts it again when it is needed.
"""

from __future__ import annotations

import pathlib
import socket
import sys
import time
import wsgiref.simple_server
from collections.abc import Iterator, Sequence

import prometheus_client
from prometheus_client import core, registry

from coordinator.observed import metrics, note

_LISTENING = 3
"""The file descriptor of the socket that systemd listens on: see sd_listen_fds(3)."""
_IDLE = 600.0
"""Seconds without a scrape after which it ends."""
_PATIENCE = 10.0
"""Seconds that a client may take for its request: there is one at a time."""
_FAMILIES = {'gauge': core.GaugeMetricFamily, 'counter': core.CounterMetricFamily}


class Collector(registry.Collector):
    """Reads the note anew for each scrape."""

    def __init__(self, path: pathlib.Path):
        self._path = path

    def collect(self) -> Iterator[core.Metric]:
        """Yield every metric that there is something to say of.

        Raises:
            OSError, ValueError: there is no note that can be read. The scrape fails, and so an
                alert says that nothing is known.
        """
        found, now = note.Note.from_json(self._path.read_text()), time.time()
        for metric in metrics.METRICS:
            family = _FAMILIES[metric.kind](
                metrics.PREFIX + metric.name, metric.help, labels=metric.labels
            )
            for labels, value in metric.samples(found, now):
                family.add_metric(labels, value)
            if family.samples:
                yield family


class _Handler(wsgiref.simple_server.WSGIRequestHandler):
    timeout = _PATIENCE

    def log_message(self, format: str, *args: object) -> None:
        """Keep each scrape out of the journal."""


class _Server(wsgiref.simple_server.WSGIServer):
    """Serves until nobody has asked for a while."""

    idle = False

    def __init__(self, listening: socket.socket, seconds: float):
        super().__init__(('127.0.0.1', 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.server_name, self.server_port = listening.getsockname()[:2]
        self.setup_environ()
        self.timeout = seconds

    def handle_timeout(self) -> None:
        self.idle = True


def serve(path: pathlib.Path, listening: socket.socket, seconds: float = _IDLE) -> None:
    """Serve the metrics of a note until nobody asks for them any more.

    Args:
        path: the note.
        listening: a socket that listens.
        seconds: without a request, after which it ends.
    """
    collected = registry.CollectorRegistry(auto_describe=False)
    collected.register(Collector(path))
    with _Server(listening, seconds) as server:
        server.set_app(prometheus_client.make_wsgi_app(collected))
        while not server.idle:
            server.handle_request()


def main(arguments: Sequence[str]) -> None:
    """Serve the metrics of the note that is named, on the socket that systemd has opened."""
    (path,) = arguments
    serve(pathlib.Path(path), socket.socket(fileno=_LISTENING))


if __name__ == '__main__':
    main(sys.argv[1:])
