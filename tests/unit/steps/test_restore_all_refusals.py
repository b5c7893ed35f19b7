"""What restore-all refuses before anything is changed."""

from __future__ import annotations

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue, manifest
from coordinator.steps.postgresql import strategy
from rehearsal.standins import pgbackrest
from tests import restores, simulation


def refused(sim: simulation.Simulation) -> str:
    before = {unit: sim.model.unit(unit).workload.message for unit in sim.model.units}
    op = sim.run()
    assert op.status == operation.FAILED
    assert op.error.startswith('check: ')
    assert {unit: sim.model.unit(unit).workload.message for unit in sim.model.units} == before
    assert sim.tasks('restore') == []
    assert sim.tasks('restore-backup') == []
    return op.error


def test_an_unknown_set_is_refused():
    sim = restores.backed_up()
    sim.begin('restore-all', backup_id='2020-01-01T00:00:00Z')
    assert 'there is no complete backup set 2020-01-01T00:00:00Z' in refused(sim)


def test_without_an_identity_other_passwords_are_refused():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    restores.restore(fresh, lost, identity='')
    assert 'identity=secret:<id>' in refused(fresh)


def test_a_wrong_identity_is_refused():
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    fresh.world.user_secrets[restores.IDENTITY] = {'identity': str(restores.OTHER)}
    restores.restore(fresh, lost)
    assert 'the identity does not decrypt the passwords' in refused(fresh)


def test_too_few_regions_are_refused_with_how_many_to_add():
    lost = restores.backed_up()
    fresh = restores.simulate(regions=1, after=lost)
    restores.restore(fresh, lost)
    assert 'add 2 (juju add-unit maas-region -n 2)' in refused(fresh)


@pytest.mark.parametrize(
    ('name', 'words'),
    [
        ('manifest.json', 'was changed after it was written'),
        ('secrets.age', 'it was changed or swapped'),
    ],
)
def test_a_tampered_set_is_refused(name: str, words: str):
    sim = restores.backed_up()
    found = restores.restore(sim, sim)
    key = f'coordinator/backup-sets/{found}/{name}'
    content = sim.world.maas_store.get(key)
    changed = content.replace(b'"3.6.1"', b'"3.6.2"') if name == 'manifest.json' else content[:-1]
    sim.world.maas_store.put(key, changed)
    assert words in refused(sim)


def test_a_manifest_of_another_set_is_refused():
    sim = restores.backed_up()
    found = restores.restore(sim, sim)
    store = sim.world.maas_store
    other = manifest.parse(store.get(catalogue.manifest_key(found)), 'x')
    changed = other.model_copy(update={'backup_id': '2020-01-01T00:00:00Z'})
    store.put(catalogue.manifest_key(found), changed.to_json())
    assert 'is the manifest of 2020-01-01T00:00:00Z' in refused(sim)


def test_a_set_whose_database_backup_has_expired_says_so():
    sim = restores.backed_up()
    restores.restore(sim, sim)
    bucket = sim.s3.bucket('postgresql-backups')
    for name in ('backup.info', 'backup.info.copy'):
        key = f'postgresql/backup/maas.postgresql/{name}'
        sections = pgbackrest.parse(bucket.objects[key].content.decode())
        del sections['backup:current']
        content = pgbackrest.render(sections).encode()
        sim.world.postgresql_store.put(f'backup/maas.postgresql/{name}', content)
    assert 'has expired' in refused(sim)


def test_a_files_backup_that_lost_an_object_is_refused():
    sim = restores.backed_up()
    restores.restore(sim, sim)
    (key,) = [i.key for i in sim.world.maas_store.list('backup/') if 'preseeds' in i.key]
    sim.world.maas_store.delete(key)
    assert f'{key} of the files backup is missing' in refused(sim)


@pytest.mark.parametrize(
    ('installed', 'words'),
    [
        ('3.7.0', 'major and minor version must be equal'),
        ('3.6.0', 'older than the 3.6.1'),
    ],
)
def test_another_maas_version_is_refused(installed: str, words: str):
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost)
    for unit in fresh.model.application('maas-region').units.values():
        unit.workload_version = installed
    fresh.model.application('maas-region').workload_version = installed
    restores.restore(fresh, lost)
    assert words in refused(fresh)


def test_a_path_that_is_in_use_is_refused():
    sim = restores.backed_up()
    restores.restore(sim, sim, postgresql_path='postgresql')
    assert 'postgresql-path=postgresql is in use' in refused(sim)


@pytest.mark.parametrize(
    ('units', 'told'),
    [
        (1, 'no machine will be removed'),
        (
            3,
            'all but one of machine(s) 1 (postgresql/0), 5 (postgresql/1), '
            '6 (postgresql/2) will be removed',
        ),
    ],
)
def test_a_blocked_cluster_of_which_no_unit_shows_the_primary_keeps_one(units: int, told: str):
    lost = restores.backed_up()
    fresh = restores.simulate(after=lost, postgresql_units=units)
    assert strategy.leaving_machines(fresh.world.juju.status(), 'postgresql').startswith(told)
