"""Which calls of a port change something outside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Call = TypeVar('_Call', bound=Callable[..., Any])
_effects: set[Callable[..., Any]] = set()


def effect(call: _Call) -> _Call:
    """Mark a call of a port as one that changes something outside. All other calls only read."""
    _effects.add(call)
    return call


def effects_of(port: type) -> frozenset[str]:
    """Return the names of the calls of a port that have an effect."""
    return frozenset(name for name, call in vars(port).items() if call in _effects)


def looks_of(port: type) -> frozenset[str]:
    """Return the names of the calls of a port that only read."""
    calls = {name for name, call in vars(port).items() if callable(call) and name[0] != '_'}
    return frozenset(calls) - effects_of(port)
