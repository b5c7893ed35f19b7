"""What is kept of each schedule: when its next run is due, and what became of the last ones.

The leader keeps it in the peer relation, so that the next leader begins no run twice and forgets
none. Every unit copies it to its own disk, for programs that may not ask Juju.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

from coordinator import plain

OPTIONS = {'backup-all': 'backup-schedule', 'verify-backup': 'verify-schedule'}
"""By kind of operation. If two are due at once, the first one begins first."""
FILE = '.schedules'
"""The copy, in the charm's folder."""
MOST_RUNS = 10
_LONGEST = 200
"""Bytes of a reason."""

RUNNING, MISSED, UNKNOWN = 'running', 'missed', 'unknown'
"""Outcomes of a run beside those of an operation; unknown: its operation's end was not seen."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that was begun, or that was missed."""

    due: str
    outcome: str = RUNNING
    at: str = ''
    """When it began, or was found to be missed."""
    operation: str = ''
    """Id of the operation that it began."""
    reason: str = ''
    attempt: int = 1


@dataclasses.dataclass(frozen=True)
class Pending:
    """A run that is due and has not begun."""

    due: str
    waited: int = 0
    """Seconds since it was due, as measured by dispatches; up to some minutes out of date."""
    attempts: int = 0
    """Number of starts that failed."""
    retry_at: int = 0
    """Seconds waited at which it is started again."""
    reason: str = ''
    """Why it has not begun."""


@dataclasses.dataclass(frozen=True)
class Schedule:
    """One schedule. Times are stamps in UTC, as the ids of operations are."""

    text: str = ''
    """The option's value."""
    calendar: str = ''
    """The same as systemd writes it, with a time zone; '' if it is refused or over."""
    problem: str = ''
    """Why the option's value is refused."""
    due: str = ''
    """When the next run is due; '' if none is."""
    seen: str = ''
    """Until when runs have been looked for."""
    pending: Pending | None = None
    runs: tuple[Run, ...] = ()
    """The last ones, newest first."""
    missed: int = 0
    """How many runs were ever missed."""

    @property
    def over(self) -> bool:
        """Whether all its times are in the past, as for `2026-12-01 03:00`."""
        return bool(self.text) and not self.calendar and not self.problem

    @property
    def last(self) -> Run | None:
        """The newest run."""
        return self.runs[0] if self.runs else None

    def adding(self, run: Run) -> Schedule:
        """Return the schedule with one more run, in place of an earlier attempt at the same."""
        run = dataclasses.replace(run, reason=plain.one_line(run.reason, _LONGEST))
        others = [each for each in self.runs if each.due != run.due]
        missed = self.missed + (run.outcome == MISSED)
        return dataclasses.replace(self, runs=(run, *others)[:MOST_RUNS], missed=missed)

    def waiting(self, reason: str) -> Schedule:
        """Return the schedule with why its run has not begun."""
        assert self.pending is not None
        pending = dataclasses.replace(self.pending, reason=plain.one_line(reason, _LONGEST))
        return dataclasses.replace(self, pending=pending)


Schedules = Mapping[str, Schedule]
"""By kind of operation."""


def next_due(kept: Schedules) -> tuple[str, str] | None:
    """Return which kind of operation is due next, and when; None if none is."""
    times = sorted((schedule.due, kind) for kind, schedule in kept.items() if schedule.due)
    return (times[0][1], times[0][0]) if times else None


def over(kept: Schedules) -> list[str]:
    """Return the options whose times have all come, and whose last run is not due any more."""
    return [
        OPTIONS[kind]
        for kind, schedule in kept.items()
        if schedule.over and schedule.pending is None
    ]


def missed(kept: Schedules, completed: Mapping[str, str]) -> tuple[str, Run] | None:
    """Return a missed run with its kind, unless an operation of that kind has completed since.

    Args:
        kept: the schedules.
        completed: by kind, the id of the newest operation that is complete.
    """
    for kind, schedule in kept.items():
        run = schedule.last
        waits = schedule.pending is not None
        if run is None or run.outcome != MISSED or waits or completed.get(kind, '') > run.due:
            continue
        return kind, run
    return None


def to_json(schedules: Schedules) -> str:
    """Return schedules as stored; equal schedules give equal text."""
    raw = {kind: dataclasses.asdict(schedule) for kind, schedule in schedules.items()}
    return json.dumps(raw, sort_keys=True, separators=(',', ':'), ensure_ascii=False)


def from_json(text: str) -> dict[str, Schedule]:
    """Read schedules. What cannot be read is none: then the options are looked at anew."""
    try:
        return {str(kind): read(raw) for kind, raw in json.loads(text or '{}').items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        return {}


def read(raw: Mapping[str, Any]) -> Schedule:
    """Return a schedule of what JSON has of it; what it lacks has its default."""
    pending, runs = raw.get('pending'), raw.get('runs', ())
    return dataclasses.replace(
        Schedule(**known(Schedule, raw)),
        pending=Pending(**known(Pending, pending)) if pending else None,
        runs=tuple(Run(**known(Run, run)) for run in runs),
    )


def known(made: type[Any], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that this revision of the charm knows."""
    names = {field.name for field in dataclasses.fields(made)}
    return {name: value for name, value in raw.items() if name in names}


def copy(text: str, path: pathlib.Path) -> None:
    """Keep the stored text on this unit's disk. That it cannot be kept stops nothing."""
    with contextlib.suppress(OSError):
        before = path.read_text() if path.exists() else ''
        if text != before:
            new = path.with_suffix('.new')
            new.write_text(text)
            new.replace(path)


def read_copy(path: pathlib.Path) -> str:
    """Return the copy on this unit's disk; '' if there is none that can be read."""
    try:
        text = path.read_text()
    except (OSError, ValueError):
        return ''
    return text if from_json(text) else ''
