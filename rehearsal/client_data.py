"""A data directory for one's own `juju` client: where the controller is, which model, and who.

The files are those that the client writes itself below `JUJU_DATA`: Juju's jujuclient package.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import yaml

CONTROLLER = 'rehearsal'


@dataclasses.dataclass(frozen=True)
class Known:
    """What a client has to know."""

    addresses: tuple[str, ...]
    """`host:port` each."""
    ca_pem: str
    controller_uuid: str
    version: str
    model: str
    model_uuid: str
    user: str
    password: str = dataclasses.field(repr=False)


def write(folder: pathlib.Path, known: Known) -> None:
    """Write the directory, for its owner's eyes only."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    model = f'{known.user}/{known.model}'
    _write(
        folder / 'controllers.yaml',
        {
            'controllers': {
                CONTROLLER: {
                    'uuid': known.controller_uuid,
                    'api-endpoints': list(known.addresses),
                    'ca-cert': known.ca_pem,
                    'cloud': 'maas',
                    'region': 'default',
                    'type': 'maas',
                    'agent-version': known.version,
                    'controller-machine-count': 0,
                    'active-controller-machine-count': 0,
                }
            },
            'current-controller': CONTROLLER,
        },
    )
    details = {'uuid': known.model_uuid, 'type': 'iaas'}
    if known.version.startswith('3'):
        details['branch'] = 'master'
    models = {'models': {model: details}, 'current-model': model}
    _write(folder / 'models.yaml', {'controllers': {CONTROLLER: models}})
    account = {
        'user': known.user,
        'password': known.password,
        'last-known-access': 'superuser',
    }
    _write(folder / 'accounts.yaml', {'controllers': {CONTROLLER: account}})


def _write(path: pathlib.Path, content: Mapping[str, Any]) -> None:
    # As a new file: what is there might be readable for others, or be read just now.
    new = path.with_suffix('.new')
    new.unlink(missing_ok=True)
    new.touch(0o600)
    new.write_text(yaml.safe_dump(dict(content), sort_keys=False))
    new.replace(path)
