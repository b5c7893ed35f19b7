"""What S3 reports about the content of an object.

S3 reports two values. An **ETag** is an MD5 of the content after one PUT, and after an upload
in parts the MD5 of the parts' MD5s with their number, `md5-n`. But encryption with keys of KMS or
of the client, directory buckets and some servers put anything else there, of the same form. So a
matching ETag proves that the content is right, but a different ETag proves nothing.

A **checksum** (`x-amz-checksum-*`) is computed and stored by the server itself, whatever the
encryption. A different checksum proves damage. It is of the whole object, or like an ETag of its
parts (`COMPOSITE`).
"""

from __future__ import annotations

import base64
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

_ETAG = re.compile(r'([0-9a-f]{32})(?:-([1-9][0-9]{0,4}))?')
_WRITTEN = re.compile(r'([a-z0-9]+):((?:[0-9a-f]{2})+)(?:-([1-9][0-9]{0,4}))?')
_COMPOSITE = re.compile(r'(.*)-([1-9][0-9]{0,4})')
_COMPUTED = {'SHA512': 64, 'SHA256': 32, 'SHA1': 20, 'MD5': 16, 'CRC32': 4}
"""Bytes of those that can be computed here, the strongest first."""
# Python has no implementation of the others that is fast enough. They are only compared with later
# values of the server. AWS keeps the first of them of all that comes without any.
_LENGTHS = {**_COMPUTED, 'CRC64NVME': 8, 'CRC32C': 4}


@dataclasses.dataclass(frozen=True)
class Checksum:
    """A digest of an object's content, or of the digests of its parts."""

    algorithm: str
    """As S3 names it."""
    digest: bytes
    parts: int = 0
    """Number of parts whose digests it is computed from; 0 if it is computed from the content."""
    part_size: int = dataclasses.field(default=0, compare=False)
    """Bytes of each part but the last; 0 if that is not known."""
    certain: bool = dataclasses.field(default=False, compare=False)
    """Whether content that does not fit is damaged."""

    def __str__(self) -> str:
        """Write it as a manifest may hold it: `sha256:<hex>`, of parts `sha256:<hex>-<parts>`."""
        parts = f'-{self.parts}' if self.parts else ''
        return f'{self.algorithm.lower()}:{self.digest.hex()}{parts}'


def parse(text: str) -> Checksum | None:
    """Read a checksum as `str` wrote it; None if its kind cannot be computed here."""
    found = _WRITTEN.fullmatch(text)
    if found is None or len(found[2]) != 2 * _COMPUTED.get(found[1].upper(), 0):
        return None
    digest = bytes.fromhex(found[2])
    return Checksum(found[1].upper(), digest, int(found[3] or 0), certain=True)


def is_strong(text: str) -> bool:
    """Whether nobody can make other content that has this checksum, as `str` wrote it."""
    return text.startswith(('sha256:', 'sha512:'))


def compare(recorded: str, found: str) -> bool | None:
    """Return whether two values that a server stored at two times are of the same content.

    Args:
        recorded: what it was then, as `str` wrote it; '' if nothing.
        found: what it is now.

    Returns:
        None if that cannot be told, as one is missing or they were not computed alike: those of
        parts, of parts of the same sizes.
    """
    if not recorded or not found:
        return None
    if recorded == found:
        return True
    before, now = _WRITTEN.fullmatch(recorded), _WRITTEN.fullmatch(found)
    alike = before and now and before[1] == now[1] and not before[3] and not now[3]
    return False if alike else None


def of_etag(etag: str, certain: bool = False) -> Checksum | None:
    """Return the digest in an ETag; None if the ETag has another form.

    Args:
        etag: with or without quotes.
        certain: whether this server's ETags are known to be what S3 says they are, because that
            of an object whose content is known was.
    """
    found = _ETAG.fullmatch(etag.strip('"'))
    if found is None:
        return None
    digest, parts = bytes.fromhex(found[1]), int(found[2] or 0)
    return Checksum('MD5', digest, parts, certain=certain)


def kept(answer: Mapping[str, Any]) -> Checksum | None:
    """Return the checksum that the server computed, if it reports one.

    A checksum of the whole object is preferred to one of parts, whose sizes are unknown, and one
    that can be computed here to any other.

    Args:
        answer: of HeadObject, asked with `ChecksumMode='ENABLED'`, which costs no request of its
            own; or ETag and `Checksum` of GetObjectAttributes, in one mapping.
    """
    all_kept = [_of_header(answer, name) for name in _LENGTHS]
    return min(filter(None, all_kept), key=lambda found: found.parts > 0, default=None)


def _of_header(answer: Mapping[str, Any], name: str) -> Checksum | None:
    text, kind = str(answer.get(f'Checksum{name}', '')), answer.get('ChecksumType')
    etag = of_etag(str(answer.get('ETag', '')))
    parts = etag.parts if etag else 0
    composite = _COMPOSITE.fullmatch(text)
    if composite:
        text, parts = composite[1], int(composite[2])
    elif parts and kind is None:
        # An older server: it may be of the whole object or of its parts.
        return None
    elif kind != 'COMPOSITE':
        parts = 0
    elif not parts:
        return None
    digest = _decoded(text)
    if len(digest) != _LENGTHS[name]:
        # Some servers return another checksum instead of one that they do not have.
        return None
    return Checksum(name, digest, parts, certain=True)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return b''
