"""One beat of the pacemaker: waits until it is due, and then becomes the command that dispatches.

It is a program of its own, run by a systemd service. All that it knows of the charm is the file in
which each dispatch notes that it has looked (`elapsed`), and beside it the note of a dispatch that
waits for a task (`glance`), which says when that is likely to end.

Every hook of the unit advances the operation, as a beat does. So a beat is due when nothing has
advanced the operation during a pause, and pending hooks run first. The pause grows with the age of
the operation; if it is known how long such a task took last time, it shrinks towards that moment
instead. It also grows with the duration of the last beat: on a busy machine a dispatch may take
seconds, and the unit must have time for its hooks.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import sys
import time
from collections.abc import Sequence

RESTART = 0.5
"""Seconds between the end of a beat and the start of the next one's program, by systemd."""
LONGEST, LONGEST_BUSY = 10.0, 30.0
"""Longest pause in seconds: of a long operation, and of one whose beats take long."""
_SHARE = 200
"""The pause is this part of the operation's age: a beat that finds its task running is cheap."""
_CLOSER = 20
"""The pause is this part of the time until a task is likely to end."""
_COSTS = 2
"""The pause is at least this many times as long as the last beat."""


NOTE = '.glance'
"""The note of a dispatch that waits for a task, in the charm's folder."""


def pause(age: float, cost: float, ends: float = 0.0) -> float:
    """Return the seconds without progress after which a beat is due.

    Args:
        age: of the operation, in seconds.
        cost: how many seconds the last beat took, its waiting for hooks included.
        ends: the age at which the task that is waited for is likely to end; 0 if nobody knows.
    """
    seldom = age / _SHARE
    if ends > age:
        seldom = (ends - age) / _CLOSER
    elif ends:
        seldom = min(seldom, (age - ends) / _CLOSER)
    return max(RESTART, min(seldom, LONGEST), min(cost * _COSTS, LONGEST_BUSY))


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _number(path: pathlib.Path, name: str) -> float:
    """Return a number of one of the files; 0 when there is none."""
    try:
        return float(json.loads(path.read_text())[name])
    except (OSError, ValueError, LookupError, TypeError):
        return 0.0


def wait(looks: pathlib.Path, beats: pathlib.Path) -> None:
    """Sleep until the next beat is due.

    Args:
        looks: the file in which dispatches note that they have looked, in the charm's folder.
        beats: the file in which a beat notes when it began.
    """
    began = _now()
    ended, last = began - RESTART, _number(beats, 'seconds')
    # After a reboot the clock starts again, so the last beat's time means nothing.
    cost = ended - last if 0 < last < ended else 0.0
    while True:
        looked = _number(looks, 'seconds')
        latest = max(ended, looked if looked <= _now() else 0.0)
        ends = _number(looks.with_name(NOTE), 'ends')
        left = latest + pause(_number(looks, 'age'), cost, ends) - _now()
        if left <= 0:
            return
        time.sleep(left)


def main(arguments: Sequence[str]) -> None:
    """Wait, and become the command that follows the two files."""
    looks, beats, *command = arguments
    wait(pathlib.Path(looks), pathlib.Path(beats))
    # A disk that is full must not stop an operation.
    with contextlib.suppress(OSError):
        pathlib.Path(beats).write_text(json.dumps({'seconds': _now()}))
    os.execvp(command[0], command)


if __name__ == '__main__':
    main(sys.argv[1:])
