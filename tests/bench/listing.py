"""How listing grows with the number of backup sets, beside the way that maas-region lists.

maas-region asks for each backup three times, one after the other: which objects it has and how
large they are, its metadata, its controllers. Of more than a thousand backups a thousand are
asked for, and the time is that of all by rule of three. The S3 server is as far away as this
process: over a network each request costs a round trip more, and the gap is wider.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence

from coordinator.report import listing, tables
from coordinator.s3 import object_store
from coordinator.sets import catalogue
from tests import examples
from tests.bench import figures, full_repository, meter

_COUNTS = (10, 100, 1_000, 10_000)
_RUNS = 3
_MOST = 1_000
"""Backups that are really asked for in maas-region's way."""
_HEAD = (
    'sets',
    'list-backups',
    'requests',
    'without index',
    'requests',
    'as maas-region does',
    'requests',
)
_PLACE = f'{full_repository.BUCKET}/{full_repository.PATH}'


def measure(counts: Sequence[int] = _COUNTS) -> Iterator[str | figures.Figure]:
    """List repositories of these sizes in each way, and yield what to print."""
    rows: list[Sequence[str]] = []
    seconds: list[float] = []
    for count in counts:
        with full_repository.FullServer(count) as server:
            ours = functools.partial(_ours, count)
            lost = _timed(server, ours)
            again = [_timed(server, ours) for _ in range(_RUNS)]
            by_hand = _timed(server, _theirs)
        share = max(1.0, count / _MOST)
        seconds = [taken for taken, _ in again]
        rows.append(
            (
                str(count),
                f'{statistics.median(seconds):.2f} s',
                str(again[0][1]),
                f'{lost[0]:.2f} s',
                str(lost[1]),
                f'{by_hand[0] * share:.2f} s',
                str(round(by_hand[1] * share)),
            )
        )
    yield f'listing backup sets; load {os.getloadavg()[0]:.2f}'
    yield tables.table(_HEAD, rows)
    yield figures.Figure(f'list-backups of {counts[-1]} sets', 's', seconds, 'under 2 s')


def measure_damaged(sets: int = _COUNTS[-1]) -> Iterator[str]:
    """List a repository half of whose manifests are damaged, and yield what to print."""
    rows: list[Sequence[str]] = []
    with full_repository.FullServer(sets, sets // 2) as server:
        for how in ('the first, without an index', 'each after it'):
            with meter.Meter(server.endpoint) as counted:
                fields = server.connection(full_repository.BUCKET, full_repository.PATH)
                fields['endpoint'] = counted.endpoint
                before = sum(server.requests.values())
                store = object_store.S3Store(
                    object_store.Connection.from_relation('bench', fields)
                )
                found = catalogue.with_failed(store, heal=True)
                store.close()
                requests = sum(server.requests.values()) - before
            if sum(entry.summary is None for entry in found) != sets // 2:
                raise AssertionError(f'half of {len(found)} sets should be damaged')
            rows.append((how, str(requests), f'{counted.bytes / 2**20:.1f} MiB'))
    yield f'list-backups of {sets} sets, half of them damaged; aim: under 30 requests'
    yield tables.table(('list', 'requests', 'received'), rows)


def _timed(
    server: full_repository.FullServer, work: Callable[[object_store.S3Store], object]
) -> tuple[float, int]:
    """Return how long something took, and how many requests."""
    fields = server.connection(full_repository.BUCKET, full_repository.PATH)
    store = object_store.S3Store(object_store.Connection.from_relation('bench', fields))
    before = sum(server.requests.values())
    # A dispatch of the charm does without.
    gc.disable()
    begun = time.monotonic()
    work(store)
    seconds = time.monotonic() - begun
    gc.enable()
    store.close()
    return seconds, sum(server.requests.values()) - before


def _ours(count: int, store: object_store.S3Store) -> None:
    found = catalogue.with_failed(store, heal=True)
    if len(found) != count or any(entry.summary is None for entry in found):
        raise AssertionError(f'{len(found)} sets were listed, there are {count}')
    wanted = listing.Wanted()
    choice = listing.choose(found, wanted, examples.backup_set().model.uuid)
    listing.results(choice, wanted, _PLACE)


def _theirs(store: object_store.S3Store) -> None:
    rows: list[tuple[str, ...]] = []
    for backup_id in store.folders('backup/')[:_MOST]:
        folder = f'backup/{backup_id}/'
        size = sum(item.size for item in store.list(folder))
        metadata = json.loads(store.get(f'{folder}backup_metadata.json'))
        controllers = store.get(f'{folder}controllers.txt').decode().split()
        rows.append((backup_id, metadata['maas_snap_version'], str(size), ','.join(controllers)))
    tables.table(('backup-id', 'maas', 'size', 'controllers'), rows)
