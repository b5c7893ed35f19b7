"""What `make bench` compares restore-all with: a hand that restores as well, only later."""

from __future__ import annotations

import itertools

import pytest

from coordinator.operations import plans
from rehearsal import site
from tests.bench import figures, recording, restore, runbook

QUICK = restore.Work(
    region=12, database=6, initialise=1, install=1, join=1, remove=1, update_status=10
)


def test_the_hand_brings_back_what_was_backed_up():
    lost, fresh = restore.lose(QUICK)
    hand = runbook.Hand(fresh.world.juju, fresh.clock, runbook.Notes.of(lost))
    begun = fresh.clock.now()
    assert fresh.site.fingerprint() != fresh.at_backup

    hand.restore()

    assert sum(hand.took.values()) == (fresh.clock.now() - begun).total_seconds()
    site.settle(fresh.model)
    assert fresh.site.fingerprint() == fresh.at_backup
    assert len(fresh.postgresql_units()) == 3


def test_the_hand_restores_one_region_after_the_other():
    lost, fresh = restore.lose(QUICK)
    runbook.Hand(fresh.world.juju, fresh.clock, runbook.Notes.of(lost)).restore()
    restored = fresh.tasks('restore-backup')
    assert len(restored) == 3
    for task, following in itertools.pairwise(restored):
        assert task.completed is not None
        pause = (following.enqueued - task.completed).total_seconds()
        assert 0 <= pause <= runbook.POLL_SECONDS


def test_a_command_of_the_hand_that_fails_ends_the_measurement():
    lost, fresh = restore.lose(QUICK)
    fresh.maas.fail_next('restore-backup', 'no room')
    hand = runbook.Hand(fresh.world.juju, fresh.clock, runbook.Notes.of(lost))
    with pytest.raises(recording.OperationFailed, match='restore-backup on maas-region/0 failed'):
        hand.restore()


def test_a_restore_by_the_coordinator_is_timed_step_by_step():
    restored = restore.by_coordinator(1.0, QUICK)
    assert list(restored.steps) == list(plans.RESTORE_ALL.names)
    assert restored.steps['restore-maas'] >= QUICK.region
    assert QUICK.region < restored.downtime < restored.seconds


def test_both_ways_are_printed_beside_the_aim():
    lines = list(restore.measure(1.0, QUICK))
    aims = [line.aim for line in lines if isinstance(line, figures.Figure) and line.aim]
    assert aims == ['at most 0.33']
    assert 'restore-maas' in str(lines[-1])
