"""Time for the model: the wall's, or a virtual one that tests wind forward.

Whatever takes time in the model is *work*: a generator that yields what it waits for, a number
of seconds or a callable that blocks (a call to S3, a child process). One piece of code so runs
in real time inside the controller's event loop and, instantly, in a test.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import heapq
import inspect
import itertools
import threading
from collections.abc import Callable, Generator
from typing import Any, Protocol, TypeVar

_T = TypeVar('_T')
Work = Generator[float | Callable[[], Any], Any, None]
Answering = Generator[float | Callable[[], Any], Any, _T]
"""Work that returns something to the work that does it with `yield from`."""


class Clock(Protocol):
    """What runs work."""

    def now(self) -> datetime.datetime:
        """Return the time, aware and in UTC."""
        ...

    def later(self, seconds: float, call: Callable[[], object]) -> Callable[[], None]:
        """Call back once after a number of seconds; return a function that cancels the call."""
        ...

    def outside(
        self, call: Callable[[], Any], then: Callable[[Any, BaseException | None], object]
    ) -> None:
        """Run a blocking call without holding up the model, then pass on its result or error."""
        ...


class VirtualClock:
    """Time that stands still until it is wound on. Blocking calls are made at once."""

    def __init__(self, start: datetime.datetime | None = None):
        self._now = start or datetime.datetime(2026, 8, 22, 10, 0, tzinfo=datetime.UTC)
        self._due: list[tuple[datetime.datetime, int, list[Callable[[], object]]]] = []
        self._sequence = itertools.count()

    def now(self) -> datetime.datetime:
        return self._now

    def later(self, seconds: float, call: Callable[[], object]) -> Callable[[], None]:
        slot = [call]
        due = self._now + datetime.timedelta(seconds=seconds)
        heapq.heappush(self._due, (due, next(self._sequence), slot))
        return slot.clear

    def outside(
        self, call: Callable[[], Any], then: Callable[[Any, BaseException | None], object]
    ) -> None:
        try:
            result = call()
        except Exception as error:
            then(None, error)
        else:
            then(result, None)

    def advance(self, seconds: float) -> None:
        """Let so much time pass, and everything that falls due in it happen."""
        end = self._now + datetime.timedelta(seconds=seconds)
        while self._due and self._due[0][0] <= end:
            due, _, slot = heapq.heappop(self._due)
            self._now = max(self._now, due)
            for call in tuple(slot):
                call()
        self._now = end


class LoopClock:
    """The wall's time, on an event loop. Blocking calls go to threads."""

    def __init__(self, loop: asyncio.AbstractEventLoop):
        self._loop = loop

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def later(self, seconds: float, call: Callable[[], object]) -> Callable[[], None]:
        return self._loop.call_later(seconds, call).cancel

    def outside(
        self, call: Callable[[], Any], then: Callable[[Any, BaseException | None], object]
    ) -> None:
        def run() -> None:
            result, error = None, None
            try:
                result = call()
            except Exception as failure:
                error = failure
            # The loop may have been closed meanwhile: then nobody waits for the answer.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(then, result, error)

        # A thread for each call: calls that hang could fill a pool, and hold up its shutdown.
        threading.Thread(target=run, daemon=True).start()


class Running:
    """Work in progress. `ended` is called once, with the error that ended it or None."""

    def __init__(self, clock: Clock, work: Work, ended: Callable[[BaseException | None], object]):
        self._clock = clock
        self._work = work
        self._ended = ended
        self._stopped = False
        self._cancel_timer: Callable[[], None] = lambda: None
        self._step(None, None)

    def stop(self) -> None:
        """End the work where it stands, without a word to it or to `ended`: as SIGKILL does."""
        self._stopped = True
        self._cancel_timer()
        # A call that is still out in a thread holds the generator: it is dropped on return.
        if inspect.getgeneratorstate(self._work) != inspect.GEN_RUNNING:
            self._work.close()

    def _step(self, value: Any, error: BaseException | None) -> None:
        if self._stopped:
            self._work.close()
            return
        try:
            wanted = self._work.throw(error) if error else self._work.send(value)
        except StopIteration:
            self._ended(None)
        except Exception as failure:
            self._ended(failure)
        else:
            if callable(wanted):
                self._clock.outside(wanted, self._step)
            else:
                self._cancel_timer = self._clock.later(wanted, lambda: self._step(None, None))
