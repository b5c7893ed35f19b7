"""Chunks come ahead of who takes them, but not far, and not for ever."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Generator, Iterator

import pytest

from coordinator import errors
from coordinator.integrity import reading
from rehearsal import memory_store

PATIENCE = 20.0


class Endless(memory_store.MemoryStore):
    """A store whose objects have no end, or go no further than they are let."""

    def __init__(self) -> None:
        super().__init__(memory_store.MemoryBucket())
        self.given = 0
        self.full = threading.Event()
        """Set when the reader is full again after 100 chunks were taken."""
        self.closed = threading.Event()
        self.let = threading.Semaphore(0)

    @contextlib.contextmanager
    def open(self, key: str) -> Generator[Iterator[bytes]]:
        yield self._chunks()
        self.closed.set()

    def _chunks(self) -> Iterator[bytes]:
        for number in itertools.count():
            self.let.acquire()
            self.given += 1
            if self.given == 100 + reading._AHEAD + 1:
                self.full.set()
            yield bytes([number % 256])


def take(store: memory_store.MemoryStore, key: str = 'key') -> bytes:
    seen: list[bytes] = []
    with reading.Ahead(store, key, seen.append, lambda: True) as chunks:
        taken = b''.join(chunks)
    assert b''.join(seen) == taken
    return taken


def test_an_object_is_read_whole_and_in_order():
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    content = bytes(range(256)) * 50_000
    store.put('key', content)
    assert take(store) == content


def test_an_empty_object_has_no_chunks():
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    store.put('key', b'')
    assert take(store) == b''


def test_what_goes_wrong_with_the_download_is_raised_to_the_reader():
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    with pytest.raises(errors.NotFound):
        take(store, 'absent')
    store.bucket.unavailable = 1
    with pytest.raises(errors.StoreUnavailable):
        take(store)


def test_chunks_that_nobody_looks_at_are_yielded_all_the_same():
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    content = bytes(range(256)) * 50_000
    store.put('key', content)
    with reading.Ahead(store, 'key', None, lambda: True) as chunks:
        assert b''.join(chunks) == content


def test_what_goes_wrong_with_a_look_is_raised_to_the_reader():
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    store.put('key', b'content')

    def fail(chunk: bytes) -> None:
        raise errors.UnexpectedAnswer('no checksum')

    with (
        pytest.raises(errors.UnexpectedAnswer, match='no checksum'),
        reading.Ahead(store, 'key', fail, lambda: True) as chunks,
    ):
        list(chunks)


def test_no_more_than_a_few_chunks_wait():
    store = Endless()
    store.let.release(1000)
    with reading.Ahead(store, 'key', lambda _: None, lambda: True) as chunks:
        taken = list(itertools.islice(chunks, 100))
        assert taken == [bytes([number]) for number in range(100)]
        # Those that wait, and the one that finds no room among them.
        assert store.full.wait(PATIENCE)
    assert store.closed.wait(PATIENCE)
    assert store.given == 100 + reading._AHEAD + 1


def test_a_reading_is_stopped_while_s3_gives_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, '_PATIENCE', 0.01)
    store = Endless()
    store.let.release(1)
    asked = itertools.count()
    with (
        reading.Ahead(store, 'key', lambda _: None, lambda: next(asked) < 5) as chunks,
        pytest.raises(reading.Stopped),
    ):
        list(chunks)
    # The download ends as soon as S3 gives anything.
    store.let.release(100)
    assert store.closed.wait(PATIENCE)
    assert store.given < 100
