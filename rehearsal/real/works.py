"""What the servers and pgBackRest did, and how long it took them: kept for whoever compares."""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, Protocol, TypeVar

import psycopg

from rehearsal.real import processes, server
from rehearsal.standins import body, host

_P = ParamSpec('_P')
_T = TypeVar('_T')


@dataclasses.dataclass(frozen=True)
class Work:
    """One piece of work that was done."""

    what: str
    unit: str
    begun: datetime.datetime
    seconds: float


class Works(list[Work]):
    """The works so far, in the order in which they ended."""

    def record(self, what: str, unit: str, begun: datetime.datetime) -> None:
        """Add one that has ended now."""
        seconds = (datetime.datetime.now(datetime.UTC) - begun).total_seconds()
        self.append(Work(what, unit, begun, seconds))


class Working(Protocol):
    """The object whose methods are described."""

    works: Works


_W = TypeVar('_W', bound=Working)
_Method = Callable[Concatenate[_W, host.Host, _P], _T]


def working(what: str = '') -> Callable[[_Method[_W, _P, _T]], _Method[_W, _P, _T]]:
    """Have a method raise `body.Failed` when what it uses fails; record a work with a name."""

    def decorate(method: _Method[_W, _P, _T]) -> _Method[_W, _P, _T]:
        @functools.wraps(method)
        def tell(self: _W, here: host.Host, *args: _P.args, **kwargs: _P.kwargs) -> _T:
            begun = datetime.datetime.now(datetime.UTC)
            try:
                result = method(self, here, *args, **kwargs)
            except processes.ProgramFailed as error:
                raise body.Failed(str(error), error.stdout) from error
            except (server.ServerFailed, psycopg.Error, OSError) as error:
                raise body.Failed(str(error)) from error
            if what:
                self.works.record(what, here.unit, begun)
            return result

        return tell

    return decorate
