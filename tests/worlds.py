"""Worlds for tests of the engine: a clock that tests set, and little else to look at."""

from __future__ import annotations

import datetime
import math

from coordinator import ports, times
from coordinator.engine import operation, settings
from coordinator.ports import maas_port
from coordinator.unit import elapsed
from rehearsal import memory_store
from tests import signers

START = datetime.datetime(2026, 8, 22, 10, 15, tzinfo=datetime.UTC)
BEGAN = times.stamp(START)
CONFIG = settings.Settings(
    maas='maas-region', postgresql='postgresql', recipients=('age1example',)
)


class Counter:
    """Counts ages as `coordinator.unit.elapsed` does, by a clock that tests set."""

    def __init__(self, longest: float = math.inf) -> None:
        self._longest = longest
        self._last: tuple[str, float, datetime.datetime] | None = None

    def look(self, operation_id: str, age: int, now: datetime.datetime) -> int:
        counted = float(age)
        if self._last is not None and self._last[0] == operation_id and self._last[1] >= age:
            passed = (now - self._last[2]).total_seconds()
            counted = self._last[1] + min(passed, self._longest)
        self._last = (operation_id, counted, now)
        return int(counted)


class EmptyWorld:
    """A world without a model: steps that reach for one fail the test."""

    model_name = 'maas'
    model_uuid = 'deadbeef-0bad-400d-8000-4b1d0d06f00d'

    def __init__(self) -> None:
        self.time = START
        self.skew = datetime.timedelta()
        """How much the clock of the leading unit is ahead."""
        self._counter = Counter()
        self.keys = signers.with_key('maas')

    @property
    def juju(self) -> ports.JujuModel:
        raise AssertionError('this test has no controller')

    @property
    def maas_store(self) -> ports.ObjectStore:
        raise AssertionError('this test has no repository')

    @property
    def postgresql_store(self) -> ports.ObjectStore:
        raise AssertionError('this test has no PostgreSQL repository')

    def maas_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        raise AssertionError('this test has no repository')

    def postgresql_store_at(self, bucket: str, path: str) -> ports.ObjectStore:
        raise AssertionError('this test has no PostgreSQL repository')

    @property
    def reader(self) -> ports.Reader:
        raise AssertionError('this test has no reader')

    def maas(self, found: str = '', *, fresh: bool = False) -> maas_port.Maas | None:
        return None

    def secret(self, reference: str) -> dict[str, str]:
        raise AssertionError('this test has no secrets')

    @property
    def signer(self) -> ports.Signer:
        return self.keys

    def now(self) -> datetime.datetime:
        return self.time + self.skew

    def leads(self) -> bool:
        return True

    def elapsed(self, operation_id: str, age: int) -> int:
        return self._counter.look(operation_id, age, self.time)

    def look_is_due(self, age: int) -> bool:
        return elapsed.look_is_due(age)

    def take_up(self) -> datetime.datetime | None:
        return None

    def settle(self) -> None:
        """Nothing was sent."""

    def pass_time(self, **length: int) -> None:
        """Set the clock on."""
        self.time += datetime.timedelta(**length)


class StoredWorld(EmptyWorld):
    """A world with a bucket for both repositories, and still without a model."""

    def __init__(self) -> None:
        super().__init__()
        self.bucket = memory_store.MemoryBucket()

    @property
    def maas_store(self) -> ports.ObjectStore:
        return memory_store.MemoryStore(self.bucket, 'maas')

    @property
    def postgresql_store(self) -> ports.ObjectStore:
        return memory_store.MemoryStore(self.bucket, 'postgresql')


def new_operation(*step_names: str) -> operation.Operation:
    """Return an operation that has not begun."""
    return operation.Operation.new(times.stamp(START), 'backup-all', step_names, CONFIG, START)
