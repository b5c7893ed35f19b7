"""The note says what the record says, is written only when it differs, and holds no secret."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
from typing import Any

from coordinator import times
from coordinator.engine import operation, settings
from coordinator.observed import note
from coordinator.operations import plans
from coordinator.record import ended, schedules
from tests import worlds

UNITS = json.dumps({'postgresql/0': '0', 'postgresql/1': '1', 'postgresql/2': '2'})
NOW = worlds.START
START = int(NOW.timestamp())


def later(seconds: int) -> datetime.datetime:
    return NOW + datetime.timedelta(seconds=seconds)


def new(
    kind: str = 'backup-all', config: settings.Settings = worlds.CONFIG
) -> operation.Operation:
    return operation.Operation.new(worlds.BEGAN, kind, plans.PLANS[kind].names, config, NOW)


def at(op: operation.Operation, step: str, seconds: int = 0) -> operation.Operation:
    """Return the operation with all steps before this one done, and this one begun."""
    for name in [entry.name for entry in op.steps]:
        op = op.moving_to(name).beginning(0, {}, later(seconds))
        if name == step:
            return op
        op = op.step_ended(operation.DONE, later(seconds))
    raise AssertionError(step)


def seen(op: operation.Operation | None, **more: Any) -> note.Seen:
    made = note.Seen(version='0.1.0', leads=True, op=op)
    return dataclasses.replace(made, **more)


def scaled_down(op: operation.Operation) -> operation.Operation:
    return at(op, 'back-up-postgresql').remembering({'postgresql-units': UNITS})


def test_a_unit_that_has_seen_no_operation_says_so():
    made = note.of(seen(None), None, START)
    assert (made.under_way, made.last, made.progress, made.since) == (None, {}, 0, START)


def test_an_operation_under_way_is_told_with_its_step_and_its_state():
    op = at(new(), 'capture-secrets')
    made = note.of(seen(op), None, START)
    assert made.under_way == note.UnderWay(op.id, 'backup-all', 'capture-secrets', note.RUNNING)
    for changed, state in (
        (op.waiting('it waits', NOW), note.WAITING),
        (op.turning_back('it failed'), note.UNDOING),
        (op.held('somebody must look'), note.HELD),
    ):
        told = note.of(seen(changed), None, START).under_way
        assert told is not None
        assert told.state == state


def test_progress_is_when_the_newest_record_was_read_first():
    op = dataclasses.replace(at(new(), 'capture-secrets'), generation=3)
    first = note.of(seen(op), None, START)
    again = note.of(seen(op), first, START + 60)
    moved = note.of(seen(dataclasses.replace(op, generation=4)), again, START + 90)
    assert (first.progress, again.progress, moved.progress) == (START, START, START + 90)
    assert again == first
    assert moved.since == START


def test_an_operation_that_has_ended_is_told_with_its_steps():
    op = at(new(), 'expire-backups', 60).step_ended(operation.DONE, later(90))
    op = op.ending(operation.COMPLETE, later(90))
    last = note.of(seen(op), None, START + 90).last['backup-all']
    assert (last.status, last.seconds, last.ended) == ('complete', 90, START + 90)
    assert last.steps['expire-backups'] == 30
    assert not last.left


def test_the_last_of_each_kind_is_kept_when_another_one_begins():
    op = at(new(), 'expire-backups').ending(operation.COMPLETE, later(90))
    before = note.of(seen(op), None, START + 90)
    made = note.of(seen(new('verify-backup')), before, START + 100)
    assert made.last == before.last


def test_a_unit_that_was_added_knows_the_last_ones_out_of_the_databag():
    past = [
        ended.Ended('2026-08-22T09:00:00Z', 'expire', 'failed', 'check', '2026-08-22T09:00:00Z',
                    '2026-08-22T09:01:00Z', 'no S3'),
        ended.Ended('2026-08-22T08:00:00Z', 'expire', 'complete', 'check', '2026-08-22T08:00:00Z',
                    '2026-08-22T08:02:00Z', ''),
    ]  # fmt: skip
    last = note.of(seen(None, earlier=past), None, START).last['expire']
    assert (last.id, last.status, last.seconds, last.steps) == (past[0].id, 'failed', 60, {})


def test_something_left_to_do_is_told():
    past = ended.Ended(
        worlds.BEGAN, 'backup-all', 'complete', 'expire-backups', worlds.BEGAN, worlds.BEGAN, 'x'
    )
    assert note.of(seen(None, earlier=[past]), None, START).last['backup-all'].left


def test_units_are_missing_from_scaling_down_until_they_are_back():
    op = scaled_down(new())
    made = note.of(seen(op), None, START)
    assert (made.missing_units, made.degraded) == (2, note.Period(START))
    back = at(op, 'verify', 300)
    told = note.of(seen(back), made, START + 300)
    assert (told.missing_units, told.degraded) == (0, note.Period(START, START + 300))


def test_units_that_did_not_come_back_are_missing_until_the_operation_is_settled():
    op = at(scaled_down(new()), 'restore-postgresql-scale', 60)
    op = op.step_ended(operation.BROKEN, later(120), 'late').moving_to('expire-backups')
    op = op.ending(operation.COMPLETE, later(130))
    made = note.of(seen(op), None, START)
    assert (made.missing_units, made.last['backup-all'].left) == (2, True)
    settled = note.of(seen(op, settled={op.id}), made, START)
    assert (settled.missing_units, settled.last['backup-all'].left) == (0, False)


def test_with_a_replica_no_unit_is_missing():
    config = dataclasses.replace(worlds.CONFIG, strategy='replica')
    made = note.of(seen(scaled_down(new(config=config))), None, START)
    assert (made.missing_units, made.degraded) == (0, None)


def test_the_downtime_of_maas_is_told_until_it_is_up():
    down = {'maas-down-since': worlds.BEGAN, 'relation-being-removed': '7'}
    op = at(new('restore-all'), 'restore-maas').remembering(down)
    assert note.of(seen(op), None, START).down == note.Period(START)
    up = op.remembering({'maas-up-since': times.stamp(later(60))})
    assert note.of(seen(up), None, START).down == note.Period(START, START + 60)
    before = note.of(seen(up), None, START)
    assert note.of(seen(new()), before, START).down == before.down, 'of the newest restore'


def test_a_run_that_was_missed_is_told_until_something_makes_up_for_it():
    run = schedules.Run(worlds.BEGAN, schedules.MISSED)
    kept = schedules.Schedule('daily', due='2026-08-23T00:00:00Z', runs=(run,), missed=3)
    text = schedules.to_json({'backup-all': kept})
    told = note.of(seen(None, schedules=text), None, START).schedules['backup-all']
    assert told == note.Scheduled(int(START // 86400 + 1) * 86400, 3, missed_last=True)
    past = ended.Ended(
        '2026-08-22T11:00:00Z', 'backup-all', 'complete', 'expire-backups',
        '2026-08-22T11:00:00Z', '2026-08-22T11:30:00Z', '',
    )  # fmt: skip
    after = note.of(seen(None, schedules=text, earlier=[past]), None, START)
    assert not after.schedules['backup-all'].missed_last
    assert note.Note.from_json(after.to_json()) == after


def test_failures_add_up():
    first = note.of(seen(None, failures={'s3-unanswered': 2}), None, START)
    second = note.of(seen(None, failures={'s3-unanswered': 1, 's3-refused': 1}), first, START)
    assert second.failures == {'s3-unanswered': 3, 's3-refused': 1}


def test_it_is_written_only_when_it_differs(tmp_path: pathlib.Path):
    path = tmp_path / note.FILE
    notes = note.Notes(path)
    notes.update(seen(new()), NOW)
    first = path.stat()
    notes.update(seen(new()), later(60))
    assert path.stat().st_mtime_ns == first.st_mtime_ns
    assert path.stat().st_ino == first.st_ino
    notes.update(seen(new().held('x')), later(60))
    assert path.stat().st_ino != first.st_ino
    assert [each.name for each in tmp_path.iterdir()] == [note.FILE]
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_was_written_is_read_as_it_was(tmp_path: pathlib.Path):
    notes = note.Notes(tmp_path / note.FILE)
    op = scaled_down(new()).remembering({'maas-down-since': worlds.BEGAN})
    notes.update(seen(op, last_complete=worlds.BEGAN, failures={'s3-refused': 1}), NOW)
    found = notes.read()
    assert found == note.of(
        seen(op, last_complete=worlds.BEGAN, failures={'s3-refused': 1}), None, START
    )


def test_a_file_that_is_cut_off_or_of_another_revision_is_written_anew(tmp_path: pathlib.Path):
    path = tmp_path / note.FILE
    for text in ('', '{"version": "0.1', '[]', '{"shape": "unheard-of"}', '{"last": 7}'):
        path.write_text(text)
        notes = note.Notes(path)
        assert notes.read() is None, text
        notes.update(seen(None), NOW)
        assert notes.read() == note.of(seen(None), None, START)


def test_what_a_newer_revision_adds_is_ignored(tmp_path: pathlib.Path):
    made = note.of(seen(None), None, START)
    raw = {**json.loads(made.to_json()), 'unheard-of': 1}
    assert note.Note.from_json(json.dumps(raw)) == made


def test_a_disk_that_is_full_stops_nothing(tmp_path: pathlib.Path):
    note.Notes(tmp_path / 'missing' / note.FILE).update(seen(None), NOW)


def test_no_secret_of_the_record_is_in_it():
    op = scaled_down(new()).remembering({'password-hashes': 'scrypt$hunter2', 'sealed': 'hunter2'})
    op = dataclasses.replace(op, parameters={'identity': 'secret:hunter2'}).held('hunter2')
    assert 'hunter2' not in note.of(seen(op), None, START).to_json()
