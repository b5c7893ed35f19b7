"""The last ended operations in the databag, one line each.

The code decides nothing by them; they are what an operator sees without S3. Later findings about
an operation are kept separately, because its line never changes.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from coordinator import plain
from coordinator.engine import operation

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
    """The error, or what an operation that did not fail has left to do; '' if nothing."""


@dataclasses.dataclass(frozen=True)
class Since:
    """What has become of operations since they ended."""

    settled: frozenset[str] = frozenset()
    """Ids of those that need nothing more: all is well again, or a person said so."""
    left: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By id: what the last look at the site has found to be left to do."""

    def settling(self, operation_id: str) -> Since:
        """Return it with an operation that needs nothing more."""
        left = {key: text for key, text in self.left.items() if key != operation_id}
        return Since(self.settled | {operation_id}, left)

    def finding(self, operation_id: str, lines: Sequence[str]) -> Since:
        """Return it with what is left to do of an operation now."""
        if not lines:
            return self.settling(operation_id)
        # Half a command is worse than no command, so the line only has the first one.
        more = f'; {len(lines) - 1} more in show-operation' if len(lines) > 1 else ''
        first = plain.one_line(lines[0], _LONGEST - len(more))
        return Since(self.settled, {operation_id: first + more})

    def to_json(self) -> str:
        """Return it as stored."""
        raw = {'settled': sorted(self.settled)[-MOST:], 'left': dict(self.left)}
        return json.dumps(raw, separators=(',', ':'), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Since:
        """Read what was stored; nothing is known if it cannot be read."""
        try:
            raw = json.loads(text)
            left = {str(key): str(value) for key, value in raw['left'].items()}
            return cls(frozenset(map(str, raw['settled'])), left)
        except (AttributeError, KeyError, TypeError, ValueError):
            return cls()


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
    """Read entries, newest first. Invalid entries are ignored: no operation depends on them."""
    names = [field.name for field in dataclasses.fields(Ended)]
    try:
        return tuple(Ended(**{name: str(raw[name]) for name in names}) for raw in json.loads(text))
    except (KeyError, TypeError, ValueError):
        return ()
