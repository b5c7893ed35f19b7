"""Remembers, on the unit's own disk, the newest record that this unit has read.

A hook that hangs for minutes may commit long after another unit has led and stored a newer record.
Juju writes the whole databag and compares nothing, so the older record overwrites the newer one.
Each record has a generation: a unit that has read a newer one notices, and stores it again.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib


class Newest:
    """A file with the generation of a record in its first line, and the record in its second."""

    def __init__(self, path: pathlib.Path):
        self._path = path

    def newer_than(self, generation: int) -> str:
        """Return the record that is remembered if it is newer than one of this generation."""
        with contextlib.suppress(OSError, ValueError), self._path.open() as file:
            if int(file.readline()) > generation:
                return file.readline()
        return ''

    @property
    def noted_at(self) -> datetime.datetime | None:
        """When the newest record was read first; None when none was."""
        try:
            return datetime.datetime.fromtimestamp(self._path.stat().st_mtime, datetime.UTC)
        except OSError:
            return None

    def note(self, generation: int, text: str) -> None:
        """Remember a record that was read, if it is newer than the one that is remembered."""
        with contextlib.suppress(OSError, ValueError), self._path.open() as file:
            if int(file.readline()) >= generation:
                return
        # Whole or not at all; a disk that is full must not stop an operation.
        with contextlib.suppress(OSError):
            fresh = self._path.with_suffix('.new')
            # The record has hashes of passwords, which are nobody's business on this machine.
            fresh.touch(mode=0o600)
            fresh.write_text(f'{generation}\n{text}\n')
            os.replace(fresh, self._path)

    def forget(self) -> None:
        """Forget the record: that of an application which was removed has nothing to say."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)
