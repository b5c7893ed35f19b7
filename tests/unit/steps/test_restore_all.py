"""restore-all on the model in memory: a fresh model, a living site, and each way to fail."""

from __future__ import annotations

import json

import pyrage
import pytest

from coordinator import catalogue, manifest, operation
from rehearsal import site
from tests import simulation

KEY = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
IDENTITY = 'secret:identity'


def simulate(
    *,
    regions: int = 3,
    postgresql_units: int = 3,
    version: str = '3.6.26',
    s3_track: int = 1,
    after: simulation.Simulation | None = None,
) -> simulation.Simulation:
    sim = simulation.Simulation(
        regions=regions,
        postgresql_units=postgresql_units,
        version=version,
        s3_track=s3_track,
        recipient=str(KEY.to_public()),
        after=after,
    )
    sim.world.user_secrets[IDENTITY] = {'identity': str(KEY)}
    return sim


def backed_up(
    *,
    regions: int = 3,
    postgresql_units: int = 3,
    version: str = '3.6.26',
    s3_track: int = 1,
) -> simulation.Simulation:
    """Return a site with one backup set, which has gone on since."""
    sim = simulate(
        regions=regions, postgresql_units=postgresql_units, version=version, s3_track=s3_track
    )
    sim.site.add_machine('before-the-backup')
    sim.site.add_image('custom/before')
    site.settle(sim.model)
    assert sim.run().status == operation.COMPLETE
    sim.clock.advance(60)
    sim.at_backup = sim.site.fingerprint()
    sim.site.add_machine('after-the-backup')
    sim.site.add_image('custom/after')
    site.settle(sim.model)
    assert sim.site.fingerprint() != sim.at_backup
    return sim


def restore(sim: simulation.Simulation, of: simulation.Simulation, **parameters: str) -> str:
    """Begin a restore of the newest set of another site."""
    sim.clock.advance(60)
    found = catalogue.entries(sim.world.maas_store)[-1].backup_id
    sim.at_backup = of.at_backup
    sim.begin('restore-all', **({'backup_id': found, 'identity': IDENTITY} | parameters))
    return found


def assert_restored(sim: simulation.Simulation, units: int) -> None:
    assert (sim.op.status, sim.op.error, sim.op.problems) == (operation.COMPLETE, '', ())
    site.settle(sim.model, limit=600)
    assert sim.site.fingerprint() == sim.at_backup
    assert len(sim.postgresql_units()) == units
    labels = [secret.label for secret in sim.world.juju.secrets()]
    assert not [label for label in labels if 'before restore' in label]


# --- It works ---------------------------------------------------------------------------------


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
@pytest.mark.parametrize('s3_track', [1, 2])
@pytest.mark.parametrize('units', [1, 3])
@pytest.mark.parametrize('regions', [1, 3])
def test_a_lost_site_comes_back_in_a_fresh_model(
    version: str, s3_track: int, units: int, regions: int
):
    lost = backed_up(regions=regions, postgresql_units=units, version=version, s3_track=s3_track)
    fresh = simulate(
        regions=regions, postgresql_units=units, version=version, s3_track=s3_track, after=lost
    )
    restore(fresh, lost)
    fresh.run()
    assert_restored(fresh, units)
    assert fresh.world.postgresql_store.place['path'] == 'postgresql-restored-1'


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
@pytest.mark.parametrize('units', [1, 3])
@pytest.mark.parametrize('regions', [1, 3])
def test_a_living_site_is_rolled_back(version: str, units: int, regions: int):
    sim = backed_up(regions=regions, postgresql_units=units, version=version)
    restore(sim, sim, identity='')
    sim.run()
    assert_restored(sim, units)


def test_a_second_restore_finds_the_repository_that_has_moved_since():
    lost = backed_up()
    fresh = simulate(after=lost)
    restore(fresh, lost)
    fresh.run()
    fresh.site.add_machine('after-the-first-restore')
    site.settle(fresh.model)
    restore(fresh, lost)
    fresh.run()
    assert_restored(fresh, 3)
    assert fresh.world.postgresql_store.place['path'] == 'postgresql-restored-2'


def test_a_restored_site_can_be_backed_up_and_restored_again():
    lost = backed_up()
    fresh = simulate(after=lost)
    restore(fresh, lost)
    fresh.run()
    fresh.clock.advance(60)
    fresh.begin('backup-all')
    assert fresh.run().status == operation.COMPLETE
    entries = catalogue.entries(fresh.world.maas_store)
    assert [entry.problem for entry in entries] == ['', '']


def test_latest_is_the_newest_set_that_fits():
    lost = backed_up()
    fresh = simulate(after=lost)
    restore(fresh, lost, backup_id='latest')
    fresh.run()
    assert_restored(fresh, 3)


def test_maas_is_down_no_longer_than_its_relation_is_gone():
    lost = backed_up()
    lost.maas.restore = 120
    fresh = simulate(after=lost)
    fresh.maas.restore = 120
    restore(fresh, lost)
    fresh.run()
    down, up = (fresh.fact(name) for name in ('maas-down-since', 'maas-up-since'))
    seconds = (operation.parse_stamp(up) - operation.parse_stamp(down)).total_seconds()
    assert 120 < seconds < 2 * 120 + 400, 'the regions restore at the same time'


# --- It refuses -------------------------------------------------------------------------------


def refused(sim: simulation.Simulation) -> str:
    before = {unit: sim.model.unit(unit).workload.message for unit in sim.model.units}
    op = sim.run()
    assert op.status == operation.FAILED
    assert op.error.startswith('check: ')
    assert {unit: sim.model.unit(unit).workload.message for unit in sim.model.units} == before
    assert not sim.tasks('restore') and not sim.tasks('restore-backup')
    return op.error


def test_an_unknown_set_is_refused():
    sim = backed_up()
    sim.begin('restore-all', backup_id='2020-01-01T00:00:00Z')
    assert 'there is no complete backup set 2020-01-01T00:00:00Z' in refused(sim)


def test_without_an_identity_other_passwords_are_refused():
    lost = backed_up()
    fresh = simulate(after=lost)
    restore(fresh, lost, identity='')
    assert 'identity=secret:<id>' in refused(fresh)


def test_a_wrong_identity_is_refused():
    lost = backed_up()
    fresh = simulate(after=lost)
    fresh.world.user_secrets[IDENTITY] = {'identity': str(OTHER)}
    restore(fresh, lost)
    assert 'the identity does not open the passwords' in refused(fresh)


def test_too_few_regions_are_refused_with_how_many_to_add():
    lost = backed_up()
    fresh = simulate(regions=1, after=lost)
    restore(fresh, lost)
    assert 'add 2 (juju add-unit maas-region -n 2)' in refused(fresh)


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('manifest.json', 'was changed after it was written'),
        ('secrets.age', 'it was changed or exchanged'),
    ],
)
def test_a_tampered_set_is_refused(name: str, words: str):
    sim = backed_up()
    found = restore(sim, sim)
    key = f'coordinator/backup-sets/{found}/{name}'
    content = sim.world.maas_store.get(key)
    changed = content.replace(b'"3.6.1"', b'"3.6.2"') if name == 'manifest.json' else content[:-1]
    sim.world.maas_store.put(key, changed)
    assert words in refused(sim)


def test_a_manifest_of_another_set_is_refused():
    sim = backed_up()
    found = restore(sim, sim)
    store = sim.world.maas_store
    other = manifest.parse(store.get(catalogue.manifest_key(found)), 'x')
    changed = other.model_copy(update={'backup_id': '2020-01-01T00:00:00Z'})
    store.put(catalogue.manifest_key(found), changed.to_json())
    assert 'is the manifest of 2020-01-01T00:00:00Z' in refused(sim)


def test_a_set_whose_database_backup_has_expired_says_so():
    sim = backed_up()
    restore(sim, sim)
    bucket = sim.s3.bucket('postgresql-backups')
    for name in ('backup.info', 'backup.info.copy'):
        key = f'postgresql/backup/maas.postgresql/{name}'
        text = bucket.objects[key].content.decode()
        lines = [line for line in text.splitlines() if not line.startswith('2026')]
        sim.world.postgresql_store.put(f'backup/maas.postgresql/{name}', '\n'.join(lines).encode())
    assert 'has expired' in refused(sim)


def test_a_files_backup_that_lost_an_object_is_refused():
    sim = backed_up()
    restore(sim, sim)
    (key,) = [i.key for i in sim.world.maas_store.list('backup/') if 'preseeds' in i.key]
    sim.world.maas_store.delete(key)
    assert f'{key} of the files backup is gone' in refused(sim)


@pytest.mark.parametrize(
    ('installed', 'words'),
    [
        ('3.7.0', 'major and minor version must be equal'),
        ('3.6.0', 'older than the 3.6.1'),
    ],
)
def test_another_maas_version_is_refused(installed: str, words: str):
    lost = backed_up()
    fresh = simulate(after=lost)
    for unit in fresh.model.application('maas-region').units.values():
        unit.workload_version = installed
    fresh.model.application('maas-region').workload_version = installed
    restore(fresh, lost)
    assert words in refused(fresh)


def test_a_path_that_is_in_use_is_refused():
    sim = backed_up()
    restore(sim, sim, postgresql_path='postgresql')
    assert 'postgresql-path=postgresql is in use' in refused(sim)


# --- It fails ---------------------------------------------------------------------------------


def test_a_region_that_failed_is_tried_again_alone_with_the_same_id():
    lost = backed_up()
    fresh = simulate(after=lost)
    fresh.maas.fail_next('restore-backup', 'S3 timed out', at='middle')
    restore(fresh, lost)
    fresh.run()
    assert_restored(fresh, 3)
    tasks = fresh.tasks('restore-backup')
    assert len(tasks) == 4
    again = [t.parameters['controller-id'] for t in tasks if t.unit == tasks[0].unit]
    assert len(set(again)) == 1


def test_a_region_that_fails_for_good_holds_the_operation_and_it_can_be_resumed():
    lost = backed_up()
    fresh = simulate(after=lost)
    for _ in range(9):
        fresh.maas.fail_next('restore-backup', 'disk full', at='middle')
    restore(fresh, lost)
    op = fresh.run()
    assert op.status == operation.HELD
    assert 'Failed to download and extract images' in op.current.reason
    fresh.maas.faults.clear()
    fresh.op = op.resumed(fresh.clock.now())
    fresh.run()
    assert_restored(fresh, 3)


def test_a_refused_restore_of_the_database_holds_and_can_be_resumed():
    lost = backed_up()
    fresh = simulate(after=lost)
    fresh.database.fail_next('restore', 'no such stanza')
    restore(fresh, lost)
    op = fresh.run()
    assert op.status == operation.HELD
    assert 'no such stanza' in op.current.reason
    fresh.op = op.resumed(fresh.clock.now())
    fresh.run()
    assert_restored(fresh, 3)


@pytest.mark.parametrize(
    'step', ['aim-repositories', 'scale-down-postgresql', 'apply-passwords', 'detach-maas']
)
def test_aborted_before_data_is_replaced_everything_is_as_it_was(step: str):
    lost = backed_up()
    fresh = simulate(after=lost)
    before = fresh.site.fingerprint()
    path = fresh.world.postgresql_store.place
    restore(fresh, lost)
    fresh.at_step(step)
    fresh.dispatch()
    fresh.clock.advance(1)
    if fresh.op.step == step:
        fresh.op = fresh.op.aborting()
        fresh.run()
        assert fresh.op.status == operation.ABORTED
        site.settle(fresh.model, ('active', 'blocked'), limit=900)
        assert fresh.site.fingerprint() == before
        assert fresh.world.postgresql_store.place == path
        assert len(fresh.postgresql_units()) == 3


def test_no_lost_checkpoint_restores_anything_twice():
    first = backed_up(regions=2, postgresql_units=1)
    count = simulate(after=first, regions=2, postgresql_units=1)
    restore(count, first)
    count.run()
    for number in range(1, count.dispatches + 1):
        lost = backed_up(regions=2, postgresql_units=1)
        sim = simulate(after=lost, regions=2, postgresql_units=1)
        restore(sim, lost)
        while sim.op.open:
            before = sim.op
            changed = sim.dispatch()
            if sim.dispatches == number:
                sim.op = before
            sim.clock.advance(0.1 if changed else simulation.BEAT_SECONDS)
        assert sim.op.status == operation.COMPLETE, f'lost checkpoint {number}: {sim.op.error}'
        assert len(sim.tasks('restore', 'postgresql')) == 1, f'lost checkpoint {number}'
        assert len(sim.tasks('restore-backup')) == 2, f'lost checkpoint {number}'
        assert sim.site.fingerprint() == sim.at_backup, f'lost checkpoint {number}'


def test_no_password_reaches_a_record_or_s3():
    lost = backed_up()
    fresh = simulate(after=lost)
    restore(fresh, lost)
    fresh.run()
    text = fresh.all_text()
    secrets = [*lost.site.passwords.values(), *fresh.site.passwords.values(), str(KEY)]
    assert not [value for value in secrets if value in text]
    assert str(KEY) not in json.dumps(list(fresh.saved))


def test_a_relation_that_somebody_puts_back_is_taken_away_again():
    lost = backed_up()
    fresh = simulate(after=lost)
    restore(fresh, lost)
    fresh.at_step('restore-maas')
    fresh.model.integrate('maas-region:maas-db', 'postgresql:database')
    fresh.run()
    assert fresh.op.status in (operation.COMPLETE, operation.HELD)
    if fresh.op.status == operation.COMPLETE:
        assert_restored(fresh, 3)
