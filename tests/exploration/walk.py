"""Walks along a run and forks the process at the moments where something can go wrong."""

from __future__ import annotations

import dataclasses
import gc
import json
import os
import tempfile
import traceback
import zlib
from collections.abc import Hashable, Sequence

from tests import simulation
from tests.exploration import faults, moments
from tests.exploration.run import Run

_A_FAULT = 3
"""Exit status of a run in which something did not hold."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which of the runs of a walk are made."""

    shard: int = 0
    shards: int = 1
    """Of so many processes that share a walk, this one makes the runs of one shard."""
    one_in: int = 1
    """One in this number of faults of each level is run, at random."""
    sample: int = 1
    """Of those of the first level, once more one in so many."""
    seed: int = 0

    def takes(self, path: Sequence[str]) -> bool:
        """Whether a fault strikes, as the last of those that struck in this run."""
        first = self.one_in * self.sample
        mine = self._draw(path[:1]) // first % self.shards == self.shard
        return mine and self._draw(path) % (first if len(path) == 1 else self.one_in) == 0

    def _draw(self, path: Sequence[str]) -> int:
        return zlib.crc32(json.dumps([self.seed, *path]).encode())


@dataclasses.dataclass(frozen=True)
class Result:
    """How one run went."""

    path: list[str]
    """What went wrong, in order."""
    faults: list[str]
    """What did not hold; empty when all is well."""
    end: str
    holds: list[str]
    """At which steps it was held, and resumed."""


class Walk:
    """One walk: `levels` says what may go wrong first, second and so on in one run."""

    def __init__(
        self,
        levels: Sequence[Sequence[faults.Fault]],
        choice: Choice | None = None,
        until_a_fault: bool = False,
    ):
        self._levels = levels
        self._choice = choice or Choice()
        self._until_a_fault = until_a_fault
        self._found = False
        self._results, self._path = tempfile.TemporaryFile(), list[str]()  # noqa: SIM115
        self._known = set[Hashable]()
        """What each fault has struck at already."""
        self._number = 0
        self._is_child = False

    def along(self, sim: simulation.Simulation) -> list[Result]:
        """Walk to the end of an operation, and return how every run went.

        The undisturbed run is one of them in the first shard alone.
        """
        result = self._to_the_end(Run(sim, self))
        if self._is_child:
            line = json.dumps(dataclasses.asdict(result)).encode() + b'\n'
            os.write(self._results.fileno(), line)
            os._exit(_A_FAULT if result.faults else 0)
        with self._results:
            self._results.seek(0)
            results = [Result(**json.loads(line)) for line in self._results]
        return [result, *results] if self._choice.shard == 0 else results

    def _to_the_end(self, run: Run) -> Result:
        found = run.watch.faults
        try:
            run.to_the_end()
        except Exception as error:
            where = traceback.format_tb(error.__traceback__)[-2:]
            found.append(f'the run broke: {error!r} {where}')
        return Result(self._path, found, repr(run.watch.end_state()), run.holds)

    def at(self, run: Run, moment: moments.Moment) -> None:
        """Let every fault that fits this moment strike, each in a process of its own."""
        self._number += 1
        if self._found or len(self._path) == len(self._levels):
            return
        for fault in self._levels[len(self._path)]:
            entry = _entry(self._number, run, moment, fault)
            if not fault.fits(moment) or self._is_known(run, moment, fault):
                continue
            if not self._choice.takes([*self._path, entry]):
                continue
            if self._fork():
                self._path.append(entry)
                _strike(fault, run, moment)
                return

    def _is_known(self, run: Run, moment: moments.Moment, fault: faults.Fault) -> bool:
        """Whether this fault has struck at a moment that differs from this one in time alone.

        Besides, a dispatch that is lost is lost with all that it has seen.
        """
        keys: set[Hashable] = {(fault.name, moment.name, run.situation)}
        if isinstance(fault, faults.LOSE_THE_DISPATCH):
            keys.add((fault.name, run.changes))
        known = not self._known.isdisjoint(keys)
        self._known |= keys
        return known

    def _fork(self) -> bool:
        """Return True in the child; in the parent return False once the child has ended."""
        child = os.fork()
        if child == 0:
            self._is_child = True
            self._known.clear()
            # A collection writes to every object, and would copy what is shared with the parent.
            gc.disable()
            return True
        _, status = os.waitpid(child, 0)
        ended = os.waitstatus_to_exitcode(status)
        if ended not in (0, _A_FAULT):
            raise RuntimeError(f'a run ended with {ended} after {self._path}')
        self._found = self._until_a_fault and ended == _A_FAULT
        return False


class Repeat:
    """Lets one run happen once more, without a fork: for a debugger."""

    def __init__(self, levels: Sequence[Sequence[faults.Fault]], path: Sequence[str]):
        self._levels = levels
        self._path = list(path)
        self._number = 0
        self._depth = 0

    def at(self, run: Run, moment: moments.Moment) -> None:
        self._number += 1
        if self._depth == len(self._path):
            return
        for fault in self._levels[self._depth]:
            if self._path[self._depth] == _entry(self._number, run, moment, fault):
                self._depth += 1
                _strike(fault, run, moment)
                return


def _entry(number: int, run: Run, moment: moments.Moment, fault: faults.Fault) -> str:
    return f'{number} {run.step}: {moment.name}: {fault.name}'


def _strike(fault: faults.Fault, run: Run, moment: moments.Moment) -> None:
    run.harmless = run.harmless and faults.is_harmless(fault, run.step)
    fault.strike(run, moment)
