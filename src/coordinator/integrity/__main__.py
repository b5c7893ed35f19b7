"""The process that reads a backup set whole: `integrity.reader` starts it and looks at it.

It gets what to read, and the keys to do it with, over its standard input, and leaves a note of how
it stands in a folder. A signal ends it at any moment: the note is enough to go on from. It ends by
itself when the folder is gone, and when nobody has looked for a while, as the unit may not lead
any more.
"""

from __future__ import annotations

import fcntl
import json
import os
import pathlib
import sys
import threading
import time

from coordinator.integrity import job as jobs
from coordinator.integrity import reader

_NOTED_EVERY = 1.0
_UNWATCHED = 900
"""Seconds for which nobody may look."""
_POLITENESS = 10
"""What MAAS and PostgreSQL need comes first."""


def main() -> int:
    """Read what standard input asks for; return the exit status."""
    folder = pathlib.Path(sys.argv[1])
    request = json.load(sys.stdin)
    lock = os.open(folder / reader.LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        # Another one reads.
        return 0
    os.ftruncate(lock, 0)
    to_be_told, begun = os.pipe()
    if os.fork():
        # Who started this waits for the first note, no longer; the lock is held all the same.
        os.close(begun)
        return 0 if os.read(to_be_told, 1) else 1
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.write(lock, str(os.getpid()).encode())
    job = reader.job(request)
    reader.leave(folder, job.note)
    os.write(begun, b'.')
    # Not before: a dispatch has waited for that.
    os.nice(_POLITENESS)
    _read(folder, job)
    return 0


def _read(folder: pathlib.Path, job: jobs.Job) -> None:
    over = threading.Event()

    def note_now_and_then() -> None:
        while not over.wait(_NOTED_EVERY):
            try:
                reader.leave(folder, job.note)
                watched = (folder / reader.WATCHED).stat().st_mtime
            except OSError:
                os._exit(1)
            if abs(time.time() - watched) > _UNWATCHED:
                os._exit(1)

    # It ends the process itself: the others may wait for S3, for as long as that takes.
    noting = threading.Thread(target=note_now_and_then)
    noting.start()
    try:
        job.run(lambda: True)
    finally:
        over.set()
        noting.join()
    reader.leave(folder, job.note)


if __name__ == '__main__':
    sys.exit(main())
