"""What was found out about a set's objects after it was published: signed, and kept beside it.

The manifest never changes. It has of large objects only what S3 said of them, which may be a
checksum that somebody can imitate. Whoever reads a set whole knows the SHA-256 of its objects.
"""

from __future__ import annotations

from typing import Annotated

from coordinator.sets import documents, manifest

VERSION = 1


class Addendum(documents.Signed):
    """The objects of a files backup, as they were when they were read."""

    purpose = 'addendum'
    version: int = VERSION
    backup_id: manifest.Id
    of_manifest: documents.Text
    """SHA-256 of what the manifest of the set says, as its signature covers it."""
    read: documents.Text
    """When they were read; UTC."""
    objects: Annotated[tuple[manifest.Object, ...], manifest.Few]


def parse(content: bytes, source: str) -> Addendum:
    """Read an addendum; `source` names it in errors.

    Raises:
        ForeignRecordError: its version is newer than this one.
        UnexpectedAnswer: it is damaged.
    """
    return documents.read_signed(Addendum, content, source, VERSION)
