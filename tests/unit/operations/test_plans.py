"""What the plans promise by their order alone."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.engine import operation
from coordinator.operations import plans
from tests import worlds

BACKUP = plans.BACKUP_ALL


def before(first: str, second: str) -> bool:
    return BACKUP.names.index(first) < BACKUP.names.index(second)


def test_every_plan_is_found_by_its_kind():
    assert plans.PLANS['backup-all'] is BACKUP
    assert all(plan.kind == kind for kind, plan in plans.PLANS.items())


def test_no_step_name_comes_twice():
    assert len(set(BACKUP.names)) == len(BACKUP.names)


def test_the_checks_come_first_and_the_manifest_last():
    assert BACKUP.names[0] == 'check'
    assert BACKUP.names[-3:] == ('verify', 'publish', 'expire-backups')


def test_what_is_published_stays_while_others_go():
    assert BACKUP.commit == 'publish'
    assert before('publish', 'expire-backups')


def test_the_database_is_backed_up_before_the_files():
    assert before('back-up-postgresql', 'back-up-maas')


def test_the_units_come_back_while_the_files_are_backed_up():
    assert before('back-up-postgresql', 'request-postgresql-units')
    assert before('request-postgresql-units', 'back-up-maas')
    assert before('back-up-maas', 'restore-postgresql-scale')


def test_passwords_are_captured_before_the_database_is_backed_up():
    assert before('capture-secrets', 'back-up-postgresql')


@pytest.mark.parametrize('entry', BACKUP.steps, ids=lambda entry: entry.name)
def test_whatever_changes_something_can_be_undone(entry: plans.Step):
    assert (
        entry.only_looks
        or entry.tolerated
        or entry.undo
        or entry.name == ('request-postgresql-units')
    )


@pytest.mark.parametrize('entry', BACKUP.steps, ids=lambda entry: entry.name)
def test_whatever_starts_a_task_or_claims_an_id_or_removes_a_unit_is_marked_first(
    entry: plans.Step,
):
    starts = {
        'capture-secrets', 'await-images', 'scale-down-postgresql', 'back-up-postgresql',
        'back-up-maas',
    }  # fmt: skip
    assert (entry.mark is not None) == (entry.name in starts)


@pytest.mark.parametrize('entry', BACKUP.steps, ids=lambda entry: entry.name)
def test_every_step_has_a_deadline_and_a_cap_on_attempts(entry: plans.Step):
    assert entry.deadline(worlds.CONFIG).total_seconds() >= 60
    assert entry.undo_deadline(worlds.CONFIG).total_seconds() >= 60
    assert 1 <= entry.attempts <= 5


def test_deadlines_follow_the_settings():
    config = dataclasses.replace(
        worlds.CONFIG,
        scaling_minutes=1,
        postgresql_backup_minutes=2,
        maas_backup_minutes=3,
        image_sync_minutes=4,
    )
    minutes = {
        entry.name: entry.deadline(config).total_seconds() / 60
        for entry in BACKUP.steps
        if entry.deadline(config) != entry.deadline(worlds.CONFIG)
    }
    assert minutes == {
        'scale-down-postgresql': 1,
        'restore-postgresql-scale': 1,
        'back-up-postgresql': 2,
        'await-images': 4 + 30,
        'back-up-maas': 3 + 4 + 30,
    }
    scale_down = BACKUP.find('scale-down-postgresql')
    assert scale_down is not None
    assert scale_down.undo_deadline(config).total_seconds() == 60


def test_a_missing_unit_does_not_stop_the_set_from_being_published():
    tolerated = [entry.name for entry in BACKUP.steps if entry.tolerated]
    assert tolerated == [
        'await-images', 'take-inventory', 'restore-postgresql-scale', 'expire-backups'
    ]  # fmt: skip
    assert before('restore-postgresql-scale', 'publish')


def test_a_backup_can_be_undone_from_every_step():
    assert not any(BACKUP.past_pivot(name) for name in BACKUP.names)


def test_a_step_that_is_not_in_the_plan_is_not_found():
    assert BACKUP.find('no-such-step') is None


def test_what_was_published_stays_published_however_the_operation_ended():
    op = worlds.new_operation(*BACKUP.names).moving_to('publish')
    assert not plans.published(op)
    done = op.step_ended(operation.DONE, worlds.START)
    assert plans.published(done.ending(operation.FAILED, worlds.START))


def test_a_manifest_that_was_withdrawn_is_not_published():
    op = worlds.new_operation(*BACKUP.names).moving_to('publish')
    assert not plans.published(op.step_ended(operation.UNDONE, worlds.START))
