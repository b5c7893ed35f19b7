"""Where the controller is and who we are to it: the user secret, and what the agent knows."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

import yaml

from coordinator import errors, this
from coordinator.juju_api import connection

_USER = re.compile(r'[\w.+-]+(@[\w.-]+)?')
_ENDPOINT = re.compile(r'.+:\d{1,5}')


def _how() -> str:
    app = this.application()
    return (
        'juju add-secret coordinator-login username=<user> password#file=<file>, '
        f'juju grant-secret coordinator-login {app}, '
        f'juju config {app} juju-credentials=secret:<id>'
    )


@dataclasses.dataclass(frozen=True)
class Credentials:
    """Content of the secret that `juju-credentials` names."""

    username: str
    password: str = dataclasses.field(repr=False)
    endpoints: Sequence[str] = ()
    ca_cert: str = ''


def credentials(content: Mapping[str, str]) -> Credentials:
    """Read the secret's content.

    Raises:
        PreconditionError: a key is missing or malformed; it is named, its value never.
    """
    found = Credentials(
        username=content.get('username', ''),
        # `password#file=...` keeps it out of the shell's history, and has the newline of its file.
        password=content.get('password', '').rstrip('\r\n'),
        endpoints=tuple(re.findall(r'[^\s,]+', content.get('endpoints', ''))),
        ca_cert=content.get('ca-cert', ''),
    )
    usable = {
        'endpoints': all(_ENDPOINT.fullmatch(each) for each in found.endpoints),
        'password': bool(found.password),
        'username': _USER.fullmatch(found.username),
    }
    wrong = ', '.join(key for key, right in usable.items() if not right)
    if wrong:
        raise errors.PreconditionError(
            f'the secret of juju-credentials has unusable values: {wrong}. '
            'It needs username and password. '
            f'endpoints (host:port, ...) and ca-cert are optional: {_how()}'
        )
    return found


def endpoint(
    content: Mapping[str, str],
    model_uuid: str,
    model_name: str,
    environment: Mapping[str, str],
) -> connection.Endpoint:
    """Return where to connect: what the secret says, else what the unit's agent uses.

    Args:
        content: of the secret.
        model_uuid: of the model that is worked on.
        model_name: for messages.
        environment: of the dispatch (`JUJU_API_ADDRESSES`, `JUJU_CHARM_DIR`).

    Raises:
        PreconditionError: the secret is malformed.
        TransientError: the agent's configuration cannot be read just now.
    """
    found = credentials(content)
    return connection.Endpoint(
        addresses=found.endpoints or tuple(environment.get('JUJU_API_ADDRESSES', '').split()),
        ca_cert=found.ca_cert or _agents_ca(environment),
        model_uuid=model_uuid,
        username=found.username,
        password=found.password,
        model_name=model_name,
    )


def _agents_ca(environment: Mapping[str, str]) -> str:
    """Read the controller's CA out of agent.conf, anew each time: Juju rewrites it."""
    path = pathlib.Path(environment.get('JUJU_CHARM_DIR') or os.curdir).parent / 'agent.conf'
    try:
        return str(yaml.safe_load(path.read_text())['cacert'])
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        # No `from`: the file holds the agent's own password as well.
        raise errors.TransientError(
            f"the controller's CA certificate is not in {path} ({type(error).__name__}): set "
            'ca-cert in the secret of juju-credentials'
        ) from None
