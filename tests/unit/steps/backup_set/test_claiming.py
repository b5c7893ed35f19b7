"""Two models that begin a backup in the same second end up with an id each."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator

import pytest

from coordinator import ports
from coordinator.engine import operation, step
from coordinator.sets import catalogue, marks
from coordinator.steps.backup_set import claiming
from coordinator.steps.postgresql import passwords
from rehearsal import memory_store
from tests import worlds

UUIDS = ('aaaaaaaa-0bad-400d-8000-4b1d0d06f00d', 'bbbbbbbb-0bad-400d-8000-4b1d0d06f00d')


class Turns:
    """Lets two threads make one request each time that it is their turn."""

    def __init__(self, schedule: Iterator[int]):
        self._schedule = schedule
        self._changed = threading.Condition()
        self._over: set[int] = set()
        self._next = next(schedule)

    def take(self, who: int, request: Callable[[], object]) -> object:
        with self._changed:
            self._changed.wait_for(lambda: self._next == who or self._others_are_over(who))
            answer = request()
            self._next = next(self._schedule)
            self._changed.notify_all()
            return answer

    def end(self, who: int) -> None:
        with self._changed:
            self._over.add(who)
            self._changed.notify_all()

    def _others_are_over(self, who: int) -> bool:
        return bool(self._over - {who})


class Taken(memory_store.MemoryStore):
    """A store whose every request waits for its turn."""

    def __init__(self, bucket: memory_store.MemoryBucket, turns: Turns, who: int):
        super().__init__(bucket, 'maas')
        self._turns, self._who = turns, who

    def put(self, key: str, content: bytes) -> ports.StoredObject:
        taken = self._turns.take(self._who, lambda: super(Taken, self).put(key, content))
        assert isinstance(taken, ports.StoredObject)
        return taken

    def list(self, prefix: str) -> Iterator[ports.StoredObject]:
        found = self._turns.take(self._who, lambda: list(super(Taken, self).list(prefix)))
        assert isinstance(found, list)
        return iter(found)

    def delete(self, key: str) -> None:
        self._turns.take(self._who, lambda: super(Taken, self).delete(key))


class Claimer(worlds.EmptyWorld):
    """A model whose operation claims its id."""

    def __init__(self, store: memory_store.MemoryStore, model_uuid: str = UUIDS[0]):
        super().__init__()
        self.store = store
        self.model_uuid = model_uuid
        self.op = worlds.new_operation('capture-secrets')
        self.op = self.op.remembering(claiming.mark(self.op, self).facts)

    @property
    def maas_store(self) -> ports.ObjectStore:
        return self.store

    def step(self) -> bool:
        """Enter the step once, as a dispatch does; return whether the id is claimed."""
        waits = claiming.claim(self.op, self)
        if waits is not None:
            self.op = self.op.remembering(waits.facts)
        return waits is None

    def claim(self) -> str:
        while not self.step():
            assert len(self.store.bucket.objects) < 9
        return self.op.backup_id


def claim_both(schedule: Iterator[int]) -> tuple[list[str], set[str]]:
    """Return the ids that two models claim, and the names of all claims that are left."""
    bucket = memory_store.MemoryBucket()
    turns = Turns(schedule)
    models = [Claimer(Taken(bucket, turns, who), UUIDS[who]) for who in (0, 1)]

    def run(who: int) -> None:
        try:
            models[who].claim()
        finally:
            turns.end(who)

    threads = [threading.Thread(target=run, args=(who,)) for who in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()
    return [model.op.backup_id for model in models], set(bucket.objects)


@pytest.mark.parametrize('seed', range(200))
def test_in_whatever_order_their_requests_come_each_gets_an_id_of_its_own(seed: int):
    draw = random.Random(seed)
    ids, left = claim_both(iter(lambda: draw.randrange(2), 2))
    assert ids[0] != ids[1]
    folders = {key.split('/')[3] for key in left}
    assert folders == set(ids)
    assert len(left) == 2


def test_both_that_write_before_either_looks_move_on_and_part():
    def schedule() -> Iterator[int]:
        yield from (0, 1, 0, 1, 0, 1)
        while True:
            yield from (0, 1)

    ids, _ = claim_both(schedule())
    assert sorted(ids) == ['2026-08-22T10:15:01Z', '2026-08-22T10:15:02Z']


@pytest.fixture
def store() -> memory_store.MemoryStore:
    return memory_store.MemoryStore(memory_store.MemoryBucket(), 'maas')


def test_alone_it_keeps_its_own_id(store: memory_store.MemoryStore):
    model = Claimer(store)
    assert model.claim() == model.op.id
    (key,) = store.bucket.objects
    assert marks.is_claim(key.rpartition('/')[2])


def test_an_id_that_an_older_revision_uses_is_left_to_it(store: memory_store.MemoryStore):
    store.put(catalogue.sealed_key(worlds.BEGAN), b'sealed')
    assert Claimer(store).claim() == '2026-08-22T10:15:01Z'
    assert store.get(catalogue.sealed_key(worlds.BEGAN)) == b'sealed'


def test_it_is_entered_again_after_every_crash_with_the_same_end(store: memory_store.MemoryStore):
    store.put(catalogue.sealed_key(worlds.BEGAN), b'sealed')
    model = Claimer(store)
    while True:
        before = model.op
        claiming.claim(before, model)
        if model.step():
            break
    assert model.op.backup_id == '2026-08-22T10:15:01Z'
    assert len(store.bucket.objects) == 2


def test_a_later_operation_of_the_same_model_never_takes_a_claim_for_its_own(
    store: memory_store.MemoryStore,
):
    first, second = Claimer(store), Claimer(store)
    assert first.claim() == worlds.BEGAN
    assert second.claim() == '2026-08-22T10:15:01Z'


def test_what_is_claimed_tells_whose_it_is(store: memory_store.MemoryStore):
    Claimer(store, UUIDS[1]).claim()
    (entry,) = catalogue.with_failed(store)
    assert entry.model_uuid == UUIDS[1]


def test_an_operation_that_an_older_revision_has_begun_claims_nothing(
    store: memory_store.MemoryStore,
):
    model = Claimer(store)
    model.op = worlds.new_operation('capture-secrets')
    assert claiming.claim(model.op, model) is None
    assert claiming.remains(model.op) == []
    assert model.op.backup_id == model.op.id
    assert operation.BACKUP_ID not in model.op.facts


def test_an_undo_whose_record_was_lost_leaves_alone_who_took_the_id_since(
    store: memory_store.MemoryStore,
):
    first, second = Claimer(store, UUIDS[0]), Claimer(store, UUIDS[1])
    first.claim()
    passwords.discard(first.op, first)
    assert second.claim() == first.op.backup_id
    store.put(catalogue.sealed_key(second.op.backup_id), b'sealed by the second')
    passwords.discard(first.op, first)
    assert store.get(catalogue.sealed_key(second.op.backup_id)) == b'sealed by the second'


def test_an_undo_removes_what_a_dispatch_sealed_whose_record_was_lost(
    store: memory_store.MemoryStore,
):
    model = Claimer(store)
    store.put(catalogue.sealed_key(model.claim()), b'sealed')
    while isinstance(passwords.discard(model.op, model), step.Wait):
        pass
    assert not store.bucket.objects
