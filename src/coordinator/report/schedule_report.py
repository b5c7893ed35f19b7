"""What show-schedule prints: a table for people, JSON for programs."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping, Sequence

from coordinator import times
from coordinator.record import schedules
from coordinator.report import operation_report, tables

_PARAMETERS = {'verify-backup': {'backup-id': 'latest'}}
"""What an operator types to make up for a run."""
Times = Mapping[str, Sequence[datetime.datetime]]
"""By kind of operation, its next runs."""


def text(kept: schedules.Schedules, ahead: Times, app: str) -> str:
    """Return the schedules for people.

    Args:
        kept: the schedules.
        ahead: their next runs.
        app: this application's name, for commands.
    """
    coming = [
        (kind, _option(kind, schedule), ', '.join(_stamps(ahead[kind])) or 'none', _now(schedule))
        for kind, schedule in kept.items()
    ]
    lines = [tables.table(('runs', 'schedule', 'next', 'now'), coming)]
    past = [
        (run.due, kind, run.outcome, run.operation, run.reason)
        for kind, schedule in kept.items()
        for run in schedule.runs
    ]
    if past:
        head = ('due', 'runs', 'outcome', 'operation-id', 'reason')
        lines += ['', tables.table(head, sorted(past, reverse=True))]
    for kind, schedule in kept.items():
        if schedule.last is not None and schedule.last.outcome == schedules.MISSED:
            again = operation_report.command(app, kind, _PARAMETERS.get(kind, {}))
            lines += ['', f'next: {again}']
    return '\n'.join(lines)


def as_json(kept: schedules.Schedules, ahead: Times) -> str:
    """Return the schedules for programs."""
    return json.dumps(
        {
            kind: {
                'option': schedules.OPTIONS[kind],
                'schedule': schedule.text,
                'calendar': schedule.calendar,
                'problem': schedule.problem,
                'over': schedule.over,
                'next': _stamps(ahead[kind]),
                'waiting': dataclasses.asdict(schedule.pending) if schedule.pending else None,
                'missed': schedule.missed,
                'runs': [dataclasses.asdict(run) for run in schedule.runs],
            }
            for kind, schedule in kept.items()
        }
    )


def _option(kind: str, schedule: schedules.Schedule) -> str:
    return f'{schedules.OPTIONS[kind]}={schedule.text}'


def _now(schedule: schedules.Schedule) -> str:
    if schedule.problem:
        return f'refused: {schedule.problem}'
    pending = schedule.pending
    if pending is None:
        return 'over: all its times have passed' if schedule.over else ''
    return f'the run of {pending.due} is due: {pending.reason or "it begins"}'


def _stamps(moments: Sequence[datetime.datetime]) -> list[str]:
    return [times.stamp(time) for time in moments]
