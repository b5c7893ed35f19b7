"""The files that a pgBackRest manifest lists, and the object of each.

Written after pgBackRest 2.45 to 2.5x: a file lies in an object of its own, or with others in a
bundle. Bundles of a backup that knows block-incremental files have streams of shorter headers.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from coordinator import errors

BLOCKS = 'blocks'
"""How block-incremental files are stored: only pgBackRest can put them together."""
ZLIB = 'zlib'
"""How gz files are stored in bundles of such a backup: with a shorter header."""
SUFFIXES: Mapping[str, str] = {
    'none': '',
    'gz': '.gz',
    'lz4': '.lz4',
    'zst': '.zst',
    'bz2': '.bz2',
    BLOCKS: '.pgbi',
}
_OF_NOTHING = hashlib.sha1(b'', usedforsecurity=False).hexdigest()
"""Left out of manifests."""


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """One file of a full backup, as it lies in the repository."""

    name: str
    key: str
    """Of its object, relative to the backup's folder."""
    bundled: bool
    """Whether other files may lie in the same object."""
    offset: int
    stored: int
    """Bytes in the object."""
    stored_sha1: str
    """Of these; older manifests have none."""
    compression: str
    """none, gz, lz4, zst, bz2, ZLIB or BLOCKS."""
    size: int
    """Of the file itself."""
    sha1: str
    """Of the file itself."""


def files(manifest: Mapping[str, Any], source: str) -> Iterator[File]:
    """Yield the files of which the backup's own folder has an object.

    Args:
        manifest: sections of a backup's manifest.
        source: names the manifest in errors.

    Raises:
        UnexpectedAnswer: it is damaged.
    """
    try:
        bundles = bool(manifest.get('backup', {}).get('backup-bundle'))
        raw = bool(manifest.get('backup', {}).get('backup-bundle-raw'))
        compression = _compression(manifest.get('backup:option', {}))
        for name, entry in manifest.get('target:file', {}).items():
            # Beside bundles, pgBackRest stores no empty files.
            if not entry.get('reference') and (entry['size'] or not bundles):
                yield _file(name, entry, compression, raw)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise errors.UnexpectedAnswer(f'{source} is damaged ({type(error).__name__})') from None


def _compression(options: Mapping[str, Any]) -> str:
    kind = options.get('option-compress-type')
    if kind is None:
        kind = 'gz' if options.get('option-compress') else 'none'
    if kind not in SUFFIXES:
        raise ValueError(kind)
    return str(kind)


def _file(name: str, entry: Mapping[str, Any], compression: str, raw: bool) -> File:
    size = int(entry['size'])
    bundle = int(entry.get('bni', 0))
    if 'bi' in entry:
        compression = BLOCKS
    key = f'bundle/{bundle}' if bundle else f'{name}{SUFFIXES[compression]}'
    if compression == 'gz' and bundle and raw:
        compression = ZLIB
    found = File(
        name=name,
        key=key,
        bundled=bool(bundle),
        offset=int(entry.get('bno', 0)),
        # A file without a size of its own in the repository is stored as large as it is.
        stored=int(entry.get('repo-size', size)),
        stored_sha1=str(entry.get('rck', '')),
        compression=compression,
        size=size,
        sha1=str(entry.get('checksum', '')) if size else _OF_NOTHING,
    )
    if min(found.offset, found.stored, size) < 0:
        raise ValueError(name)
    return found
