"""An object's chunks, downloaded and looked at by threads of their own, a bounded way ahead."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator

from coordinator import ports

_AHEAD = 8
"""Chunks that were downloaded and not taken yet."""
_PATIENCE = 0.5
"""Seconds between two looks at whether to carry on, while S3 gives nothing."""


class Stopped(Exception):
    """The reading was stopped on request: nothing is known of the rest."""


class Ahead:
    """Yields the chunks of an object; as a context manager it reads within."""

    def __init__(
        self,
        store: ports.ObjectStore,
        key: str,
        seen: Callable[[bytes], None] | None,
        carry_on: Callable[[], bool],
    ):
        """Begin nothing yet.

        Args:
            store: has the object.
            key: names it.
            seen: takes each chunk too, in a separate thread: beside the download, and beside
                what is done with the chunks that are yielded.
            carry_on: whether to go on; asked at least every `_PATIENCE` seconds.
        """
        self._store = store
        self._key = key
        self._seen = seen
        self._carry_on = carry_on
        self._room = threading.Semaphore(_AHEAD)
        self._downloaded: queue.SimpleQueue[bytes | Exception | None] = queue.SimpleQueue()
        # Without anybody to see them, chunks are yielded as they come.
        self._chunks = self._downloaded if seen is None else type(self._downloaded)()
        self._left = False

    def __enter__(self) -> Iterator[bytes]:
        # Nobody waits for an answer of S3 that is late, once the reading was stopped.
        threading.Thread(target=self._download, daemon=True).start()
        if self._seen is not None:
            threading.Thread(target=self._look, args=[self._seen], daemon=True).start()
        return self._taken()

    def __exit__(self, *exc_info: object) -> None:
        self._left = True
        self._room.release()

    def _taken(self) -> Iterator[bytes]:
        while (chunk := self._next()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            self._room.release()
            yield chunk

    def _next(self) -> bytes | Exception | None:
        while self._carry_on():
            with contextlib.suppress(queue.Empty):
                return self._chunks.get(timeout=_PATIENCE)
        raise Stopped

    def _download(self) -> None:
        end: Exception | None = None
        try:
            with self._store.open(self._key) as chunks:
                for chunk in chunks:
                    self._room.acquire()
                    if self._left:
                        break
                    self._downloaded.put(chunk)
        except Exception as error:
            end = error
        self._downloaded.put(end)

    def _look(self, seen: Callable[[bytes], None]) -> None:
        try:
            while isinstance(chunk := self._downloaded.get(), bytes):
                seen(chunk)
                self._chunks.put(chunk)
            self._chunks.put(chunk)
        except Exception as error:
            self._chunks.put(error)
