"""A data directory that leads one's own `juju` client to the rehearsal."""

from __future__ import annotations

import pathlib

import pytest
import yaml

from rehearsal import client_data


def known(version: str, password: str = 's3cret') -> client_data.Known:
    return client_data.Known(
        ('127.0.0.1:17070',),
        'PEM',
        'controller-id',
        version,
        'maas',
        'model-id',
        'admin',
        password,
    )


def read(path: pathlib.Path) -> dict[str, dict[str, object]]:
    return yaml.safe_load(path.read_text())


def test_nobody_else_can_read_it(tmp_path: pathlib.Path):
    folder = tmp_path / 'client'
    folder.mkdir(mode=0o755)
    (folder / 'accounts.yaml').write_text('')
    (folder / 'accounts.yaml').chmod(0o644)

    client_data.write(folder, known('4.0.15'))

    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, *folder.iterdir())}
    assert modes.pop('client') == 0o700
    assert modes == dict.fromkeys(('controllers.yaml', 'models.yaml', 'accounts.yaml'), 0o600)


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
def test_it_names_the_controller_the_model_and_the_account(tmp_path: pathlib.Path, version: str):
    client_data.write(tmp_path, known(version))

    controllers = read(tmp_path / 'controllers.yaml')
    assert controllers['current-controller'] == 'rehearsal'
    controller = controllers['controllers']['rehearsal']
    assert controller == {
        'uuid': 'controller-id',
        'api-endpoints': ['127.0.0.1:17070'],
        'ca-cert': 'PEM',
        'cloud': 'maas',
        'region': 'default',
        'type': 'maas',
        'agent-version': version,
        'controller-machine-count': 0,
        'active-controller-machine-count': 0,
    }
    models = read(tmp_path / 'models.yaml')['controllers']['rehearsal']
    branch = {'branch': 'master'} if version.startswith('3') else {}
    assert models == {
        'models': {'admin/maas': {'uuid': 'model-id', 'type': 'iaas', **branch}},
        'current-model': 'admin/maas',
    }
    account = read(tmp_path / 'accounts.yaml')['controllers']['rehearsal']
    assert account == {'user': 'admin', 'password': 's3cret', 'last-known-access': 'superuser'}


def test_it_is_written_anew_when_the_model_was_lost(tmp_path: pathlib.Path):
    client_data.write(tmp_path, known('4.0.15', 'old'))
    client_data.write(tmp_path, known('4.0.15', 'new'))

    account = read(tmp_path / 'accounts.yaml')['controllers']['rehearsal']
    assert account == {'user': 'admin', 'password': 'new', 'last-known-access': 'superuser'}
    assert not list(tmp_path.glob('*.new'))
