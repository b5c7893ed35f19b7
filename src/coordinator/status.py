"""What `juju status` says, out of the record alone: one line with the next thing to do."""

from __future__ import annotations

import datetime

from coordinator import operation

_LONGEST = 240
"""Characters: a status line is read in a table."""
_UNITS = (('d', 86400), ('h', 3600), ('min', 60), ('s', 1))


def describe(
    op: operation.Operation | None, last_complete: str, app: str, now: datetime.datetime
) -> tuple[str, str]:
    """Return status and message of a coordinator that has all it needs.

    Args:
        op: the running or last operation.
        last_complete: backup id of the newest complete set, or ''.
        app: this application's name, for commands.
        now: the time.
    """
    if op is not None and op.open:
        return 'maintenance', _line(_progress(op))
    if op is not None and op.status == operation.HELD:
        return 'blocked', _line(
            f'{op.kind} {op.id} is held at {op.step}: run juju run {app}/leader resume-operation '
            f'once this is mended: {op.current.reason}'
        )
    if op is not None and op.status == operation.ABORTED and op.problems:
        return 'blocked', _line(
            f'{op.kind} {op.id} was aborted, see juju run {app}/leader show-operation: '
            f'{op.problems[0]}'
        )
    if op is not None and op.status == operation.FAILED:
        return 'blocked', _line(
            f'{op.kind} {op.id} failed, see juju run {app}/leader show-operation: {op.error}'
        )
    if last_complete:
        age = span(now - operation.parse_stamp(last_complete))
        return 'active', f'last complete backup set {last_complete} ({age} ago)'
    return 'active', f'ready, no backup set yet: juju run {app}/leader backup-all'


def _progress(op: operation.Operation) -> str:
    names = [entry.name for entry in op.steps]
    position = f'step {names.index(op.step) + 1} of {len(names)}'
    doing = f'undoing {op.step}' if op.undoing else op.step
    reason = f': {op.current.reason}' if op.current.reason else ''
    return f'{op.kind} {op.id}: {position}, {doing}{reason}'


def _line(text: str) -> str:
    return operation.one_line(text, _LONGEST)


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
