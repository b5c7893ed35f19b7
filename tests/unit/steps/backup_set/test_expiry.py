"""Backup sets that go: which, in which order, and what never goes with them."""

from __future__ import annotations

import dataclasses
import datetime
import itertools

import pytest

from coordinator import errors, object_keys, ports
from coordinator.engine import operation
from coordinator.operations import plans, steering
from coordinator.parts import maas_backup
from coordinator.sets import catalogue, manifest, retention, rules
from coordinator.steps.backup_set import expiry
from rehearsal import memory_store, site
from tests import backup_sets, simulation

OLDEST, OLDER, OLD, LATELY = map(backup_sets.name, backup_sets.DAYS)
LAST_2 = rules.Policy(last=2)


@pytest.fixture
def sets() -> simulation.Simulation:
    """Return a site with five sets, of which the two newest are to stay."""
    return backup_sets.simulate(LAST_2)


def expired(sim: simulation.Simulation) -> operation.Operation:
    sim.begin('expire')
    return sim.run()


def deleted(sim: simulation.Simulation, backup_id: str) -> operation.Operation:
    sim.begin('delete-backup', backup_id=backup_id)
    return sim.run()


def deletions(monkeypatch: pytest.MonkeyPatch, killed_after: int = 0) -> list[str]:
    """Return a list of the keys that are deleted from now on, in their order."""
    seen: list[str] = []
    delete = memory_store.MemoryStore.delete

    def note(self: memory_store.MemoryStore, key: str) -> None:
        delete(self, key)
        seen.append(key)
        if len(seen) == killed_after:
            raise Killed

    monkeypatch.setattr(memory_store.MemoryStore, 'delete', note)
    return seen


# --- expire ----------------------------------------------------------------------------------


def test_what_no_rule_keeps_goes_with_all_that_is_its_own(sets: simulation.Simulation):
    store = sets.world.maas_store
    going = [backup_sets.owned(store, name) for name in (OLDEST, OLDER, OLD)]
    before, database = backup_sets.keys(store), backup_sets.keys(sets.world.postgresql_store)
    assert [len(each) for each in going] == [6, 6, 6]
    op = expired(sets)
    assert (op.status, op.error, op.problems) == (operation.COMPLETE, '', ())
    assert backup_sets.listed(sets) == [LATELY, backup_sets.made(sets)]
    assert before - backup_sets.keys(store) == set().union(*going)
    assert backup_sets.keys(sets.world.postgresql_store) == database


def test_of_each_set_the_manifest_goes_first(
    sets: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    seen = deletions(monkeypatch)
    expired(sets)
    assert len(seen) == 18
    assert [catalogue.manifest_key(name) for name in (OLDEST, OLDER, OLD)] == seen[::6]


def test_a_set_is_in_the_record_before_anything_of_it_goes(sets: simulation.Simulation):
    sets.begin('expire')
    sets.until(lambda: sets.op.facts.get(expiry.IN_HAND))
    assert OLDEST in sets.fact(expiry.IN_HAND)
    assert sets.op.current.reason == f'deleting {OLDEST}, 3 more backup set(s) to delete'
    assert OLDEST in backup_sets.listed(sets)


def test_each_dispatch_deletes_one_set(sets: simulation.Simulation):
    counts = [len(backup_sets.listed(sets))]
    sets.begin('expire')
    while sets.op.open:
        sets.dispatch()
        counts.append(len(backup_sets.listed(sets)))
    assert counts == sorted(counts, reverse=True)
    assert max(a - b for a, b in itertools.pairwise(counts)) == 1


def test_applied_again_it_deletes_nothing(
    sets: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    expired(sets)
    seen = deletions(monkeypatch)
    assert expired(sets).status == operation.COMPLETE
    assert seen == []


def test_without_a_rule_nothing_goes():
    sim = backup_sets.simulate(rules.Policy())
    before = backup_sets.listed(sim)
    op = expired(sim)
    assert (op.status, op.fact(operation.DATABASE_EXPIRED)) == (operation.COMPLETE, '')
    assert backup_sets.listed(sim) == before


def test_sets_that_have_lost_their_database_are_counted_for_the_status():
    sim = backup_sets.simulate(rules.Policy())
    source = catalogue.opened(sim.world.maas_store, backup_sets.made(sim))
    lost = source.postgresql.model_copy(update={'label': '20200101-000000F'})
    backup_sets.add(sim, '2026-08-17T10:15:00Z', postgresql=lost)
    assert expired(sim).fact(operation.DATABASE_EXPIRED) == '1'


def test_a_pinned_set_stays_even_when_it_was_next(sets: simulation.Simulation):
    store = sets.world.maas_store
    catalogue.pin(store, OLDER)
    sets.begin('expire')
    sets.until(lambda: sets.op.facts.get(expiry.IN_HAND))
    catalogue.pin(store, OLDEST)
    assert sets.run().status == operation.COMPLETE
    assert backup_sets.listed(sets) == [OLDEST, OLDER, LATELY, backup_sets.made(sets)]
    assert len(backup_sets.owned(store, OLDEST)) == 7


def test_sets_of_other_models_and_what_cannot_be_read_stay(sets: simulation.Simulation):
    store = sets.world.maas_store
    other = manifest.Model(name='other', uuid='0ddba11', juju_version='3.6.26')
    backup_sets.add(sets, '2026-08-01T00:00:00Z', model=other)
    store.put(catalogue.manifest_key('2026-08-02T00:00:00Z'), b'{"version": 99}')
    store.put(catalogue.manifest_key('2026-08-03T00:00:00Z'), b'damaged')
    expired(sets)
    assert [name[:10] for name in backup_sets.listed(sets)][:3] == [
        '2026-08-01',
        '2026-08-02',
        '2026-08-03',
    ]


def test_a_set_whose_files_lie_elsewhere_stays_and_is_told(sets: simulation.Simulation):
    store = sets.world.maas_store
    maas = catalogue.opened(store, OLDEST).maas
    place = maas.place.model_copy(update={'path': 'former'})
    backup_sets.add(sets, OLDEST, maas=maas.model_copy(update={'place': place}))
    expired(sets)
    assert OLDEST in backup_sets.listed(sets)
    assert maas_backup.read(store, OLDEST)
    entries = catalogue.entries(store)
    (verdict, *_) = expiry.verdicts(entries, LAST_2, store, sets.world)
    assert verdict.reason.endswith('/former, so not deleted')


def test_files_that_another_set_names_as_well_stay(sets: simulation.Simulation):
    store = sets.world.maas_store
    shared = catalogue.opened(store, OLDEST).maas
    backup_sets.add(sets, LATELY, maas=shared)
    expired(sets)
    assert OLDEST not in backup_sets.listed(sets)
    assert maas_backup.read(store, OLDEST).id == OLDEST


def test_whatever_else_lies_in_the_folder_of_the_files_stays(sets: simulation.Simulation):
    store = sets.world.maas_store
    store.put(f'{maas_backup.folder(OLDEST)}notes.txt', b'made by hand')
    expired(sets)
    assert store.get(f'{maas_backup.folder(OLDEST)}notes.txt') == b'made by hand'


def test_an_index_that_leads_to_another_sets_files_is_found_out(
    sets: simulation.Simulation, monkeypatch: pytest.MonkeyPatch
):
    entries = catalogue.entries

    def forged(store: ports.ObjectStore, heal: bool = False) -> list[catalogue.Entry]:
        found = entries(store, heal)
        assert found[0].summary is not None
        lying = found[0].summary._replace(model='mine')
        return [dataclasses.replace(found[0], summary=lying), *found[1:]]

    monkeypatch.setattr(catalogue, 'entries', forged)
    op = expired(sets)
    assert op.status == operation.FAILED
    assert f'coordinator/index.json has wrong data about backup set {OLDEST}' in op.error
    assert len(backup_sets.listed(sets)) == 5


def test_a_set_without_its_database_part_takes_no_place(sets: simulation.Simulation):
    store = sets.world.maas_store
    database = catalogue.opened(store, LATELY).postgresql
    gone = database.model_copy(update={'label': '20200101-000000F'})
    backup_sets.add(sets, LATELY, postgresql=gone)
    found = expiry.verdicts(catalogue.entries(store), LAST_2, store, sets.world)
    states = {verdict.backup_set.backup_id: verdict.backup_set.state for verdict in found}
    assert [name for name, state in states.items() if state == retention.DATABASE_EXPIRED] == [
        LATELY
    ]
    expired(sets)
    assert backup_sets.listed(sets) == [OLD, LATELY, backup_sets.made(sets)]


# --- What goes wrong -------------------------------------------------------------------------


class Killed(BaseException):
    """The dispatching process is gone: nothing may catch it."""


@pytest.mark.parametrize('survived', range(1, 6))
def test_a_crash_between_two_deletions_leaves_no_set_and_is_finished(
    sets: simulation.Simulation, monkeypatch: pytest.MonkeyPatch, survived: int
):
    store = sets.world.maas_store
    objects = backup_sets.owned(store, OLDEST)
    sets.begin('expire')
    sets.until(lambda: sets.op.facts.get(expiry.IN_HAND))
    with monkeypatch.context() as patch:
        deletions(patch, killed_after=survived)
        with pytest.raises(Killed):
            sets.run()
    assert len(objects & backup_sets.keys(store)) == 6 - survived
    assert OLDEST not in backup_sets.listed(sets)
    assert sets.run().status == operation.COMPLETE
    assert not objects & backup_sets.keys(store)


def test_an_abort_finishes_the_set_in_hand_and_no_other(sets: simulation.Simulation):
    store = sets.world.maas_store
    sets.begin('expire')
    sets.until(lambda: OLDER in sets.op.facts.get(expiry.IN_HAND, ''))
    catalogue.withdraw(store, OLDER)
    sets.op = steering.aborted(sets.op, sets.clock.now())
    assert sets.run().status == operation.ABORTED
    assert backup_sets.listed(sets) == [OLD, LATELY, backup_sets.made(sets)]
    assert not [key for key in backup_sets.keys(store) if OLDER in key]


def test_an_abort_before_the_manifest_went_leaves_the_set_whole(sets: simulation.Simulation):
    store = sets.world.maas_store
    sets.begin('expire')
    sets.until(lambda: sets.op.facts.get(expiry.IN_HAND))
    sets.op = steering.aborted(sets.op, sets.clock.now())
    assert sets.run().status == operation.ABORTED
    assert len(backup_sets.owned(store, OLDEST)) == 6


def test_keys_that_may_not_delete_end_it_with_what_may_be_left(sets: simulation.Simulation):
    sets.begin('expire')
    sets.until(lambda: sets.op.facts.get(expiry.IN_HAND))
    sets.s3.bucket(sets.world.maas_store.place['bucket']).refuses_writes = True
    op = sets.run()
    assert op.status == operation.FAILED
    assert 'AccessDenied' in op.error
    assert op.problems[-1] == (
        f'backup set {OLDEST} was to be deleted next: '
        'if list-backups no longer shows it as complete, '
        f'objects may be left in coordinator/backup-sets/{OLDEST}/ and '
        f'backup/{OLDEST}/'
    )
    assert len(backup_sets.listed(sets)) == 5


def test_an_object_lock_leaves_the_set_whole_and_says_until_when(sets: simulation.Simulation):
    store = sets.world.maas_store
    key = f'{maas_backup.folder(OLDEST)}{maas_backup.METADATA}'
    until = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
    bucket = sets.s3.bucket(store.place['bucket'])
    bucket.locked[f'{store.place["path"]}/{key}'] = until
    op = expired(sets)
    assert (
        f'an object lock protects {key} until 2027-01-01T00:00:00Z: run it again then' in op.error
    )
    assert len(backup_sets.owned(store, OLDEST)) == 6


# --- After a backup --------------------------------------------------------------------------


@pytest.fixture
def backing_up(sets: simulation.Simulation) -> simulation.Simulation:
    """Return the site at the end of another backup, its set just published."""
    # PostgreSQL says who is the primary on its next update-status hook only.
    sets.clock.advance(600)
    site.settle(sets.model)
    sets.begin('backup-all')
    sets.at_step('expire-backups')
    return sets


def test_a_backup_expires_what_it_makes_superfluous(backing_up: simulation.Simulation):
    op = backing_up.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert backup_sets.listed(backing_up) == [backup_sets.made(backing_up), op.id]


def test_a_backup_whose_expiry_fails_says_so_and_its_set_stays(
    backing_up: simulation.Simulation,
):
    backing_up.s3.bucket(backing_up.world.maas_store.place['bucket']).refuses_writes = True
    op = backing_up.run()
    assert op.status == operation.COMPLETE
    assert op.problems[0] == f'expire-backups: {op.unfinished[0]}'
    assert plans.published(op)
    assert op.id in backup_sets.listed(backing_up)


def test_an_abort_once_the_set_is_published_leaves_it_published(
    backing_up: simulation.Simulation,
):
    backing_up.op = steering.aborted(backing_up.op, backing_up.clock.now())
    op = backing_up.run()
    assert op.status == operation.ABORTED
    assert plans.published(op)
    assert op.id in backup_sets.listed(backing_up)
    assert backing_up.world.maas_store.head(catalogue.sealed_key(op.id))


def test_nothing_goes_while_the_new_set_is_not_listed(
    backing_up: simulation.Simulation,
):
    store, op = backing_up.world.maas_store, backing_up.op
    content = store.get(catalogue.manifest_key(op.id))
    catalogue.withdraw(store, op.id)
    backing_up.dispatch()
    assert backing_up.op.current.reason.endswith(f'does not list backup set {op.id} yet')
    assert len(backup_sets.listed(backing_up)) == 5
    store.put(catalogue.manifest_key(op.id), content)
    assert backing_up.run().status == operation.COMPLETE


# --- delete-backup ---------------------------------------------------------------------------


def test_one_set_is_deleted_with_all_that_is_its_own(sets: simulation.Simulation):
    store = sets.world.maas_store
    going, before = backup_sets.owned(store, OLD), backup_sets.keys(store)
    op = deleted(sets, OLD)
    assert (op.status, op.error, op.problems) == (operation.COMPLETE, '', ())
    assert before - backup_sets.keys(store) == going
    assert backup_sets.listed(sets) == [OLDEST, OLDER, LATELY, backup_sets.made(sets)]


@pytest.mark.parametrize('content', [None, b'damaged'], ids=['no-manifest', 'damaged'])
def test_of_a_set_that_is_not_complete_only_its_own_folder_goes(
    sets: simulation.Simulation, content: bytes | None
):
    store = sets.world.maas_store
    catalogue.withdraw(store, OLD)
    if content is not None:
        store.put(catalogue.manifest_key(OLD), content)
    before = backup_sets.keys(store)
    op = deleted(sets, OLD)
    assert op.status == operation.COMPLETE
    assert op.problems[0].startswith(
        f'no manifest of backup set {OLD} could be read, so its files'
    )
    gone = before - backup_sets.keys(store)
    assert gone == {key for key in before if key.startswith(catalogue.folder(OLD))}
    assert maas_backup.read(store, OLD)


def refusal(sim: simulation.Simulation, backup_id: str) -> str:
    before = backup_sets.keys(sim.world.maas_store)
    op = deleted(sim, backup_id)
    assert op.status == operation.FAILED
    assert backup_sets.keys(sim.world.maas_store) == before
    return op.error


def test_the_newest_complete_set_is_refused(sets: simulation.Simulation):
    newest = backup_sets.made(sets)
    assert f'{newest} is the newest complete one of its model' in refusal(sets, newest)


def test_the_newest_set_that_can_be_restored_is_refused(sets: simulation.Simulation):
    newest, store = backup_sets.made(sets), sets.world.maas_store
    database = catalogue.opened(store, newest).postgresql
    gone = database.model_copy(update={'label': '20200101-000000F'})
    backup_sets.add(sets, newest, postgresql=gone)
    assert 'the newest complete one' in refusal(sets, LATELY)
    assert deleted(sets, newest).status == operation.COMPLETE


def test_a_set_that_a_wrong_clock_has_dated_is_not_the_newest(sets: simulation.Simulation):
    backup_sets.add(sets, '2999-01-01T00:00:00Z')
    assert 'the newest complete one' in refusal(sets, backup_sets.made(sets))
    assert deleted(sets, '2999-01-01T00:00:00Z').status == operation.COMPLETE


def test_the_newest_set_of_another_model_is_refused(sets: simulation.Simulation):
    other = manifest.Model(name='other', uuid='0ddba11', juju_version='3.6.26')
    backup_sets.add(sets, '2026-08-01T00:00:00Z', model=other)
    assert 'the newest complete one of its model' in refusal(sets, '2026-08-01T00:00:00Z')


def test_a_pinned_set_is_refused_with_how_to_unpin_it(sets: simulation.Simulation):
    catalogue.pin(sets.world.maas_store, OLD)
    assert f'keep-backup backup-id={OLD} keep=false' in refusal(sets, OLD)


def test_a_set_that_was_pinned_meanwhile_stays(sets: simulation.Simulation):
    sets.begin('delete-backup', backup_id=OLD)
    sets.at_step('delete-backup-set')
    catalogue.pin(sets.world.maas_store, OLD)
    assert sets.run().status == operation.FAILED
    assert len(backup_sets.owned(sets.world.maas_store, OLD)) == 7


def test_an_unknown_set_is_refused(sets: simulation.Simulation):
    unknown = '2020-01-01T00:00:00Z'
    assert f'the repository has no backup set {unknown}' in refusal(sets, unknown)


def test_a_set_of_a_newer_revision_is_refused(sets: simulation.Simulation):
    sets.world.maas_store.put(catalogue.manifest_key(OLD), b'{"version": 99}')
    assert 'refresh maas-backup-coordinator' in refusal(sets, OLD)


def test_what_is_no_id_never_becomes_a_key(sets: simulation.Simulation):
    assert not object_keys.ID.fullmatch('../..')
    with pytest.raises(errors.PreconditionError, match='is not a backup id'):
        expiry.chosen('../..', [], sets.world.maas_store, sets.world)
