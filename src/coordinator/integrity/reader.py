"""The adapter that answers for `ports.Reader`: a separate process on the unit's machine.

A set may take hours to read, and while a dispatch runs, no other hook or action of the unit does.
So the reading goes on beside them. The process is no child of the unit's agent for long, but dies
with it, when the agent is restarted: then the next dispatch starts another one, which continues
the objects that were not done. It reads what it needs from its standard input: keys are
in no argument, no environment and on no disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import math
import os
import pathlib
import signal
import subprocess
import sys
from typing import Any

from coordinator import errors, ports
from coordinator.integrity import job as jobs
from coordinator.s3 import object_store, timeouts
from coordinator.sets import manifest

LOCK, NOTE, WATCHED = 'lock', 'note.json', 'watched'
"""Names in the folder. The process holds the lock, and its id is in it; the last is touched by
who looks."""
_STORES = ('repository', 'maas', 'postgresql')
_PROXIES = ('http_proxy', 'https_proxy', 'no_proxy')
_SECONDS = 30
"""Until the process must have begun."""


class Reader:
    """The readings of one unit, one at a time, in a separate folder."""

    def __init__(self, folder: pathlib.Path):
        self._folder = folder

    def look(self, name: str) -> ports.Reading | None:
        """Return how the reading of this name stands; None if there is none."""
        # Check the process before the note: a process that has just ended has already written its
        # last note.
        running = self._runs()
        note = self._note()
        if note is None or note.name != name:
            return None
        with contextlib.suppress(OSError):
            (self._folder / WATCHED).touch(0o600)
        return note.reading(running=running)

    def _note(self) -> jobs.Note | None:
        try:
            return jobs.Note.from_json((self._folder / NOTE).read_text())
        except OSError:
            return None

    def start(
        self,
        name: str,
        backup_set: str,
        repository: ports.ObjectStore,
        maas: ports.ObjectStore,
        postgresql: ports.ObjectStore,
        tally: str = '',
    ) -> None:
        """Begin a reading, or continue one."""
        note = self._note()
        if note is not None and note.name != name and self._runs():
            # From an operation that was ended by force, or from an earlier term of this leader.
            self.stop()
            raise errors.TransientError('the process that reads another backup set is ending')
        request = {
            'name': name,
            'backup-set': backup_set,
            'repository': _connection(repository),
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
                env=_environment(),
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
                'the process that reads backup sets did not start: '
                f'{why[:200] or "it ended immediately"}'
            )

    def stop(self) -> None:
        """End the reading that is under way, if one is."""
        if self._runs():
            with contextlib.suppress(OSError, ValueError):
                os.kill(int((self._folder / LOCK).read_text()), signal.SIGTERM)

    def _runs(self) -> bool:
        """Whether a process reads: it holds the lock as long as it lives."""
        try:
            lock = os.open(self._folder / LOCK, os.O_RDWR)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        else:
            return False
        finally:
            os.close(lock)


def _environment() -> dict[str, str]:
    """Return what of a hook's environment the process needs."""
    proxies = {name for each in _PROXIES for name in (each, each.upper())}
    kept = {name: text for name, text in os.environ.items() if name in {'PATH', *proxies}}
    return {**kept, 'PYTHONPATH': os.pathsep.join(sys.path)}


def _connection(store: ports.ObjectStore) -> dict[str, Any]:
    assert isinstance(store, object_store.S3Store)
    return dataclasses.asdict(store.connection)


def job(request: dict[str, Any]) -> jobs.Job:
    """Return what was asked for, in the process that does it."""
    return jobs.Job(
        request['name'],
        manifest.parse(request['backup-set'].encode(), 'the manifest'),
        *(_store(request[side]) for side in _STORES),
        before=request['tally'],
    )


def _store(connection: dict[str, Any]) -> object_store.S3Store:
    # No hook waits for this process.
    patience = timeouts.Patience(enough=math.inf)
    return object_store.S3Store(
        object_store.Connection(**connection), fence=_nothing_is_written, patience=patience
    )


def _nothing_is_written() -> None:
    raise errors.StoreRefused('what reads a backup set changes nothing')


def leave(folder: pathlib.Path, note: jobs.Note) -> None:
    """Store a note of how a reading stands, whole or not at all."""
    fresh = folder / f'{NOTE}.new'
    fresh.touch(0o600)
    fresh.write_text(note.to_json())
    fresh.replace(folder / NOTE)
