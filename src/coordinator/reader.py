"""The adapter that answers for `ports.Reader`: a process of its own, on the unit's machine.

A set may take hours to read, and while a dispatch runs, no other hook or action of the unit does.
So the reading goes on beside them. The process is no child of the unit's agent for long, but dies
with it, when the agent is restarted: then the next dispatch starts another one, which goes on with
the objects that were not done. What it needs to know it is told over its standard input: keys are
in no argument, no environment and on no disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

from coordinator import errors, manifest, ports, s3
from coordinator.integrity import job as jobs

LOCK, NOTE, WATCHED = 'lock', 'note.json', 'watched'
"""Names in the folder. The process holds the lock, and its id is in it; the last is touched by
who looks."""
_SECONDS = 30
"""Until the process must have begun."""


class Reader:
    """The reading of one unit: one at a time, in a folder of its own."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder

    def look(self, name: str) -> ports.Reading | None:
        """Return how the reading of this name stands; None if there is none."""
        try:
            # Before the note: one that has just ended has left its last note by then.
            running = self._process() is not None
            (self._folder / WATCHED).touch(0o600)
            note = jobs.Note.from_json((self._folder / NOTE).read_text())
        except OSError:
            return None
        if note is None or note.name != name:
            return None
        return note.reading(running=running)

    def start(
        self,
        name: str,
        backup_set: str,
        maas: ports.ObjectStore,
        postgresql: ports.ObjectStore,
        tally: str = '',
    ) -> None:
        """Begin a reading, or go on with one."""
        request = {
            'name': name,
            'backup-set': backup_set,
            'maas': _connection(maas),
            'postgresql': _connection(postgresql),
            'tally': tally,
        }
        try:
            self._folder.mkdir(0o700, exist_ok=True)
            (self._folder / WATCHED).touch(0o600)
            begun = subprocess.run(
                [sys.executable, '-m', 'coordinator.integrity', str(self._folder)],
                input=json.dumps(request).encode(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                env={'PATH': os.environ.get('PATH', ''), 'PYTHONPATH': os.pathsep.join(sys.path)},
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise errors.TransientError(
                f'the process that reads backup sets did not start: {type(error).__name__}'
            ) from None
        if begun.returncode:
            *_, why = begun.stderr.decode(errors='replace').strip().splitlines() or ['']
            raise errors.TransientError(
                f'the process that reads backup sets did not start: {why[:200]}'
            )

    def stop(self) -> None:
        """End the reading that is under way, if one is."""
        process = self._process()
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)

    def _process(self) -> int | None:
        """Return the id of the process that reads; None if none does."""
        try:
            lock = os.open(self._folder / LOCK, os.O_RDWR)
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(os.read(lock, 20) or 0) or None
        else:
            return None
        finally:
            os.close(lock)


def _connection(store: ports.ObjectStore) -> dict[str, Any]:
    assert isinstance(store, s3.S3Store)
    return dataclasses.asdict(store.connection)


def job(request: dict[str, Any]) -> jobs.Job:
    """Return what was asked for, in the process that does it."""
    return jobs.Job(
        request['name'],
        manifest.parse(request['backup-set'].encode(), 'the manifest'),
        *(_store(request[side]) for side in ('maas', 'postgresql')),
        before=request['tally'],
    )


def _store(connection: dict[str, Any]) -> s3.S3Store:
    return s3.S3Store(s3.Connection(**connection), fence=_nothing_is_written)


def _nothing_is_written() -> None:
    raise errors.StoreRefused('what reads a backup set changes nothing')


def leave(folder: pathlib.Path, note: jobs.Note) -> None:
    """Store a note of how a reading stands, whole or not at all."""
    fresh = folder / f'{NOTE}.new'
    fresh.touch(0o600)
    fresh.write_text(note.to_json())
    fresh.replace(folder / NOTE)
