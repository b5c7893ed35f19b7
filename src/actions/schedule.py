"""The action that shows the schedules."""

from __future__ import annotations

import dataclasses
import datetime

import ops

import scheduling
from actions import base as action_base
from coordinator import errors
from coordinator.record import schedules
from coordinator.report import schedule_report

_NEXT = 3
"""Runs to come of each schedule."""


@dataclasses.dataclass(frozen=True)
class ShowSchedule:
    """Parameters of show-schedule."""

    format: str = 'table'


class ScheduleActions(action_base.ActionBase):
    """Handles show-schedule."""

    def __init__(
        self, charm: ops.CharmBase, desk: action_base.Desk, joined: scheduling.Scheduling
    ):
        super().__init__(charm, desk)
        self._scheduling = joined
        self.admit('show-schedule', ShowSchedule, self._show_schedule)

    def _show_schedule(self, params: ShowSchedule) -> action_base.Results:
        """Show what is to come, and what became of the last runs."""
        kept = self._scheduling.kept
        if not kept:
            raise errors.PreconditionError(
                f'no schedule is set: juju config {self.app} backup-schedule=daily'
            )
        now = action_base.utc_now()
        times = {kind: self._next(schedule, now) for kind, schedule in kept.items()}
        if params.format == 'json':
            return {'schedules': schedule_report.as_json(kept, times)}
        return {'schedules': schedule_report.text(kept, times, self.app)}

    def _next(
        self, schedule: schedules.Schedule, now: datetime.datetime
    ) -> list[datetime.datetime]:
        if not schedule.calendar:
            return []
        return scheduling.connect().after(schedule.calendar, now, _NEXT)
