"""What came of all operations: a table of the faults, and a line of figures."""

from __future__ import annotations

import collections
from collections.abc import Iterator, Sequence

from coordinator.engine import operation
from tests.chaos import operator


def table(results: Sequence[operator.Result]) -> Iterator[str]:
    """Yield how many faults there were of each kind, and how operations ended."""
    struck: collections.Counter[str] = collections.Counter()
    ends: collections.Counter[tuple[str, str]] = collections.Counter()
    for result in results:
        struck.update(result.struck)
        ends[result.drawn.kind, result.status or 'no end'] += 1
    yield f'{"fault":<32}  times'
    yield from (f'{name:<32}  {times:5}' for name, times in sorted(struck.items()) if times)
    yield ''
    yield f'{"operation":<20}  {"ended":<10}  times'
    yield from (
        f'{kind:<20}  {status:<10}  {times:5}' for (kind, status), times in sorted(ends.items())
    )


def summary(seed: int, results: Sequence[operator.Result]) -> str:
    """Return the line that says it all."""
    well = sum(result.status == operation.COMPLETE and not result.lost for result in results)
    clean = sum(not result.lost for result in results) - well
    lost = sum(len(result.lost) for result in results)
    return (
        f'seed {seed}: {len(results)} operations, '
        f'{sum(result.struck.total() for result in results)} faults, '
        f'{well} ended well, {clean} cleanly, things lost: {lost}'
    )
