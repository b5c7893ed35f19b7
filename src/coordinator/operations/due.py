"""Which run is due now, and what becomes of one that cannot begin. Decides; begins nothing.

Every dispatch of the leader looks. What it decides is stored with the operation that it begins, in
one commit: a dispatch that dies has decided nothing, and the next one decides again.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from coordinator import errors, ports, times
from coordinator.engine import operation
from coordinator.record import ended, schedules

LONGEST_WAIT = 3600
"""Seconds that a run waits for the end of an operation, before it is missed."""
PAUSES = (60, 120, 240, 480, 960)
"""Seconds after a failed start; after as many as there are, a run is missed."""
_SHORTEST = datetime.timedelta(minutes=1)
"""Between two runs: what is stored for each brings the next dispatch."""
_MOST_AT_ONCE = 1000
"""Runs that are looked for at once: of more than that, no unit counts how many were missed."""
_A_STEP_BACK = datetime.timedelta(days=1)
"""If the clock is set back by more, its former time was wrong."""
_STORED_EVERY = 300
"""Seconds of waiting between two records of it."""


def configured(
    schedule: schedules.Schedule,
    kind: str,
    text: str,
    now: datetime.datetime,
    calendars: ports.Calendars,
) -> schedules.Schedule:
    """Return a schedule that follows the option's value.

    Raises:
        TransientError: systemd does not answer.
    """
    if text == schedule.text:
        return schedule
    option = schedules.OPTIONS[kind]
    if schedule.pending is not None:
        schedule = _missed(schedule, now, f'{option} was changed before the run started')
    stamp = times.stamp(now)
    fresh = dataclasses.replace(
        schedule, text=text, calendar='', problem='', due='', seen=stamp, pending=None
    )
    if not text:
        return fresh
    try:
        calendar = calendars.normal(text)
        _check(calendars.after(calendar, now, 2))
    except errors.PreconditionError as error:
        return dataclasses.replace(fresh, problem=str(error))
    return dataclasses.replace(fresh, calendar=calendar)


def _check(found: Sequence[datetime.datetime]) -> None:
    """Refuse what never runs, or runs too often.

    Raises:
        PreconditionError: says which.
    """
    if not found:
        raise errors.PreconditionError('all its times are in the past')
    if len(found) > 1 and found[1] - found[0] < _SHORTEST:
        raise errors.PreconditionError('it runs more often than once a minute')


def looked(
    schedule: schedules.Schedule, now: datetime.datetime, calendars: ports.Calendars
) -> schedules.Schedule:
    """Return a schedule with the run that is due now, if one is, and the next one.

    Only the newest of several is made up for; the others are missed.

    Raises:
        TransientError: systemd does not answer; nothing is forgotten by that.
    """
    if not schedule.calendar:
        return schedule
    seen = times.parse_stamp(schedule.seen) if schedule.seen else now
    if now < seen - _A_STEP_BACK:
        # The clock was far ahead, and the next run that was worked out then is too late.
        schedule, seen = dataclasses.replace(schedule, seen=times.stamp(now), due=''), now
    if schedule.due and now < times.parse_stamp(schedule.due):
        return schedule
    found = calendars.after(schedule.calendar, seen, _MOST_AT_ONCE)
    past = [time for time in found if time <= now]
    if past:
        # The newest may have been beyond those that were looked for at once.
        found = calendars.after(schedule.calendar, now)
        schedule = _arrived(schedule, past, now)
    ahead = [time for time in found if time > now]
    schedule = dataclasses.replace(schedule, seen=times.stamp(max(now, seen)))
    if not ahead:
        # Without a calendar nothing is looked for, and nothing stored, again and again.
        return dataclasses.replace(schedule, due='', calendar='')
    return dataclasses.replace(schedule, due=times.stamp(ahead[0]))


def _arrived(
    schedule: schedules.Schedule, past: Sequence[datetime.datetime], now: datetime.datetime
) -> schedules.Schedule:
    if schedule.pending is not None:
        why = f'it had not begun when the next run was due: {schedule.pending.reason}'.rstrip(': ')
        schedule = _missed(schedule, now, why)
    *before, newest = [times.stamp(time) for time in past]
    for due in before:
        run = schedules.Run(
            due,
            schedules.MISSED,
            times.stamp(now),
            reason=f'no unit led at that time, and the run of {newest} replaces it',
        )
        schedule = schedule.adding(run)
    return dataclasses.replace(schedule, pending=schedules.Pending(newest))


def settled(
    schedule: schedules.Schedule,
    op: operation.Operation | None,
    earlier: Sequence[ended.Ended],
    now: datetime.datetime,
    *,
    again: bool = True,
) -> schedules.Schedule:
    """Return a schedule that knows what became of the run that it began.

    One whose operation failed in its first step has changed nothing: it begins `again`.
    """
    run = schedule.last
    if run is None or run.outcome != schedules.RUNNING:
        return schedule
    entries = {entry.id: entry for entry in earlier}
    if op is not None and op.terminal:
        entries[op.id] = ended.of(op)
    if op is not None and op.id == run.operation and not op.terminal:
        return schedule
    found = entries.get(run.operation)
    if found is None:
        return schedule.adding(dataclasses.replace(run, outcome=schedules.UNKNOWN))
    done = schedule.adding(dataclasses.replace(run, outcome=found.status, reason=found.error))
    untouched = op is not None and op.id == run.operation and _changed_nothing(op)
    if not again or not untouched or schedule.pending is not None or run.attempt > len(PAUSES):
        return done
    pending = schedules.Pending(run.due, attempts=run.attempt - 1)
    return refused(dataclasses.replace(done, pending=pending), found.error, now)


def _changed_nothing(op: operation.Operation) -> bool:
    """Whether an operation failed in the checks that are its first step."""
    untouched = all(entry.state == operation.TO_DO and not entry.started for entry in op.steps[1:])
    return op.status == operation.FAILED and untouched


def waiting(
    schedule: schedules.Schedule,
    op: operation.Operation | None,
    now: datetime.datetime,
    waited: int,
) -> tuple[schedules.Schedule, bool]:
    """Return a schedule whose run is due, and whether it may begin now.

    Args:
        schedule: has a pending run.
        op: the running or last operation.
        now: the time.
        waited: seconds since the run was due, as this unit's dispatches have measured them.
    """
    pending = schedule.pending
    assert pending is not None
    if waited - pending.waited >= _STORED_EVERY:
        pending = dataclasses.replace(pending, waited=waited)
        schedule = dataclasses.replace(schedule, pending=pending)
    if op is None or op.terminal:
        return schedule, waited >= pending.retry_at
    if op.status == operation.HELD:
        return _missed(schedule, now, f'{op.kind} {op.id} is held'), False
    if waited >= LONGEST_WAIT:
        return _missed(schedule, now, f'{op.kind} {op.id} was still running an hour later'), False
    return schedule.waiting(f'{op.kind} {op.id} is running'), False


def begun(
    schedule: schedules.Schedule, op: operation.Operation, now: datetime.datetime
) -> schedules.Schedule:
    """Return a schedule whose pending run has begun an operation."""
    pending = schedule.pending
    assert pending is not None
    run = schedules.Run(
        pending.due, at=times.stamp(now), operation=op.id, attempt=pending.attempts + 1
    )
    return dataclasses.replace(schedule.adding(run), pending=None)


def refused(
    schedule: schedules.Schedule,
    why: str,
    now: datetime.datetime,
    waited: int = 0,
    *,
    again: bool = True,
) -> schedules.Schedule:
    """Return a schedule whose pending run could not begin: it begins after a pause, or never.

    Args:
        schedule: has a pending run.
        why: it could not.
        now: the time.
        waited: seconds since the run was due.
        again: whether it may begin after a pause.
    """
    pending = schedule.pending
    assert pending is not None
    if not again:
        return _missed(schedule, now, why)
    if pending.attempts >= len(PAUSES):
        why = f'it could not start in {pending.attempts + 1} attempts: {why}'
        return _missed(schedule, now, why)
    later = dataclasses.replace(
        pending,
        waited=waited,
        attempts=pending.attempts + 1,
        retry_at=waited + PAUSES[pending.attempts],
    )
    return dataclasses.replace(schedule, pending=later).waiting(why)


def _missed(schedule: schedules.Schedule, now: datetime.datetime, why: str) -> schedules.Schedule:
    pending = schedule.pending
    assert pending is not None
    run = schedules.Run(
        pending.due,
        schedules.MISSED,
        times.stamp(now),
        reason=why,
        attempt=pending.attempts + 1,
    )
    return dataclasses.replace(schedule.adding(run), pending=None)
