"""Whatever maas-region and pgBackRest may have compressed something with."""

from __future__ import annotations

import bz2
import gzip
import sys
import zlib
from collections.abc import Callable

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def _lz4(content: bytes) -> bytes:
    return lz4.frame.compress(content, content_checksum=True)


def _zst(content: bytes) -> bytes:
    return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    'none': bytes,
    'gz': gzip.compress,
    'zlib': zlib.compress,
    'lz4': _lz4,
    'zst': _zst,
    'bz2': bz2.compress,
}
"""By kind of compression: makes a stream of a content."""
UNPACKERS: dict[str, Callable[[bytes], bytes]] = {
    'gz': gzip.decompress,
    'zst': zstd.decompress,
}
"""By kind of compression: returns the content of a stream."""
