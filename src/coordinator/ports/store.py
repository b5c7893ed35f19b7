"""What steps ask of S3."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from coordinator.ports.effects import effect


@dataclasses.dataclass(frozen=True)
class StoredObject:
    """One object of an object store, as a listing or a HEAD request describes it."""

    key: str
    """Relative to the store's path, without a leading slash."""
    size: int
    etag: str
    """Without quotes."""
    modified: datetime.datetime
    versioned: bool = False
    """Whether it is a version among others, so that deleting it hides it. Only HEAD tells."""
    lock: str = ''
    """How long an object lock protects it, for people: `until ...`. Only HEAD tells."""
    checksum: str = ''
    """What the server itself computed of its content, as `checksums` writes it; '' where it keeps
    nothing. Only HEAD tells."""
    storage_class: str = ''
    """As the server names it; '' for its standard one."""
    archive: str = ''
    """Storage class and tier of the archive that it must be thawed from before it can be read; ''
    if it can be read. Only HEAD tells."""


@dataclasses.dataclass(frozen=True)
class Upload:
    """An object that is being uploaded in parts, and is not there yet."""

    key: str
    id: str
    """The server's, as the same object may be uploaded twice at once."""


@dataclasses.dataclass(frozen=True)
class UploadedPart:
    """A part of such an object that is stored."""

    size: int
    modified: datetime.datetime


class ObjectStore(Protocol):
    """One bucket and path. Keys are relative to the path.

    Transient failures are repeated by the adapter a bounded number of times; then
    `StoreUnavailable`. What S3 refuses is `StoreRefused`, with what to do about it.
    """

    @property
    def place(self) -> Mapping[str, str]:
        """`endpoint`, `bucket`, `path` and `region`: where this store lies, for people."""
        ...

    @effect
    def put(self, key: str, content: bytes) -> StoredObject:
        """Store an object whole, replacing any other of that key."""
        ...

    def get(self, key: str, limit: int = 1 << 20) -> bytes:
        """Return an object of at most `limit` bytes.

        `NotFound` when absent; `UnexpectedAnswer` when larger: nothing is read without a bound.
        """
        ...

    def open(self, key: str) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        """Lend an object of any size, to be read whole; `NotFound` when absent.

        Its chunks have a MiB at most. An answer that breaks off is taken up where it was;
        `UnexpectedAnswer` when the object was replaced meanwhile.
        """
        ...

    def head(self, key: str) -> StoredObject:
        """Return what is known of an object; `NotFound` when absent."""
        ...

    def list(self, prefix: str) -> Iterable[StoredObject]:
        """Return all objects whose key begins with `prefix`, in key order."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names directly below `prefix` (it ends in `/`) that hold objects deeper."""
        ...

    def uploads(self, prefix: str) -> Iterable[Upload]:
        """Return what is being uploaded in parts, of keys that begin with `prefix`.

        Some servers list none, or those of a whole key only; others refuse.
        """
        ...

    def parts(self, upload: Upload) -> Iterable[UploadedPart]:
        """Return the parts that are stored; `NotFound` when the upload is over."""
        ...

    @effect
    def delete(self, key: str) -> None:
        """Delete an object. A missing object is not an error."""
        ...
