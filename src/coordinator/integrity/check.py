"""What is done with the bytes of an object."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Protocol

from coordinator import checksums, ports


class Damaged(Exception):
    """The content is damaged. The message continues a sentence that begins with the object."""


class Check(Protocol):
    """Looks at an object's bytes, in order; raises `Damaged` as soon as they cannot be right."""

    def feed(self, chunk: bytes) -> None:
        """Look at the next bytes; after `Damaged` none follow."""
        ...

    def finish(self) -> str:
        """Return what the object contained, after its last byte."""
        ...


class Bytes:
    """A check that accepts any content: only the checksums are compared."""

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
    digest: bool = False
    """Whether its SHA-256 is asked for."""


def files(count: int) -> str:
    """Return the number of files, for people."""
    return '1 file' if count == 1 else f'{count} files'
