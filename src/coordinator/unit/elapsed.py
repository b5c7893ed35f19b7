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
"""Seconds of each minute in which more than a task is checked. On a busy machine no dispatch may
fall into them: then the next one does it (`Elapsed.overdue`)."""
_BOOT = pathlib.Path('/proc/sys/kernel/random/boot_id')


@dataclasses.dataclass(frozen=True)
class Moment:
    """A moment of a steady clock, which only compares with others of the same boot."""

    boot: str
    seconds: float


def look_is_due(age: int) -> bool:
    """Whether to look at more than a task: the status of a large model is costly.

    Args:
        age: of the operation, in seconds.
    """
    return age % _LOOK_EVERY < _LOOK_FOR


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
    whole: int = -1
    """Minute of the age in which a dispatch last came to its end that looked at more than a task.
    """


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
        whole = last.whole if last is not None and last.operation == operation_id else -1
        self._write(_Look(operation_id, counted, now.boot, now.seconds, whole))
        return int(counted)

    @property
    def overdue(self) -> bool:
        """Whether nobody has looked at more than a task in the minute of the last look."""
        last = self._last()
        return last is None or last.whole != _minute(last)

    def looked(self) -> None:
        """Remember that this dispatch, which comes to its end, has looked at more than a task."""
        last = self._last()
        if last is not None:
            self._write(dataclasses.replace(last, whole=_minute(last)))

    def _write(self, look: _Look) -> None:
        # A disk that is full must not stop an operation.
        with contextlib.suppress(OSError):
            self._path.write_text(json.dumps(dataclasses.asdict(look)))

    def _last(self) -> _Look | None:
        try:
            raw = json.loads(self._path.read_text())
            return _Look(
                str(raw['operation']),
                float(raw['age']),
                str(raw['boot']),
                float(raw['seconds']),
                int(raw.get('whole', -1)),
            )
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            # There is no file, or a crash cut it off: use the record's age.
            return None


def _minute(look: _Look) -> int:
    return int(look.age) // _LOOK_EVERY
