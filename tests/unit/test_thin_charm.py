"""The stand-ins as charms: declared as the model in memory has them, hosted by ops."""

from __future__ import annotations

import pathlib
import stat
import zipfile

import ops
import pytest
from ops import testing

from rehearsal.agent import charm_files
from rehearsal.standins import stand_in, system_users
from rehearsal.thin_charm import charm, charm_file, unit_host

STAND_INS = {
    'maas-region': charm.stand_in_of('maas-region'),
    'postgresql': charm.stand_in_of('postgresql'),
    's3-integrator 1': charm.stand_in_of('s3-integrator'),
    's3-integrator 2': charm.stand_in_of('s3-integrator', takes_credentials=True),
}
QUICK = {
    'maas-region': 'hook=0 action=0 install=0',
    'postgresql': 'hook=0 action=0 install=0 join=0',
    's3-integrator': 'hook=0 action=0',
}


class Onlooker(charm.ThinCharm):
    """Remembers what the stand-in was shown."""

    def _host(self, event: ops.EventBase) -> unit_host.UnitHost:
        self.host = super()._host(event)
        return self.host


def context(stood_in: stand_in.StandIn) -> testing.Context[Onlooker]:
    declared = charm_file.documents(stood_in.charm)
    return testing.Context(
        Onlooker,
        meta=declared['metadata.yaml'],
        actions=declared['actions.yaml'],
        config=declared['config.yaml'],
    )


def state(
    stood_in: stand_in.StandIn, *relations: testing.RelationBase, **config: str
) -> testing.State:
    """Return the leading unit of a stand-in, which has no peers unless they are given."""
    peers = [] if any(r.endpoint == stood_in.peers for r in relations) else [stood_in.peers]
    return testing.State(
        leader=True,
        relations={*relations, *map(testing.PeerRelation, peers)},
        config={charm.SWITCHES: QUICK[stood_in.charm.name], **config},
    )


@pytest.mark.parametrize('name', STAND_INS)
def test_a_charm_declares_what_the_model_in_memory_knows_of_it(name: str, tmp_path: pathlib.Path):
    spec = STAND_INS[name].charm
    charm_file.lay_out(STAND_INS[name], tmp_path)

    read = charm_files.read_charm(tmp_path)

    options = {n: option.type for n, option in read.options.items() if n != charm.SWITCHES}
    assert options == {n: option.type for n, option in spec.options.items()}
    assert set(read.endpoints) == set(spec.endpoints)
    assert dict(read.actions) == dict(spec.actions)
    assert read.storage == spec.storage
    assert read.name == spec.name


def test_the_file_has_the_packages_of_the_coordinator_and_its_own_code(tmp_path: pathlib.Path):
    coordinator = tmp_path / 'coordinator.charm'
    with zipfile.ZipFile(coordinator, 'w') as archive:
        dispatch = zipfile.ZipInfo('dispatch')
        dispatch.external_attr = (stat.S_IFREG | 0o755) << 16
        archive.writestr(dispatch, '#!/bin/sh\n')
        for name in ('manifest.yaml', 'metadata.yaml', 'src/charm.py', 'src/world.py'):
            archive.writestr(name, 'of the coordinator')
        archive.writestr('venv/lib/python3.12/site-packages/ops/__init__.py', '')
    place = tmp_path / 'made'
    place.mkdir()

    made = charm_file.write(STAND_INS['postgresql'], coordinator, place)

    with zipfile.ZipFile(made) as archive:
        names = set(archive.namelist())
        assert archive.getinfo('dispatch').external_attr >> 16 & 0o111
        assert b'name: postgresql' in archive.read('metadata.yaml')
        assert b'ThinCharm' in archive.read('src/charm.py')
    assert {'venv/lib/python3.12/site-packages/ops/__init__.py', 'manifest.yaml'} <= names
    assert {'src/rehearsal/standins/postgresql.py', 'src/coordinator/s3.py'} <= names
    assert 'src/world.py' not in names
    assert not [name for name in names if '__pycache__' in name]


def test_a_region_without_a_database_waits_for_one():
    maas = STAND_INS['maas-region']
    ctx = context(maas)

    out = ctx.run(ctx.on.start(), state(maas))

    assert out.unit_status == testing.WaitingStatus('Waiting for database DSN')
    assert out.workload_version == '3.6.1'


def test_postgresql_keeps_its_passwords_in_the_secret_that_the_coordinator_looks_for():
    postgresql = STAND_INS['postgresql']
    ctx = context(postgresql)
    installed = ctx.run(ctx.on.install(), state(postgresql))

    out = ctx.run(ctx.on.start(), installed)

    (secret,) = (s for s in out.secrets if s.label == 'database-peers.postgresql.app')
    assert secret.owner == 'app'
    content = secret.latest_content or secret.tracked_content
    assert {f'{user}-password' for user in system_users.USERS} <= set(content)
    assert out.unit_status == testing.ActiveStatus('Primary')


def test_postgresql_says_who_is_primary():
    postgresql = STAND_INS['postgresql']
    ctx = context(postgresql)
    started = ctx.run(ctx.on.start(), ctx.run(ctx.on.install(), state(postgresql)))

    ctx.run(ctx.on.action('get-primary'), started)

    assert ctx.action_results == {'primary': 'postgresql/0'}


def test_an_action_that_is_refused_fails_with_the_charms_words():
    maas = STAND_INS['maas-region']
    ctx = context(maas)
    started = ctx.run(ctx.on.start(), state(maas))

    with pytest.raises(testing.ActionFailed, match='Relation with s3-integrator charm missing'):
        ctx.run(ctx.on.action('create-backup'), started)


def test_an_integrator_hands_its_keys_to_who_asks():
    integrator = STAND_INS['s3-integrator 1']
    ctx = context(integrator)
    asking = testing.Relation('s3-credentials', remote_app_data={'bucket': 'relation-7'})
    keys = {'access-key': 'an access key', 'secret-key': 'a secret key'}

    action = ctx.on.action('sync-s3-credentials', params=keys)
    out = ctx.run(action, state(integrator, asking))

    given = out.get_relation(asking.id).local_app_data
    assert {key: given[key] for key in keys} == keys
    assert given['bucket'] == 'relation-7'


def test_an_integrator_that_may_not_read_its_credentials_says_so():
    integrator = STAND_INS['s3-integrator 2']
    ctx = context(integrator)
    uri = 'secret:d0n81pdmp25c7bf4ahqg'

    out = ctx.run(ctx.on.config_changed(), state(integrator, credentials=uri))

    assert out.unit_status.name == 'blocked'
    assert uri in out.unit_status.message


def test_a_unit_that_departs_is_no_longer_counted():
    postgresql = STAND_INS['postgresql']
    ctx = context(postgresql)
    peers = testing.PeerRelation(
        'database-peers', local_app_data={'restoring-backup': '""'}, peers_data={1: {}, 2: {}}
    )
    event = ctx.on.relation_departed(peers, remote_unit=2, departing_unit=2)

    with ctx(event, state(postgresql, peers)) as running:
        running.run()
        assert running.charm.host.units() == ['postgresql/0', 'postgresql/1']
