"""Measures how long an operation lasts: adds up the time between this unit's dispatches.

Leaders change, and their clocks may differ, so times of two machines are never compared. The
record has an age in seconds instead. A dispatch adds the time since this unit's last dispatch,
which the unit's disk remembers, so that the record is not written merely because time passes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import time
from collections.abc import Callable

FILE = '.last-look'
"""In the charm's folder."""
LONGEST = 300.0
"""Longest time in seconds that is added between two dispatches: the default interval of
update-status. A night without a controller must not use up a deadline."""
_LOOK_EVERY, _LOOK_FOR = 60, 20
"""Seconds of each minute in which more than a task is checked; longer than the pause between two
beats."""
_BOOT = pathlib.Path('/proc/sys/kernel/random/boot_id')


@dataclasses.dataclass(frozen=True)
class Moment:
    """A moment of a steady clock, which only compares with others of the same boot."""

    boot: str
    seconds: float


def look_is_due(age: int, last: int = 0) -> bool:
    """Whether to look at more than a task: the status of a large model is costly.

    Args:
        age: of the operation, in seconds.
        last: its age at the last dispatch of which it is known that it did so when it was due.
    """
    return age % _LOOK_EVERY < _LOOK_FOR and (not last or age // _LOOK_EVERY > last // _LOOK_EVERY)


def steady() -> Moment:
    """Return the time of a clock that nobody can set and that runs on while the machine sleeps."""
    return Moment(_BOOT.read_text().strip(), time.clock_gettime(time.CLOCK_BOOTTIME))


@dataclasses.dataclass(frozen=True)
class _Look:
    """The last look of this unit at an operation."""

    operation: str
    age: float
    boot: str
    seconds: float


class Elapsed:
    """What this unit has counted of the operation that it looked at last."""

    def __init__(self, path: pathlib.Path, clock: Callable[[], Moment] = steady):
        self._path = path
        self._clock = clock

    def look(self, operation_id: str, age: int) -> int:
        """Return the age of an operation, in seconds, and remember this look.

        Args:
            operation_id: of the operation.
            age: what its record says.
        """
        now, last = self._clock(), self._last()
        counted = float(age)
        # If the record's age is higher, another unit has led since this one looked.
        if last is not None and last.operation == operation_id and last.age >= age:
            counted = last.age
            if last.boot == now.boot:
                counted += min(max(now.seconds - last.seconds, 0.0), LONGEST)
        look = _Look(operation_id, counted, now.boot, now.seconds)
        # A disk that is full must not stop an operation.
        with contextlib.suppress(OSError):
            self._path.write_text(json.dumps(dataclasses.asdict(look)))
        return int(counted)

    def _last(self) -> _Look | None:
        try:
            raw = json.loads(self._path.read_text())
            return _Look(
                str(raw['operation']), float(raw['age']), str(raw['boot']), float(raw['seconds'])
            )
        except (OSError, ValueError, LookupError, TypeError):
            # There is no file, or a crash cut it off: use the record's age.
            return None
