"""A tar.gz is walked to its end: what cannot be restored does not pass."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterable, Mapping

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator import errors
from coordinator.integrity import archives, check

FILES = {'boot/kernel': b'k' * 5000, 'boot/empty': b'', 'ubuntu/' + 'long' * 60: b'x' * 512}


def tar(files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode='w', format=form) as archive:
        folder = tarfile.TarInfo('')
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
        link = tarfile.TarInfo('boot/link')
        link.type, link.linkname = tarfile.SYMTYPE, 'kernel'
        archive.addfile(link)
    return packed.getvalue()


def walk(content: bytes, size: int = 700) -> archives.Tar:
    walked = archives.Tar()
    for at in range(0, len(content), size):
        walked.feed(content[at : at + size])
    walked.finish()
    return walked


def damage(content: bytes) -> str:
    with pytest.raises(check.Damaged) as caught:
        walk(content)
    return str(caught.value)


def look(chunks: Iterable[bytes]) -> str:
    whole = archives.TarGz()
    for chunk in chunks:
        whole.feed(chunk)
    return whole.finish()


@pytest.mark.parametrize('size', [1, 511, 512, 1 << 20])
@pytest.mark.parametrize('form', [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT], ids=['pax', 'gnu'])
def test_files_and_their_bytes_are_counted_however_it_is_cut_up(form: int, size: int):
    walked = walk(tar(FILES, form), size)
    assert (walked.files, walked.bytes) == (3, 5512)


@hypothesis.given(
    st.dictionaries(st.text(st.characters(codec='utf-8', exclude_characters='\0'), min_size=1)
                    .map(lambda name: f'x{name}'), st.binary(max_size=2000), max_size=6),
    st.integers(1, 3000),
)  # fmt: skip
@hypothesis.settings(max_examples=60, deadline=None)
def test_what_the_library_writes_is_walked(files: dict[str, bytes], size: int):
    walked = walk(tar(files), size)
    assert (walked.files, walked.bytes) == (len(files), sum(map(len, files.values())))


def test_a_file_of_more_than_8_gib_has_its_size_before_its_header():
    large = tarfile.TarInfo('squashfs')
    large.size = 9 << 30
    walked = archives.Tar()
    walked.feed(large.tobuf(tarfile.PAX_FORMAT))
    for _ in range(9 << 6):
        walked.feed(bytes(16 << 20))
    walked.feed(bytes(1024))
    walked.finish()
    assert (walked.files, walked.bytes) == (1, 9 << 30)


@pytest.mark.parametrize(
    ('left', 'where'),
    [
        (300, "in the middle of ''"),
        (512 + 512 + 100, "in the middle of 'boot/kernel'"),
        (512 + 512 + 5120, 'between files'),
    ],
)
def test_where_a_tar_is_cut_off_is_told(left: int, where: str):
    assert f'is cut off: the tar in it ends {where}, after {left} bytes' in damage(
        tar(FILES)[:left]
    )


WHOLE = tar(FILES)
END = -(-len(WHOLE.rstrip(b'\0')) // 512) * 512 + 1024
"""Bytes with the two empty blocks; behind them is nothing but filling."""


@hypothesis.given(st.integers(0, END - 1))
@hypothesis.example(END - 1)
@hypothesis.example(END - 512)
@hypothesis.settings(max_examples=80, deadline=None)
def test_no_beginning_of_a_tar_passes_for_the_whole(left: int):
    assert damage(WHOLE[:left]).startswith('is cut off')


def test_a_header_that_was_changed_is_named_with_its_place():
    content = bytearray(tar(FILES))
    content[512 + 3] ^= 1
    assert damage(bytes(content)) == (
        'is damaged: the tar in it has no header at byte 512 (bad checksum)'
    )


def with_details(records: bytes) -> bytes:
    """Return a file's header, with a pax header before it."""
    details = tarfile.TarInfo('details')
    details.type, details.size = tarfile.XHDTYPE, len(records)
    return details.tobuf() + records.ljust(512, b'\0') + tarfile.TarInfo('file').tobuf()


@pytest.mark.parametrize('size', [b'-5', b'x', b'9' * 21])
def test_a_size_that_is_none_is_damage(size: bytes):
    record = b'size=' + size + b'\n'
    content = with_details(f'{len(record) + 3} '.encode() + record)
    assert damage(content) == "is damaged: the tar in it has no size for 'file'"


def test_a_broken_header_before_another_one_is_damage():
    assert damage(with_details(b'x' * 512)).endswith("broken header before 'details'")


def test_a_header_speaks_of_the_next_entry_only():
    record = b'13 size=2000\n'
    content = with_details(record) + bytes(2048) + tarfile.TarInfo('empty').tobuf()
    walked = walk(content + bytes(1024))
    assert (walked.files, walked.bytes) == (2, 2000)


def test_a_link_has_no_content_whatever_size_it_tells():
    link = tarfile.TarInfo('link')
    link.type, link.linkname, link.size = tarfile.LNKTYPE, 'kernel', 5000
    walked = walk(link.tobuf() + tarfile.TarInfo('file').tobuf() + bytes(1024))
    assert walked.files == 1


def test_an_empty_block_among_the_files_is_damage():
    entry = tarfile.TarInfo('file').tobuf()
    assert damage(entry + bytes(512) + entry + bytes(1024)) == (
        'is damaged: the tar in it has an empty block at byte 512'
    )


def test_a_negative_size_is_damage():
    header = bytearray(tarfile.TarInfo('file').tobuf())
    header[124:136] = b'\xff' * 12
    header[148:156] = b' ' * 8
    header[148:155] = f'{sum(header):06o}\0'.encode()
    assert damage(bytes(header)).endswith("has no size for 'file'")


def test_something_behind_the_end_is_named():
    assert 'has data after the end of its tar' in damage(tar(FILES) + b'more')


@pytest.mark.parametrize('content', [tar({})[:512] + bytes(1024), bytes(10240)])
def test_an_archive_that_maas_would_refuse_to_restore_is_named(content: bytes):
    assert damage(content) == 'contains no files, so restore-backup of maas-region refuses it'


def test_a_tar_gz_of_several_members_is_read_whole():
    content = tar(FILES)
    packed = gzip.compress(content[:1000]) + gzip.compress(content[1000:])
    assert look([packed]) == '3 files with 5512 bytes'


def test_a_tar_gz_that_is_cut_off_is_named_as_such():
    packed = gzip.compress(tar(FILES))
    with pytest.raises(check.Damaged, match='is cut off: its gz stream has no end'):
        look([packed[:-1]])


def test_a_tar_that_was_cut_off_before_it_was_compressed_is_named():
    with pytest.raises(check.Damaged, match='is cut off: the tar in it ends'):
        look([gzip.compress(WHOLE[:-10240])])


def test_a_document_that_is_of_no_use_is_named():
    def read(content: bytes) -> None:
        assert content == b'no sense'
        raise errors.StepError('it cannot be read')

    document = archives.Document(read)
    document.feed(b'no ')
    document.feed(b'sense')
    with pytest.raises(check.Damaged, match='cannot be used: it cannot be read'):
        document.finish()


def test_a_document_is_small():
    document = archives.Document(bytes)
    with pytest.raises(check.Damaged, match='is larger than 1048576 bytes'):
        document.feed(bytes((1 << 20) + 1))
