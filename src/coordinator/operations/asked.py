"""What becomes of requests for a backup. Decides; begins nothing, and knows no relation.

A request is answered by a backup that began after the request was seen: an older set would not
have what changed in between. So all requests that wait when a backup begins share it, whoever
begins it, and one that comes later waits for the next. Which requests an operation answers is
stored in its record, with its beginning.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from coordinator import plain, this, times
from coordinator.engine import facts, operation
from coordinator.operations import due
from coordinator.record import ended, requests, schedules

KIND = 'backup-all'
"""The operation that answers requests."""
NAME = 'requested-backup'
"""What logs and files call a run for requests."""
_NAMES = 160
"""Bytes of the names of those that a backup is for, in its record."""
_FORGOTTEN = datetime.timedelta(hours=1)
"""After which a failure brings no pause any more."""


def seen(kept: requests.Requests, found: Mapping[str, requests.Asked]) -> requests.Requests:
    """Return the requests as the relations have them now.

    Args:
        kept: the requests so far.
        found: what each relation requests now, as if it were new.
    """
    asked = {
        relation: before
        if (before := kept.asked.get(relation)) is not None and _same(before, each)
        else each
        for relation, each in found.items()
    }
    return dataclasses.replace(kept, asked=asked)


def standing(kept: requests.Requests, found: Mapping[str, requests.Asked]) -> requests.Requests:
    """Return them without those that wait and were taken back meanwhile.

    Juju says nothing to the units that stay when a relation is gone, and what has been answered
    must be remembered by a unit that leaves, whose relations are gone before it is.
    """
    asked = {
        relation: each
        for relation, each in kept.asked.items()
        if each.state != requests.WAITING
        or ((now := found.get(relation)) is not None and now.id == each.id)
    }
    return dataclasses.replace(kept, asked=asked)


def _same(before: requests.Asked, now: requests.Asked) -> bool:
    if now.id or before.id:
        return now.id == before.id
    # What cannot be read has no id, only why.
    return (now.state, now.reason) == (before.state, before.reason)


def lined_up(kept: requests.Requests, now: datetime.datetime) -> requests.Requests:
    """Return them with a run pending if a request waits, and only then."""
    line = kept.line
    if kept.waiting == (line.pending is not None):
        return kept
    pending = _pending(line, now) if kept.waiting else None
    return dataclasses.replace(kept, line=dataclasses.replace(line, pending=pending))


def _pending(line: schedules.Schedule, now: datetime.datetime) -> schedules.Pending:
    """Return a run that begins at once, or after a pause if the last ones have failed.

    A charm that requests again whenever it fails must not keep this one busy.
    """
    run = line.last
    well = run is None or run.outcome in (schedules.RUNNING, operation.COMPLETE)
    if run is None or well or not _is_recent(run.at, now):
        return schedules.Pending(times.stamp(now))
    failures = min(run.attempt, len(due.PAUSES))
    pause = due.PAUSES[failures - 1]
    return schedules.Pending(
        times.stamp(now),
        attempts=failures,
        retry_at=pause,
        reason=f'a pause of {pause // 60} min, because the last requested backup failed',
    )


def _is_recent(stamp: str, now: datetime.datetime) -> bool:
    return datetime.timedelta(0) <= now - times.parse_stamp(stamp) < _FORGOTTEN


def joined(
    kept: requests.Requests, op: operation.Operation, now: datetime.datetime
) -> tuple[requests.Requests, operation.Operation]:
    """Return all that wait as answered by an operation that begins, and that operation."""
    waiting = {key: each for key, each in kept.asked.items() if each.state == requests.WAITING}
    if not waiting:
        return kept, op
    marks = [requests.mark(relation, each.id) for relation, each in waiting.items()]
    names = ', '.join(sorted({each.by for each in waiting.values()} - {''}))
    by = facts.REQUESTED_BY.put(plain.one_line(names, _NAMES))
    op = op.remembering({**facts.REQUESTS.put(marks), **by})
    line = due.begun(lined_up(kept, now).line, op, now)
    return dataclasses.replace(_running(kept, op), line=line), op


def _running(kept: requests.Requests, op: operation.Operation) -> requests.Requests:
    """Return them with those running that an operation says it answers."""
    marks = facts.REQUESTS.of(op)
    asked = {
        relation: each.becoming(
            state=requests.RUNNING, operation=op.id, backup_id=op.backup_id, reason=''
        )
        if each.state == requests.WAITING and requests.mark(relation, each.id) in marks
        else each
        for relation, each in kept.asked.items()
    }
    return dataclasses.replace(kept, asked=asked)


def settled(
    kept: requests.Requests,
    op: operation.Operation | None,
    earlier: Sequence[ended.Ended],
    last_complete: str,
    now: datetime.datetime,
) -> requests.Requests:
    """Return them as the operations that answer them have left them.

    Args:
        kept: the requests.
        op: the running or last operation.
        earlier: operations that have ended.
        last_complete: backup id of the newest complete set.
        now: the time.
    """
    if op is not None:
        # If a former leader has overwritten the requests, the operation still knows.
        kept = _running(kept, op)
    line = _ended(kept.line, due.settled(kept.line, op, earlier, now, again=False), now)
    entries = {entry.id: entry for entry in earlier}
    if op is not None and op.terminal:
        entries[op.id] = ended.of(op)
    asked = {
        relation: _settled(each, op, entries.get(each.operation), last_complete)
        if each.state == requests.RUNNING
        else each
        for relation, each in kept.asked.items()
    }
    return dataclasses.replace(kept, line=line, asked=asked)


def _ended(
    before: schedules.Schedule, line: schedules.Schedule, now: datetime.datetime
) -> schedules.Schedule:
    """Have the pause after a failure begin with the end of the backup, however long it took."""
    if line.last is None or line == before:
        return line
    return line.adding(dataclasses.replace(line.last, at=times.stamp(now)))


def _settled(
    each: requests.Asked,
    op: operation.Operation | None,
    entry: ended.Ended | None,
    last_complete: str,
) -> requests.Asked:
    told = ''
    if op is not None and op.id == each.operation:
        each, told = each.becoming(backup_id=op.backup_id), op.error
        if not op.terminal:
            held = op.status == operation.HELD
            return each.becoming(reason=f'{op.kind} {op.id} is held: {op.error}' if held else '')
    if entry is None:
        why = f'the end of {KIND} {each.operation} is not known: request a backup again'
        return each.becoming(state=requests.FAILED, reason=why)
    # A set that was published is there, however its operation ended.
    if each.backup_id == last_complete:
        return each.becoming(state=requests.READY, reason=entry.error)
    why = entry.error or told or f'{entry.kind} {entry.id} ended {entry.status}'
    return each.becoming(state=requests.FAILED, reason=why)


def decided(
    kept: requests.Requests, line: schedules.Schedule, op: operation.Operation | None
) -> requests.Requests:
    """Return them as the line says, whose run has not begun."""
    kept = dataclasses.replace(kept, line=line)
    if line.pending is not None:
        return kept.becoming(requests.WAITING, reason=line.pending.reason)
    assert line.last is not None
    why = line.last.reason
    if op is not None and op.status == operation.HELD:
        why = f'{why}: {this.command("resume-operation")}'
    return kept.becoming(requests.REFUSED, reason=why)
