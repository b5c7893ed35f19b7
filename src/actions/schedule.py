"""The action that shows the schedules."""

from __future__ import annotations

import typing

import ops

import scheduling
from actions import base as action_base
from coordinator import errors
from coordinator.record import databag

if typing.TYPE_CHECKING:
    import datetime

    import charm
    from coordinator.record import schedules

_NEXT = 3
"""Runs to come of each schedule."""


class ScheduleActions(action_base.ActionBase):
    """Handles show-schedule."""

    def __init__(
        self,
        coordinator_charm: charm.CoordinatorCharm,
        kept: databag.Record,
        joined: scheduling.Scheduling,
    ):
        super().__init__(coordinator_charm, kept, 'schedule-actions')
        self._scheduling = joined
        self.framework.observe(coordinator_charm.on.show_schedule_action, self._on_show_schedule)

    def _on_show_schedule(self, event: ops.ActionEvent) -> None:
        """Show what is to come, and what became of the last runs."""
        from coordinator.report import schedule_report

        with self.failing(event):
            kept = self._scheduling.kept
            if not kept:
                raise errors.PreconditionError(
                    f'no schedule is set: juju config {self.app} backup-schedule=daily'
                )
            now = action_base.utc_now()
            times = {kind: self._next(schedule, now) for kind, schedule in kept.items()}
            if event.params.get('format') == 'json':
                event.set_results({'schedules': schedule_report.as_json(kept, times)})
                return
            event.set_results({'schedules': schedule_report.text(kept, times, self.app)})

    def _next(
        self, schedule: schedules.Schedule, now: datetime.datetime
    ) -> list[datetime.datetime]:
        if not schedule.calendar:
            return []
        return scheduling.connect().after(schedule.calendar, now, _NEXT)
