"""What the metrics say of the backup sets in the repository.

Only the leader lists them: when an operation has ended, and for list-backups. It stores what it
found in the peer databag, so that every unit reports the same.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import json
import typing
from collections.abc import Iterable, Mapping
from typing import Any

from coordinator import times
from coordinator.sets import retention

if typing.TYPE_CHECKING:
    # The exporter reads what is stored here, and no catalogue.
    from coordinator.sets import catalogue

COMPLETE, VERIFIED, READ_WHOLE, PROVEN = 'complete', 'verified', 'read-whole', 'proven'
"""Complete; found good by verify-backup; by a verify-backup that read every object; restored, and
MAAS held exactly what the set does."""
STATES = (
    retention.COMPLETE,
    retention.INCONSISTENT,
    retention.DATABASE_EXPIRED,
    retention.DAMAGED,
    retention.ARCHIVED,
    retention.FAILED,
    retention.UNREADABLE,
    retention.NEWER,
)


@dataclasses.dataclass(frozen=True)
class Sets:
    """The backup sets of one model."""

    states: Mapping[str, int]
    """How many sets there are in each state."""
    newest: Mapping[str, str]
    """Backup id of the newest set of each kind; a kind without a set is missing."""
    database_bytes: int = 0
    """Of the newest complete set, as stored."""
    files_bytes: int = 0
    rehearsed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By what it proved: id of the last rehearsal of any set."""

    def to_json(self) -> str:
        """Return it as stored; equal sets give equal text."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True, separators=(',', ':'))

    @classmethod
    def from_json(cls, text: str) -> Sets | None:
        """Read what `to_json` made; None for anything else: the next listing stores it again."""
        try:
            raw: dict[str, Any] = json.loads(text)
            return cls(
                {str(state): int(count) for state, count in raw['states'].items()},
                {str(kind): str(backup_id) for kind, backup_id in raw['newest'].items()},
                int(raw['database_bytes']),
                int(raw['files_bytes']),
                # Older revisions know of no rehearsals.
                {str(proof): str(at) for proof, at in raw.get('rehearsed', {}).items()},
            )
        except (AttributeError, LookupError, TypeError, ValueError):
            return None


def of(listed: Iterable[catalogue.Entry], model_uuid: str, now: datetime.datetime) -> Sets:
    """Return what there is to say of this model's sets.

    Args:
        listed: all sets of the repository, with their states as this model knows them.
        model_uuid: of this model. A set without a readable manifest may be of any model.
        now: the time: sets that a wrong clock has dated in the future are never the newest.
    """
    own = [entry for entry in listed if entry.model_uuid in ('', model_uuid)]
    counts = collections.Counter(entry.state for entry in own)
    good = [
        entry
        for entry in sorted(own, key=lambda entry: entry.backup_id)
        if entry.state == retention.COMPLETE and not times.is_ahead(entry.backup_id, now)
    ]
    newest = {kind: entry.backup_id for entry in good for kind in _kinds(entry)}
    summary = good[-1].summary if good else None
    return Sets(
        {state: counts[state] for state in STATES},
        newest,
        summary.postgresql_bytes if summary else 0,
        summary.maas_bytes if summary else 0,
        _rehearsed(own, now),
    )


def _rehearsed(own: Iterable[catalogue.Entry], now: datetime.datetime) -> dict[str, str]:
    """Return the last rehearsal by its outcome, but for those of a clock that was ahead."""
    found = [entry.rehearsed for entry in own if entry.rehearsed is not None]
    ordered = sorted((item.at, item.proof) for item in found if not times.is_ahead(item.at, now))
    return {proof: at for at, proof in ordered}


def _kinds(entry: catalogue.Entry) -> list[str]:
    """Return what a complete set is the newest of, unless a later one is."""
    verified = entry.verified is not None and entry.verified.good
    whole = verified and entry.verified is not None and entry.verified.whole
    rehearsed = entry.rehearsed is not None and entry.rehearsed.good
    proven = bool(entry.proven) or rehearsed
    known = {COMPLETE: True, VERIFIED: verified, READ_WHOLE: whole, PROVEN: proven}
    return [kind for kind, holds in known.items() if holds]
