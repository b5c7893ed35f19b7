"""A backup that a schedule begins: once, whoever leads at that moment, or it says why not."""

from __future__ import annotations

import contextlib
import datetime
import itertools
import shutil

from coordinator import times
from coordinator.record import schedules
from tests.chaos import schedule
from tests.embedded import charmed_maas

_OPTION, _KIND = 'backup-schedule', 'backup-all'
_SOON = datetime.timedelta(seconds=15)
_TRIES = 3
_HEARD = 'heard'
_PATIENCE = 180.0
"""Seconds until a run that is due has begun: two starts may fail."""
_SETTLING = 60.0
_CHANGES = 5
"""Of leaders, from the moment when the run is due."""


def possible(drawn: schedule.Operation) -> bool:
    """Whether a schedule can begin this operation here."""
    return drawn.scheduled and shutil.which('systemd-analyze') is not None


def wrong(due: str, run: schedules.Run | None, record: charmed_maas.Json) -> list[str]:
    """Return what does not hold of a run, by the record of the operation that ended."""
    if run is None:
        return [f'the run of {due} has vanished']
    if run.outcome == schedules.MISSED:
        return [] if run.reason else [f'the run of {due} is missed and does not say why']
    if (run.operation, run.outcome) != (record['id'], record['status']):
        return [f'the run of {due} is {run}, and {record["id"]} is {record["status"]}']
    return []


class DueRun:
    """One run, from the time that is set for it to what became of it."""

    def __init__(self, maas: charmed_maas.CharmedMaas):
        self._maas = maas
        self._due = ''

    def set(self) -> None:
        """Have a backup begin soon."""
        for _ in range(_TRIES):
            soon = datetime.datetime.now(datetime.UTC) + _SOON
            self._due = times.stamp(soon)
            self._set(f'{soon:%Y-%m-%d %H:%M:%S} UTC')
            if self._maas.running.until(self._heard, _PATIENCE) == _HEARD:
                return
        raise AssertionError(f'no leader heard of a schedule within {_SOON.seconds} s')

    def begins(self) -> schedules.Run:
        """Let one leader follow another until the run has begun or is missed; return it."""
        names = itertools.cycle(sorted(self._maas.units(charmed_maas.APP)))
        left = _CHANGES if len(self._maas.units(charmed_maas.APP)) > 1 else 0

        def ran() -> schedules.Run | None:
            nonlocal left
            if left and self._now() >= self._due:
                left -= 1
                self._maas.model.set_leader(next(names))
            return self._run

        found = self._maas.running.until(ran, _PATIENCE)
        assert found is not None
        return found

    def end(self) -> None:
        """Let nothing begin again: a run whose checks failed would."""
        self._set('')
        self._maas.running.until(lambda: self._kept.pending is None, _SETTLING)

    def lost(self, record: charmed_maas.Json) -> list[str]:
        """Return what does not hold of the run when its operation has ended.

        Args:
            record: of the operation.
        """
        with contextlib.suppress(TimeoutError):
            self._maas.running.until(self._is_told, _SETTLING)
        return wrong(self._due, self._run, record)

    def _is_told(self) -> bool:
        return self._run is not None and self._run.outcome != schedules.RUNNING

    def _heard(self) -> str:
        if self._kept.due == self._due:
            return _HEARD
        return 'too late' if self._now() > self._due else ''

    def _now(self) -> str:
        return times.stamp(datetime.datetime.now(datetime.UTC))

    def _set(self, text: str) -> None:
        juju = self._maas.model
        self._maas.change(lambda: juju.set_config(charmed_maas.APP, {_OPTION: text}))

    @property
    def _run(self) -> schedules.Run | None:
        return next((run for run in self._kept.runs if run.due == self._due), None)

    @property
    def _kept(self) -> schedules.Schedule:
        """The schedule as the peer relation has it; on any thread."""
        text = self._maas.running.peers.app_data[charmed_maas.APP].get('schedules', '')
        return schedules.from_json(text).get(_KIND, schedules.Schedule())
