"""The record lives in the peer databag, and is written only when something differs."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import pathlib
from collections.abc import Generator

import ops
import pytest
from ops import testing

from coordinator import errors, times
from coordinator.engine import formats, limits, operation
from coordinator.record import databag, ended
from tests import worlds

META = {'name': 'keeper', 'peers': {databag.RELATION: {'interface': 'any'}}}


class Keeper(ops.CharmBase):
    """A charm that does nothing but keep a record."""

    memory: pathlib.Path | None = None

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self.record = databag.Record(self.model, Keeper.memory or self.charm_dir / 'newest')


@contextlib.contextmanager
def dispatch(
    content: dict[str, str], *, leader: bool = True, memory: pathlib.Path | None = None
) -> Generator[databag.Record]:
    """Lend the record of one dispatch; what it writes is in `content` afterwards."""
    Keeper.memory = memory
    context = testing.Context(Keeper, meta=META)
    peers = testing.PeerRelation(databag.RELATION, local_app_data=dict(content))
    state = testing.State(leader=leader, relations={peers})
    with context(context.on.update_status(), state) as manager:
        yield manager.charm.record
        out = manager.run()
    content.clear()
    content.update(out.get_relation(peers.id).local_app_data)


def test_what_a_late_writer_put_back_does_not_count(
    tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
):
    content: dict[str, str] = {}
    op = worlds.new_operation('a', 'b')
    with dispatch(content) as kept:
        kept.save(op)
    older = dict(content)
    with dispatch(content) as kept:
        kept.save(op.beginning(7, {}, worlds.START))
    with dispatch(content, memory=tmp_path / 'newest') as kept:
        newest = kept.load()
        assert newest is not None
        assert not kept.behind
    assert (tmp_path / 'newest').stat().st_mode & 0o077 == 0
    content = older
    with dispatch(content, memory=tmp_path / 'newest') as kept:
        found = kept.load()
        assert found is not None
        assert found.to_json() == newest.to_json()
        assert kept.behind
        kept.save(found)
        assert not kept.behind
    assert 'a former leader overwrote record 2 with the older record 1' in caplog.text
    with dispatch(content, memory=tmp_path / 'another-unit') as kept:
        mended = kept.load()
        assert mended == newest
        assert mended is not None
        assert mended.generation == 3


def test_what_a_dispatch_stores_is_not_remembered_before_it_was_read(tmp_path: pathlib.Path):
    content: dict[str, str] = {}
    op = worlds.new_operation('a', 'b')
    with dispatch(content, memory=tmp_path / 'newest') as kept:
        kept.save(op)
    before = dict(content)
    with dispatch(content, memory=tmp_path / 'newest') as kept:
        kept.save(op.beginning(7, {}, worlds.START))
        kept.load()
    with dispatch(before, memory=tmp_path / 'newest') as kept:
        # The commit of the dispatch before was lost.
        assert kept.load() == op
        assert not kept.behind


def test_what_another_application_has_left_on_the_disk_is_not_brought_back(
    tmp_path: pathlib.Path,
):
    removed: dict[str, str] = {}
    with dispatch(removed) as kept:
        kept.save(worlds.new_operation('a', 'b'))
    with dispatch(removed) as kept:
        kept.save(worlds.new_operation('a', 'b').beginning(7, {}, worlds.START))
    with dispatch(removed, memory=tmp_path / 'newest') as kept:
        kept.load()
    deployed: dict[str, str] = {}
    with dispatch(deployed, memory=tmp_path / 'newest') as kept:
        assert kept.load() is None
        kept.save(worlds.new_operation('c'))
    with dispatch(deployed, memory=tmp_path / 'newest') as kept:
        assert kept.load() == worlds.new_operation('c')
        assert not kept.behind


@pytest.mark.parametrize('content', ['', '7', 'seven\n{}', '7\n', '7\n{"format":'])
def test_a_memory_that_is_cut_off_is_passed_over(tmp_path: pathlib.Path, content: str):
    (tmp_path / 'newest').write_text(content)
    databag: dict[str, str] = {}
    op = worlds.new_operation('a', 'b')
    with dispatch(databag, memory=tmp_path / 'newest') as kept:
        kept.save(op)
    with dispatch(databag, memory=tmp_path / 'newest') as kept:
        assert kept.load() == op


def test_there_is_no_operation_at_first():
    with dispatch({}) as kept:
        assert kept.ready
        assert kept.load() is None
        assert kept.last_complete == ''


def test_what_one_dispatch_saves_the_next_one_loads():
    content: dict[str, str] = {}
    op = worlds.new_operation('a', 'b')
    with dispatch(content) as kept:
        assert kept.save(op)
    with dispatch(content) as kept:
        assert kept.load() == op


def test_an_equal_operation_is_not_written_again():
    content: dict[str, str] = {}
    with dispatch(content) as kept:
        assert kept.save(worlds.new_operation('a', 'b'))
        assert not kept.save(worlds.new_operation('a', 'b'))
    with dispatch(content) as kept:
        assert not kept.save(worlds.new_operation('a', 'b'))
        assert kept.save(worlds.new_operation('a', 'b').ending(operation.FAILED, worlds.START))


def test_units_that_do_not_lead_read_it_too():
    op = worlds.new_operation('a')
    with dispatch({'operation': op.to_json()}, leader=False) as kept:
        assert kept.load() == op


def test_a_newer_record_is_an_error_and_stays_as_it_is_even_if_it_is_written_over():
    newer = f'{{"format": {formats.FORMAT + 1}}}'
    content = {'operation': newer}
    with dispatch(content) as kept:
        with pytest.raises(errors.ForeignRecordError, match='refresh the charm'):
            kept.load()
        with pytest.raises(errors.ForeignRecordError, match='refresh the charm'):
            kept.save(worlds.new_operation('a'))
    assert content == {'operation': newer}


def ending(number: int, status: str = operation.COMPLETE) -> operation.Operation:
    """Return an operation that has ended, the later the higher its number."""
    begun = worlds.START + datetime.timedelta(hours=number)
    op = dataclasses.replace(worlds.new_operation('a'), id=times.stamp(begun))
    return op.ending(status, begun)


def test_the_last_ten_operations_that_have_ended_are_remembered():
    content: dict[str, str] = {}
    for number in range(12):
        with dispatch(content) as kept:
            kept.save(worlds.new_operation('a'))
        with dispatch(content) as kept:
            assert kept.save(ending(number)) == ending(number)
    with dispatch(content, leader=False) as kept:
        expected = [ended.of(ending(number)) for number in range(11, 1, -1)]
        assert list(kept.earlier) == expected


def test_one_that_ended_before_the_charm_was_refreshed_is_remembered_when_the_next_begins():
    content = {'operation': ending(1).to_json()}
    with dispatch(content) as kept:
        assert kept.earlier == ()
        kept.save(worlds.new_operation('a'))
        assert kept.earlier == (ended.of(ending(1)),)


def test_what_is_settled_is_not_kept_again_when_the_next_operation_begins():
    content: dict[str, str] = {}
    broken = worlds.new_operation('a').step_ended(operation.BROKEN, worlds.START, 'x')
    with dispatch(content) as kept:
        kept.save(broken.ending(operation.COMPLETE, worlds.START))
        assert kept.unsettled is not None
        kept.set_since(kept.since.settling(worlds.BEGAN))
    with dispatch(content) as kept:
        kept.save(dataclasses.replace(worlds.new_operation('a'), id='2026-08-23T10:15:00Z'))
        assert kept.unsettled is None


def test_what_is_too_long_is_stored_as_it_fits_and_returned_so():
    content: dict[str, str] = {}
    op = worlds.new_operation(*(f'step-{number}' for number in range(60)))
    for entry in op.steps:
        op = op.moving_to(entry.name).step_ended(operation.BROKEN, worlds.START, 'x' * 300)
    with dispatch(content) as kept:
        stored = kept.save(op)
        assert stored is not None
        assert stored.cut == 59
        assert kept.load() == stored
    assert len(content['operation']) < limits.LARGEST
    with dispatch(content) as kept:
        assert not kept.save(stored)


def test_the_newest_complete_set_outlives_the_operation_that_made_it():
    content: dict[str, str] = {}
    with dispatch(content) as kept:
        kept.set_last_complete('2026-08-22T10:15:00Z', worlds.START)
    with dispatch(content) as kept:
        kept.save(worlds.new_operation('a'))
        assert kept.last_complete == '2026-08-22T10:15:00Z'


def test_a_complete_set_that_a_wrong_clock_has_dated_gives_way_to_the_next():
    with dispatch({}) as kept:
        kept.set_last_complete('2031-01-01T00:00:00Z', worlds.START.replace(year=2031))
        kept.set_last_complete('2026-08-22T10:15:00Z', worlds.START)
        assert kept.last_complete == '2026-08-22T10:15:00Z'
        kept.set_last_complete('2026-08-20T10:15:00Z', worlds.START)
        assert kept.last_complete == '2026-08-22T10:15:00Z'


def test_before_the_peer_relation_is_there_nothing_is_kept_and_nothing_fails():
    context = testing.Context(Keeper, meta=META)
    with context(context.on.install(), testing.State(leader=True)) as manager:
        kept = manager.charm.record
        assert not kept.ready
        assert kept.load() is None
        assert not kept.save(worlds.new_operation('a'))
        assert kept.last_complete == ''


def test_what_is_kept_back_is_read_and_not_yet_set():
    content: dict[str, str] = {}
    with dispatch(content) as kept:
        kept.keep_back()
        assert not kept.kept_back
        kept.set_schedules('{}')
        op = kept.save(worlds.new_operation('a', 'b'))
        assert kept.kept_back
        assert (kept.schedules, kept.load()) == ('{}', op)
        kept.release()
        assert (kept.schedules, kept.load()) == ('{}', op)
        kept.set_traced('later')
    assert set(content) == {'schedules', 'operation', 'traced'}


def test_what_is_dropped_was_never_set():
    content = {'schedules': '{"backup-all": {}}'}
    with dispatch(content) as kept:
        kept.keep_back()
        kept.set_schedules('{}')
        kept.save(worlds.new_operation('a', 'b'))
        kept.drop()
        assert (kept.schedules, kept.load()) == ('{"backup-all": {}}', None)
        kept.release()
        kept.set_traced('a')
    assert content == {'schedules': '{"backup-all": {}}'}
