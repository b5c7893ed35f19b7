"""The stand-ins as charms: declared as the model in memory has them, hosted by ops."""

from __future__ import annotations

import json
import os
import pathlib
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Sequence
from importlib import metadata

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


@pytest.fixture(autouse=True)
def goals(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A hook tool `goal-state`, and what says which units it names."""
    folder = tmp_path / 'tools'
    folder.mkdir()
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')

    def name(*alive: str, dying: Sequence[str] = ()) -> None:
        statuses = dict.fromkeys(alive, 'active') | dict.fromkeys(dying, 'dying')
        units = {
            unit: {'status': status, 'since': '2026-08-22 10:00:00Z'}
            for unit, status in statuses.items()
        }
        tool = folder / 'goal-state'
        shown = json.dumps({'units': units, 'relations': {}})
        tool.write_text(f'#!/bin/sh\ncat << END\n{shown}\nEND\n')
        tool.chmod(0o755)

    name('$JUJU_UNIT_NAME')
    return name


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


def test_the_file_has_packages_of_its_own_and_starts_by_itself(tmp_path: pathlib.Path):
    packages = tmp_path / 'installed'
    (packages / 'ops').mkdir(parents=True)
    (packages / 'ops/__init__.py').write_text('')
    place = tmp_path / 'made'
    place.mkdir()

    made = charm_file.write(STAND_INS['postgresql'], place, packages)

    with zipfile.ZipFile(made) as archive:
        names = set(archive.namelist())
        assert archive.getinfo('dispatch').external_attr >> 16 & 0o111
        assert b'name: postgresql' in archive.read('metadata.yaml')
        assert b'ThinCharm' in archive.read('src/charm.py')
        assert b"channel: '24.04'" in archive.read('manifest.yaml')
    assert {'packages/ops/__init__.py', 'dispatch'} <= names
    assert {'src/rehearsal/standins/postgresql.py', 'src/coordinator/s3/object_store.py'} <= names
    assert 'src/world.py' not in names
    assert not [name for name in names if '__pycache__' in name]


@pytest.fixture
def own_packages(tmp_path: pathlib.Path) -> pathlib.Path:
    """A folder with the packages that the stand-ins' requirements pin, and no other."""
    folder = tmp_path / 'own-packages'
    folder.mkdir()
    pinned = re.findall(r'^([\w.-]+)==(\S+)', charm_file.REQUIREMENTS.read_text(), re.MULTILINE)
    assert pinned
    for name, version in pinned:
        distribution = metadata.distribution(name)
        assert distribution.version == version, f'{name} is pinned to another version here'
        for top in {file.parts[0] for file in distribution.files or ()} - {'..'}:
            link = folder / top
            if not link.exists():
                link.symlink_to(pathlib.Path(str(distribution.locate_file(top))))
    return folder


def test_a_stand_in_starts_with_nothing_installed_but_its_own_packages(
    own_packages: pathlib.Path, tmp_path: pathlib.Path
):
    tree = tmp_path / 'tree'
    tree.mkdir()
    charm_file.lay_out(STAND_INS['postgresql'], tree)
    paths = [str(tree / 'src'), str(own_packages)]
    start = (
        f'import sys; sys.path[:0] = {paths}; from rehearsal.thin_charm import charm\n'
        'for name in ("maas-region", "postgresql", "s3-integrator"): charm.stand_in_of(name)'
    )

    done = subprocess.run(
        [sys.executable, '-I', '-S', '-c', start], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr


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


def test_a_removed_unit_that_the_peer_relation_still_names_is_not_counted(
    goals: Callable[..., None],
):
    postgresql = STAND_INS['postgresql']
    ctx = context(postgresql)
    peers = testing.PeerRelation(
        'database-peers',
        local_app_data={'restoring-backup': '""'},
        peers_data={1: {'member': '"running"'}, 2: {}, 3: {}},
    )
    goals('postgresql/0', 'postgresql/1', dying=['postgresql/2'])

    with ctx(ctx.on.update_status(), state(postgresql, peers)) as running:
        running.run()
        assert running.charm.host.units() == ['postgresql/0', 'postgresql/1']
        assert set(running.charm.host.states()) == {
            'postgresql/0', 'postgresql/1', 'postgresql/2',
        }  # fmt: skip
