"""The history in S3 is the record, for people, and never in the way of the operation."""

from __future__ import annotations

import json

import pytest

from coordinator import errors, history, operation, ports
from tests import worlds

KEY = 'coordinator/operations/2026-08-22T10:15:00Z.json'


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


@pytest.mark.parametrize('fault', ['unavailable', 'refuses_writes', 'refuses_keys'])
def test_s3_that_does_not_take_it_stops_nothing(
    world: worlds.StoredWorld, caplog: pytest.LogCaptureFixture, fault: str
):
    setattr(world.bucket, fault, True)
    history.write(worlds.new_operation('a'), world)
    assert '2026-08-22T10:15:00Z: its history was not stored: ' in caplog.text


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
    history.write(worlds.new_operation('a'), BrokenWorld(reason))
    assert caplog.messages == [f'2026-08-22T10:15:00Z: its history was not stored: {told}']
    assert 'hunter2' not in caplog.text
