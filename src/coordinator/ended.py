"""What the databag remembers of operations that have ended: a line each, the last ones only.

Nothing is decided by it; it is what an operator sees of them without S3.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence

from coordinator import operation, plain

MOST = 10
_LONGEST = 160
"""Bytes of what went wrong."""


@dataclasses.dataclass(frozen=True)
class Ended:
    """One operation that has ended."""

    id: str
    kind: str
    status: str
    step: str
    """The last one."""
    started: str
    ended: str
    error: str
    """What went wrong, or what one that did not fail has left to do; '' when all is well."""


def of(op: operation.Operation) -> Ended:
    """Return what is remembered of an operation."""
    troubles = {
        operation.FAILED: op.error,
        operation.ABORTED: op.problems[0] if op.problems else '',
        operation.COMPLETE: '; '.join(op.unfinished),
    }
    error = plain.one_line(troubles.get(op.status, ''), _LONGEST)
    return Ended(op.id, op.kind, op.status, op.step, op.started, op.ended, error)


def adding(entries: Sequence[Ended], op: operation.Operation) -> tuple[Ended, ...]:
    """Return the entries with this operation as the newest."""
    return (of(op), *(entry for entry in entries if entry.id != op.id))[:MOST]


def to_json(entries: Sequence[Ended]) -> str:
    """Return entries as stored."""
    raw = [dataclasses.asdict(entry) for entry in entries]
    return json.dumps(raw, separators=(',', ':'), ensure_ascii=False)


def from_json(text: str) -> tuple[Ended, ...]:
    """Read entries, newest first. What is none is passed over: no operation depends on it."""
    names = [field.name for field in dataclasses.fields(Ended)]
    try:
        return tuple(Ended(**{name: str(raw[name]) for name in names}) for raw in json.loads(text))
    except (KeyError, TypeError, ValueError):
        return ()
