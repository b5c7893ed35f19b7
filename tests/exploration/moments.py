"""The moments at which something can go wrong: between dispatches, and around outside calls."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from coordinator import ports
from coordinator.ports import maas_port
from coordinator.unit import elapsed
from tests import signers, simulation, worlds

BETWEEN, BEFORE, AFTER = 'between', 'before', 'after'
SAVED, COMMIT = 'after the record was set', 'before the commit'

_EFFECTS = frozenset[str]().union(
    *(ports.effects_of(port) for port in (ports.JujuModel, ports.ObjectStore, ports.Signer))
)


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of the engine or a step to the outside."""

    target: str
    """juju, maas, s3-maas, s3-postgresql, secret or key."""
    method: str
    arguments: tuple[Any, ...] = ()

    @property
    def effect(self) -> bool:
        return self.method in _EFFECTS

    @property
    def name(self) -> str:
        """Name of the call, with the action that it runs."""
        action = f' {self.arguments[1]}' if self.method == 'run_action' else ''
        return f'{self.target}.{self.method}{action}'

    @property
    def key(self) -> str:
        """Key of the object that it is about, of a store."""
        return str(self.arguments[0]) if self.target.startswith('s3') else ''


@dataclasses.dataclass(frozen=True)
class Moment:
    """A moment of a run."""

    kind: str
    step: str
    call: Call | None = None
    checkpoint: bool = False
    """Whether the last dispatch, or the one about to commit, has something to store."""
    make: Callable[[], Any] | None = None
    """Before a call: what makes it."""

    @property
    def name(self) -> str:
        return f'{self.kind} {self.call.name}' if self.call else self.kind


class Gate(Protocol):
    """What every call to the outside goes through."""

    def through(self, call: Call, make: Callable[[], Any]) -> Any:
        """Make the call, or let it go wrong."""
        ...


class _Gated:
    """Something outside whose every method goes through the gate."""

    def __init__(self, target: object, name: str, gate: Gate):
        self._target = target
        self._name = name
        self._gate = gate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            # What is outside reaches the outside by itself.
            given = [each._target if isinstance(each, _Gated) else each for each in arguments]

            def make() -> Any:
                answer = found(*given, **named)
                # Listings are lazy: what goes wrong in them must go wrong here.
                lazy = isinstance(answer, Iterator) or name == 'list'
                return list(answer) if isinstance(answer, Iterable) and lazy else answer

            return self._gate.through(Call(self._name, name, arguments), make)

        return call


class GatedWorld:
    """The world of a simulation, as one coordinator unit reaches it: through a gate."""

    def __init__(self, world: simulation.World, gate: Gate, skew: float = 0.0):
        self._world = world
        self._gate = gate
        self._skew = datetime.timedelta(seconds=skew)
        self.model_name = world.model_name
        self.model_uuid = world.model_uuid
        self._counter = worlds.Counter(elapsed.LONGEST)
        self._sent: datetime.datetime | None = None
        self._left: datetime.datetime | None = None
        self._unanswered = 0
        self.signing = signers.Signer(world.signing)

    @property
    def signer(self) -> ports.Signer:
        return self._gated(self.signing, 'key')

    @property
    def juju(self) -> ports.JujuModel:
        return self._gated(self._world.juju, 'juju')

    @property
    def maas_store(self) -> ports.ObjectStore:
        return self._gated(self._world.maas_store, 's3-maas')

    @property
    def postgresql_store(self) -> ports.ObjectStore:
        return self._gated(self._world.postgresql_store, 's3-postgresql')

    def maas_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        return self._gated(self._world.maas_store_at(bucket, path), 's3-maas')

    def postgresql_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        return self._gated(self._world.postgresql_store_at(bucket, path), 's3-postgresql')

    @property
    def reader(self) -> ports.Reader:
        return self._gated(self._world.reader, 'reader')

    def maas(self, found: str = '', *, fresh: bool = False) -> maas_port.Maas | None:
        maas = self._world.maas(found, fresh=fresh)
        return None if maas is None else self._gated(maas, 'maas')

    def secret(self, reference: str) -> dict[str, str]:
        call = Call('secret', 'read', (reference,))
        return self._gate.through(call, lambda: self._world.secret(reference))

    def now(self) -> datetime.datetime:
        return self._world.now() + self._skew

    def leads(self) -> bool:
        return True

    def elapsed(self, operation_id: str, age: int) -> int:
        # A steady clock has no skew; another unit has not looked yet.
        return self._counter.look(operation_id, age, self._world.now())

    def look_is_due(self, age: int) -> bool:
        return self._world.look_is_due(age)

    def take_up(self) -> datetime.datetime | None:
        self._unanswered = 0
        self._left = self._sent
        return self._sent

    def sending(self) -> None:
        """Remember, as `coordinator.unit.in_flight` does, that a request is sent."""
        self._sent = self.now()
        self._unanswered += 1

    def answered(self) -> None:
        """Note that a request was answered."""
        self._unanswered -= 1
        if not self._unanswered:
            self._sent = self._left

    def settle(self) -> None:
        self._sent = None
        self._unanswered = 0

    def _gated(self, target: object, name: str) -> Any:
        return _Gated(target, name, self._gate)
