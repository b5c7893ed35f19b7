"""What is done with the bytes of an object."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from coordinator import checksums, ports


class Damaged(Exception):
    """The content is not what it should be. The message goes on from the object's name."""


class Check(Protocol):
    """Looks at an object's bytes, in order; raises `Damaged` as soon as they cannot be right."""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes; after `Damaged` none follow."""
        ...

    def finish(self) -> str:
        """Say what was there, when all bytes were."""
        ...


class Bytes:
    """A check that takes any content: the checksums are all that is compared."""

    def feed(self, chunk: bytes) -> None:
        pass

    def finish(self) -> str:
        return ''


@dataclasses.dataclass(frozen=True)
class Object:
    """An object that is to be read whole."""

    store: ports.ObjectStore
    key: str
    size: int
    """Bytes that it should have."""
    expected: Sequence[checksums.Checksum] = ()
    """What was said of its content."""
    check: Callable[[], Check] = Bytes
    """Makes what looks at its content."""


def files(count: int) -> str:
    """Say how many files there are."""
    return '1 file' if count == 1 else f'{count} files'
