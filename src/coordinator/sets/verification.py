"""What verify-backup found out about a backup set, as it is kept beside the set.

The outcome is in the object's name, so that one listing tells it of every set; the object itself
says what was wrong.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from typing import Any

from coordinator import errors, object_keys, plain

_NAME = re.compile(
    rf'verified-({object_keys.ID.pattern})-(whole|present)-(good|damaged|archived)\.json'
)
_MOST = 5
"""Findings that are kept; the others are counted."""


@dataclasses.dataclass(frozen=True)
class Result:
    """When a set was verified, how, and whether it was right."""

    at: str
    """UTC, in the form of a backup id."""
    whole: bool
    """Whether every object was read completely, and not only checked for its existence."""
    good: bool
    archived: bool = False
    """Whether nothing is wrong with it but that objects must be thawed before it can be read."""

    @property
    def found(self) -> str:
        """What was found out, in one word."""
        if self.archived:
            return 'archived'
        return 'good' if self.good else 'damaged'

    @property
    def name(self) -> str:
        """Name of the object in the set's folder."""
        how = 'whole' if self.whole else 'present'
        return f'verified-{self.at}-{how}-{self.found}.json'

    def __str__(self) -> str:
        """Say it for people, as `2026-08-22T10:15:00Z, read whole`."""
        how = ', read whole' if self.whole else ''
        return f'{self.at}{how}{"" if self.good else f": {self.found}"}'


def outcome(name: str) -> Result | None:
    """Return what the name of an object in a set's folder says; None if it says nothing."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    return Result(
        found[1],
        whole=found[2] == 'whole',
        good=found[3] == 'good',
        archived=found[3] == 'archived',
    )


def standing(outcomes: Iterable[Result]) -> Result | None:
    """Return the outcome that counts, of all that a set has.

    That is the newest; but what was damaged when it was read whole stays damaged until it is read
    whole again.
    """
    ordered = sorted(outcomes, key=lambda item: (item.at, item.whole))
    whole = [item for item in ordered if item.whole]
    if whole and not whole[-1].good:
        return whole[-1]
    return ordered[-1] if ordered else None


def outdated(outcomes: Iterable[Result], new: Result) -> list[Result]:
    """Return which of a set's outcomes a new one makes worthless."""
    return [
        item
        for item in outcomes
        # A good outcome in the future comes from a wrong clock.
        if item != new and (new.whole or not item.whole or (item.good and item.at >= new.at))
    ]


@dataclasses.dataclass(frozen=True)
class Verification:
    """The outcome with what was wrong, as stored."""

    outcome: Result
    objects: int
    bytes: int
    """Of the objects: all of a set when it was read whole, those that its manifest counts
    otherwise."""
    findings: tuple[str, ...] = ()
    """The first ones."""
    more: int = 0
    """How many findings there were besides."""

    @classmethod
    def of(
        cls,
        at: str,
        *,
        whole: bool,
        objects: int,
        bytes: int,
        findings: Iterable[str],
        more: int = 0,
        archived: bool = False,
    ) -> Verification:
        """Return what a verification has found.

        Args:
            at: when, in the form of a backup id.
            whole: whether every object was read.
            objects: how many there were.
            bytes: of them.
            findings: why the set cannot be restored now, in sentences.
            more: findings that are not kept.
            archived: whether the only reason is that objects must be thawed first.
        """
        found = [plain.one_line(finding) for finding in findings]
        return cls(
            Result(at, whole, not found, archived=archived),
            objects,
            bytes,
            tuple(found[:_MOST]),
            max(len(found) - _MOST, 0) + more,
        )

    @property
    def told(self) -> str:
        """What was wrong, for people; '' if nothing was."""
        more = [f'and {self.more} more'] if self.more else []
        return '; '.join([*self.findings, *more])

    def to_json(self) -> bytes:
        """Return it as stored."""
        told: dict[str, Any] = dataclasses.asdict(self)
        return json.dumps({'version': 1, **told}, indent=2).encode()

    @classmethod
    def from_json(cls, content: bytes, source: str) -> Verification:
        """Read what `to_json` made; `source` names it in errors.

        Raises:
            UnexpectedAnswer: it is damaged.
        """
        try:
            stored = json.loads(content)
            return cls(
                outcome=Result(
                    plain.one_line(str(stored['outcome']['at'])),
                    bool(stored['outcome']['whole']),
                    bool(stored['outcome']['good']),
                    # Older revisions know of no archives.
                    bool(stored['outcome'].get('archived')),
                ),
                objects=int(stored['objects']),
                bytes=int(stored['bytes']),
                findings=tuple(plain.one_line(str(text)) for text in stored['findings'])[:_MOST],
                more=int(stored['more']),
            )
        except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
            raise errors.UnexpectedAnswer(
                f'{source} is damaged ({type(error).__name__})'
            ) from None
