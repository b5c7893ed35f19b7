"""What a verification asks of the process that reads a backup set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Protocol

from coordinator.ports.store import ObjectStore


@dataclasses.dataclass(frozen=True)
class Reading:
    """Progress of reading a backup set."""

    tally: str
    """The results so far, as the reader stores them, so that another reading can continue."""
    read: int
    """Bytes of the objects that were read to their end."""
    done: int
    """Bytes that were read."""
    total: int
    """Bytes that there are to read."""
    rate: float
    """Bytes per second, of late."""
    running: bool
    ended: bool
    """Whether every object was read."""
    objects: int = 0
    """How many there are."""
    findings: tuple[str, ...] = ()
    """What is wrong with the objects that were read: the first ones."""
    digests: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """SHA-256 of what was read, by key: of objects of the files backup that had none."""
    damaged: int = 0
    """Number of damaged objects."""
    error: str = ''
    """Why the reading stopped early, if known."""
    refused: bool = False
    """Whether S3 refused something for good, so that a retry would fail in the same way."""


class Reader(Protocol):
    """Reads backup sets completely, one at a time, also while no dispatch runs.

    It may end at any time with its machine or its agent. `look` reports this, and `start`
    continues.
    """

    def look(self, name: str) -> Reading | None:
        """Return how the reading of this name stands; None if there is none.

        One that nobody looks at for a quarter of an hour ends by itself.
        """
        ...

    def start(
        self,
        name: str,
        backup_set: str,
        repository: ObjectStore,
        maas: ObjectStore,
        postgresql: ObjectStore,
        tally: str = '',
    ) -> None:
        """Begin a reading, or continue one; nothing if one is under way.

        Args:
            name: of the reading.
            backup_set: the set's manifest, as JSON.
            repository: the store that holds the manifest and the sealed passwords.
            maas: the store that holds the files backup.
            postgresql: the store that holds the database backup.
            tally: of an earlier `Reading` of this set.

        Raises:
            TransientError: it does not start, or that of another name has to end first.
        """
        ...

    def stop(self) -> None:
        """End the reading that is under way, if one is."""
        ...
