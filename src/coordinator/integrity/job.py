"""Reads one backup set whole, and can be asked at any time how far it has come."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

from coordinator import errors, ports
from coordinator.integrity import contents, inspection, pace, tally
from coordinator.sets import manifest


@dataclasses.dataclass(frozen=True)
class Note:
    """How a reading stands: what is left for whoever looks."""

    name: str
    """Of the reading."""
    tally: tally.Tally
    objects: int
    progress: pace.Progress
    ended: bool = False
    error: str = ''
    refused: bool = False

    def to_json(self) -> str:
        """Return the note as stored."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Note | None:
        """Read what `to_json` made; None if it is damaged, as after a full disk."""
        try:
            stored: dict[str, Any] = json.loads(text)
            return cls(
                name=str(stored['name']),
                tally=tally.Tally.of_dict(stored['tally']),
                objects=int(stored['objects']),
                progress=pace.Progress(**stored['progress']),
                ended=bool(stored['ended']),
                error=str(stored['error']),
                refused=bool(stored.get('refused')),
            )
        except (ValueError, LookupError, TypeError):
            return None

    def reading(self, *, running: bool) -> ports.Reading:
        """Return it as the steps see it."""
        return ports.Reading(
            tally=self.tally.to_json(),
            read=self.tally.bytes,
            done=self.progress.done,
            total=self.progress.total,
            rate=self.progress.rate,
            running=running,
            ended=self.ended,
            objects=self.objects,
            findings=self.tally.findings,
            digests=self.tally.digests,
            damaged=self.tally.damaged,
            error=self.error,
            refused=self.refused,
        )


class Job:
    """The reading of one set."""

    def __init__(
        self,
        name: str,
        backup_set: manifest.Manifest,
        repository: ports.ObjectStore,
        maas: ports.ObjectStore,
        postgresql: ports.ObjectStore,
        before: str,
    ):
        """Begin nothing yet; `before` is the tally of an earlier reading, or ''."""
        self._name = name
        self._open = lambda: contents.objects(backup_set, repository, maas, postgresql)
        self._before = before
        # Until it is known of which list it is, it is passed on as it came.
        self._tally = tally.Tally.read(before)
        self._pace = pace.Pace(0)
        self._objects = 0
        self._ended = False
        self._error = ''
        self._refused = False

    @property
    def note(self) -> Note:
        """How it stands now; may be asked for by another thread."""
        return Note(
            self._name,
            self._tally,
            self._objects,
            self._pace.progress,
            self._ended,
            self._error,
            self._refused,
        )

    def run(self, carry_on: Callable[[], bool]) -> None:
        """Read until all is read, S3 fails, or `carry_on` says no; raises nothing."""
        try:
            objects = self._open()
            self._objects = len(objects)
            self._tally = tally.Tally.from_json(self._before, tally.name_of(objects))
            self._pace = pace.Pace(sum(item.size for item in objects), self._tally.bytes)
            rest = self._tally.rest(len(objects))
            for index, verdict in inspection.inspect(objects, rest, carry_on, self._pace):
                self._tally = self._tally.adding(index, verdict)
            self._ended = self._tally.has_all(len(objects))
        except errors.CoordinatorError as error:
            self._error = str(error)
            self._refused = isinstance(error, errors.StoreRefused)
        except Exception as error:
            # Its text may hold anything, and is written down.
            self._error = f'internal error ({type(error).__name__})'
