"""Whole operations with settings of the integrators as sites have them."""

from __future__ import annotations

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue
from coordinator.steps import checking
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.checks import before_restore
from rehearsal import site
from tests import restores, simulation


def set_up(sim: simulation.Simulation, **options: dict[str, str]) -> None:
    """Configure integrators, by the name of their charm, and wait until the charms have it."""
    names = {'maas': site.S3_MAAS, 'postgresql': site.S3_POSTGRESQL}
    for charm, values in options.items():
        sim.model.set_config(names[charm], values)
    site.settle(sim.model, ('active', 'blocked'))


@pytest.mark.parametrize(
    'spaced',
    [
        {'path': 'maas '},
        {'path': ' /maas/'},
        {'bucket': 'maas-backups/'},
        {'region': 'us-east-1 '},
        {'endpoint': 'http://memory.invalid/ '},
    ],
    ids=str,
)
def test_settings_with_spaces_and_slashes_are_backed_up_and_restored_as_any(
    spaced: dict[str, str],
):
    lost = restores.simulate()
    set_up(lost, maas=spaced)
    lost.begin('backup-all')
    assert (lost.run().status, lost.op.error) == (operation.COMPLETE, '')
    lost.at_backup = lost.site.fingerprint()
    assert lost.s3.bucket('maas-backups').objects
    assert all(key.startswith('maas/') for key in lost.s3.bucket('maas-backups').objects)

    fresh = restores.simulate(after=lost)
    set_up(fresh, maas=spaced)
    restores.restore(fresh, lost)
    fresh.run()
    restores.assert_restored(fresh, 3)


@pytest.mark.parametrize(
    ('maas', 'postgresql', 'why'),
    [
        ('shared', 'shared', 'both use shared/shared'),
        ('pg/archive/maas', 'pg', 'is inside pg/archive'),
        ('maas', 'maas/backup/pg', 'is inside maas/backup'),
    ],
)
def test_paths_from_which_nothing_could_be_restored_are_refused_before_anything_changes(
    maas: str, postgresql: str, why: str
):
    sim = simulation.Simulation()
    shared = {'bucket': 'shared'}
    set_up(sim, maas={'path': maas, **shared}, postgresql={'path': postgresql, **shared})
    sim.begin('backup-all')
    assert sim.run().status == operation.FAILED
    assert why in sim.op.error
    assert f'juju config {site.S3_MAAS} path=' in sim.op.error
    assert sim.tasks('create-backup') == []


def test_a_set_whose_parts_lie_in_one_path_says_what_to_copy():
    sim = restores.backed_up()
    found = catalogue.entries(sim.world.maas_store)[-1].backup_id
    wanted = catalogue.opened(sim.world.maas_store, found)
    files, database = sim.s3.bucket('maas-backups'), sim.s3.bucket('postgresql-backups')
    files.objects |= {
        key.replace('postgresql/', 'maas/', 1): item for key, item in database.objects.items()
    }
    set_up(sim, postgresql={'bucket': 'maas-backups', 'path': 'maas'})
    made = before_restore.restore_checks(wanted, {}, sim.config, sim.world)
    refused = next(check for check in made if check.name == 's3-paths')
    assert refused.outcome == checking.BAD
    assert f'Copy backup/{wanted.postgresql.stanza}' in refused.sentence


@pytest.mark.parametrize(
    ('path', 'why'),
    [
        (' postgresql ', 'is in use'),
        ('maas/backup/pg', 'is inside maas/backup'),
        ('maas', 'both use shared/maas'),
    ],
)
def test_a_path_that_the_charm_would_find_in_use_is_refused_for_postgresql(path: str, why: str):
    sim = restores.simulate()
    set_up(sim, maas={'bucket': 'shared'}, postgresql={'bucket': 'shared'})
    sim.begin('backup-all')
    assert sim.run().status == operation.COMPLETE
    found = catalogue.entries(sim.world.maas_store)[-1].backup_id
    wanted = chosen_set.named(found, sim.world)
    made = before_restore.restore_checks(wanted, {'postgresql-path': path}, sim.config, sim.world)
    refused = next(check for check in made if check.name == 'postgresql-path')
    assert refused.outcome == checking.BAD
    assert why in refused.sentence


def test_a_path_that_reads_as_a_number_is_refused_for_postgresql():
    sim = restores.backed_up()
    found = catalogue.entries(sim.world.maas_store)[-1].backup_id
    sim.begin('restore-all', backup_id=found, identity=restores.IDENTITY, postgresql_path='2026')
    assert sim.run().status == operation.FAILED
    assert 'postgresql-path=2026: the value of path is a number' in sim.op.error
