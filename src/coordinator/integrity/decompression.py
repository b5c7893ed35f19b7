"""Streams that were compressed, as maas-region and pgBackRest do. The place that knows libraries.

All of them behave as `bz2.BZ2Decompressor` does, and let other threads run meanwhile. Of those
for gzip, isal is the fastest by far; it compares the CRC and the length by itself.
"""

from __future__ import annotations

import bz2
import sys
from collections.abc import Callable
from typing import Any, Protocol, cast

import isal.igzip_lib
import lz4.frame

from coordinator.integrity import check

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_MOST = 1 << 20
"""Bytes that come out at once, however well something was compressed."""
# Its stub takes the class of its errors for one of them.
_IGZIP_ERROR = cast('type[Exception]', isal.igzip_lib.IsalError)
_BROKEN = (_IGZIP_ERROR, zstd.ZstdError, OSError, RuntimeError, ValueError)
"""Errors of the libraries; lz4 has no error class."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /, max_length: int = -1) -> bytes: ...


def _lz4() -> Any:
    return lz4.frame.LZ4FrameDecompressor()


def _gzip() -> _Decompressor:
    return isal.igzip_lib.IgzipDecompressor(flag=isal.igzip_lib.DECOMP_GZIP)


def _zlib() -> _Decompressor:
    return isal.igzip_lib.IgzipDecompressor(flag=isal.igzip_lib.DECOMP_ZLIB)


_KINDS: dict[str, Callable[[], _Decompressor]] = {
    'gz': _gzip,
    'zlib': _zlib,
    'lz4': _lz4,
    'zst': zstd.ZstdDecompressor,
    'bz2': bz2.BZ2Decompressor,
}
NONE = 'none'
KINDS = (NONE, *_KINDS)


class Stream:
    """Takes compressed bytes and hands on what was in them, one member after the other."""

    def __init__(self, kind: str, sink: Callable[[bytes], object]):
        """Begin.

        Args:
            kind: one of `KINDS`; `zlib` is gz with a shorter header.
            sink: takes what was decompressed, piece by piece.
        """
        self._new = None if kind == NONE else _KINDS[kind]
        self._kind = kind
        self._sink = sink
        self._member: _Decompressor | None = None
        self.members = 0
        """How many have ended."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            Damaged: they cannot follow those before.
        """
        if self._new is None:
            self._sink(data)
            return
        while data := self._decompress(data):
            pass

    def _decompress(self, data: bytes) -> bytes:
        """Take bytes of one member; return those behind its end."""
        if self._member is None:
            # Whatever writes to a whole number of blocks fills the last one with zeros.
            data = data.lstrip(b'\0') if self.members else data
            if not data:
                return b''
            assert self._new is not None
            self._member = self._new()
        member = self._member
        self._hand_on(member, data)
        while not member.eof and not member.needs_input:
            self._hand_on(member, b'')
        if not member.eof:
            return b''
        self._member = None
        self.members += 1
        return member.unused_data

    def _hand_on(self, member: _Decompressor, data: bytes) -> None:
        try:
            out = member.decompress(data, _MOST)
        except _BROKEN as error:
            behind = 'has other data after its' if self.members else 'has a broken'
            raise check.Damaged(f'{behind} {self._kind} stream ({error})') from None
        self._sink(out)

    def finish(self) -> None:
        """Take note that nothing follows.

        Raises:
            Damaged: something should.
        """
        if self._member is not None or (self._new is not None and not self.members):
            raise check.Damaged(f'is cut off: its {self._kind} stream has no end')
