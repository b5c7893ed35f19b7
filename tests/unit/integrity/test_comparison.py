"""Content read piece by piece is recognised by what S3 said of it, and damage is noticed."""

from __future__ import annotations

import hashlib
import io
import zlib
from collections.abc import Iterator
from typing import Any

import boto3
import boto3.s3.transfer
import botocore.client
import hypothesis
import pytest
import s3transfer.utils
from hypothesis import strategies

from coordinator import checksums
from coordinator.integrity import comparison
from rehearsal import s3_gate, s3_server

MIB = 1 << 20
TIB = 1 << 40


def digest(algorithm: str, content: bytes) -> bytes:
    if algorithm == 'CRC32':
        return zlib.crc32(content).to_bytes(4, 'big')
    return hashlib.new(algorithm, content).digest()


def compared(content: bytes, *expected: checksums.Checksum) -> comparison.Likeness:
    streamed = comparison.Comparison(expected, len(content))
    streamed.update(content)
    return streamed.outcome()


# --- Checksums of a stream -----------------------------------------------------------------------


@pytest.mark.parametrize('algorithm', ['MD5', 'SHA1', 'SHA256', 'SHA512', 'CRC32'])
@hypothesis.given(
    pieces=strategies.lists(strategies.binary(max_size=20), max_size=6),
    part_size=strategies.integers(0, 9),
)
@hypothesis.settings(max_examples=60, deadline=None)
def test_pieces_of_any_length_give_the_checksum_of_their_whole(
    algorithm: str, pieces: list[bytes], part_size: int
):
    stream = comparison.Stream(algorithm, part_size)
    for piece in pieces:
        stream.update(piece)

    whole = b''.join(pieces)
    if part_size:
        begins = range(0, max(len(whole), 1), part_size)
        parts = [digest(algorithm, whole[begin : begin + part_size]) for begin in begins]
        expected = checksums.Checksum(algorithm, digest(algorithm, b''.join(parts)), len(parts))
    else:
        expected = checksums.Checksum(algorithm, digest(algorithm, whole))
    assert stream.checksum() == expected


# --- Sizes of parts ------------------------------------------------------------------------------


def in_parts(size: int, part_size: int) -> int:
    return -(-size // part_size)


@hypothesis.given(strategies.integers(8 * MIB, 5 * TIB))
@hypothesis.settings(max_examples=300, deadline=None)
def test_the_parts_of_boto3_are_tried_whatever_the_size(size: int):
    used = s3transfer.utils.ChunksizeAdjuster().adjust_chunksize(8 * MIB, size)
    tried = comparison.part_sizes(size, in_parts(size, used))
    # With one part there is no telling its size, and no need to.
    assert used in tried or tried == [size]


@hypothesis.given(strategies.integers(6, 10_000), strategies.integers(5, 600), strategies.data())
@hypothesis.settings(max_examples=200, deadline=None)
def test_other_sizes_of_whole_mib_are_tried_when_there_are_many_parts(
    parts: int, mebibytes: int, data: strategies.DataObject
):
    used = mebibytes * MIB
    last = data.draw(strategies.integers(1, used))
    tried = comparison.part_sizes((parts - 1) * used + last, parts)
    fitting = [size for size in tried if in_parts((parts - 1) * used + last, size) == parts]
    assert tried == fitting
    hypothesis.assume(parts > mebibytes)  # Else several sizes fit, and not all are tried.
    assert used in tried


def test_the_usual_sizes_come_first():
    assert list(comparison.part_sizes(20 * MIB, 2)) == [size * MIB for size in (15, 16, 10, 11)]


def test_parts_that_no_size_fits_are_not_guessed():
    assert list(comparison.part_sizes(5, 4)) == []


def test_a_size_that_gives_fewer_parts_is_not_tried():
    assert 8 * MIB in comparison.part_sizes(16 * MIB + 1, 3)
    assert 8 * MIB not in comparison.part_sizes(16 * MIB, 3)


# --- What a comparison shows ---------------------------------------------------------------------

CONTENT = bytes(range(256)) * 4


def of_content(algorithm: str, **fields: Any) -> checksums.Checksum:
    return checksums.Checksum(algorithm, digest(algorithm, CONTENT), **fields)


def test_content_that_fits_is_the_same():
    assert compared(CONTENT, of_content('MD5')) is comparison.Likeness.SAME


def test_content_that_does_not_fit_a_certain_checksum_is_different():
    kept = of_content('CRC32', certain=True)
    assert compared(CONTENT[:-1] + b'!', kept) is comparison.Likeness.DIFFERENT


def test_content_that_does_not_fit_an_etag_may_be_anything():
    assert compared(CONTENT[:-1] + b'!', of_content('MD5')) is comparison.Likeness.UNKNOWN


def test_an_etag_that_fits_does_not_outweigh_a_certain_checksum_that_does_not():
    other = checksums.Checksum('SHA256', bytes(32), certain=True)
    assert compared(CONTENT, of_content('MD5'), other) is comparison.Likeness.DIFFERENT


def test_an_etag_that_says_nothing_takes_nothing_from_a_checksum_that_fits():
    random = checksums.Checksum('MD5', bytes(16), 1)
    kept = of_content('SHA256', certain=True)
    assert compared(CONTENT, random, kept) is comparison.Likeness.SAME


def test_nothing_said_is_nothing_known():
    assert compared(CONTENT) is comparison.Likeness.UNKNOWN


@pytest.mark.parametrize(
    ('part_size', 'outcome'),
    [(0, comparison.Likeness.UNKNOWN), (300, comparison.Likeness.DIFFERENT)],
)
def test_parts_prove_damage_only_when_their_size_is_known(
    part_size: int, outcome: comparison.Likeness
):
    stream = comparison.Stream('SHA256', 300)
    stream.update(CONTENT)
    whole = stream.checksum()
    assert compared(CONTENT, whole) is comparison.Likeness.SAME
    kept = checksums.Checksum('SHA256', whole.digest, whole.parts, part_size, certain=True)
    assert compared(CONTENT[:-1] + b'!', kept) is outcome


# --- Against a server ----------------------------------------------------------------------------


@pytest.fixture(scope='module')
def client() -> Iterator[Any]:
    with s3_server.S3Server() as server:
        server.create_bucket('backups')
        opened: Any = boto3.client(
            's3',
            endpoint_url=server.endpoint,
            region_name=s3_server.REGION,
            aws_access_key_id=s3_gate.WRITER[0],
            aws_secret_access_key=s3_gate.WRITER[1],
            # As maas-region stores its archives.
            config=botocore.client.Config(
                request_checksum_calculation='when_required',
                response_checksum_validation='when_required',
                s3={'addressing_style': 'path'},
            ),
        )
        yield opened
        opened.close()


@pytest.mark.parametrize('part_size', [8 * MIB, 5 * MIB, 6 * MIB])
@pytest.mark.parametrize('size', [0, 1, 17 * MIB])
def test_what_boto3_has_stored_is_recognised(client: Any, size: int, part_size: int):
    content = b'maas' * (size // 4) + b'!' * (size % 4)
    sizes = boto3.s3.transfer.TransferConfig(
        multipart_threshold=part_size, multipart_chunksize=part_size
    )
    client.upload_fileobj(io.BytesIO(content), 'backups', 'archive', Config=sizes)

    answer = client.head_object(Bucket='backups', Key='archive', ChecksumMode='ENABLED')
    assert checksums.kept(answer) is None
    expected = checksums.of_etag(answer['ETag'])
    assert expected is not None
    assert compared(content, expected) is comparison.Likeness.SAME
    assert compared(content + b'!', expected) is comparison.Likeness.UNKNOWN


@pytest.mark.parametrize('algorithm', ['SHA1', 'SHA256', 'CRC32'])
def test_a_checksum_that_the_server_keeps_proves_content_and_damage(client: Any, algorithm: str):
    client.put_object(Bucket='backups', Key='kept', Body=CONTENT, ChecksumAlgorithm=algorithm)
    answer = client.head_object(Bucket='backups', Key='kept', ChecksumMode='ENABLED')
    expected = checksums.kept(answer)
    assert expected is not None
    assert expected.algorithm == algorithm
    assert compared(CONTENT, expected) is comparison.Likeness.SAME
    assert compared(CONTENT[1:], expected) is comparison.Likeness.DIFFERENT
