"""Which controller to record: what a `juju` client knows of one, or a rehearsal that is up."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import yaml

from tests.recordings import recorder

PASSWORD = 'JUJU_PASSWORD'
"""Environment variable, for accounts whose password the client does not keep."""


class Unknown(Exception):
    """The client's data does not lead to a model."""


def login(folder: pathlib.Path, controller: str = '', model: str = '') -> recorder.Login:
    """Return the login that a client's data directory leads to.

    Args:
        folder: `JUJU_DATA` of the client.
        controller: by its name there; '' is the current one.
        model: by its name there, with its owner; '' is the current one.

    Raises:
        Unknown: the directory knows no such controller or model, or no password.
    """
    controllers = _read(folder / 'controllers.yaml')
    name = controller or controllers.get('current-controller', '')
    models = _read(folder / 'models.yaml')['controllers'].get(name, {})
    account = _read(folder / 'accounts.yaml')['controllers'].get(name, {})
    wanted = model or models.get('current-model', '')
    if name not in controllers['controllers'] or wanted not in models.get('models', {}):
        raise Unknown(f'{folder} knows no model {wanted or "(current)"} of {name or "(current)"}')
    password = os.environ.get(PASSWORD) or account.get('password')
    if not password:
        raise Unknown(f'{folder} keeps no password for {name}: set {PASSWORD}')
    known = controllers['controllers'][name]
    return recorder.Login(
        address=known['api-endpoints'][0],
        ca_pem=known['ca-cert'],
        model_uuid=models['models'][wanted]['uuid'],
        user=account['user'],
        password=password,
    )


def _read(path: pathlib.Path) -> dict[str, Any]:
    try:
        return yaml.safe_load(path.read_text()) or {'controllers': {}}
    except FileNotFoundError:
        return {'controllers': {}}
