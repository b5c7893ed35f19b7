"""`python -m tests.exploration`: explore, print figures, fail if anything did not hold."""

from __future__ import annotations

import argparse
import collections
import dataclasses
import functools
import gc
import itertools
import json
import logging
import multiprocessing
import os
import re
import resource
import sys
import time
from collections.abc import Iterator, Sequence

from coordinator.sets import sealing
from tests import simulation
from tests.exploration import families, mutants, run, walk

_SHARDS = 4
_FEW = 3
"""Scenarios of a family that few processes would share."""
_DIGITS = re.compile(r'\d+')


@dataclasses.dataclass(frozen=True)
class Work:
    """What one process does at a time."""

    family: int
    """Its position in `FAMILIES`: faults cannot be sent from process to process."""
    scenario: str
    shard: int
    shards: int
    sample: int
    seed: int


@dataclasses.dataclass(frozen=True)
class Done:
    """Work that was done."""

    work: Work
    results: list[walk.Result]
    seconds: float
    """Of processors."""


@dataclasses.dataclass
class Tally:
    """Figures of many runs."""

    runs: int = 0
    faults: int = 0
    held: int = 0
    seconds: float = 0.0
    """Of processors."""
    ends: set[str] = dataclasses.field(default_factory=set)
    broken: list[tuple[str, walk.Result]] = dataclasses.field(default_factory=list)

    def add(self, done: Done) -> None:
        self.seconds += done.seconds
        for result in done.results:
            self.runs += 1
            self.faults += len(result.path)
            self.held += bool(result.holds)
            self.ends.add(result.end)
            if result.faults:
                self.broken.append((done.work.scenario, result))

    def row(self, name: str) -> str:
        ends, broken = len(self.ends), len(self.broken)
        figures = (self.runs, self.faults, self.held, ends, broken, round(self.seconds))
        return f'{name:<42}' + ''.join(f'{figure:>9}' for figure in figures)


def _cheaply() -> None:
    # What costs a thief time would cost every run the same; and lines are read, not printed.
    sealing.COST = 2
    logging.getLogger('coordinator').setLevel(logging.INFO)
    logging.getLogger('coordinator').propagate = False
    logging.getLogger('coordinator').addHandler(logging.NullHandler())


def _used() -> float:
    """Return the processor seconds of this process and of those that it has forked."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(used.ru_utime + used.ru_stime for used in map(resource.getrusage, whose))


def _explore(work: Work) -> Done:
    before, family = _used(), families.FAMILIES[work.family]
    choice = walk.Choice(work.shard, work.shards, family.one_in, work.sample, work.seed)
    sim = _site(work.scenario)
    results = walk.Walk(family.levels, choice).along(sim)
    return Done(work, results, _used() - before)


@functools.cache
def _site(scenario: str) -> simulation.Simulation:
    """Return a site at the beginning of an operation, for one walk of this process."""
    return families.SCENARIOS[scenario]()


def _works(chosen: Sequence[int], sample: int, seed: int) -> Iterator[Work]:
    for number in chosen:
        family = families.FAMILIES[number]
        # Each shard walks along the undisturbed run once more.
        shards = _SHARDS if sample == 1 and len(family.scenarios) <= _FEW else 1
        for scenario in family.scenarios:
            for shard in range(shards):
                yield Work(number, scenario, shard, shards, sample, seed)


def _survivors() -> list[str]:
    """Return the mutants that nothing was found wrong with."""
    survivors: list[str] = []
    for mutant in mutants.MUTANTS:
        sim = families.SCENARIOS[mutant.scenario]()
        with mutant.patch():
            results = walk.Walk([mutant.faults], until_a_fault=True).along(sim)
        found = [result for result in results if result.faults]
        print(
            f'  {mutant.name:<28}',
            f'run {len(results)}: {found[0].faults[0]}' if found else 'SURVIVED',
        )
        if not found:
            survivors.append(mutant.name)
    return survivors


def _print_broken(tally: Tally) -> None:
    """Print an example of each thing that did not hold, and how to repeat it."""
    shown: collections.Counter[str] = collections.Counter()
    for scenario, result in tally.broken:
        kind = _DIGITS.sub('n', result.faults[0])[:80]
        shown[kind] += 1
        if shown[kind] == 1:
            print(f'\n{scenario}: {"; ".join(result.faults)}')
            print(f"  --scenario '{scenario}' --repeat '{json.dumps(result.path)}'")
    for kind, count in shown.most_common():
        print(f'{count:>6} x {kind}')


def _everything(chosen: Sequence[int], sample: int, seed: int) -> int:
    begun, total = time.monotonic(), Tally()
    work = list(_works(chosen, sample, seed))
    for scenario in {each.scenario for each in work}:
        _site(scenario)
    # What is forked must not copy what it shares, only because it was looked at.
    gc.freeze()
    heads = ('runs', 'faults', 'held', 'ends', 'broken', 'CPU s')
    print(f'{"":<42}' + ''.join(f'{head:>9}' for head in heads))
    # A process for each walk: it finds the sites as they were made here.
    with multiprocessing.get_context('fork').Pool(os.cpu_count(), maxtasksperchild=1) as pool:
        done = pool.imap(_explore, work)
        for number, group in itertools.groupby(done, key=lambda each: each.work.family):
            tally = Tally()
            for each in group:
                tally.add(each)
                total.add(each)
            print(tally.row(families.FAMILIES[number].name), flush=True)
            if sample == 1 and not tally.faults:
                raise AssertionError(f'{families.FAMILIES[number].name}: no fault ever struck')
    print(total.row('in all'), f'\nin {time.monotonic() - begun:.0f} s')
    _print_broken(total)
    return len(total.broken)


def _repeat(scenario: str, path: Sequence[str]) -> int:
    """Let one run happen again, and print every checkpoint."""
    every = [fault for family in families.FAMILIES for level in family.levels for fault in level]
    sim = families.SCENARIOS[scenario]()
    repeated = run.Run(sim, walk.Repeat([every] * len(path), path))
    repeated.to_the_end()
    for text in sim.saved:
        record = json.loads(text)
        entry = next(entry for entry in record['steps'] if entry['name'] == record['step'])
        turned = 'undoing' if record['undoing'] else ''
        print(record['status'], turned, entry['name'], entry['state'], entry['reason'], sep=' | ')
    print(sim.op.status, sim.op.error, *sim.op.problems, sep='\n  ')
    print(*(repeated.watch.faults or ['all holds']), sep='\n')
    return len(repeated.watch.faults)


def main() -> int:
    """Explore as the command line says; return the exit status."""
    parser = argparse.ArgumentParser(prog='python -m tests.exploration', description=__doc__)
    parser.add_argument('--family', help='explore this family of faults alone')
    parser.add_argument('--sample', type=int, default=1, help='make one run in so many')
    parser.add_argument('--seed', type=int, default=0, help='which runs those are')
    parser.add_argument('--scenario', choices=families.SCENARIOS, help='of the run to repeat')
    parser.add_argument('--repeat', type=json.loads, help='a path, as a failure prints it')
    given = parser.parse_args()
    _cheaply()
    if given.repeat is not None:
        return 1 if _repeat(given.scenario, given.repeat) else 0
    chosen = [
        number
        for number, family in enumerate(families.FAMILIES)
        if given.family in (None, family.name)
    ]
    broken = _everything(chosen, given.sample, given.seed)
    print('\nbroken engines, and what is found wrong with each:')
    survivors = _survivors()
    return 1 if broken or survivors else 0


if __name__ == '__main__':
    sys.exit(main())
