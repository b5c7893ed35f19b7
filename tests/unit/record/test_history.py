"""The history in S3 is the record, for people, and never in the way of the operation."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Callable

import pytest

from coordinator import errors, ports, times
from coordinator.engine import operation
from coordinator.record import history
from tests import worlds

UUID = worlds.EmptyWorld.model_uuid
OLD_KEY = 'coordinator/operations/2026-08-22T10:15:00Z.json'
KEY = f'coordinator/operations/2026-08-22T10:15:00Z-{UUID}.json'


@pytest.fixture
def world() -> worlds.StoredWorld:
    return worlds.StoredWorld()


def test_it_is_the_record_in_readable_json(world: worlds.StoredWorld):
    op = worlds.new_operation('a', 'b')
    history.write(op, world)
    content = world.maas_store.get(KEY).decode()
    assert operation.Operation.from_json(content) == op
    assert len(content.splitlines()) > 20
    assert json.loads(content)['status'] == 'open'


def test_the_newest_state_replaces_the_one_before(world: worlds.StoredWorld):
    op = worlds.new_operation('a', 'b')
    history.write(op, world)
    history.write(op.ending(operation.COMPLETE, worlds.START), world)
    assert list(world.bucket.objects) == [f'maas/{KEY}']
    assert json.loads(world.maas_store.get(KEY))['status'] == 'complete'


def _begun() -> operation.Operation:
    begun = worlds.new_operation('a', 'b').beginning(7, {'fact': 'x'}, worlds.START)
    return begun.waiting('postgresql/2 is being removed', worlds.START)


def test_another_reason_to_wait_or_the_task_that_is_waited_for_is_not_worth_a_request():
    before = _begun()
    after = before.waiting('postgresql/0 is backing up the database', worlds.START, 12)
    assert after != before
    assert not history.is_behind(before, after)


CHANGES: list[Callable[[operation.Operation], operation.Operation]] = [
    lambda op: op.beginning(8, {}, worlds.START),
    lambda op: op.remembering({'postgresql-label': '20260822-101500F'}),
    lambda op: op.step_ended(operation.DONE, worlds.START).moving_to('b'),
    lambda op: op.attempt_failed('the agent died'),
    lambda op: op.held('a person must decide'),
    lambda op: op.turning_back('the charm refused'),
    lambda op: op.warned('the storage stays'),
    lambda op: op.with_problem('a unit is missing'),
    lambda op: op.ending(operation.COMPLETE, worlds.START),
    lambda op: op.waiting(LONG, worlds.START),
]


@pytest.mark.parametrize('change', CHANGES)
def test_all_else_that_has_changed_is_written(
    change: Callable[[operation.Operation], operation.Operation],
):
    before = _begun()
    assert history.is_behind(before, change(before))


def test_a_rehearsal_leaves_none_in_the_repository_of_another_site(world: worlds.StoredWorld):
    op = dataclasses.replace(
        worlds.new_operation('a'), kind='restore-all', parameters={operation.REHEARSAL: 'true'}
    )
    history.write(op, world)
    history.write(op.ending(operation.COMPLETE, worlds.START), world)
    assert world.bucket.objects == {}


# --- Long messages -------------------------------------------------------------------------------

LONG = 'maas-region/0 said: ' + 'ü' * 1000


def stored(op: operation.Operation) -> operation.Operation:
    """Return an operation as the next dispatch loads it."""
    return operation.Operation.from_json(op.to_json())


def told(world: worlds.StoredWorld) -> list[str]:
    found = history.read(worlds.BEGAN, world.maas_store, UUID)
    return [message.text for message in found.messages]


def test_what_the_record_has_no_room_for_is_there_whole_with_its_time_and_step(
    world: worlds.StoredWorld,
):
    op = worlds.new_operation('a', 'b').waiting(LONG, world.now())
    history.write(op, world)
    found = history.read(op.id, world.maas_store, UUID)
    assert found.operation == op
    assert found.messages == (history.Message(worlds.BEGAN, 'a', LONG),)


def test_a_later_dispatch_keeps_the_messages_of_those_before(world: worlds.StoredWorld):
    op = worlds.new_operation('a', 'b').waiting(LONG, world.now())
    history.write(op, world)
    op = stored(op).step_ended(operation.DONE, world.now()).moving_to('b')
    history.write(op, world)
    history.write(stored(op).held(f'{LONG}!'), world)
    assert told(world) == [LONG, f'{LONG}!']


def test_what_a_step_says_and_its_operation_repeats_is_there_once(world: worlds.StoredWorld):
    failed = worlds.new_operation('a').step_ended(operation.BROKEN, world.now(), LONG)
    history.write(failed.turning_back(f'a: {LONG}'), world)
    assert told(world) == [f'a: {LONG}']


def test_the_newest_messages_are_kept_and_all_together_have_a_bound(world: worlds.StoredWorld):
    op = worlds.new_operation('a')
    for number in range(40):
        op = stored(op).waiting(f'{number} {"x" * 6000}', world.now())
        history.write(op, world)
    kept = [int(text.split()[0]) for text in told(world)]
    assert kept == list(range(30, 40))


def test_while_nothing_was_cut_the_history_is_written_and_not_read(world: worlds.StoredWorld):
    op = worlds.new_operation('a')
    before = world.bucket.requests
    world.maas_store.put('one', b'')
    one_put = world.bucket.requests - before
    history.write(op, world)
    assert world.bucket.requests - before == 2 * one_put


def test_a_history_that_somebody_changed_is_written_anew(world: worlds.StoredWorld):
    op = worlds.new_operation('a').waiting(LONG, world.now())
    world.maas_store.put(KEY, b'garbage')
    history.write(stored(op).held('short'), world)
    assert history.read(op.id, world.maas_store, UUID).operation.status == operation.HELD


# --- Reading -------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['', 'x', '../backup-sets/x', '2026-8-2T1:2:3Z', f'{KEY}\n'])
def test_only_an_id_becomes_part_of_a_key(world: worlds.StoredWorld, name: str):
    with pytest.raises(errors.PreconditionError, match='is not an operation id: ids look like'):
        history.read(name, world.maas_store, UUID)


def test_an_operation_without_a_history_is_not_found(world: worlds.StoredWorld):
    with pytest.raises(errors.NotFound):
        history.read(worlds.BEGAN, world.maas_store, UUID)


@pytest.mark.parametrize(
    'messages', ['5', '[5]', '[{}]', '{"a": 1}'], ids=['number', 'numbers', 'empty', 'object']
)
def test_a_history_that_is_damaged_is_refused_with_a_sentence(
    world: worlds.StoredWorld, messages: str
):
    text = worlds.new_operation('a').to_json()
    world.maas_store.put(KEY, f'{text[:-1]},"messages":{messages}}}'.encode())
    with pytest.raises(errors.ForeignRecordError, match=r'operations/.* cannot be read'):
        history.read(worlds.BEGAN, world.maas_store, UUID)


# --- The last fifty ------------------------------------------------------------------------------


def numbered(number: int) -> operation.Operation:
    begun = worlds.START + datetime.timedelta(hours=number)
    return dataclasses.replace(worlds.new_operation('a'), id=times.stamp(begun))


def ids(world: worlds.StoredWorld) -> list[str]:
    keys = [item.key for item in world.maas_store.list('coordinator/operations/')]
    names = [key.rpartition('/')[2].removesuffix('.json') for key in keys]
    return [name.partition('Z-')[0] + 'Z' if 'Z-' in name else name for name in names]


def test_when_an_operation_ends_only_the_last_fifty_of_this_model_stay(world: worlds.StoredWorld):
    other = worlds.StoredWorld()
    other.bucket, other.model_uuid = world.bucket, 'c0ffee00-0bad-400d-8000-4b1d0d06f00d'
    strangers = [numbered(number) for number in range(-2, 0)]
    for op in strangers:
        history.write(op, other)
    world.maas_store.put('coordinator/operations/0-somebodys-note.json', b'garbage')
    for number in range(52):
        history.write(numbered(number), world)
    assert len(ids(world)) == 55, 'nothing is deleted while an operation runs'
    history.write(numbered(52).ending(operation.COMPLETE, world.now()), world)
    own = [numbered(number).id for number in range(3, 53)]
    assert ids(world) == ['0-somebodys-note', *(op.id for op in strangers), *own]


def of_older_revisions(number: int) -> str:
    return f'coordinator/operations/{numbered(number).id}.json'


def of_this_model(number: int) -> str:
    return history.key(numbered(number).id, UUID)


@pytest.mark.parametrize(
    ('name', 'deleted'), [(of_older_revisions, 0), (of_this_model, 100)], ids=['old', 'own']
)
def test_a_thousand_histories_cost_a_bounded_number_of_requests(
    world: worlds.StoredWorld, name: Callable[[int], str], deleted: int
):
    for number in range(1000):
        world.maas_store.put(name(number), b'{}')
    before = world.bucket.requests
    history.write(numbered(1000), world)
    written = world.bucket.requests - before
    history.write(numbered(1000).ending(operation.COMPLETE, world.now()), world)
    assert world.bucket.requests - before - 2 * written == 1 + deleted, 'one lists them'


def test_more_histories_than_are_deleted_at_once_go_bit_by_bit(world: worlds.StoredWorld):
    for number in range(200):
        world.maas_store.put(history.key(numbered(number).id, UUID), b'{}')
    for number, left in ((200, 101), (201, 50), (202, 50)):
        history.write(numbered(number).ending(operation.COMPLETE, world.now()), world)
        assert len(ids(world)) == left
    assert ids(world)[-1] == numbered(202).id


# --- Several models ------------------------------------------------------------------------------


def of_another_model(world: worlds.StoredWorld, number: int) -> worlds.StoredWorld:
    other = worlds.StoredWorld()
    other.bucket, other.model_uuid = world.bucket, f'c0ffee0{number}-0bad-400d-8000-4b1d0d06f00d'
    return other


def test_two_models_whose_operations_have_one_id_have_a_history_each(world: worlds.StoredWorld):
    other, op = of_another_model(world, 0), worlds.new_operation('a')
    history.write(op, world)
    history.write(op.held('mend it'), other)
    assert history.read(op.id, world.maas_store, UUID).operation == op
    found = history.read(op.id, world.maas_store, other.model_uuid)
    assert found.operation.status == operation.HELD


def test_a_fresh_model_reads_what_a_lost_one_has_left(world: worlds.StoredWorld):
    op = worlds.new_operation('a')
    history.write(op, of_another_model(world, 0))
    assert history.read(op.id, world.maas_store, UUID).operation == op
    history.write(op, of_another_model(world, 1))
    with pytest.raises(errors.PreconditionError, match='2 of other models'):
        history.read(op.id, world.maas_store, UUID)


def test_a_history_that_an_older_revision_has_left_is_read(world: worlds.StoredWorld):
    op = worlds.new_operation('a')
    world.maas_store.put(OLD_KEY, op.to_json().encode())
    assert history.read(op.id, world.maas_store, UUID).operation == op


# --- S3 in trouble -------------------------------------------------------------------------------


def past_its_check() -> operation.Operation:
    op = worlds.new_operation('check', 'a').step_ended(operation.DONE, worlds.START)
    return op.moving_to('a')


@pytest.mark.parametrize('fault', ['unavailable', 'refuses_writes', 'refuses_keys'])
def test_s3_that_does_not_take_it_stops_nothing(
    world: worlds.StoredWorld, caplog: pytest.LogCaptureFixture, fault: str
):
    setattr(world.bucket, fault, True)
    history.write(past_its_check(), world)
    assert '2026-08-22T10:15:00Z: a: its history was not stored: ' in caplog.text


class BrokenWorld(worlds.EmptyWorld):
    """A world whose repository cannot be reached, for whatever reason."""

    def __init__(self, reason: Exception):
        super().__init__()
        self._reason = reason

    @property
    def maas_store(self) -> ports.ObjectStore:
        raise self._reason


@pytest.mark.parametrize(
    ('reason', 'told'),
    [
        (errors.TransientError('no relation s3-maas'), 'no relation s3-maas'),
        (ValueError('Invalid header value hunter2'), 'ValueError'),
        (OSError('hunter2'), 'OSError'),
    ],
    ids=['ours', 'a-librarys', 'the-systems'],
)
def test_whatever_goes_wrong_stops_nothing_and_only_our_own_words_are_logged(
    caplog: pytest.LogCaptureFixture, reason: Exception, told: str
):
    history.write(past_its_check(), BrokenWorld(reason))
    assert caplog.messages == [f'2026-08-22T10:15:00Z: a: its history was not stored: {told}']
    assert 'hunter2' not in caplog.text


@pytest.mark.parametrize(
    ('reason', 'ends', 'warns'),
    [
        (errors.StoreUnavailable('S3 is away'), False, False),
        (errors.StoreUnavailable('S3 is away'), True, True),
        (errors.StoreRefused('no such bucket'), False, True),
        (ValueError('a fault of ours'), False, True),
    ],
    ids=['waiting', 'ended', 'refused', 'fault'],
)
def test_while_the_check_waits_for_s3_nothing_more_is_warned_of(
    caplog: pytest.LogCaptureFixture, reason: Exception, ends: bool, warns: bool
):
    op = worlds.new_operation('check', 'a').waiting('S3 is away', worlds.START)
    op = op.ending(operation.FAILED, worlds.START) if ends else op
    history.write(op, BrokenWorld(reason))
    assert any(line.levelname == 'WARNING' for line in caplog.records) == warns
