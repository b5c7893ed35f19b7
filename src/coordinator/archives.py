"""Objects that exist but cannot be read, because their storage class keeps them in an archive.

A listing shows them with their size, but GET answers `InvalidObjectState` until they are thawed.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Sequence

from coordinator import ports

NAME = re.compile(r'[A-Z_]{1,40}')
"""The form of the name of a storage class or a tier."""
CLASSES = {'GLACIER', 'DEEP_ARCHIVE'}
"""Storage classes of AWS whose objects must be thawed. GLACIER_IR needs no thawing."""
TIERED = 'INTELLIGENT_TIERING'
"""The storage class that moves objects by itself, also into archives. A listing does not show
where."""
MOST_ASKED = 200
"""Number of objects of one part that are checked with HEAD, evenly spread. Tiered objects of one
part were stored together, so they move together."""


def found(
    store: ports.ObjectStore, listed: Iterable[ports.StoredObject]
) -> list[ports.StoredObject]:
    """Return the listed objects that must be thawed.

    If there are very many, only a sample is checked.
    """
    doubtful = [item for item in listed if item.storage_class in {TIERED, *CLASSES}]
    step = -(-len(doubtful) // MOST_ASKED) or 1
    # Check the newest object as well: it may be the only one that is not archived yet.
    asked = [*doubtful[::step], *doubtful[-1:]] if step > 1 else doubtful
    return [item for each in asked if (item := store.head(each.key)).archive]


def advice(bucket: str, keys: Sequence[str], archive: str) -> str:
    """Return what is archived where, and the command that thaws it.

    Args:
        bucket: name of the bucket.
        keys: in full, at least one.
        archive: the storage class and tier, '' if it is not known.
    """
    # Objects in a tier of INTELLIGENT_TIERING are thawed for good; `Days` is not allowed for them.
    request = '{}' if archive.startswith(TIERED) else 'Days=14'
    thaw = shlex.join(['aws', 's3api', 'restore-object', '--bucket', bucket, '--key', keys[0]])
    what, them, each = '1 object', 'it', 'it'
    if len(keys) > 1:
        what, them, each = f'{len(keys)} objects', 'them', 'each'
    named = f' ({archive})' if archive else ''
    # Short, as a record keeps only the beginning of an error.
    return (
        f'{what} in bucket {bucket} cannot be read: S3 keeps {them} in an archive{named}. Thaw '
        f'{each} before you run the operation again (takes minutes to two days): {thaw} '
        f"--restore-request '{request}'"
    )
