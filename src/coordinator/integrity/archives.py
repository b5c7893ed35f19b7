"""What maas-region stores: two archives of files, and two small documents."""

from __future__ import annotations

import dataclasses
import tarfile
from collections.abc import Callable, Iterable

from coordinator import errors, plain
from coordinator.integrity import check, decompression

_BLOCK = 512
_LARGEST_DOCUMENT = 1 << 20
_LARGEST_HEADER = 128 << 10
"""Bytes of a header that says more of the entry behind it (pax)."""
_LONGEST_NUMBER = 20
_NAMED = 3
_WITHOUT_CONTENT = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_ABOUT_THE_NEXT = (tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK)


class Document:
    """A small object that must be read as a whole."""

    def __init__(self, read: Callable[[bytes], object]):
        """Begin; `read` raises `CoordinatorError` when the content makes no sense."""
        self._read = read
        self._content = bytearray()

    def feed(self, chunk: bytes) -> None:
        self._content += chunk
        if len(self._content) > _LARGEST_DOCUMENT:
            raise check.Damaged(f'is larger than {_LARGEST_DOCUMENT} bytes')

    def finish(self) -> str:
        try:
            self._read(bytes(self._content))
        except errors.CoordinatorError as error:
            raise check.Damaged(f'cannot be used: {error}') from None
        return ''


@dataclasses.dataclass(frozen=True)
class Wanted:
    """A file that an archive must hold."""

    name: str
    """Its name, in whichever folder."""
    size: int
    title: str
    """Whose file it is, for people."""


class TarGz:
    """A tar, compressed: every byte of it is decompressed, every header looked at."""

    def __init__(self, wanted: Iterable[Wanted] = ()) -> None:
        self._missing = {(each.name, each.size): each.title for each in wanted}
        self._tar = Tar(self._see)
        self._gzip = decompression.Stream('gz', self._tar.feed)

    def feed(self, chunk: bytes) -> None:
        self._gzip.feed(chunk)

    def finish(self) -> str:
        self._gzip.finish()
        self._tar.finish()
        if self._missing:
            titles = list(dict.fromkeys(self._missing.values()))
            more = f' and {len(titles) - _NAMED} more' if len(titles) > _NAMED else ''
            raise check.Damaged(
                f'lacks files of image {", ".join(titles[:_NAMED])}{more}, '
                'so MAAS would not finish initialising after a restore'
            )
        return f'{check.files(self._tar.files)} with {self._tar.bytes} bytes'

    def _see(self, name: str, size: int) -> None:
        # Regions store images in one folder, and the archive may hold that or what is in it.
        for each in (name, name.rpartition('/')[2]):
            self._missing.pop((each, size), None)


def _nobody(name: str, size: int) -> None:
    """Look at no file."""


class Tar:
    """Walks from header to header, to the two empty blocks that end an archive."""

    def __init__(self, see: Callable[[str, int], None] = _nobody) -> None:
        """Begin; `see` gets name and size of each file."""
        self._see = see
        self.files = 0
        self.bytes = 0
        """Of the files."""
        self._entries = 0
        self._at = 0
        self._name = ''
        """Of the entry that the walk is in; '' between two."""
        self._skipped = 0
        """Bytes until the next header, of which nothing need be known."""
        self._wanted = _BLOCK
        self._held = bytearray()
        self._take: Callable[[bytes], None] = self._header
        """Takes the next `_wanted` bytes."""
        self._size: int | None = None
        """Of the next entry, if a header before it said so."""
        self._empty_blocks = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises:
            Damaged: no tar goes on like this.
        """
        view, begin = memoryview(data), 0
        while begin < len(view):
            if self._ended:
                self._beyond_end(view[begin:])
                break
            room = self._skipped or self._wanted - len(self._held)
            piece = view[begin : begin + room]
            begin += len(piece)
            self._at += len(piece)
            if self._skipped:
                self._skipped -= len(piece)
            else:
                self._hold(piece)

    def _hold(self, piece: memoryview) -> None:
        self._held += piece
        if len(self._held) == self._wanted:
            taken, self._held = bytes(self._held), bytearray()
            self._take(taken)

    def finish(self) -> None:
        """Take note that nothing follows.

        Raises:
            Damaged: something should, or there is nothing that could be restored.
        """
        if not self._ended:
            within = f'in the middle of {self._name!r}' if self._in_the_middle else 'between files'
            raise check.Damaged(
                f'is cut off: the tar in it ends {within}, after {self._at} bytes and '
                f'{check.files(self.files)}, without its end mark'
            )
        if not self._entries:
            raise check.Damaged('contains no files, so restore-backup of maas-region refuses it')

    @property
    def _ended(self) -> bool:
        return self._empty_blocks == 2

    @property
    def _in_the_middle(self) -> bool:
        return bool(self._skipped or self._held or self._take != self._header)

    def _header(self, block: bytes) -> None:
        if not any(block):
            self._empty_blocks += 1
            return
        if self._empty_blocks:
            # What restores it takes the first empty block for the end.
            raise check.Damaged(
                f'is damaged: the tar in it has an empty block at byte {self._at - 2 * _BLOCK}'
            )
        try:
            entry = tarfile.TarInfo.frombuf(block, 'utf-8', 'surrogateescape')
        except tarfile.HeaderError as error:
            raise check.Damaged(
                f'is damaged: the tar in it has no header at byte {self._at - _BLOCK} ({error})'
            ) from None
        self._name = plain.one_line(entry.name.encode(errors='replace').decode())
        if entry.type in _ABOUT_THE_NEXT:
            self._expect_details(entry)
            return
        size = entry.size if self._size is None else self._size
        self._size = None
        if size < 0:
            raise check.Damaged(f'is damaged: the tar in it has no size for {self._name!r}')
        if entry.type not in _WITHOUT_CONTENT:
            self._skipped = _padded(size)
        if entry.type in _FILES:
            self.files += 1
            self.bytes += size
            self._see(entry.name, size)
        # The folder itself is an entry too; restored, it is an empty folder.
        self._entries += entry.type != tarfile.XGLTYPE and entry.name.strip('./') != ''

    def _expect_details(self, entry: tarfile.TarInfo) -> None:
        if entry.size > _LARGEST_HEADER:
            raise check.Damaged(f'is damaged: the tar in it has a header of {entry.size} bytes')
        if entry.type == tarfile.XHDTYPE and entry.size:
            self._wanted, self._take = _padded(entry.size), self._details
        else:
            self._skipped = _padded(entry.size)

    def _details(self, records: bytes) -> None:
        """Read a pax header: a file of 8 GiB or more has its size there."""
        self._wanted, self._take = _BLOCK, self._header
        while records.strip(b'\0'):
            length, _, rest = records.partition(b' ')
            if not _is_number(length) or int(length) <= len(length):
                raise check.Damaged(
                    f'is damaged: the tar in it has a broken header before {self._name!r}'
                )
            key, _, value = rest[: int(length) - len(length) - 2].partition(b'=')
            if key == b'size':
                self._size = int(value) if _is_number(value) else -1
            records = records[int(length) :]

    def _beyond_end(self, data: memoryview) -> None:
        if data.tobytes().count(0) != len(data):
            raise check.Damaged(f'has data after the end of its tar, at byte {self._at}')


def _padded(size: int) -> int:
    return -(-size // _BLOCK) * _BLOCK


def _is_number(text: bytes) -> bool:
    return text.isdigit() and len(text) <= _LONGEST_NUMBER
