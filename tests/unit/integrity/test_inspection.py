"""Objects are read several at a time; each gets a verdict, and a reading can be stopped."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Generator, Iterator, Sequence

import pytest

from coordinator import checksums, errors
from coordinator.integrity import check, inspection, pace, tally
from rehearsal import memory_store

_VERY_LONG = 1_000_000
CONTENT = {f'key-{number}': bytes([number]) * (number << 18) for number in range(8)}


@pytest.fixture
def store() -> memory_store.MemoryStore:
    found = memory_store.MemoryStore(memory_store.MemoryBucket())
    for key, content in CONTENT.items():
        found.put(key, content)
    return found


class Fussy:
    """A check that finds damage in the first chunk, or at the end."""

    def __init__(self, at_once: bool):
        self._at_once = at_once

    def feed(self, chunk: bytes) -> None:
        if self._at_once:
            raise check.Damaged('is fussed about')

    def finish(self) -> str:
        raise check.Damaged('is fussed about at the end')


def sha256(content: bytes) -> checksums.Checksum:
    return checksums.Checksum('SHA256', hashlib.sha256(content).digest(), certain=True)


def described(store: memory_store.MemoryStore) -> list[check.Object]:
    return [check.Object(store, key, len(CONTENT[key]), [sha256(CONTENT[key])]) for key in CONTENT]


def inspect(
    objects: Sequence[check.Object],
    carry_on: Callable[[], bool] = lambda: True,
    which: Sequence[int] | None = None,
    progress: pace.Pace | None = None,
) -> dict[int, inspection.Verdict]:
    return dict(
        inspection.inspect(
            objects,
            range(len(objects)) if which is None else which,
            carry_on,
            progress or pace.Pace(0),
        )
    )


def findings(item: check.Object) -> tuple[str, ...]:
    return inspect([item])[0].findings


def test_every_object_is_read_to_its_end(store: memory_store.MemoryStore):
    total = sum(map(len, CONTENT.values()))
    progress = pace.Pace(total)
    verdicts = inspect(described(store), progress=progress)
    assert [verdicts[index].bytes for index in range(8)] == list(map(len, CONTENT.values()))
    assert [verdict for verdict in verdicts.values() if verdict.findings] == []
    assert (progress.progress.done, progress.progress.total) == (total, total)


def test_only_what_is_asked_for_is_read(store: memory_store.MemoryStore):
    assert set(inspect(described(store), which=[5, 2])) == {2, 5}


def test_an_object_that_is_missing_is_named(store: memory_store.MemoryStore):
    assert findings(check.Object(store, 'absent', 1)) == ('absent is missing',)


def test_an_object_of_another_size_is_named(store: memory_store.MemoryStore):
    assert findings(check.Object(store, 'key-1', 5)) == ('key-1 has 262144 bytes instead of 5',)


def test_content_that_is_not_what_was_recorded_is_named(store: memory_store.MemoryStore):
    item = check.Object(store, 'key-1', 1 << 18, [sha256(b'other')])
    assert findings(item) == ('key-1 has another checksum than the recorded one',)


def test_an_etag_that_may_be_anything_accuses_nobody(store: memory_store.MemoryStore):
    doubtful = checksums.Checksum('MD5', bytes(16))
    assert findings(check.Object(store, 'key-1', 1 << 18, [doubtful])) == ()


@pytest.mark.parametrize(
    ('at_once', 'said'),
    [(True, 'key-7 is fussed about'), (False, 'key-7 is fussed about at the end')],
)
def test_a_damaged_object_is_read_to_its_end_for_its_checksum(
    store: memory_store.MemoryStore, at_once: bool, said: str
):
    item = check.Object(store, 'key-7', 7 << 18, [sha256(b'')], lambda: Fussy(at_once))
    verdict = inspect([item])[0]
    assert verdict.findings == (said, 'key-7 has another checksum than the recorded one')
    assert verdict.bytes == 7 << 18


def test_an_object_that_is_replaced_meanwhile_is_named(store: memory_store.MemoryStore):
    class Changing(memory_store.MemoryStore):
        @contextlib.contextmanager
        def open(self, key: str) -> Generator[Iterator[bytes]]:
            raise errors.UnexpectedAnswer(f'{key} was replaced while it was read')
            yield iter(())

    item = check.Object(Changing(store.bucket), 'key-1', 1)
    assert findings(item) == ('key-1 cannot be read: key-1 was replaced while it was read',)


@pytest.mark.parametrize(
    ('fault', 'kind'),
    [('unavailable', errors.StoreUnavailable), ('refuses_keys', errors.StoreRefused)],
)
def test_what_is_wrong_with_s3_is_no_finding(
    store: memory_store.MemoryStore, fault: str, kind: type[Exception]
):
    setattr(store.bucket, fault, 1)
    with pytest.raises(kind):
        inspect(described(store))


def test_verdicts_before_s3_went_away_stand(store: memory_store.MemoryStore):
    read = inspection.inspect(described(store), range(8), lambda: True, pace.Pace(0), workers=1)
    got = [next(read)]
    store.bucket.unavailable = 10
    with pytest.raises(errors.StoreUnavailable):
        got.extend(read)
    assert [index for index, _ in got] == list(range(len(got)))


@pytest.mark.parametrize('moments', [0, 1, 3, 10, 20])
def test_a_reading_that_was_stopped_is_gone_on_with(store: memory_store.MemoryStore, moments: int):
    objects, lock, asked = described(store), threading.Lock(), [0]

    def carry_on() -> bool:
        with lock:
            asked[0] += 1
            return asked[0] <= moments

    progress = pace.Pace(0)
    kept = tally.Tally('list')
    for index, verdict in inspection.inspect(objects, kept.rest(8), carry_on, progress):
        kept = kept.adding(index, verdict)
    # What was not read to its end is as if it had not been begun.
    assert progress.progress.done == kept.bytes
    assert kept.bytes < sum(map(len, CONTENT.values()))
    for index, verdict in inspection.inspect(objects, kept.rest(8), lambda: True, progress):
        kept = kept.adding(index, verdict)
    assert list(kept.rest(8)) == []
    assert kept.bytes == progress.progress.done == sum(map(len, CONTENT.values()))


def test_a_reading_that_nobody_takes_any_more_ends(store: memory_store.MemoryStore):
    class Long(memory_store.MemoryStore):
        given = 0

        @contextlib.contextmanager
        def open(self, key: str) -> Generator[Iterator[bytes]]:
            yield self._chunks()

        def _chunks(self) -> Iterator[bytes]:
            for self.given in range(_VERY_LONG):
                yield b''

    long = Long(store.bucket)
    objects = [check.Object(long, 'long', 0), *described(store)]
    read = inspection.inspect(objects, range(9), lambda: True, pace.Pace(0))
    index, _ = next(read)
    assert index > 0
    assert isinstance(read, Generator)
    read.close()
    assert long.given < _VERY_LONG - 1
