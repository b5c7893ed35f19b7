"""The site is deployed as charmed MAAS is, on either clock and with either S3."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping

import pytest

from coordinator.parts import maas_backup, pgbackrest
from coordinator.s3 import object_store
from rehearsal import clock, model, s3_server, site
from rehearsal.standins import behaviour
from tests.unit import site_bench


def test_status_is_as_the_runbook_shows_it():
    juju = site_bench.deploy().juju

    shown = {
        app.name: (app.workload_version, app.charm.name, app.charm.channel, app.charm.revision)
        for app in juju.applications.values()
    }
    assert shown == {
        'maas-region': ('3.6.1', 'maas-region', 'latest/edge', 337),
        'postgresql': ('16.9', 'postgresql', '16/stable', 843),
        's3-integrator-maas': ('', 's3-integrator', '1/stable', 145),
        's3-integrator-postgresql': ('', 's3-integrator', '1/stable', 145),
    }
    machines = {unit.name: unit.machine.id for unit in juju.units.values()}
    assert machines == {
        'maas-region/0': '0',
        'maas-region/1': '3',
        'maas-region/2': '4',
        'postgresql/0': '1',
        'postgresql/1': '5',
        'postgresql/2': '6',
        's3-integrator-maas/0': '2',
        's3-integrator-postgresql/0': '2',
    }


@pytest.mark.parametrize('track', [1, 2])
@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
def test_it_settles_and_can_be_backed_up(track: int, version: str):
    juju = model.Model('maas', clock.VirtualClock(), version)
    site.deploy_site(juju, regions=1, postgresql_units=1, s3_track=track)
    site.settle(juju)

    assert site.run_action(juju, 'postgresql/0', 'create-backup').status == 'completed'
    assert site.run_action(juju, 'maas-region/0', 'create-backup').status == 'completed'


def test_two_runs_are_alike():
    def history() -> list[object]:
        virtual = clock.VirtualClock()
        juju = model.Model('maas', virtual, model_uuid='3f1c0000-0000-4000-8000-000000000001')
        site.deploy_site(juju)
        site.settle(juju)
        task = site.run_action(juju, 'postgresql/1', 'create-backup')
        return [
            juju.revision,
            virtual.now(),
            task.output,
            [u.workload for u in juju.units.values()],
        ]

    assert history() == history()


def test_what_does_not_settle_is_named():
    bench = site_bench.deploy(units=1)
    bench.site.maas.block('out of luck')

    with pytest.raises(TimeoutError, match='maas-region/0: blocked out of luck'):
        site.settle(bench.juju, limit=60)


def test_data_that_maas_gains_is_in_the_next_database_backup():
    bench = site_bench.deploy(units=1)

    bench.site.add_machine('daring-dog')
    bench.site.add_image('custom/alpine')
    site.settle(bench.juju)

    assert bench.site.database['machines'][-1] == 'daring-dog'
    assert 'custom/alpine' in bench.site.database['images']
    assert all('custom/alpine' in state['images'] for state in bench.site.maas.states.values())


@pytest.mark.parametrize('track', [1, 2])
@pytest.mark.parametrize('units', [1, 3])
def test_a_lost_site_is_restored_in_a_new_model(track: int, units: int):
    lost = site_bench.deploy(units=1, track=track)
    lost.site.add_machine('daring-dog')
    lost.site.add_image('custom/alpine')
    lost.settle()
    database, files = lost.back_up(), lost.back_up_maas()
    before, passwords = lost.site.fingerprint(), lost.system_passwords()
    lost.site.add_machine('eager-eel')

    bench = lost.start_afresh(units)
    for unit in range(1, units):
        bench.juju.remove_unit(f'{site.POSTGRESQL}/{unit}')
        bench.settle()
    bench.give_passwords(passwords)
    bench.detach()
    bench.restore(database)
    tasks = bench.restore_regions(files, before['controllers'])
    assert [task.status for task in tasks] == ['completed'] * 3
    bench.juju.set_config(site.S3_POSTGRESQL, {'path': 'postgresql-restored-1'})
    bench.settle()
    bench.attach()
    if units > 1:
        bench.juju.add_units(site.POSTGRESQL, units - 1)

    site.settle(bench.juju)
    assert bench.site.fingerprint() == before


def test_the_same_site_is_rolled_back():
    bench = site_bench.deploy(units=1)
    database, files = bench.back_up(), bench.back_up_maas()
    before = bench.site.fingerprint()
    bench.site.add_machine('daring-dog')
    bench.site.add_image('custom/alpine')
    bench.settle()
    assert bench.site.fingerprint() != before

    bench.detach()
    bench.restore(database)
    bench.restore_regions(files, before['controllers'])
    bench.attach()

    site.settle(bench.juju)
    assert bench.site.fingerprint() == before


def test_a_fingerprint_tells_what_a_restore_must_bring_back():
    bench = site_bench.deploy(units=1)
    seen = [bench.site.fingerprint()]

    bench.site.add_machine('daring-dog')
    seen.append(bench.site.fingerprint())
    bench.site.maas.update_unit('maas-region/1', preseeds=['mine'])
    seen.append(bench.site.fingerprint())
    bench.site.maas.update_unit('maas-region/1', **{'system-id': 'aaaaaa'})
    seen.append(bench.site.fingerprint())
    bench.give_passwords({'rewind': 'newer'})
    seen.append(bench.site.fingerprint())

    for earlier, later in itertools.pairwise(seen):
        assert earlier != later
    assert not [word for word in bench.site.passwords.values() if word in str(seen)]


def test_nothing_runs_in_a_lost_model():
    bench = site_bench.deploy(units=1)
    task = bench.juju.enqueue([('postgresql/0', 'create-backup', {}, False, '')]).tasks[0]
    bench.advance(1)

    site.lose(bench.juju)
    before = dict(bench.store.bucket.objects)
    bench.advance(3600)

    assert task.status == 'running'
    assert bench.store.bucket.objects == before


def test_in_real_time_the_stand_ins_write_to_an_s3_server_and_restore_from_it():
    """The coordinator's own readers find both backups whole."""
    with s3_server.S3Server() as server:
        connections = {name: server.connection('site-backups', name) for name in ('maas', 'pg')}
        server.create_bucket('site-backups')
        stores = {
            name: object_store.S3Store(object_store.Connection.from_relation(name, fields))
            for name, fields in connections.items()
        }

        asyncio.run(back_up_and_restore_in_real_time(connections))

        (taken,) = pgbackrest.backups(stores['pg'], 'maas.postgresql')
        assert pgbackrest.contents(stores['pg'], 'maas.postgresql', taken).objects == 10
        (backup_id,) = maas_backup.ids(stores['maas'])
        assert len(maas_backup.read(stores['maas'], backup_id).controllers) == 1


async def back_up_and_restore_in_real_time(connections: dict[str, dict[str, str]]) -> None:
    juju = model.Model('maas', clock.LoopClock(asyncio.get_running_loop()))
    juju.idle_after = 0.01
    maas_switches = behaviour.MaasBehaviour(
        hook=0, action=0, install=0, initialise=0, backup=0, restore=0
    )
    postgresql_switches = behaviour.PostgresqlBehaviour(
        hook=0, action=0, install=0, stanza=0, backup=0, restore=0
    )
    deployed = site.deploy_site(
        juju,
        regions=1,
        postgresql_units=1,
        store_for=lambda fields: object_store.S3Store(
            object_store.Connection.from_relation('s3', fields)
        ),
        maas_connection=connections['maas'],
        postgresql_connection=connections['pg'],
        maas_switches=maas_switches,
        postgresql_switches=postgresql_switches,
    )
    await until(juju, lambda: not site.unsettled(juju))
    await run_action(juju, site.POSTGRESQL, 'create-backup')
    await run_action(juju, site.MAAS, 'create-backup')
    before = deployed.fingerprint()
    deployed.add_machine('daring-dog')
    listed = await run_action(juju, site.POSTGRESQL, 'list-backups')
    database = listed.output['backups'].splitlines()[-1].partition(' ')[0]
    listed = await run_action(juju, site.MAAS, 'list-backups')
    files = listed.output['backups'].splitlines()[-1].partition(' ')[0]

    juju.remove_relation(*site_bench.DATABASE_RELATION)
    await until(juju, lambda: not site.unsettled(juju, site_bench.ANY))
    await run_action(juju, site.POSTGRESQL, 'restore', {'backup-id': database})
    ids = {'backup-id': files, 'controller-id': before['controllers'][0]}
    await run_action(juju, site.MAAS, 'restore-backup', ids)
    juju.integrate(*site_bench.DATABASE_RELATION)
    await until(juju, lambda: not site.unsettled(juju))
    assert deployed.fingerprint() == before


async def run_action(
    juju: model.Model, application: str, name: str, parameters: Mapping[str, str] | None = None
) -> model.Task:
    """Run an action on an application's first unit."""
    task = juju.enqueue([(f'{application}/0', name, parameters or {}, False, '')]).tasks[0]
    await until(juju, lambda: task.ended)
    assert task.status == 'completed', task.message
    return task


async def until(juju: model.Model, claim: Callable[[], bool]) -> None:
    """Wait for a change of the model that makes the claim true."""
    changed = asyncio.Event()
    juju.on_change.append(changed.set)
    async with asyncio.timeout(30):
        while not claim():
            changed.clear()
            await changed.wait()
    juju.on_change.remove(changed.set)


def test_commands_run_beside_a_stand_in():
    bench = site_bench.deploy(units=1)
    command = {'command': 'echo "$JUJU_UNIT_NAME"; exit 2'}
    task = bench.juju.enqueue([('postgresql/0', 'juju-exec', command, False, '')]).tasks[0]
    bench.settle()

    assert task.status == 'completed'
    assert task.output == {'return-code': 2, 'stdout': 'postgresql/0\n'}
