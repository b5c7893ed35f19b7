"""Whether content that was read is what S3 says of it: computed as it comes, held nowhere."""

from __future__ import annotations

import enum
import hashlib
import zlib
from collections.abc import Iterable, Sequence
from typing import Protocol

from coordinator import checksums

_MIB = 1 << 20
_MOST_GUESSES = 4
"""Sizes of parts that are tried: each costs an MD5 of the whole object."""
# That of boto3 and the AWS CLI, of pgBackRest, of s3cmd, and what people configure.
_USUAL = tuple(size * _MIB for size in (8, 5, 15, 16, 32, 64, 128, 10, 50, 100))


def part_sizes(size: int, parts: int) -> Sequence[int]:
    """Return sizes that the parts of an object may have, the likeliest first.

    HeadObject with `PartNumber=1` tells it for certain, where a server has that: the length of
    its answer.

    Args:
        size: bytes of the object.
        parts: how many there are, the last one of any size.
    """
    if parts <= 1:
        return [max(size, 1)]
    least, most = -(-size // parts), (size - 1) // (parts - 1)
    # Tools that compute their parts' size out of a large object's double it, or round it to MiB.
    rounded = range(-(-least // _MIB) * _MIB, most + 1, _MIB)
    fitting = [usual for usual in _USUAL if least <= usual <= most]
    return list(dict.fromkeys([*fitting, *rounded[:_MOST_GUESSES]]))[:_MOST_GUESSES]


class _Digest(Protocol):
    def update(self, data: memoryview, /) -> None: ...

    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: memoryview, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, 'big')


def _new(algorithm: str) -> _Digest:
    if algorithm == 'CRC32':
        return _Crc32()
    return hashlib.new(algorithm, usedforsecurity=False)


class Stream:
    """Computes a checksum of content that comes piece by piece."""

    def __init__(self, algorithm: str, part_size: int = 0):
        """Begin; with a `part_size`, a checksum of the parts' checksums."""
        self._algorithm = algorithm
        self._part_size = part_size
        self._part = _new(algorithm)
        self._room = part_size
        self._ended: list[bytes] = []

    def update(self, content: bytes) -> None:
        """Take the next piece, of any length."""
        left = memoryview(content)
        while self._part_size and len(left) > self._room:
            self._part.update(left[: self._room])
            left = left[self._room :]
            self._ended.append(self._part.digest())
            self._part, self._room = _new(self._algorithm), self._part_size
        self._part.update(left)
        self._room -= len(left)

    def checksum(self) -> checksums.Checksum:
        """Return the checksum of all content so far."""
        if not self._part_size:
            return checksums.Checksum(self._algorithm, self._part.digest())
        digests = [*self._ended, self._part.digest()]
        whole = _new(self._algorithm)
        whole.update(memoryview(b''.join(digests)))
        return checksums.Checksum(self._algorithm, whole.digest(), len(digests), self._part_size)


class Likeness(enum.Enum):
    """What a comparison has shown."""

    SAME = 'same'
    DIFFERENT = 'different'
    UNKNOWN = 'unknown'
    """Nothing fits, and nothing that does not fit is certain."""


class Comparison:
    """Compares content that comes piece by piece with what was said of it."""

    def __init__(self, expected: Iterable[checksums.Checksum], size: int, *, digest: bool = False):
        """Begin with all that was said of an object, and its size.

        Args:
            expected: what was said of its content.
            size: bytes.
            digest: whether `sha256` is asked for at the end.
        """
        self._sha256 = Stream('SHA256') if digest else None
        self._streams = {
            checksum: [Stream(checksum.algorithm, part) for part in _tried(checksum, size)]
            for checksum in expected
        }

    def update(self, content: bytes) -> None:
        """Take the next piece, of any length."""
        if self._sha256 is not None:
            self._sha256.update(content)
        for streams in self._streams.values():
            for stream in streams:
                stream.update(content)

    @property
    def sha256(self) -> str:
        """SHA-256 of all content, in hexadecimal digits; '' if it was not asked for."""
        return self._sha256.checksum().digest.hex() if self._sha256 is not None else ''

    def outcome(self) -> Likeness:
        """Say whether all content was what was said of it."""
        fits = {
            expected: any(stream.checksum() == expected for stream in streams)
            for expected, streams in self._streams.items()
        }
        if any(not fit and _proves(expected) for expected, fit in fits.items()):
            return Likeness.DIFFERENT
        return Likeness.SAME if any(fits.values()) else Likeness.UNKNOWN


def _tried(checksum: checksums.Checksum, size: int) -> Sequence[int]:
    if not checksum.parts or checksum.part_size:
        return [checksum.part_size]
    return part_sizes(size, checksum.parts)


def _proves(checksum: checksums.Checksum) -> bool:
    """Whether content that does not fit is damaged: not if its parts' size was guessed."""
    return checksum.certain and (checksum.parts <= 1 or checksum.part_size > 0)
