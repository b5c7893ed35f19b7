"""What rehearsals of a backup set have shown, as it is kept beside the set.

The outcome is in the object's name, so that one listing tells it of every set; the object itself
says how long each step took, and of which versions everything was.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Iterable
from typing import Annotated, Any

import pydantic

from coordinator import object_keys, times
from coordinator.sets import documents, manifest

VERSION = 1
PROVEN, DIFFERENT, UNPROVEN = 'proven', 'different', 'unproven'
"""MAAS held exactly what the set does; it held other things; nobody could compare it."""
_WORDS = {PROVEN: 'proven', DIFFERENT: 'with differences', UNPROVEN: 'not proven'}
_NAME = re.compile(
    rf'rehearsed-(?P<at>{object_keys.ID.pattern})-(?P<minutes>[0-9]{{1,6}})min-'
    rf'(?P<proof>{PROVEN}|{DIFFERENT}|{UNPROVEN})-'
    r'(?P<model>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json'
)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """When a set was rehearsed, how long it took, and what MAAS said afterwards."""

    at: str
    """When it began: the id of the restore. UTC, in the form of a backup id."""
    minutes: int
    proof: str
    """PROVEN, DIFFERENT or UNPROVEN."""
    model_uuid: str
    """The throw-away model: no rehearsal of another model overwrites this one's result."""

    @property
    def name(self) -> str:
        """Name of the object in the set's folder."""
        return f'rehearsed-{self.at}-{self.minutes}min-{self.proof}-{self.model_uuid}.json'

    @property
    def good(self) -> bool:
        """Whether MAAS held exactly what the set does."""
        return self.proof == PROVEN

    @property
    def day(self) -> str:
        """The date, for people."""
        return self.at.partition('T')[0]

    def __str__(self) -> str:
        """Say it for people, as `2026-11-20, 34 min, proven`."""
        return f'{self.day}, {self.minutes} min, {_WORDS[self.proof]}'

    def for_programs(self) -> dict[str, Any]:
        """Return it as list-backups and show-backup print it in JSON."""
        return {'at': self.at, 'minutes': self.minutes, 'proof': self.proof}


def outcome(name: str) -> Outcome | None:
    """Return what the name of an object in a set's folder says; None if it says nothing."""
    found = _NAME.fullmatch(name)
    if found is None or not _is_time(found['at']):
        return None
    return Outcome(found['at'], int(found['minutes']), found['proof'], found['model'])


def _is_time(text: str) -> bool:
    try:
        times.parse_stamp(text)
    except ValueError:
        return False
    return True


def newest(names: Iterable[str]) -> Outcome | None:
    """Return the outcome of the last rehearsal, of the names in a set's folder."""
    found = [item for name in names if (item := outcome(name)) is not None]
    return max(found, key=lambda item: (item.at, item.name), default=None)


class Result(documents.Part):
    """One rehearsal, as stored."""

    version: int = VERSION
    backup_id: manifest.Id
    operation_id: manifest.Id
    model: manifest.Model
    """The throw-away model."""
    started: documents.Text
    ended: documents.Text
    total_seconds: manifest.Seconds
    downtime_seconds: manifest.Seconds | None = None
    """How long MAAS was down; None if that is not known."""
    seconds: Annotated[dict[str, manifest.Seconds], manifest.Few]
    """How long each step took."""
    proof: documents.Text
    """PROVEN, DIFFERENT or UNPROVEN."""
    told: documents.Text
    """The proof in a sentence: what differs, or why nothing could be compared."""
    left: Annotated[tuple[documents.Text, ...], pydantic.Field(max_length=100)] = ()
    """What else was left to do."""
    coordinator_version: documents.Text
    maas: manifest.Charm
    postgresql: manifest.Charm

    @property
    def outcome(self) -> Outcome:
        """What its name says."""
        minutes = math.ceil(self.total_seconds / 60)
        return Outcome(self.operation_id, minutes, self.proof, self.model.uuid)

    def to_json(self) -> bytes:
        """Return it as stored."""
        content: dict[str, Any] = json.loads(self.model_dump_json(by_alias=True))
        return json.dumps(content, indent=2).encode()


def parse(content: bytes, source: str) -> Result:
    """Read what `to_json` made; `source` names it in errors.

    Raises:
        ForeignRecordError: its version is newer than this one.
        UnexpectedAnswer: it is damaged.
    """
    return documents.read(Result, content, source, VERSION)
