"""A site, and the operations that it gets."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import pathlib
import shutil
import tempfile
import time
from collections.abc import Generator, Sequence

from coordinator.engine import operation
from rehearsal import embedded, s3_server
from tests.chaos import operator, schedule
from tests.embedded import charmed_maas


@dataclasses.dataclass(frozen=True)
class Orders:
    """What one site is to do."""

    site: str
    operations: tuple[schedule.Operation, ...]
    until: float
    """No operation begins later, by the monotonic clock of the machine."""


@contextlib.contextmanager
def deployed(layout: embedded.Layout, root: pathlib.Path) -> Generator[charmed_maas.CharmedMaas]:
    """Deploy a site whose S3 outlives its process."""
    maas = charmed_maas.CharmedMaas(root, layout)
    maas.running.s3 = s3_server.S3Server(root / 's3-journal')
    maas.running.maas.restore = maas.running.postgresql.restore = 1.0
    with maas:
        yield maas


def carry_out(orders: Orders) -> list[operator.Result]:
    """Run the operations one after the other; where something is lost, on another site anew."""
    waiting = collections.deque(orders.operations)
    results: list[operator.Result] = []
    while waiting and time.monotonic() < orders.until:
        root = pathlib.Path(tempfile.mkdtemp(prefix='chaos-'))
        with deployed(schedule.SITES[orders.site], root) as maas:
            results += _on_one_site(maas, waiting, orders.until)
        if results and results[-1].lost:
            print(f'logs are in {root}', flush=True)
        else:
            shutil.rmtree(root)
    return results


def _on_one_site(
    maas: charmed_maas.CharmedMaas, waiting: collections.deque[schedule.Operation], until: float
) -> list[operator.Result]:
    begun = time.monotonic()
    results: list[operator.Result] = []
    number = waiting[0].number

    def say(text: str) -> None:
        print(f'[{time.monotonic() - begun:6.1f} s] {number}: {text}', flush=True)

    person = operator.Operator(maas, say)
    # A first set, to restore from.
    calm = dataclasses.replace(schedule.undisturbed(waiting[0]), kind=schedule.BACKUP)
    if not _is_good(person.perform(calm), say, results):
        waiting.clear()
        return results
    while waiting and time.monotonic() < until:
        drawn = waiting.popleft()
        number = drawn.number
        say(f'== {drawn}')
        results.append(person.perform(drawn))
        say(f'== {results[-1]}')
        if results[-1].lost:
            break
        if not person.is_well():
            # The restore ended cleanly, but a fresh model is of no use without one.
            again = dataclasses.replace(schedule.undisturbed(drawn), kind=schedule.RESTORE)
            if not _is_good(person.perform(again), say, results):
                break
    return results


def _is_good(result: operator.Result, say: operator.Say, results: list[operator.Result]) -> bool:
    """Whether an operation that nothing befell is complete; if it is not, that is a result."""
    if result.status == operation.COMPLETE and not result.lost:
        return True
    sentence = f'undisturbed, it ended {result.status or "never"}'
    results.append(dataclasses.replace(result, lost=(*result.lost, sentence)))
    say(str(results[-1]))
    return False


def shares(operations: Sequence[schedule.Operation], until: float) -> list[Orders]:
    """Give each site its operations."""
    return [
        Orders(name, tuple(o for o in operations if o.site == name), until)
        for name in schedule.SITES
        if any(o.site == name for o in operations)
    ]
