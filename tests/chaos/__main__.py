"""`python -m tests.chaos`: kill, stop, cut, fill and bend, and see that nothing is lost."""

from __future__ import annotations

import argparse
import concurrent.futures
import multiprocessing
import pathlib
import sys
import time
from collections.abc import Sequence

_SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(_SOURCE / 'src')]

from tests.chaos import crew, figures, schedule  # noqa: E402  (src comes first)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all operations; return 1 if anything was lost."""
    given = _parser().parse_args(arguments)
    numbers = [given.only] if given.only else range(1, given.operations + 1)
    operations = [schedule.draw(given.seed, number, given.away) for number in numbers]
    shares = crew.shares(operations, time.monotonic() + given.minutes * 60)
    print(f'seed {given.seed}, at most {len(operations)} operations in {given.minutes:g} minutes')
    spawning = multiprocessing.get_context('spawn')
    with concurrent.futures.ProcessPoolExecutor(len(shares), spawning) as pool:
        results = [result for share in pool.map(crew.carry_out, shares) for result in share]
    print(*figures.table(results), sep='\n')
    lost = [result.drawn.number for result in results if result.lost]
    for number in lost:
        print(f'again: python -m tests.chaos --seed {given.seed} --only {number}')
    print(figures.summary(given.seed, results))
    return 1 if lost or not results else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python -m tests.chaos', description=__doc__)
    parser.add_argument('--seed', type=int, default=1, help='what everything is drawn from')
    parser.add_argument('--operations', type=int, default=40, help='how many at most')
    parser.add_argument('--minutes', type=float, default=8.0, help='no operation begins later')
    parser.add_argument('--only', type=int, metavar='NUMBER', help='run this operation alone')
    parser.add_argument(
        '--away',
        type=float,
        default=35.0,
        metavar='SECONDS',
        help='how long a controller or a process is away: more than the 30 s of a call',
    )
    return parser


if __name__ == '__main__':
    sys.exit(main())
