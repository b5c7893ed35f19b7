"""What is read out of what S3 says of an object, and what of it is believed."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from coordinator import checksums

MD5 = hashlib.md5(b'hello').digest()
SHA256 = hashlib.sha256(b'hello').digest()
ETAG = f'"{MD5.hex()}"'


def base(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def kept(**answer: Any) -> checksums.Checksum | None:
    return checksums.kept(answer)


# --- ETags ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('etag', [MD5.hex(), ETAG])
def test_an_etag_of_one_put_is_an_md5(etag: str):
    assert checksums.of_etag(etag) == checksums.Checksum('MD5', MD5)


def test_an_etag_of_an_upload_in_parts_is_an_md5_of_md5s():
    assert checksums.of_etag(f'"{MD5.hex()}-10000"') == checksums.Checksum('MD5', MD5, 10000)


@pytest.mark.parametrize(
    'etag',
    ['', 'W/"' + MD5.hex() + '"', 'CJDB2/Sv9fcCEAE=', MD5.hex() + '-0', MD5.hex() + '0', 'x' * 32],
)
def test_other_etags_say_nothing_of_the_content(etag: str):
    assert checksums.of_etag(etag) is None


def test_an_etag_is_not_certain_unless_the_server_is_known():
    plain, known = checksums.of_etag(ETAG), checksums.of_etag(ETAG, certain=True)
    assert plain is not None
    assert known is not None
    assert (plain.certain, known.certain) == (False, True)


# --- Checksums that the server keeps -------------------------------------------------------------


def test_a_checksum_of_the_whole_object_is_certain_whatever_the_encryption():
    found = kept(
        ETag=ETAG,
        ServerSideEncryption='aws:kms',
        ChecksumSHA256=base(SHA256),
        ChecksumType='FULL_OBJECT',
    )
    assert found == checksums.Checksum('SHA256', SHA256)
    assert found is not None
    assert found.certain


def test_a_checksum_of_parts_has_their_number():
    found = kept(ChecksumSHA256=f'{base(SHA256)}-3', ChecksumType='COMPOSITE')
    assert found == checksums.Checksum('SHA256', SHA256, 3)


def test_where_the_number_of_parts_is_left_out_it_is_that_of_the_etag():
    # GetObjectAttributes of AWS leaves it out, HeadObject does not.
    answer = {'ChecksumSHA256': base(SHA256), 'ChecksumType': 'COMPOSITE'}
    assert kept(ETag=f'{MD5.hex()}-3', **answer) == checksums.Checksum('SHA256', SHA256, 3)
    assert kept(**answer) is None


def test_a_checksum_of_the_whole_object_stays_one_after_an_upload_in_parts():
    found = kept(
        ETag=f'{MD5.hex()}-3', ChecksumCRC32=base(b'\0\0\0\1'), ChecksumType='FULL_OBJECT'
    )
    assert found == checksums.Checksum('CRC32', b'\0\0\0\1')


def test_what_may_be_of_the_whole_or_of_parts_is_ignored():
    assert kept(ETag=f'{MD5.hex()}-3', ChecksumSHA256=base(SHA256)) is None


def test_servers_without_types_have_checksums_of_what_was_stored_with_one_put():
    assert kept(ETag=ETAG, ChecksumSHA256=base(SHA256)) == checksums.Checksum('SHA256', SHA256)


@pytest.mark.parametrize(
    'text', [base(MD5), 'not base64', 'größe', '', f'{base(MD5)}-2', f'!{base(SHA256)}']
)
def test_a_checksum_that_is_none_of_its_algorithm_is_ignored(text: str):
    assert kept(ChecksumSHA256=text, ChecksumType='FULL_OBJECT') is None


@pytest.mark.parametrize(
    ('answer', 'algorithm'),
    [
        ({'ChecksumCRC32': base(b'1234'), 'ChecksumSHA256': base(SHA256)}, 'SHA256'),
        ({'ChecksumCRC64NVME': base(b'12345678'), 'ChecksumCRC32': base(b'1234')}, 'CRC32'),
        ({'ChecksumCRC32': base(b'1234'), 'ChecksumSHA256': f'{base(SHA256)}-2'}, 'CRC32'),
    ],
    ids=['the-stronger-one', 'one-that-can-be-computed', 'one-of-the-whole-object'],
)
def test_of_several_the_one_that_tells_most_is_kept(answer: dict[str, str], algorithm: str):
    found = kept(**answer)
    assert found is not None
    assert found.algorithm == algorithm


# --- As a manifest may hold them -----------------------------------------------------------------


@pytest.mark.parametrize('parts', [0, 1, 384])
def test_a_checksum_is_read_as_it_was_written(parts: int):
    kept = checksums.Checksum('SHA256', SHA256, parts, certain=True)
    found = checksums.parse(str(kept))
    assert found == kept
    assert found is not None
    assert found.certain


def test_a_checksum_is_written_as_other_tools_write_it():
    assert str(checksums.Checksum('SHA256', SHA256)) == f'sha256:{SHA256.hex()}'
    assert str(checksums.Checksum('CRC32', b'\0\0\0\1', 2)) == 'crc32:00000001-2'


@pytest.mark.parametrize(
    'text', ['', 'sha256', f'sha256:{MD5.hex()}', f'SHA256:{SHA256.hex()}', 'crc64nvme:00', 'x:00']
)
def test_what_is_no_checksum_is_not_read(text: str):
    assert checksums.parse(text) is None


def test_an_algorithm_that_cannot_be_computed_here_is_only_recorded():
    found = kept(ChecksumCRC64NVME=base(b'12345678'))
    assert str(found) == 'crc64nvme:3132333435363738'
    assert checksums.parse(str(found)) is None


# --- At two times --------------------------------------------------------------------------------

NVME = 'crc64nvme:3132333435363738'


@pytest.mark.parametrize(
    ('recorded', 'found', 'same'),
    [
        (NVME, NVME, True),
        ('crc32:00000001-2', 'crc32:00000001-2', True),
        (NVME, 'crc64nvme:3132333435363739', False),
        ('', NVME, None),
        (NVME, '', None),
        ('', '', None),
        (NVME, 'crc32:00000001', None),
        # The same content in other parts has another one.
        ('crc32:00000001-2', 'crc32:00000002-2', None),
        ('crc32:00000001-2', 'crc32:00000002', None),
        ('crc32:00000001', 'what is this', None),
    ],
)
def test_checksums_of_two_times_are_compared_if_they_are_alike(
    recorded: str, found: str, same: bool | None
):
    assert checksums.compare(recorded, found) is same
