"""What has been found so far: plain data, small enough for a record or a file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from coordinator.integrity import check, inspection

_MOST_FINDINGS = 5
"""Findings that are kept word for word; the others are counted."""


@dataclasses.dataclass(frozen=True)
class Tally:
    """Where a reading of a list of objects stands, and what it has found.

    As objects are begun in order, few at a time, all are done before `begun` but few. The list
    must be the same each time: `of` says for which one it holds.
    """

    of: str
    begun: int = 0
    unfinished: tuple[int, ...] = ()
    """Indices before `begun` that are not done."""
    bytes: int = 0
    """Of the objects that are done."""
    damaged: int = 0
    """How many objects."""
    findings: tuple[str, ...] = ()
    """The first ones."""
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """SHA-256 by key, of the few objects that were asked for it."""

    def rest(self, count: int) -> Iterator[int]:
        """Yield the indices of a list of objects that are not done."""
        yield from self.unfinished
        yield from range(self.begun, count)

    def adding(self, index: int, verdict: inspection.Verdict) -> Tally:
        """Return the tally with one more object done."""
        digests = {verdict.key: verdict.sha256} if verdict.sha256 else {}
        left = {*self.unfinished, *range(self.begun, index)} - {index}
        return dataclasses.replace(
            self,
            begun=max(self.begun, index + 1),
            unfinished=tuple(sorted(left)),
            bytes=self.bytes + verdict.bytes,
            damaged=self.damaged + bool(verdict.findings),
            findings=(*self.findings, *verdict.findings)[:_MOST_FINDINGS],
            digests={**self.digests, **digests},
        )

    def has_all(self, count: int) -> bool:
        """Whether all objects are done."""
        return self.begun >= count and not self.unfinished

    def to_json(self) -> str:
        """Return the tally as stored."""
        return json.dumps(dataclasses.asdict(self), separators=(',', ':'))

    @classmethod
    def from_json(cls, text: str, of: str) -> Tally:
        """Read a stored tally; return an empty one if it is damaged or of another list."""
        found = cls.read(text)
        return found if found.of == of else cls(of)

    @classmethod
    def read(cls, text: str) -> Tally:
        """Read a stored tally of whatever list; an empty one of none if it is damaged."""
        try:
            return cls.of_dict(json.loads(text))
        except (ValueError, LookupError, TypeError):
            return cls('')

    @classmethod
    def of_dict(cls, stored: Mapping[str, Any]) -> Tally:
        """Read what `dataclasses.asdict` made of a tally; raises what any such thing may."""
        return cls(
            of=str(stored['of']),
            begun=int(stored['begun']),
            unfinished=tuple(int(index) for index in stored['unfinished']),
            bytes=int(stored['bytes']),
            damaged=int(stored['damaged']),
            findings=tuple(str(finding) for finding in stored['findings']),
            # Those of earlier revisions have none.
            digests={str(key): str(text) for key, text in stored.get('digests', {}).items()},
        )


def name_of(objects: Sequence[check.Object]) -> str:
    """Return a digest of a list of objects."""
    listed = json.dumps([(item.key, item.size) for item in objects])
    return hashlib.sha256(listed.encode()).hexdigest()
