"""One beat of the pacemaker: waits until it is due, and then becomes the command that dispatches.

It runs by itself, as a program of a systemd service, and so knows nothing of the charm but the
file in which each dispatch notes that it has looked (`elapsed`).

Every hook of the unit advances the operation, as a beat does. So a beat is due when nothing has
advanced it for a while: while hooks are pending they go first. That while grows with the age of
the operation, and with what a beat costs: on a busy machine a dispatch may take seconds, and the
unit must get to its hooks in between.
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
LONGEST, LONGEST_BUSY = 15.0, 30.0
"""Seconds of a pause: of a long operation, and of one whose beats are dear."""
_SHARE = 100
"""The pause is one hundredth of the operation's age."""
_COSTS = 2
"""The pause is as long as so many beats."""


def pause(age: float, cost: float) -> float:
    """Return how many seconds nothing must have advanced an operation before a beat is due.

    Args:
        age: of the operation, in seconds.
        cost: how many seconds the last beat took, its waiting for hooks included.
    """
    return max(RESTART, min(age / _SHARE, LONGEST), min(cost * _COSTS, LONGEST_BUSY))


def _now() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _number(path: pathlib.Path, name: str) -> float:
    """Return a number of the file of looks or beats; 0 when there is none."""
    try:
        return float(json.loads(path.read_text())[name])
    except (OSError, ValueError, LookupError, TypeError):
        return 0.0


def wait(looks: pathlib.Path, beats: pathlib.Path) -> None:
    """Sleep until the next beat is due.

    Args:
        looks: the file in which dispatches note that they have looked.
        beats: the file in which a beat notes when it began.
    """
    began = _now()
    ended, last = began - RESTART, _number(beats, 'seconds')
    # After a reboot the clock begins anew: then nothing is known of the last one.
    cost = ended - last if 0 < last < ended else 0.0
    while True:
        looked = _number(looks, 'seconds')
        latest = max(ended, looked if looked <= _now() else 0.0)
        left = latest + pause(_number(looks, 'age'), cost) - _now()
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
