"""How long MAAS is down during restore-all, against the runbook done by hand.

Both restore the same lost site in a fresh model, on the model in memory and in its virtual time.
The plan, the steps and the engine are the real ones. Modelled are how long the charms' own work
takes (`Work`) and what brings a dispatch and how long it takes: the next one follows a checkpoint
at once, everything else the pacemaker, after its pause. Times are measured
on the model's clock, downtime by the stand-ins of the regions themselves.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from coordinator.engine import operation
from coordinator.operations import plans
from coordinator.report import tables
from coordinator.unit import beat
from rehearsal import site
from tests import restores, simulation
from tests.bench import figures, recording, runbook

_COMMIT_SECONDS = 0.1
"""From the end of a dispatch that left a checkpoint to the next one, which that brings."""
_PHASES = (0.0, 20.0, 40.0)
"""How far into an interval of update-status a restore begins: it decides when the end of the
database's restore is noticed."""


@dataclasses.dataclass(frozen=True)
class Work:
    """How many seconds the charms' own work takes."""

    region: float = 120.0
    """One region's restore, however many restore at the same time."""
    database: float = 60.0
    initialise: float = 20.0
    """One region's, after the other's."""
    install: float = 5.0
    join: float = 20.0
    remove: float = 10.0
    update_status: float = 60.0

    def __str__(self) -> str:
        return (
            f'region restore {self.region:g} s each, database restore {self.database:g} s, '
            f'initialising {self.initialise:g} s a region in turn, update-status every '
            f'{self.update_status:g} s'
        )


@dataclasses.dataclass(frozen=True)
class Restored:
    """One restore that brought back everything."""

    downtime: float
    """Until the last region was up again."""
    steps: Mapping[str, float]
    """How long each took."""

    @property
    def seconds(self) -> float:
        """From the request to the end."""
        return sum(self.steps.values())


def measure(dispatch_seconds: float, work: Work | None = None) -> Iterator[str | figures.Figure]:
    """Restore in both ways, and yield what to print.

    Args:
        dispatch_seconds: how long each of the coordinator's dispatches takes.
        work: how long the rest takes.

    Raises:
        OperationFailed: a restore failed, or did not bring back everything.
        TimeoutError: it did not come to its end.
    """
    work = work or Work()
    yield 'restore-all in a fresh model, against the runbook by hand, in virtual time'
    yield f'  modelled: {work}'
    yield (
        f'  modelled: a dispatch takes {dispatch_seconds:.2f} s, the hand looks every '
        f'{runbook.POLL_SECONDS:g} s and needs no time for its commands'
    )
    yield '  measured: what plan, steps and engine, or the hand, make of that'
    ours = [by_coordinator(dispatch_seconds, work, phase) for phase in _PHASES]
    hands = [by_hand(work, phase) for phase in _PHASES]
    down = [restored.downtime for restored in ours], [restored.downtime for restored in hands]
    yield from _compared('MAAS downtime', *down, aim='at most 0.33')
    total = [restored.seconds for restored in ours], [restored.seconds for restored in hands]
    yield from _compared('restore, as a whole', *total)
    yield _by_step(ours, hands)


def _compared(
    what: str, ours: Sequence[float], hands: Sequence[float], aim: str = ''
) -> Iterator[figures.Figure]:
    yield figures.Figure(f'{what}: restore-all', 's', ours)
    yield figures.Figure(f'{what}: by hand', 's', hands)
    ratios = [own / hand for own, hand in zip(ours, hands, strict=True)]
    yield figures.Figure(f"{what}: restore-all's over the hand's", '', ratios, aim, digits=3)


def _by_step(ours: Sequence[Restored], hands: Sequence[Restored]) -> str:
    rows = [(name, _median(ours, name), _median(hands, name)) for name in plans.RESTORE_ALL.names]
    return tables.table(('step (median, s)', 'restore-all', 'by hand'), rows)


def _median(runs: Sequence[Restored], name: str) -> str:
    seconds = [run.steps[name] for run in runs if name in run.steps]
    return f'{statistics.median(seconds):.1f}' if seconds else ''


# --- The two ways ----------------------------------------------------------------------------


def by_coordinator(dispatch_seconds: float, work: Work, phase: float = 0.0) -> Restored:
    """Restore a lost site with restore-all."""
    lost, fresh = lose(work, phase)
    restores.restore(fresh, lost)
    steps: defaultdict[str, float] = defaultdict(float)
    started = fresh.clock.now()
    # The action that writes the record is a dispatch too.
    fresh.clock.advance(dispatch_seconds)
    steps[fresh.op.step] += dispatch_seconds
    while fresh.op.open:
        step, begun = fresh.op.step, fresh.clock.now()
        fresh.clock.advance(dispatch_seconds)
        if fresh.dispatch():
            fresh.clock.advance(_COMMIT_SECONDS)
        else:
            age = (fresh.clock.now() - started).total_seconds()
            fresh.clock.advance(beat.pause(age, dispatch_seconds))
        steps[step] += (fresh.clock.now() - begun).total_seconds()
    if fresh.op.status != operation.COMPLETE:
        raise recording.OperationFailed(f'restore-all is {fresh.op.status}: {fresh.op.error}')
    return Restored(_downtime(fresh, 'restore-all'), steps)


def by_hand(work: Work, phase: float = 0.0) -> Restored:
    """Restore a lost site as the runbook has it."""
    lost, fresh = lose(work, phase)
    hand = runbook.Hand(fresh.world.juju, fresh.clock, runbook.Notes.of(lost))
    hand.restore()
    return Restored(_downtime(fresh, 'the hand'), hand.took)


def lose(work: Work, phase: float = 0.0) -> tuple[simulation.Simulation, simulation.Simulation]:
    """Back a site up and lose it; return it, and the fresh one in which it is to be restored."""
    lost = restores.backed_up()
    site.lose(lost.model)
    fresh = restores.simulate(after=lost)
    fresh.at_backup = lost.at_backup
    fresh.maas.restore, fresh.maas.initialise = work.region, work.initialise
    database = fresh.database
    database.restore, database.install = work.database, work.install
    database.join, database.remove = work.join, work.remove
    # The interval is taken up when the one that runs already is over.
    running = fresh.model.update_status_interval
    fresh.model.update_status_interval = work.update_status
    fresh.clock.advance(running + phase)
    return lost, fresh


def _downtime(restored: simulation.Simulation, by: str) -> float:
    """Return how long MAAS was down, once it is sure that everything is back."""
    site.settle(restored.model)
    if restored.site.fingerprint() != restored.at_backup:
        raise recording.OperationFailed(f'{by} did not bring back what was backed up')
    return max(restored.site.maas_downtime.values())
