"""The plan of verify-backup on the model in memory."""

from __future__ import annotations

import pytest

from coordinator import errors, plain, ports
from coordinator.engine import operation
from coordinator.operations import steering
from coordinator.sets import catalogue, retention, rules
from coordinator.steps.backup_set import set_objects, verifying
from tests import backup_sets, simulation, worlds

OLDEST, *_ = backup_sets.DAYS


@pytest.fixture
def sim() -> simulation.Simulation:
    """A site with a set that a backup made, and two older ones like it."""
    return backup_sets.simulate(rules.Policy(), backup_sets.DAYS[:2])


def begin(sim: simulation.Simulation, backup_id: str = '', deep: bool = False) -> None:
    wanted = backup_id or backup_sets.made(sim)
    sim.begin('verify-backup', backup_id=wanted, deep='true' if deep else 'false')


def listed(sim: simulation.Simulation) -> dict[str, catalogue.Entry]:
    return {entry.backup_id: entry for entry in catalogue.entries(sim.world.maas_store)}


def damage(sim: simulation.Simulation, ending: str, *, whole: bool = True) -> str:
    """Change a byte of an object of the made set, and its size too unless it stays `whole`."""
    found = catalogue.opened(sim.world.maas_store, backup_sets.made(sim))
    (key,) = (item.key for item in found.maas.objects if item.key.endswith(ending))
    content = bytearray(sim.world.maas_store.get(key, limit=1 << 30))
    content[len(content) // 2] ^= 1
    sim.world.maas_store.put(key, bytes(content if whole else content[:-1]))
    return key


# --- One set -------------------------------------------------------------------------------------


def test_a_set_that_is_whole_is_right(sim: simulation.Simulation):
    begin(sim)
    sim.run()
    assert sim.op.status == operation.COMPLETE
    entry = listed(sim)[backup_sets.made(sim)]
    assert entry.state == retention.COMPLETE
    assert entry.verified is not None
    assert (entry.verified.whole, entry.verified.good) == (False, True)


def test_a_set_that_was_read_whole_is_listed_as_that(sim: simulation.Simulation):
    begin(sim, deep=True)
    sim.run()
    assert sim.op.status == operation.COMPLETE
    found = catalogue.last_verification(sim.world.maas_store, backup_sets.made(sim))
    assert found is not None
    assert (found.outcome.whole, found.outcome.good, found.findings) == (True, True, ())
    assert found.objects > 10
    assert found.bytes > 1000


@pytest.mark.parametrize('deep', [False, True])
def test_an_object_of_another_size_fails_it_and_is_named(sim: simulation.Simulation, deep: bool):
    key = damage(sim, 'preseeds.tar.gz', whole=False)
    begin(sim, deep=deep)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert '1 of 1 verified backup set(s) are damaged' in sim.op.error
    assert key in sim.op.error
    entry = listed(sim)[backup_sets.made(sim)]
    assert entry.state == retention.DAMAGED
    assert 'show-backup backup-id=' in entry.problem


def test_a_changed_byte_of_an_archive_is_found_when_it_is_read_whole(sim: simulation.Simulation):
    key = damage(sim, 'image-storage.tar.gz')
    begin(sim)
    sim.run()
    assert f'{key} in maas-backups/maas is not the object that was verified' in sim.op.error
    assert 'deep=true checks' in sim.op.error
    sim.clock.advance(60)
    begin(sim, deep=True)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert f'{key} has a broken gz stream' in sim.op.error


def test_an_object_that_was_written_again_is_right_if_its_content_is(sim: simulation.Simulation):
    name, store = backup_sets.made(sim), sim.world.maas_store
    found = catalogue.opened(store, name)
    copied = [
        item.model_copy(update={'etag': 'of-a-copy-in-parts'}) for item in found.maas.objects
    ]
    maas = found.maas.model_copy(update={'objects': tuple(copied)})
    catalogue.commit(store, found.model_copy(update={'maas': maas}))
    begin(sim, deep=True)
    sim.run()
    assert sim.op.status == operation.COMPLETE


def test_what_was_damaged_when_read_whole_stays_so_until_it_is_read_whole_again(
    sim: simulation.Simulation,
):
    name, store = backup_sets.made(sim), sim.world.maas_store
    found = catalogue.opened(store, name)
    sealed = catalogue.sealed_key(name)
    content = store.get(sealed)
    store.put(sealed, content[:-1] + b'?')
    for deep in (True, False):
        sim.clock.advance(60)
        begin(sim, deep=deep)
        sim.run()
        assert sim.op.status == operation.FAILED
    store.put(found.passwords.sealed.key, content)
    sim.clock.advance(60)
    begin(sim, deep=True)
    sim.run()
    assert listed(sim)[name].state == retention.COMPLETE
    kept = [item.key for item in store.list(catalogue.folder(name)) if 'verified' in item.key]
    assert len(kept) == 1, 'only the newest outcome counts'


def test_a_damaged_manifest_is_a_damaged_set(sim: simulation.Simulation):
    name = backup_sets.made(sim)
    sim.world.maas_store.put(catalogue.manifest_key(name), b'{"version": 1}')
    begin(sim)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert name in sim.op.error


def test_a_set_that_is_not_there_is_refused(sim: simulation.Simulation):
    begin(sim, '2020-01-01T00:00:00Z')
    sim.run()
    assert sim.op.status == operation.FAILED
    assert 'no backup set 2020-01-01T00:00:00Z in' in sim.op.error


def test_the_database_part_that_pgbackrest_lists_with_an_error_is_named(
    sim: simulation.Simulation,
):
    store = sim.world.postgresql_store
    for twin in ('', '.copy'):
        key = f'backup/maas.postgresql/backup.info{twin}'
        content = store.get(key).replace(b'"backup-error":false', b'"backup-error":true')
        store.put(key, content)
    begin(sim)
    sim.run()
    # Its own checksum tells that it was changed.
    assert 'backup.info.copy was changed after it was written' in sim.op.error


def test_a_repository_that_rests_on_one_file_is_told(sim: simulation.Simulation):
    key = 'backup/maas.postgresql/backup.info'
    store = sim.world.postgresql_store
    store.put(key, store.get(key).replace(b'"full"', b'"Full"'))
    begin(sim)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert f'is damaged or missing: {key} was changed after it was written' in sim.op.error
    assert 'run backup-all' in sim.op.error
    entry = listed(sim)[backup_sets.made(sim)]
    assert (entry.state, bool(entry.verified)) == (retention.COMPLETE, True)


@pytest.mark.parametrize('deep', [False, True])
@pytest.mark.parametrize('damaged', ['', '.copy'])
def test_one_damaged_manifest_of_two_leaves_a_set_sound_and_is_told(
    sim: simulation.Simulation, deep: bool, damaged: str
):
    name, store = backup_sets.made(sim), sim.world.postgresql_store
    key = catalogue.opened(sim.world.maas_store, name).postgresql.manifest.key
    store.put(f'{key}{damaged}', b'[backrest]\n')
    begin(sim, deep=deep)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert f'is damaged or missing: {key}{damaged} was changed' in sim.op.error
    assert 'aws s3 cp s3://' in sim.op.error
    assert not plain.is_cut(sim.op.error)
    entry = listed(sim)[name]
    assert (entry.state, bool(entry.verified)) == (retention.COMPLETE, True)


@pytest.mark.parametrize('deep', [False, True])
def test_a_set_without_archive_info_is_damaged(sim: simulation.Simulation, deep: bool):
    for twin in ('', '.copy'):
        sim.world.postgresql_store.delete(f'archive/maas.postgresql/archive.info{twin}')
    begin(sim, deep=deep)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert 'do not restore from' in sim.op.error
    assert 'archive.info and its copy are missing or damaged' in sim.op.error
    assert listed(sim)[backup_sets.made(sim)].state == retention.DAMAGED


# --- Many sets -----------------------------------------------------------------------------------


def test_all_sets_are_verified_and_the_damaged_ones_are_named(sim: simulation.Simulation):
    damaged = backup_sets.name(OLDEST)
    key = f'backup/{damaged}/controllers.txt'
    sim.world.maas_store.delete(key)
    begin(sim, verifying.ALL, deep=True)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert (
        f'1 of 3 verified backup set(s) are damaged, do not restore from {damaged} ('
        in sim.op.error
    )
    assert key in sim.op.error
    assert {name: entry.state for name, entry in listed(sim).items()} == {
        damaged: retention.DAMAGED,
        backup_sets.name(backup_sets.DAYS[1]): retention.COMPLETE,
        backup_sets.made(sim): retention.COMPLETE,
    }
    assert all(entry.verified for entry in listed(sim).values())


def test_the_latest_set_is_the_newest_of_this_model(sim: simulation.Simulation):
    begin(sim, 'latest')
    sim.run()
    verified = [name for name, entry in listed(sim).items() if entry.verified]
    assert verified == [backup_sets.made(sim)]


def test_a_damaged_set_takes_no_other_ones_place(sim: simulation.Simulation):
    damage(sim, 'preseeds.tar.gz', whole=False)
    begin(sim)
    sim.run()
    restorable = [entry for entry in listed(sim).values() if entry.state == retention.COMPLETE]
    assert [entry.backup_id for entry in restorable] == [
        backup_sets.name(day) for day in backup_sets.DAYS[:2]
    ]


def test_sets_that_have_lost_their_database_are_no_damage(sim: simulation.Simulation):
    source = catalogue.opened(sim.world.maas_store, backup_sets.made(sim))
    lost = source.postgresql.model_copy(update={'label': '20200101-000000F'})
    backup_sets.add(sim, '2026-08-17T10:15:00Z', postgresql=lost)
    begin(sim, verifying.ALL)
    assert sim.run().status == operation.COMPLETE
    assert listed(sim)['2026-08-17T10:15:00Z'].verified is None


def test_an_exchanged_manifest_does_not_end_the_others(sim: simulation.Simulation):
    store, name = sim.world.maas_store, backup_sets.name(OLDEST)
    other = catalogue.manifest_key(backup_sets.name(backup_sets.DAYS[1]))
    store.put(catalogue.manifest_key(name), store.get(other))
    begin(sim, verifying.ALL)
    sim.run()
    assert (
        f'1 of 3 verified backup set(s) are damaged, do not restore from {name} (' in sim.op.error
    )
    assert 'it was swapped' in sim.op.error
    assert all(entry.verified for entry in listed(sim).values())


def test_thousands_of_damaged_sets_leave_the_record_small(sim: simulation.Simulation):
    wrong = [f'2026-08-{day % 30 + 1:02}T10:15:00Z' for day in range(9000)]
    fact = verifying._shortened(wrong)
    assert len(fact) < 100
    op = sim.begin('verify-backup').remembering({verifying._WRONG: fact})
    assert verifying._wrong(op)[:3] == wrong[:3]
    assert len(verifying._wrong(op)) == 9000


def test_a_set_that_moved_with_its_server_is_not_judged(sim: simulation.Simulation):
    name, store = backup_sets.made(sim), sim.world.maas_store
    found = catalogue.opened(store, name)
    place = found.postgresql.place.model_copy(
        update={'endpoint': 'https://other.example', 'path': 'elsewhere'}
    )
    moved = found.postgresql.model_copy(
        update={
            'place': place,
            'manifest': found.postgresql.manifest.model_copy(update={'size': 1}),
        }
    )
    catalogue.commit(store, found.model_copy(update={'postgresql': moved}))
    begin(sim)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert 'https://other.example' in sim.op.error
    assert listed(sim)[name].verified is None


def test_the_last_good_set_is_not_deleted_because_a_damaged_one_is_newer(
    sim: simulation.Simulation,
):
    damage(sim, 'preseeds.tar.gz', whole=False)
    begin(sim)
    sim.run()
    sim.clock.advance(60)
    good = backup_sets.name(backup_sets.DAYS[1])
    sim.begin('delete-backup', backup_id=good)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert 'newest complete one' in sim.op.error


def test_a_copy_that_was_read_whole_can_be_restored(sim: simulation.Simulation):
    name, store = backup_sets.made(sim), sim.world.maas_store
    found = catalogue.opened(store, name)
    copied = [item.model_copy(update={'etag': 'of-a-copy'}) for item in found.maas.objects]
    maas = found.maas.model_copy(update={'objects': tuple(copied)})
    catalogue.commit(store, found.model_copy(update={'maas': maas}))
    begin(sim, deep=True)
    sim.run()
    sim.clock.advance(60)
    begin(sim)
    sim.run()
    assert (sim.op.status, sim.op.error) == (operation.COMPLETE, '')


# --- Reading that dies ---------------------------------------------------------------------------


def test_a_reading_that_was_killed_goes_on(sim: simulation.Simulation):
    sim.world.reading.deaths = ['', '']
    begin(sim, deep=True)
    sim.run()
    assert sim.op.status == operation.COMPLETE
    assert len(sim.world.reading.started) == 3


def test_a_reading_that_comes_no_further_is_given_up(sim: simulation.Simulation):
    sim.world.reading.deaths = ['S3 does not answer'] * 10_000
    begin(sim, deep=True)
    sim.run()
    assert sim.op.status == operation.FAILED
    assert 'could not be read for 30 minutes: S3 does not answer' in sim.op.error
    assert listed(sim)[backup_sets.made(sim)].verified is None


def test_a_reading_that_never_starts_is_given_up(sim: simulation.Simulation):
    sim.world.reading.refusal = 'the process that reads backup sets did not start: OSError'
    begin(sim, deep=True)
    sim.until(lambda: not sim.op.open, hours=1)
    assert sim.op.status == operation.FAILED
    assert f'could not be read for 30 minutes: {sim.world.reading.refusal}' in sim.op.error


def test_one_that_starts_at_last_is_read(sim: simulation.Simulation):
    sim.world.reading.refusal = 'the process that reads another backup set is ending'
    begin(sim, deep=True)
    sim.until(lambda: len(sim.world.reading.started) == 3)
    assert sim.op.current.reason.endswith(f' again: {sim.world.reading.refusal}')
    sim.world.reading.refusal = ''
    assert sim.run().status == operation.COMPLETE


def test_its_progress_is_a_checkpoint_only_now_and_then(sim: simulation.Simulation):
    before = len(sim.saved)
    begin(sim, deep=True)
    sim.world.reading.looks = 200
    sim.run()
    assert sim.op.status == operation.COMPLETE
    assert len(sim.saved) - before < 8


def test_an_abort_ends_the_reading(sim: simulation.Simulation):
    begin(sim, deep=True)
    while not sim.world.reading.started:
        sim.dispatch()
    sim.op = steering.aborted(sim.op, sim.clock.now())
    sim.run()
    assert sim.op.status == operation.ABORTED
    assert sim.world.reading.stopped == 1
    assert listed(sim)[backup_sets.made(sim)].verified is None


def test_s3_that_refuses_says_nothing_of_a_set(sim: simulation.Simulation):
    found = catalogue.opened(sim.world.maas_store, backup_sets.made(sim))
    with pytest.raises(errors.StoreRefused):
        set_objects.findings(found, sim.world.maas_store, RefusingWorld())


class RefusingWorld(worlds.EmptyWorld):
    """A world whose S3 refuses everything."""

    @property
    def maas_store(self) -> ports.ObjectStore:
        raise errors.StoreRefused('the keys are wrong')
