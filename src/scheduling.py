"""Joins schedules to the charm: its options, record and timers, and the doors of its actions."""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Mapping

import given
from coordinator import errors, ports
from coordinator.engine import log, operation, settings
from coordinator.operations import due
from coordinator.record import databag, schedules
from coordinator.unit import calendars, elapsed, timers

logger = logging.getLogger(__name__)

Door = Callable[[], operation.Operation]
"""Begins an operation as its action would, or raises why it cannot."""


def connect() -> ports.Calendars:
    """Return what works out times. Tests put another in its place."""
    return calendars.Calendars()


class Scheduling:
    """The schedules of this unit. Only the leader begins anything."""

    def __init__(
        self,
        given_to_unit: given.Given,
        kept: databag.Record,
        doors: Mapping[str, Door],
    ):
        self._given = given_to_unit
        self._record = kept
        self._doors = doors
        self._timers = timers.Timers(given_to_unit.unit.name, str(given_to_unit.folder))
        self._copy = given_to_unit.folder / schedules.FILE

    @property
    def kept(self) -> dict[str, schedules.Schedule]:
        """The schedules as the peer relation has them."""
        return schedules.from_json(self._record.schedules)

    def look(self, now: datetime.datetime, *, alone: bool) -> None:
        """As the leader, begin the run that is due, if one is and may.

        Args:
            now: the time.
            alone: whether this unit may have no timer for the end of a pause: another one led
                when it began, or a reboot has taken it.
        """
        before = self.kept
        if not before and not any(self._text(kind) for kind in schedules.OPTIONS):
            return
        try:
            op, after = self._record.load(), dict(before)
        except errors.ForeignRecordError:
            # Nothing can begin; what is due stays due.
            return
        for kind in schedules.OPTIONS:
            after[kind] = self._looked(kind, after.get(kind, schedules.Schedule()), op, now)
        # One begins at most, and stands in the way of the others.
        for kind, schedule in after.items():
            if schedule.pending is not None:
                was = before.get(kind, schedules.Schedule()).pending
                after[kind] = self.decide(kind, schedule, now, None if alone else was)
        self._record.set_schedules(schedules.to_json(after))

    def decide(
        self,
        kind: str,
        schedule: schedules.Schedule,
        now: datetime.datetime,
        was: schedules.Pending | None,
        *,
        again: bool = True,
    ) -> schedules.Schedule:
        """Return a schedule whose pending run has begun, waits or is missed.

        Args:
            kind: names the door through which it begins.
            schedule: has a pending run.
            now: the time.
            was: the pending run for which this unit has a timer, if it has one.
            again: whether a run that could not begin does so after a pause.
        """
        pending = schedule.pending
        assert pending is not None
        # Each attempt waits anew, so it is measured anew.
        counted = elapsed.Elapsed(self._given.folder / f'.waited-{kind}')
        waited = counted.look(f'{pending.due} {pending.attempts}', pending.waited)
        schedule, may = due.waiting(schedule, self._record.load(), now, waited)
        if may:
            schedule = self._started(kind, schedule, now, waited, again=again)
        if schedule.pending is not None:
            self._ring(kind, schedule.pending, was, waited)
        self._tell(kind, schedule)
        return schedule

    def keep_time(self, *, look: bool) -> None:
        """On every unit: keep the timers, and the copy on this unit's disk.

        Args:
            look: whether timers may be gone although this unit has set them.
        """
        kept = self.kept
        # What a former leader has overwritten may be here alone.
        if kept and not self._record.behind:
            schedules.copy(self._record.schedules, self._copy)
        calendars = {kind: each.calendar for kind, each in kept.items() if each.calendar}
        self._timers.set(calendars, look=look)

    def put_back(self) -> None:
        """Store the schedules as this unit has read them last: a former leader overwrote them."""
        text = schedules.read_copy(self._copy)
        if text:
            self._record.set_schedules(text)

    def end(self) -> None:
        """Leave no timer behind."""
        self._timers.remove()

    def problem(self) -> str:
        """Return what is wrong with an option, '' if nothing is."""
        try:
            settings.verifies_deeply(self._given.config)
        except errors.PreconditionError as error:
            return str(error)
        for kind, schedule in self.kept.items():
            if schedule.problem and schedule.text == self._text(kind):
                option = schedules.OPTIONS[kind]
                return (
                    f'{option}={schedule.text!r} is refused: {schedule.problem}. Set another: '
                    f'juju config {self._given.app.name} {option}="Mon..Fri 02:30 Europe/London"'
                )
        return ''

    def _text(self, kind: str) -> str:
        return str(self._given.config.get(schedules.OPTIONS[kind]) or '').strip()

    def _looked(
        self,
        kind: str,
        schedule: schedules.Schedule,
        op: operation.Operation | None,
        now: datetime.datetime,
    ) -> schedules.Schedule:
        schedule = due.settled(schedule, op, self._record.earlier, now)
        calendars = connect()
        try:
            schedule = due.configured(schedule, kind, self._text(kind), now, calendars)
            return due.looked(schedule, now, calendars)
        except errors.TransientError as error:
            logger.warning('%s: %s', schedules.OPTIONS[kind], error)
            return schedule

    def _started(
        self,
        kind: str,
        schedule: schedules.Schedule,
        now: datetime.datetime,
        waited: int,
        *,
        again: bool,
    ) -> schedules.Schedule:
        try:
            return due.begun(schedule, self._doors[kind](), now)
        except errors.CoordinatorError as error:
            why = str(error)
        except Exception as error:
            why = log.fault(kind, error)
        return due.refused(schedule, why, now, waited, again=again)

    def _ring(
        self, kind: str, pending: schedules.Pending, was: schedules.Pending | None, waited: int
    ) -> None:
        """Have this unit woken when a pause is over, unless it saw to that when it began."""
        known = was is not None and (was.due, was.attempts) == (pending.due, pending.attempts)
        left = pending.retry_at - waited
        if left > 0 and not known:
            self._timers.ring_in(left, kind, pending.attempts)

    def _tell(self, kind: str, schedule: schedules.Schedule) -> None:
        """Log what became of the run that was due."""
        pending, run = schedule.pending, schedule.last
        if pending is not None and pending.attempts:
            logger.warning('%s of %s has not started: %s', kind, pending.due, pending.reason)
        elif pending is None and run is not None and run.outcome == schedules.MISSED:
            logger.error('%s of %s is missed: %s', kind, run.due, run.reason)
