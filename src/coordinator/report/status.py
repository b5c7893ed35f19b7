"""What `juju status` says, out of the record alone: one line with the next thing to do."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence
from typing import TypeGuard

from coordinator import plain, times
from coordinator.engine import operation
from coordinator.record import ended, schedules
from coordinator.report import situation

_LONGEST = 240
"""Characters: a status line is read in a table."""
_MENDING = ('backup-all', 'restore-all')
"""Kinds of operation after which all is well again, whatever was wrong before."""
_QUIET = datetime.timedelta(minutes=15)
"""A leader stores at least every five minutes that it is still there."""
_NOTHING = ended.Since()
_NO_SCHEDULES: schedules.Schedules = {}
_UNITS = (('d', 86400), ('h', 3600), ('min', 60), ('s', 1))


def describe(
    op: operation.Operation | None,
    earlier: Sequence[ended.Ended],
    last_complete: str,
    app: str,
    now: datetime.datetime,
    *,
    lacking: str = '',
    quiet: datetime.timedelta | None = None,
    since: ended.Since = _NOTHING,
    kept: schedules.Schedules = _NO_SCHEDULES,
) -> tuple[str, str]:
    """Return status and message of a coordinator.

    Args:
        op: the running or last operation.
        earlier: operations that have ended, newest first; the last one may be among them.
        last_complete: backup id of the newest complete set, or ''.
        app: this application's name, for commands.
        now: the time.
        lacking: what a person must give before the operation under way can go on.
        quiet: for how long nobody has continued it, as a unit that does not lead can tell.
        since: what has become of operations since they ended.
        kept: the schedules.
    """
    if op is not None and op.open:
        return _under_way(op, app, lacking, quiet)
    if op is not None and op.status == operation.HELD:
        return 'blocked', _line(
            f'{op.kind} {op.id} is held at {op.step}{_site(op)}: '
            f'run juju run {app}/leader resume-operation once this is fixed: '
            f'{op.current.reason}'
        )
    found = trouble(op, earlier, since)
    if op is not None and found is not None and found.status == operation.COMPLETE:
        return 'blocked', _line(
            f'{found.error} (left to do after {found.kind} {found.id}, which is complete)'
        )
    if op is not None and found is not None:
        which = '' if found.id == op.id else f' operation-id={found.id}'
        verb = 'failed' if found.status == operation.FAILED else 'was aborted'
        return 'blocked', _line(
            f'{found.kind} {found.id} {verb}, see juju run {app}/leader show-operation'
            f'{which}: {found.error}'
        )
    if op is not None and op.fact(operation.THROWAWAY):
        model = op.fact(operation.THROWAWAY)
        return 'active', _line(
            f'a restore was rehearsed here, see juju run {app}/leader show-operation; '
            f'then juju destroy-model {model}: it has the credentials of the site'
        )
    missed = _missed(op, earlier, kept)
    if missed:
        return 'blocked', _line(f'{missed}, see juju run {app}/leader show-schedule')
    if times.is_ahead(last_complete, now):
        return 'active', _line(
            f'last complete backup set {last_complete} is dated in the future, '
            'because a clock was wrong: '
            f'juju run {app}/leader backup-all, then delete this set with delete-backup'
        )
    if last_complete:
        age = span(now - times.parse_stamp(last_complete))
        return 'active', _line(
            f'last complete backup set {last_complete} ({age} ago){_next(kept)}{_lost(op, app)}'
            f'{_unproven(op, app)}'
        )
    return 'active', _line(
        f'ready, no backup set yet: juju run {app}/leader backup-all{_next(kept)}'
        f'{_unproven(op, app)}'
    )


def _missed(
    op: operation.Operation | None, earlier: Sequence[ended.Ended], kept: schedules.Schedules
) -> str:
    """Return which run was missed and why, unless the same was done since."""
    completed: dict[str, str] = {}
    for entry in earlier if op is None else ended.adding(earlier, op):
        if entry.status == operation.COMPLETE:
            completed[entry.kind] = max(entry.id, completed.get(entry.kind, ''))
    found = schedules.missed(kept, completed)
    if found is None:
        return ''
    kind, run = found
    return f'{kind} of {run.due} was missed, because {run.reason}'


def _next(kept: schedules.Schedules) -> str:
    found, over = schedules.next_due(kept), schedules.over(kept)
    coming = f'; next {found[0]} {found[1]}' if found else ''
    return coming + (f'; all times of {" and ".join(over)} have passed' if over else '')


def left_to_do(
    op: operation.Operation | None,
    earlier: Sequence[ended.Ended],
    since: ended.Since = _NOTHING,
) -> str:
    """Return what a person must still do for an operation that is complete, '' if nothing."""
    found = trouble(op, earlier, since)
    complete = found is not None and found.status == operation.COMPLETE
    return found.error if found is not None and complete else ''


def trouble(
    op: operation.Operation | None,
    earlier: Sequence[ended.Ended],
    since: ended.Since = _NOTHING,
) -> ended.Ended | None:
    """Return the operation that still needs a person, with what is left to do of it now.

    One that was aborted and put everything back has fixed nothing: what was wrong before it
    counts, until a backup or a restore completes, or another operation of the same kind.
    """
    mended: set[str] = set()
    for entry in earlier if op is None else ended.adding(earlier, op):
        settled = entry.id in since.settled
        if entry.status == operation.COMPLETE:
            if entry.error and entry.kind not in mended and not settled:
                return _as_found(entry, since)
            mended.add(entry.kind)
            if entry.kind in _MENDING:
                return None
        elif entry.kind in mended or settled:
            continue
        elif entry.status != operation.ABORTED or entry.error:
            return _as_found(entry, since)
    return None


def _as_found(entry: ended.Ended, since: ended.Since) -> ended.Ended:
    """Return an operation with what is left to do of it now instead of at its end.

    Why one failed stays true.
    """
    if entry.status == operation.FAILED:
        return entry
    return dataclasses.replace(entry, error=since.left.get(entry.id, entry.error))


def _lost(op: operation.Operation | None, app: str) -> str:
    """Warn of sets that cannot be restored any more, as far as the last operation knows of any."""
    count = op.fact(operation.DATABASE_EXPIRED) if op is not None else ''
    if not count:
        return ''
    return (
        f'; pgBackRest has expired the database of {count} older one(s), '
        f'see juju run {app}/leader list-backups'
    )


def _unproven(op: operation.Operation | None, app: str) -> str:
    """Say of the last restore that nothing has proven it."""
    proof = op.fact(operation.PROOF) if op is not None else ''
    if op is None or not proof.startswith(operation.NOT_PROVEN):
        return ''
    return f'; {op.kind} {op.id} is not proven, see juju run {app}/leader show-operation'


def _under_way(
    op: operation.Operation, app: str, lacking: str, quiet: datetime.timedelta | None
) -> tuple[str, str]:
    if lacking:
        return 'blocked', _line(f'{op.kind} {op.id} waits at {op.step}{_site(op)}: {lacking}')
    if is_abandoned(quiet):
        return 'waiting', _line(
            f'{op.kind} {op.id} waits at {op.step}{_site(op)}: no unit has continued it for '
            f'{span(quiet)}, so there may be no leader: juju status {app} shows which are down'
        )
    return 'maintenance', _line(_progress(op))


def is_abandoned(quiet: datetime.timedelta | None) -> TypeGuard[datetime.timedelta]:
    """Whether nobody continues an operation any more."""
    return quiet is not None and quiet > _QUIET


def _site(op: operation.Operation) -> str:
    told = situation.told(op)
    return f' ({"; ".join(told)})' if told else ''


def _progress(op: operation.Operation) -> str:
    names = [entry.name for entry in op.steps]
    position = f'step {names.index(op.step) + 1} of {len(names)}'
    doing = f'undoing {op.step}' if op.undoing else op.step
    reason = f': {op.current.reason}' if op.current.reason else ''
    return f'{op.kind} {op.id}: {position}, {doing}{_site(op)}{reason}'


def _line(text: str) -> str:
    return plain.one_line(text, _LONGEST)


def span(length: datetime.timedelta) -> str:
    """Return a length of time as people say it: in its largest unit and the one below."""
    seconds = max(int(length.total_seconds()), 0)
    largest = next((n for n, (_, size) in enumerate(_UNITS) if seconds >= size), len(_UNITS) - 1)
    parts: list[str] = []
    for unit, size in _UNITS[largest : largest + 2]:
        count, seconds = divmod(seconds, size)
        if count or not parts:
            parts.append(f'{count} {unit}')
    return ' '.join(parts)
