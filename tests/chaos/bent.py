"""Runs a charm's code on a machine whose clock is wrong or whose disk is full.

`python bent.py --hours -1 charm.py`. Only this process is deceived, and the charm knows nothing
of it: the bend is made before its first import.
"""

from __future__ import annotations

import argparse
import datetime
import resource
import runpy
import sys
import time

_true_time, _true_time_ns, _TrueDatetime = time.time, time.time_ns, datetime.datetime


class _Kind(type):
    """Lets datetimes that were made in C be what they are."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _TrueDatetime)


class _Datetime(datetime.datetime, metaclass=_Kind):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> _Datetime:
        return cls.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls) -> _Datetime:
        return cls.now(datetime.UTC).replace(tzinfo=None)


def shift_clock(seconds: float) -> None:
    """Let the wall clock be wrong; the monotonic one goes on as it was."""
    time.time = lambda: _true_time() + seconds
    time.time_ns = lambda: _true_time_ns() + int(seconds * 1e9)
    setattr(datetime, 'datetime', _Datetime)  # noqa: B010  (a class is no variable to pyright)


def fill_disk() -> None:
    """Let every write to a file fail, as on a full disk; pipes and sockets go on."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main() -> None:
    """Bend, then run the script that is named last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--hours', type=float, default=0.0)
    parser.add_argument('--full', action='store_true')
    parser.add_argument('script')
    given = parser.parse_args()
    if given.hours:
        shift_clock(given.hours * 3600)
    if given.full:
        fill_disk()
    sys.argv = [given.script]
    runpy.run_path(given.script, run_name='__main__')


if __name__ == '__main__':
    main()
