"""What maas-region and pgBackRest compressed comes out whole, or it is said what is wrong."""

from __future__ import annotations

import gzip
import random

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator.integrity import check, decompression
from tests import packers

PACKERS = packers.PACKERS
CONTENT = random.Random(1).randbytes(3000) + b'text ' * 2000
with_checksum = pytest.mark.parametrize('kind', ['gz', 'zlib', 'lz4', 'zst', 'bz2'])
compressed = pytest.mark.parametrize('kind', sorted(set(PACKERS) - {'none'}))


def unpack(kind: str, packed: bytes, size: int = 1000) -> bytes:
    """Feed a stream in chunks of a size; return what comes out."""
    out: list[bytes] = []
    stream = decompression.Stream(kind, out.append)
    for at in range(0, len(packed), size):
        stream.feed(packed[at : at + size])
    stream.finish()
    return b''.join(out)


def damage(kind: str, packed: bytes, size: int = 1000) -> str:
    with pytest.raises(check.Damaged) as caught:
        unpack(kind, packed, size)
    return str(caught.value)


def test_every_kind_is_tested():
    assert set(PACKERS) == set(decompression.KINDS)


@pytest.mark.parametrize('kind', PACKERS)
@pytest.mark.parametrize('size', [1, 7, 1 << 20])
def test_what_was_compressed_comes_out_however_it_is_cut_up(kind: str, size: int):
    assert unpack(kind, PACKERS[kind](CONTENT), size) == CONTENT


@with_checksum
def test_several_members_are_one_content(kind: str):
    packed = PACKERS[kind]
    assert unpack(kind, packed(b'one ') + packed(b'') + packed(CONTENT)) == b'one ' + CONTENT


def test_zeros_that_fill_the_last_block_are_no_member():
    assert unpack('gz', gzip.compress(CONTENT) + bytes(5000)) == CONTENT


def test_little_comes_out_at_once_however_well_it_was_compressed():
    pieces: list[int] = []
    stream = decompression.Stream('zst', lambda piece: pieces.append(len(piece)))
    stream.feed(PACKERS['zst'](bytes(64 << 20)))
    stream.finish()
    assert sum(pieces) == 64 << 20
    assert max(pieces) <= 1 << 20


@compressed
@pytest.mark.parametrize('left', [0, 1, 12, -1])
def test_a_stream_that_is_cut_off_is_named_as_such(kind: str, left: int):
    packed = PACKERS[kind](CONTENT)
    assert damage(kind, packed[:left]) == f'is cut off: its {kind} stream has no end'


def test_nothing_is_the_whole_of_what_was_not_compressed():
    assert unpack('none', b'') == b''


@with_checksum
@hypothesis.given(data=st.data())
@hypothesis.settings(max_examples=60, deadline=None)
def test_a_content_that_was_changed_does_not_come_out_unnoticed(kind: str, data: st.DataObject):
    packed = bytearray(PACKERS[kind](CONTENT))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        out = unpack(kind, bytes(packed))
    except check.Damaged:
        return
    # Such as the time in a header of gzip.
    assert out == CONTENT


@with_checksum
def test_something_else_behind_a_stream_is_named(kind: str):
    packed = PACKERS[kind](CONTENT) + b'something else'
    assert damage(kind, packed).startswith(f'has other data after its {kind} stream (')


def test_what_was_never_compressed_is_named():
    assert damage('gz', CONTENT).startswith('has a broken gz stream (')
