"""What can go wrong between a client and its controller, on request.

A fault waits for requests that match it and goes off a number of times. Faults may be added
and cleared at any time, on the model's loop.
"""

from __future__ import annotations

import dataclasses
import enum
import fnmatch

from rehearsal.controller import wire


class Kind(enum.Enum):
    """What goes wrong. The value names it on the command line."""

    DROP_BEFORE = 'drop-before'
    """The connection breaks before anything was done."""
    DROP_AFTER = 'drop-after'
    """The request takes effect, and the connection breaks before the answer."""
    HANG = 'hang'
    """Nothing is done and no answer comes."""
    SLOW = 'slow'
    """The request takes effect, and the answer comes after `seconds`."""
    UPGRADE = 'upgrade'
    """The controller is being upgraded."""
    MIGRATION = 'migration'
    """The model is being exported to another controller: an error without a code."""
    BLOCKED = 'blocked'
    """As after `juju disable-command`."""
    BUSY = 'busy'
    """The controller asks to try again."""
    REDIRECT = 'redirect'
    """The model has moved: at login, `moved_to` tells where."""
    DISCHARGE = 'discharge'
    """At login: a success that asks for a macaroon instead."""


_REFUSALS = {
    Kind.UPGRADE: ('upgrade in progress', 'upgrade in progress'),
    Kind.MIGRATION: ('model migration in progress', ''),
    Kind.BLOCKED: ('the operation has been blocked', 'operation is blocked'),
    Kind.BUSY: ('try again', 'try again'),
}
"""Kinds that refuse a request, with the message and the code."""

_PASSES_DURING = {
    Kind.UPGRADE: ('Admin.*', 'Client.FullStatus', 'Pinger.Ping'),
    Kind.MIGRATION: (
        'Admin.*',
        'Client.FullStatus',
        'Pinger.Ping',
        'Storage.ListStorageDetails',
        'Storage.StorageDetails',
    ),
}
"""Requests that Juju answers all the same; patterns of `Facade.Method`."""

_AT_LOGIN = (Kind.REDIRECT, Kind.DISCHARGE)


@dataclasses.dataclass(frozen=True)
class MovedTo:
    """The controller that has a migrated model now."""

    addresses: tuple[str, ...]
    """`host:port` each."""
    ca_pem: str
    alias: str
    controller_uuid: str


@dataclasses.dataclass
class Fault:
    """One thing that will go wrong, `count` times (None: until it is cleared)."""

    kind: Kind
    request: str = '*'
    """Pattern of `Facade.Method`, such as `Application.*`."""
    count: int | None = 1
    seconds: float = 0.0
    message: str = ''
    """In place of Juju's message."""
    moved_to: MovedTo | None = None

    def matches(self, request: str) -> bool:
        """Whether it concerns this request."""
        if self.kind in _AT_LOGIN:
            return request == 'Admin.Login'
        passes = _PASSES_DURING.get(self.kind, ())
        return fnmatch.fnmatchcase(request, self.request) and not any(
            fnmatch.fnmatchcase(request, pattern) for pattern in passes
        )

    @property
    def refusal(self) -> tuple[str, str] | None:
        """Message and code of the refusal; None for a kind that does not refuse."""
        if self.kind not in _REFUSALS:
            return None
        message, code = _REFUSALS[self.kind]
        return self.message or message, code

    @property
    def redirection(self) -> wire.Json:
        """The `error-info` of a redirect."""
        moved_to = self.moved_to or MovedTo((), '', '', '')
        servers = [wire.host_port(address) for address in moved_to.addresses]
        return {
            'servers': [servers],
            'ca-cert': moved_to.ca_pem,
            'controller-tag': f'controller-{moved_to.controller_uuid}',
            'controller-alias': moved_to.alias,
        }


class Faults:
    """The faults that are set."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Let something go wrong from now on."""
        self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._waiting.clear()

    def on(self, kind: Kind) -> bool:
        """Whether a fault of this kind is set."""
        return any(fault.kind is kind for fault in self._waiting)

    def take(self, request: str) -> Fault | None:
        """Return the fault that concerns this request, and count it down."""
        for fault in self._waiting:
            if fault.matches(request):
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        self._waiting.remove(fault)
                return fault
        return None
