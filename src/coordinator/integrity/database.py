"""What pgBackRest stores of a database: files, alone or many in a bundle, and WAL."""

from __future__ import annotations

import functools
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator

from coordinator import checksums, plain, ports
from coordinator.integrity import check, decompression, wal
from coordinator.parts import pgbackrest, pgbackrest_archive, pgbackrest_files, pgbackrest_pairs
from coordinator.sets import manifest

_MOST_NAMED = 3
"""Damaged files of one object that are named."""


def objects(store: ports.ObjectStore, part: manifest.PostgreSQL) -> list[check.Object]:
    """Return the objects of a full backup, and of the WAL without which it is not consistent.

    `pgbackrest.verify` checks that they all exist. No checksums of the objects that hold files are
    compared: the SHA-1 of their content proves more.

    Raises:
        EncryptedRepository: only pgBackRest can read the repository.
        StepError: the backup's manifest and its copy are missing or damaged, or `archive.info` is.
    """
    folder = f'backup/{part.stanza}/{part.label}'
    listed, cluster = pgbackrest.manifest_of(store, part.stanza, part.label)
    kept: defaultdict[str, list[pgbackrest_files.File]] = defaultdict(list)
    for file in pgbackrest_files.files(listed.sections, listed.key):
        kept[file.key].append(file)
    sizes = {item.key: item.size for item in store.list(f'{folder}/')}
    found = [
        check.Object(
            store=store,
            key=f'{folder}/{key}',
            size=sizes.get(f'{folder}/{key}', sum(file.stored for file in files)),
            check=functools.partial(Files, files),
        )
        for key, files in kept.items()
    ]
    # `found` is sound and was parsed; the recorded checksum says what it should be.
    known = (checksums.parse(f'sha256:{one}') for one in (listed.sha256, part.manifest.sha256))
    expected = [checksum for checksum in known if checksum is not None]
    # `pgbackrest.verify` reports the damaged one of a pair.
    alone = pgbackrest.manifest_weakness(store, part.stanza, part.label, listed)
    source = f'{folder}/backup.manifest'
    found += [
        check.Object(store, key, listed.size, expected)
        for key in ([listed.key] if alone else [source, pgbackrest_pairs.copy_of(source)])
    ]
    return [*found, *_wal(store, part, cluster)]


def _wal(
    store: ports.ObjectStore, part: manifest.PostgreSQL, cluster: pgbackrest_archive.Cluster
) -> Iterator[check.Object]:
    archive = pgbackrest_archive.of(store, part.stanza, cluster)
    wanted = list(pgbackrest_archive.wal_range(part.wal_start, part.wal_stop))
    timelines = pgbackrest_archive.timelines(store, archive, wanted)
    for name, kept in pgbackrest_archive.segments(store, archive, wanted).items():
        for segment in kept:
            expected = wal.Expected(segment, timelines[name], cluster.system_id)
            yield check.Object(
                store, segment.key, segment.size, check=functools.partial(wal.Segment, expected)
            )


class Files:
    """The files that lie in one object, each decompressed and compared with its SHA-1."""

    def __init__(self, files: Iterable[pgbackrest_files.File]):
        self._files = iter(sorted(files, key=lambda file: (file.offset, file.stored)))
        self._at = 0
        self._damaged: list[str] = []
        self._good = 0
        self._in_blocks = 0
        self._begin_next()

    def _begin_next(self) -> None:
        """Turn to the next file; those without a byte are over at once."""
        self._open = next(self._files, None)
        while self._open is not None:
            self._content = _Content(self._open)
            if self._open.offset < self._at:
                self._content.damage = 'overlaps another file'
            if self._open.stored:
                return
            self._end_file()
            self._open = next(self._files, None)

    def _end_file(self) -> None:
        assert self._open is not None
        damage = self._content.result()
        if damage:
            self._damaged.append(f'{plain.one_line(self._open.name)} {damage}')
        else:
            self._good += 1
            self._in_blocks += self._open.compression == pgbackrest_files.BLOCKS

    def feed(self, chunk: bytes) -> None:
        view = memoryview(chunk)
        while len(view) and self._open is not None:
            end = self._open.offset + self._open.stored
            if self._at < self._open.offset:
                step = min(self._open.offset - self._at, len(view))
            else:
                step = min(end - self._at, len(view))
                if step > 0:
                    self._content.feed(bytes(view[:step]))
            step = max(step, 0)
            self._at += step
            view = view[step:]
            if self._at >= end:
                self._end_file()
                self._begin_next()

    def finish(self) -> str:
        missing = sum(1 for _ in self._files) + (self._open is not None)
        if missing:
            self._damaged.append(f'{check.files(missing)} beyond its end')
        if self._damaged:
            more = len(self._damaged) - _MOST_NAMED
            named = '; '.join(self._damaged[:_MOST_NAMED]) + (f'; and {more} more' * (more > 0))
            raise check.Damaged(f'holds other files than were backed up: {named}')
        if not self._in_blocks:
            return check.files(self._good)
        return (
            f'{check.files(self._good)}; only pgBackRest can read what is in {self._in_blocks} '
            'of them (block-incremental), but they are stored as they were'
        )


class _Content:
    """What one file decompresses to."""

    def __init__(self, file: pgbackrest_files.File):
        self._file = file
        self._expected = (file.size, file.sha1)
        compression = file.compression
        if compression == pgbackrest_files.BLOCKS:
            # What can be compared are the bytes as they are stored.
            compression, self._expected = decompression.NONE, (file.stored, file.stored_sha1)
        self._sha1 = hashlib.sha1(usedforsecurity=False)
        self._size = 0
        self._stream = decompression.Stream(compression, self._take)
        self.damage = ''

    def _take(self, content: bytes) -> None:
        self._sha1.update(content)
        self._size += len(content)
        size, _ = self._expected
        if self._size > size:
            # However much more there is, it need not be looked at.
            raise check.Damaged(f'is larger than {size} bytes')

    def feed(self, data: bytes) -> None:
        if not self.damage:
            try:
                self._stream.feed(data)
            except check.Damaged as error:
                self.damage = str(error)

    def result(self) -> str:
        """Return what is wrong with the file, '' if nothing is."""
        if not self.damage and self._file.stored:
            try:
                self._stream.finish()
            except check.Damaged as error:
                self.damage = str(error)
        if self.damage:
            return self.damage
        size, sha1 = self._expected
        if self._size != size:
            return f'has {self._size} bytes instead of {size}'
        if self._file.compression == pgbackrest_files.BLOCKS and not sha1:
            return ''
        return '' if self._sha1.hexdigest() == sha1 else 'has another SHA-1'
