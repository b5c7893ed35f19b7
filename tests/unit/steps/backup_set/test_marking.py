"""No retention, of whichever model, deletes a set while a restore uses it."""

from __future__ import annotations

import datetime

import pytest

from coordinator.engine import operation
from coordinator.report import listing
from coordinator.sets import catalogue, deletion, marks, rules
from coordinator.steps.backup_set import expiry, marking
from rehearsal import memory_store
from tests import backup_sets, restores, simulation

STRANGER = 'c0ffee00-0bad-400d-8000-4b1d0d06f00d'
WEEK = datetime.timedelta(days=7)
OLD = backup_sets.name(backup_sets.DAYS[0])


@pytest.fixture
def sim() -> simulation.Simulation:
    """A site with five sets of which one is to stay, and a restore of the oldest elsewhere."""
    sets = backup_sets.simulate(rules.Policy(last=1))
    mark(sets)
    return sets


def mark(sim: simulation.Simulation, name: str = OLD) -> str:
    key = catalogue.folder(name) + marks.use_name(STRANGER, sim.op.id)
    sim.world.maas_store.put(key, b'')
    return key


def test_a_set_that_another_model_restores_from_stays_and_all_others_go(
    sim: simulation.Simulation,
):
    sim.begin('expire')
    assert sim.run().status == operation.COMPLETE
    assert backup_sets.listed(sim) == [OLD, backup_sets.made(sim)]


def test_the_verdict_tells_which_restore_uses_a_set(sim: simulation.Simulation):
    listed = catalogue.entries(sim.world.maas_store)
    verdicts = expiry.verdicts(listed, rules.Policy(last=1), sim.world.maas_store, sim.world)
    assert f'in use by operation {backup_sets.made(sim)} of model {STRANGER}' == (
        verdicts[0].reason
    )


def test_it_can_not_be_deleted_by_hand_either(sim: simulation.Simulation):
    sim.begin('delete-backup', backup_id=OLD)
    op = sim.run()
    assert op.status == operation.FAILED
    assert f'backup set {OLD} is in use by operation' in op.error


def problem(sim: simulation.Simulation) -> str:
    entries = catalogue.with_failed(sim.world.maas_store)
    return listing.with_marks(entries, sim.clock.now())[0].problem


def test_a_mark_older_than_a_week_counts_no_more_and_is_reported(sim: simulation.Simulation):
    assert 'uses it, so it cannot be deleted' in problem(sim)
    sim.clock.advance(WEEK.total_seconds())
    assert 'more than a week ago: the mark no longer protects it' in problem(sim)
    sim.begin('expire')
    assert sim.run().status == operation.COMPLETE
    assert backup_sets.listed(sim) == [backup_sets.made(sim)]


class Marking(memory_store.MemoryStore):
    """A store in which a restore marks a set as soon as its manifest is gone."""

    def __init__(self, store: memory_store.MemoryStore, key: str):
        super().__init__(store.bucket, str(store.place['path']))
        self._key = key

    def delete(self, key: str) -> None:
        super().delete(key)
        if key == catalogue.manifest_key(OLD):
            self.put(self._key, b'')


def test_a_restore_that_begins_in_the_middle_of_a_deletion_keeps_the_objects(
    sim: simulation.Simulation,
):
    store = sim.world.maas_store
    assert isinstance(store, memory_store.MemoryStore)
    key = catalogue.folder(OLD) + marks.use_name(STRANGER, OLD)
    for item in list(store.list(catalogue.folder(OLD) + 'in-use')):
        store.delete(item.key)
    before = backup_sets.owned(store, OLD)
    target = deletion.Target.of(store, catalogue.entries(store)[0])
    with pytest.raises(deletion.InUseError, match='uses backup set'):
        deletion.delete(Marking(store, key), target, [], sim.clock.now())
    assert before - backup_sets.keys(store) == {catalogue.manifest_key(OLD)}


# --- What a restore does -------------------------------------------------------------------------


def under_way(**site: int) -> simulation.Simulation:
    sim = restores.backed_up(regions=1, postgresql_units=1)
    restores.restore(sim, sim)
    return sim


def marked(sim: simulation.Simulation) -> list[str]:
    entries = catalogue.with_failed(sim.world.maas_store)
    return [use.operation_id for entry in entries for use in entry.uses]


def test_a_restore_marks_its_set_before_anything_else_and_unmarks_it_at_the_end():
    sim = under_way()
    sim.at_step('aim-repositories')
    assert marked(sim) == [sim.op.id]
    sim.until(lambda: sim.op.step == 'verify')
    assert marked(sim) == [sim.op.id]
    assert sim.run().status == operation.COMPLETE
    assert marked(sim) == []


def test_a_restore_that_fails_or_is_aborted_unmarks_it():
    sim = under_way()
    sim.at_step('scale-down-postgresql')
    sim.op = sim.op.aborting(sim.clock.now())
    assert sim.run().status == operation.ABORTED
    assert marked(sim) == []


def test_a_restore_that_is_ended_by_force_unmarks_it():
    sim = under_way()
    sim.at_step('restore-postgresql')
    ended = sim.op.forced_to_end(sim.clock.now(), ())
    marking.forget(ended, sim.world)
    assert marked(sim) == []
    sim.s3.bucket('maas-backups').exists = False
    marking.forget(ended, sim.world)
    assert 'delete the mark, coordinator/backup-sets/' in ' '.join(marking.remains(ended))


def test_a_restore_whose_set_was_deleted_meanwhile_fails_before_it_changes_anything():
    sim = under_way()
    sim.at_step('mark-backup-set')
    name = backup_sets.listed(sim)[0]
    catalogue.withdraw(sim.world.maas_store, name)
    op = sim.run()
    assert op.status == operation.FAILED
    assert f'backup set {name} was deleted in the meantime' in op.error
    assert marked(sim) == []


def test_s3_that_is_away_at_the_very_end_makes_no_restore_a_failed_one():
    sim = under_way()
    sim.at_step('unmark-backup-set')
    sim.s3.bucket('maas-backups').unavailable = 10**6
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert 'may still be marked as in use' in ' '.join(op.problems)


# --- What is another model's ---------------------------------------------------------------------


def test_what_another_model_is_making_cannot_be_deleted_until_it_is_a_week_old(
    sim: simulation.Simulation,
):
    name, store = '2026-08-22T09:00:00Z', sim.world.maas_store
    store.put(catalogue.folder(name) + marks.claim_name(STRANGER, '00000000'), b'{}')
    store.put(catalogue.sealed_key(name), b'sealed')
    sim.begin('delete-backup', backup_id=name)
    op = sim.run()
    assert f'model {STRANGER} began backup set' in op.error
    assert store.get(catalogue.sealed_key(name)) == b'sealed'
    sim.clock.advance(WEEK.total_seconds())
    sim.begin('delete-backup', backup_id=name)
    assert sim.run().status == operation.COMPLETE
    assert list(store.list(catalogue.folder(name))) == []
