"""Reads objects whole, several at a time, and says of each what is wrong with it."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence

from coordinator import errors, plain
from coordinator.integrity import check, comparison, pace, reading

_LONGEST = 240
"""Bytes of a finding: a few of them are kept in the record of an operation."""
WORKERS = 4
"""Objects that are read at a time: large ones fill two cores, small ones wait for answers."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What reading one object has shown."""

    key: str
    bytes: int
    """How many were read."""
    contents: str = ''
    """What was in it, such as `12 files`."""
    findings: tuple[str, ...] = ()
    """What is wrong with it, in sentences; empty if nothing is."""
    sha256: str = ''
    """Of what was read, if that was asked for."""


def inspect(
    objects: Sequence[check.Object],
    which: Iterable[int],
    carry_on: Callable[[], bool],
    progress: pace.Pace,
    workers: int = WORKERS,
) -> Iterator[tuple[int, Verdict]]:
    """Read objects and yield a verdict on each as soon as there is one.

    Args:
        objects: what there is to read.
        which: indices of those that are read, in the order in which they are begun.
        carry_on: asked every moment, by several threads; once it says no, the iteration ends, and
            whatever was not read to its end is as if it had not been begun.
        progress: told of every byte.
        workers: how many are read at a time.

    Raises:
        StoreUnavailable: S3 does not answer, for longer than is bearable. Verdicts that were
            yielded before stand.
        StoreRefused: S3 refuses to be read.
    """
    ended = threading.Event()
    waiting = iter(which)
    running: dict[concurrent.futures.Future[Verdict], int] = {}

    def going() -> bool:
        return carry_on() and not ended.is_set()

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        try:
            while True:
                while len(running) < workers and going():
                    if (index := next(waiting, None)) is None:
                        break
                    running[pool.submit(read, objects[index], going, progress)] = index
                if not running:
                    return
                yield from _ended(running)
        finally:
            ended.set()


def _ended(
    running: dict[concurrent.futures.Future[Verdict], int],
) -> Iterator[tuple[int, Verdict]]:
    """Wait until some are read, and yield their verdicts before any failure is raised."""
    done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
    failures: list[BaseException] = []
    for future in done:
        index = running.pop(future)
        failure = future.exception()
        if failure is None:
            yield index, future.result()
        elif not isinstance(failure, reading.Stopped):
            failures.append(failure)
    if failures:
        raise failures[0]


def read(item: check.Object, carry_on: Callable[[], bool], progress: pace.Pace) -> Verdict:
    """Read one object to its end; once more if it seems damaged, as an answer may be garbled.

    Raises:
        Stopped: it was not to be carried on.
        StoreUnavailable: S3 does not answer.
        StoreRefused: S3 refuses to be read.
    """
    verdict = _read_once(item, carry_on, progress)
    if not verdict.findings:
        return verdict
    progress.add(-verdict.bytes)
    return _read_once(item, carry_on, progress)


def _read_once(item: check.Object, carry_on: Callable[[], bool], progress: pace.Pace) -> Verdict:
    """Read one object to its end, even when it is known to be damaged."""
    compared = comparison.Comparison(item.expected, item.size, digest=item.digest)
    looked_at = _Look(item.check())
    count = 0
    try:
        seen = compared.update if item.expected else None
        with reading.Ahead(item.store, item.key, seen, carry_on) as chunks:
            for chunk in chunks:
                count += len(chunk)
                progress.add(len(chunk))
                looked_at.feed(chunk)
        looked_at.finish()
    except errors.NotFound:
        return _verdict(item, count, '', ['is missing'])
    except errors.UnexpectedAnswer as error:
        return _verdict(item, count, '', [f'cannot be read: {error}'])
    except (reading.Stopped, errors.CoordinatorError):
        progress.add(-count)
        raise
    wrong = [looked_at.damage] if looked_at.damage else []
    if count != item.size:
        wrong.append(f'has {count} bytes instead of {item.size}')
    elif compared.outcome() is comparison.Likeness.DIFFERENT:
        wrong.append('has another checksum than the recorded one')
    verdict = _verdict(item, count, looked_at.contents, wrong)
    return dataclasses.replace(verdict, sha256=compared.sha256)


def _verdict(item: check.Object, count: int, contents: str, wrong: Sequence[str]) -> Verdict:
    findings = tuple(plain.one_line(f'{item.key} {what}', _LONGEST) for what in wrong)
    return Verdict(item.key, count, contents, findings)


class _Look:
    """A check, until it has found damage: then the rest is read for the checksums only."""

    def __init__(self, content: check.Check):
        self._check = content
        self.contents = ''
        self.damage = ''

    def feed(self, chunk: bytes) -> None:
        if not self.damage:
            try:
                self._check.feed(chunk)
            except check.Damaged as error:
                self.damage = str(error)

    def finish(self) -> None:
        if not self.damage:
            try:
                self.contents = self._check.finish()
            except check.Damaged as error:
                self.damage = str(error)
