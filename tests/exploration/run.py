"""One operation, driven from where it stands to its end, past whatever goes wrong on the way."""

from __future__ import annotations

import contextlib
import datetime
import logging
from collections.abc import Callable
from typing import Any, Protocol

from coordinator import errors, times
from coordinator.engine import advance, doubt, limits, operation
from coordinator.operations import steering
from coordinator.record import history
from coordinator.unit import elapsed
from rehearsal import model
from tests import simulation
from tests.exploration import askers, invariants, moments, timetable

_DAYS = datetime.timedelta(days=7)
_MOST_CHECKPOINTS = 400
"""Of one run. An undisturbed backup has about 40."""
_RESUMES = 3
_TURN = 0.1
"""Seconds until the dispatch that a checkpoint brings."""


class Killed(BaseException):
    """The dispatching process is gone: its record is lost, its effects are not.

    No `Exception`: nothing in the engine may catch it.
    """

    def __init__(self, seconds: float):
        super().__init__(f'nothing runs for {seconds} s')
        self.seconds = seconds


class Raised(Exception):
    """The dispatch fails with its record set: juju-exec commits what was written all the same."""


class Walker(Protocol):
    """What decides at every moment whether something goes wrong."""

    def at(self, run: Run, moment: moments.Moment) -> None: ...


class _Log(logging.Handler):
    """Keeps every line that the coordinator logs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


class Run:
    """An operation of a simulation; every moment of it is shown to a walker."""

    def __init__(self, sim: simulation.Simulation, walker: Walker):
        self.sim = sim
        self.walker = walker
        self.watch = invariants.Watch(sim)
        self.timetable = timetable.Timetable(sim.clock.now())
        self.askers = askers.Askers(sim.op, sim.clock.now())
        sim.op = self.askers.op
        self.world = moments.GatedWorld(sim.world, self)
        self.broken: dict[str, Callable[[], Exception]] = {}
        """By name of a call: what it raises until the operator has mended it."""
        self.deposed = False
        """Whether the dispatch in progress is one of a unit that leads no more."""
        self.mends: list[Callable[[], object]] = []
        """What the operator does once the operation is held."""
        self.holds: list[str] = []
        """At which steps the operation was held."""
        self.harmless = True
        """Whether nothing went wrong that may keep an operation from its end."""
        self.changes = 0
        """Rises with whatever a dispatch that is killed leaves behind: looks leave nothing."""
        self._quiet = False
        self._log = _Log()

    @property
    def step(self) -> str:
        return self.sim.op.step

    @property
    def situation(self) -> int:
        """What there is to see now, of whatever a dispatch can see: equal in equal situations."""
        juju = self.sim.model
        units = tuple(
            (
                unit.name,
                unit.life,
                unit.workload.current,
                unit.workload.message,
                unit.agent.current,
            )
            for unit in juju.units.values()
        )
        running = tuple(task.status for task in juju.tasks.values() if not task.ended)
        stored = tuple(len(bucket.objects) for bucket in self.sim.s3.buckets.values())
        keys = tuple(self.sim.world.signing.private)
        there = (tuple(juju.relations), tuple(juju.secrets), tuple(juju.storage), keys)
        return hash((len(self.sim.saved), len(juju.tasks), units, running, stored, there))

    def to_the_end(self) -> None:
        """Go on until the operation has ended; mend and resume it when it is held."""
        coordinator = logging.getLogger('coordinator')
        coordinator.addHandler(self._log)
        try:
            self._to_the_end()
        finally:
            coordinator.removeHandler(self._log)
        for each in (self.timetable, self.askers):
            for sentence in each.ended(self.sim.op, self.sim.clock.now()):
                self.watch.fault(sentence)
        self.watch.ended(self._log.lines)
        if self.harmless:
            self.watch.undisturbed()

    def _to_the_end(self) -> None:
        self._until_it_rests()
        while self.sim.op.status == operation.HELD:
            self.watch.held()
            self.holds.append(self.step)
            self.mend()
            now = self.sim.clock.now()
            if len(self.holds) > _RESUMES:
                self.watch.fault(f'still held after {_RESUMES} resumes: {self.sim.op.error}')
                self.sim.op = steering.aborted(self.sim.op, now, force=True)
            else:
                self.sim.op = steering.resumed(self.sim.op, now, {})
            self._until_it_rests()

    def mend(self) -> None:
        """Mend what is broken, as the operator would, and let it settle."""
        self.broken.clear()
        mends, self.mends = self.mends, []
        for mend in reversed(mends):
            # What is mended already Juju refuses.
            with contextlib.suppress(model.ModelError):
                mend()
        self.sim.clock.advance(60)

    def _until_it_rests(self) -> None:
        end = self.sim.clock.now() + _DAYS
        checkpoint = True
        while self.sim.op.open:
            if self.sim.clock.now() > end or len(self.sim.saved) >= _MOST_CHECKPOINTS:
                why = f'{len(self.sim.saved)} checkpoints, {_DAYS.days} days at most'
                self.watch.fault(f'no end after {why}: {self.sim.op.current}')
                self.sim.op = self.sim.op.forced_to_end(self.sim.clock.now(), ())
                return
            self.changes += 1
            self.at(moments.Moment(moments.BETWEEN, self.step, checkpoint=checkpoint))
            try:
                checkpoint = self.dispatch()
            except Killed as killed:
                checkpoint = False
                self.world.signing.lose()
                self.sim.clock.advance(killed.seconds)
            else:
                self.sim.clock.advance(_TURN if checkpoint else self._beat())
            self.deposed = False

    def _beat(self) -> float:
        """Return when the pacemaker comes next: it grows with the operation, as the real one.

        Not beyond what counts between two dispatches, or deadlines would not pass.
        """
        begun = times.parse_stamp(self.sim.op.started)
        lasted = self.sim.clock.now() - begun
        return min(max(simulation.BEAT_SECONDS, lasted.total_seconds() / 20), elapsed.LONGEST)

    def dispatch(self) -> bool:
        """Make one dispatch, as the charm does; return whether it stored a checkpoint."""
        before = self.sim.op
        if not before.open:
            return False
        scheduled = self.timetable.look(before, self.world.now())
        requested = self.askers.look(before, self.world.now())
        moved = advance.advance(before, self.sim.plan, self.world)
        fitting = limits.fitted(moved, before) if moved != before else before
        with contextlib.suppress(Raised):
            self._after_saving(before, moved, fitting)
        others = (scheduled, requested) != (self.timetable.stored, self.askers.stored)
        if self.deposed and (fitting != before or others or self.world.signing.pending):
            # Juju lets only the leader write, and the whole dispatch fails.
            raise Killed(0)
        self.timetable.store(scheduled)
        self.askers.store(requested, fitting)
        self.world.signing.commit()
        if fitting == before:
            return False
        text = fitting.to_json()
        self.sim.saved.append(text)
        self.sim.op = operation.Operation.from_json(text)
        self.watch.saved(text)
        return True

    def _after_saving(
        self, before: operation.Operation, moved: operation.Operation, fitting: operation.Operation
    ) -> None:
        """Do what a dispatch does once it has set the record, up to the commit."""
        if fitting != before:
            self.at(moments.Moment(moments.SAVED, before.step, checkpoint=True))
            history.write(fitting, self.world)
        if doubt.all_answered(before, moved):
            self.changes += 1
            self.world.settle()
        self.at(moments.Moment(moments.COMMIT, before.step, checkpoint=fitting != before))

    def lose_the_leader(self, seconds: float, skew: float) -> None:
        """Kill this dispatch for good: another unit leads once the lease is over."""
        self.world = moments.GatedWorld(self.sim.world, self, skew)
        raise Killed(seconds)

    def by_another_leader(self, dispatches: int, skew: float) -> None:
        """Let another unit lead and dispatch, in the middle of a dispatch of this one."""
        former, self.world = self.world, moments.GatedWorld(self.sim.world, self, skew)
        self._quiet = True
        self.sim.clock.advance(_TURN)
        for _ in range(dispatches):
            self.sim.clock.advance(_TURN if self.dispatch() else simulation.BEAT_SECONDS)
        self._quiet = False
        self.world = former
        self.deposed = True

    def at(self, moment: moments.Moment) -> None:
        if not self._quiet:
            self.walker.at(self, moment)

    def through(self, call: moments.Call, make: Callable[[], Any]) -> Any:
        """Make a call of the coordinator to the outside, or let it go wrong."""
        if call.effect and self.deposed and not self._quiet:
            raise errors.TransientError('this unit is no longer the leader')
        if call.name in self.broken:
            raise self.broken[call.name]()
        world = self.world
        if call.effect:
            self.changes += 1
            world.sending()
        self.at(moments.Moment(moments.BEFORE, self.step, call, make=make))
        self.watch.calling(call)
        answer = make()
        if call.effect:
            self.changes += 1
            world.answered()
        self.at(moments.Moment(moments.AFTER, self.step, call))
        return answer
