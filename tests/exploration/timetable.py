"""A schedule that is on while an operation is explored: each run that is due is accounted for."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator

from coordinator import times
from coordinator.engine import operation
from coordinator.operations import due
from coordinator.record import schedules
from tests import calendars

KIND = 'backup-all'
_EVERY_MINUTE = 'every 1'
_FEW = 200
"""Times that are worked out at once: of minutes, no longer than nothing runs here."""


class _Calendars(calendars.FakeCalendars):
    def after(
        self, calendar: str, moment: datetime.datetime, count: int = 1
    ) -> list[datetime.datetime]:
        return super().after(calendar, moment, min(count, _FEW))


class Timetable:
    """What dispatches make of a schedule of a run each minute, and what they have begun."""

    def __init__(self, now: datetime.datetime):
        self._calendars = _Calendars()
        self._since = now
        self._begun = 0
        self.stored = schedules.to_json({KIND: self._looked(schedules.Schedule(), None, now)[0]})
        """The schedule, as the databag has it."""
        self.faults: list[str] = []

    def look(self, op: operation.Operation, now: datetime.datetime) -> str:
        """Return the schedule as a dispatch would store it, with an operation if one begins."""
        schedule, may = self._looked(schedules.from_json(self.stored)[KIND], op, now)
        if may:
            if not op.terminal:
                self.faults.append(f'a second operation begins while {op.id} is {op.status}')
            begun = dataclasses.replace(op, id=times.stamp(now))
            schedule = due.begun(schedule, begun, now)
        return schedules.to_json({KIND: schedule})

    def store(self, text: str) -> None:
        """Commit what a dispatch has set."""
        self._begun += len(_begun(text) - _begun(self.stored))
        self.stored = text

    def ended(self, op: operation.Operation, now: datetime.datetime) -> Iterator[str]:
        """Dispatch once more after the end; yield what did not hold."""
        self.store(self.look(op, now))
        yield from self.faults
        schedule = schedules.from_json(self.stored)[KIND]
        seen = times.parse_stamp(schedule.seen)
        were_due = _minutes(seen) - _minutes(self._since)
        known = schedule.missed + self._begun + (schedule.pending is not None)
        if known != were_due:
            yield f'{were_due} runs were due, {known} of them were begun, wait or are missed'
        if not schedule.due or times.parse_stamp(schedule.due) <= now:
            yield f'the next run is due {schedule.due or "never"}'

    def _looked(
        self, schedule: schedules.Schedule, op: operation.Operation | None, now: datetime.datetime
    ) -> tuple[schedules.Schedule, bool]:
        schedule = due.settled(schedule, op, (), now)
        schedule = due.configured(schedule, KIND, _EVERY_MINUTE, now, self._calendars)
        schedule = due.looked(schedule, now, self._calendars)
        if schedule.pending is None:
            return schedule, False
        waited = now - times.parse_stamp(schedule.pending.due)
        return due.waiting(schedule, op, now, int(waited.total_seconds()))


def _minutes(moment: datetime.datetime) -> int:
    return int(moment.timestamp()) // 60


def _begun(text: str) -> set[str]:
    return {run.due for run in schedules.from_json(text)[KIND].runs if run.operation}
