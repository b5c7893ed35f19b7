"""The port `Maas` over HTTP."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import json
import logging
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self, TypeVar

from coordinator import errors, repeating
from coordinator.maas_api import answers, connection, items, login
from coordinator.ports import maas_port

logger = logging.getLogger(__name__)

LONGEST = 1 << 20
"""Bytes of an answer that is no list. An image with all its files has some 10 KiB."""
_TRYING_SECONDS = 30
_TOGETHER = 4
"""Requests at the same time: every image is one, and so is every setting."""
MOST_IMAGES = 10_000
WHOLE_SECONDS = 240.0
"""For all requests of one client, which lives as long as a dispatch: meanwhile no other hook or
action of this unit runs."""
_ALL_MACHINES = connection.Timeouts(silence=WHOLE_SECONDS, whole=WHOLE_SECONDS)
"""MAAS renders all machines before it sends the first byte, and has no pages
(`maasserver/api/machines.py`)."""
_T = TypeVar('_T')
_Item = TypeVar('_Item')


class MaasApi:
    """The MAAS at one endpoint, for one key. Safe for one thread."""

    def __init__(
        self,
        endpoint: login.Endpoint,
        timeouts: connection.Timeouts | None = None,
        machines: connection.Timeouts = _ALL_MACHINES,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._endpoint = endpoint
        self._clock = clock
        self._end = clock() + WHOLE_SECONDS
        self._timeouts = timeouts or connection.Timeouts()
        self._machines = machines
        self._lines = _Lines(endpoint)
        self._retrying = repeating.policy(errors.MaasUnavailable, _TRYING_SECONDS, logger, sleep)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next request opens another."""
        self._lines.close()

    @property
    def endpoint(self) -> str:
        return self._endpoint.url

    def version(self) -> str:
        return self._one('version/', answers.version)

    def whoami(self) -> maas_port.User:
        return self._one('users/', lambda raw: answers.user(answers.checked(raw)), op='whoami')

    def boot_resources(self) -> Iterator[maas_port.BootResource]:
        # They are all kept until each image was asked for.
        ids = list(self._list('boot-resources/', answers.resource_id, most=MOST_IMAGES))
        found = self._together(self._resource, ids)
        return (each for each in found if each is not None)

    def machines(self) -> Iterator[maas_port.Machine]:
        return self._list('machines/', answers.machine, self._machines)

    def controllers(self) -> Iterator[maas_port.Controller]:
        return self._list('regioncontrollers/', answers.controller)

    def fabrics(self) -> Iterator[maas_port.Fabric]:
        return self._list('fabrics/', answers.fabric)

    def subnets(self) -> Iterator[maas_port.Subnet]:
        return self._list('subnets/', answers.subnet)

    def users(self) -> Iterator[maas_port.User]:
        return self._list('users/', answers.user)

    def tags(self) -> Iterator[maas_port.Tag]:
        return self._list('tags/', answers.tag)

    def pools(self) -> Iterator[maas_port.Pool]:
        return self._list('resourcepools/', answers.pool)

    def settings(self, names: Sequence[str] = maas_port.SETTINGS) -> Mapping[str, str]:
        found = zip(names, self._together(self._setting, names), strict=True)
        return {name: value for name, value in found if value is not None}

    # --- Several requests ----------------------------------------------------------------------

    def _resource(self, number: int) -> maas_port.BootResource | None:
        """Return an image; None if it was deleted since it was listed."""
        try:
            return self._look(
                f'boot-resources/{number}/', lambda raw: answers.resource(answers.checked(raw)), {}
            )
        except connection.NotThere:
            return None

    def _setting(self, name: str) -> str | None:
        """Return a setting as JSON; None if this MAAS has none of this name."""
        query = {'op': 'get_config', 'name': name}
        try:
            return self._look('maas/', lambda raw: json.dumps(raw, sort_keys=True), query)
        except connection.NotThere:
            return None

    def _together(self, ask: Callable[[_Item], _T], about: Sequence[_Item]) -> Iterator[_T]:
        """Yield the answers in the order of the questions, some of which are asked at once."""
        with concurrent.futures.ThreadPoolExecutor(_TOGETHER) as pool:
            left = iter(about)
            asked = [pool.submit(ask, each) for each in itertools.islice(left, _TOGETHER)]
            try:
                while asked:
                    yield asked.pop(0).result()
                    asked += [pool.submit(ask, each) for each in itertools.islice(left, 1)]
            finally:
                for future in asked:
                    future.cancel()

    # --- One request ---------------------------------------------------------------------------

    def _one(self, path: str, read: Callable[[Any], _T], **query: str) -> _T:
        with self._expecting(path):
            return self._look(path, read, query)

    def _look(self, path: str, read: Callable[[Any], _T], query: Mapping[str, str]) -> _T:
        """Return a small answer, read.

        Raises:
            NotThere: the status is 404 or 400.
        """

        def look() -> _T:
            with (
                self._reading(path),
                self._lines.lent() as line,
                line.answer(path, query, self._in_time(self._timeouts)) as chunks,
            ):
                return read(items.whole(chunks, LONGEST))

        return self._retrying(look)

    def _list(
        self,
        path: str,
        read: Callable[[answers.Raw], _T],
        timeouts: connection.Timeouts | None = None,
        most: int = items.MOST,
    ) -> Iterator[_T]:
        """Yield a list's items; only what comes before the first one is tried again."""
        first: list[_T] = []
        opened = contextlib.ExitStack()

        def begin() -> Iterator[_T]:
            opened.close()
            first.clear()
            with self._reading(path), contextlib.ExitStack() as stack:
                line = stack.enter_context(self._lines.lent())
                allowed = self._in_time(timeouts or self._timeouts)
                chunks = stack.enter_context(line.answer(path, {}, allowed))
                found = map(read, items.each(chunks, most))
                first.extend(itertools.islice(found, 1))
                opened.push(stack.pop_all())
                return found

        with self._expecting(path), opened:
            rest = self._retrying(begin)
            yield from first
            with self._reading(path):
                yield from rest

    def _in_time(self, timeouts: connection.Timeouts) -> connection.Timeouts:
        """Return timeouts that end no later than everything must.

        Raises:
            MaasUnavailable: the time is over.
        """
        left = round(self._end - self._clock(), 1)
        if left <= 0:
            raise errors.MaasUnavailable(
                f'MAAS at {self.endpoint} took more than {WHOLE_SECONDS / 60:g} '
                'min to answer everything'
            )
        return connection.Timeouts(
            min(timeouts.connect, left), min(timeouts.silence, left), min(timeouts.whole, left)
        )

    @contextlib.contextmanager
    def _expecting(self, path: str) -> Generator[None]:
        """Take what every MAAS has for something that is no MAAS, if it is not there."""
        try:
            yield
        except connection.NotThere:
            raise errors.MaasUnintelligible(
                f'{self._endpoint.url} has no {path} of the API 2.0: '
                'set endpoint in the secret of maas-api-key to the URL of MAAS, '
                'such as http://10.0.0.1:5240/MAAS'
            ) from None

    @contextlib.contextmanager
    def _reading(self, path: str) -> Generator[None]:
        try:
            yield
        except items.Malformed as error:
            raise errors.MaasUnintelligible(
                f'the answer of {self._endpoint.url} to {path} is not that of MAAS ({error}): '
                'if this server is not MAAS, set endpoint in the secret of maas-api-key'
            ) from None


class _Lines:
    """The connections that carry nothing just now."""

    def __init__(self, endpoint: login.Endpoint):
        self._endpoint = endpoint
        self._idle: list[connection.Line] = []
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def lent(self) -> Generator[connection.Line]:
        """Lend a connection."""
        with self._lock:
            line = self._idle.pop() if self._idle else connection.Line(self._endpoint)
        try:
            yield line
        finally:
            with self._lock:
                self._idle.append(line)

    def close(self) -> None:
        """Close them all."""
        with self._lock:
            lines: Iterable[connection.Line] = self._idle
            self._idle = []
        for line in lines:
            line.close()
