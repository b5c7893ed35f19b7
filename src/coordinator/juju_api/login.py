"""Logging in: what is sent, and what the answer says about user, model and facades."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from coordinator import errors, ports
from coordinator.juju_api import answers, refusals

FACADES: Mapping[str, tuple[int, ...]] = {
    'Action': (7,),
    'Application': (19, 20, 21, 22),
    'Client': (8,),
    'Secrets': (2,),
    'Storage': (6, 7),
}
"""The versions of each facade whose calls are as `facades` makes them."""


@dataclasses.dataclass(frozen=True)
class Session:
    """What a login has brought."""

    access: ports.Access
    server_version: str
    offered: Mapping[str, tuple[int, ...]]

    def version(self, facade: str) -> int:
        """Return the newest version of a facade that both sides know."""
        offered = self.offered.get(facade, ())
        common = set(offered) & set(FACADES[facade])
        if not common:
            raise errors.UnexpectedAnswer(
                f'The controller (Juju {self.server_version}) '
                f'offers {facade} in the versions {_listed(offered)}; '
                f'needed is one of {_listed(FACADES[facade])}. Juju 3.6 and 4.0 are supported.'
            )
        return max(common)


def request(username: str, password: str) -> dict[str, Any]:
    """Return the parameters of Admin.Login."""
    return {
        'auth-tag': f'user-{username}',
        'credentials': password,
        'nonce': '',
        'macaroons': None,
        'user-data': '',
        # Recorded by the controller, and not compared with anything.
        'client-version': '3.6.0',
        'cli-args': '',
        'bakery-version': 3,
    }


def session(response: object, caller: refusals.Caller) -> Session:
    """Read the answer to a login that was no error."""
    answer = answers.read(answers.Login, response, 'Admin.Login')
    if not answer.facades:
        # A success in form alone: the controller would have us bring a macaroon first.
        raise errors.NotAuthorised(
            f'The controller does not accept a password from "{caller.user}". '
            f'{refusals.CHECK_CREDENTIALS}: they must be those of a local Juju user.'
        )
    user = answer.user_info
    return Session(
        ports.Access(
            user=user.identity.removeprefix('user-') or caller.user,
            model_access=user.model_access,
            superuser=user.controller_access == 'superuser',
        ),
        answer.server_version,
        {facade.name: tuple(facade.versions) for facade in answer.facades},
    )


def refusal(reply: Mapping[str, Any], caller: refusals.Caller) -> errors.CoordinatorError:
    """Return the error for a login that was refused."""
    message, code = str(reply.get('error', '')), str(reply.get('error-code') or '')
    if code == 'redirection required':
        return _moved(answers.read(answers.Redirect, reply.get('error-info') or {}, 'Admin.Login'))
    if code == 'unauthorized access' and 'permission denied' in message:
        return errors.NotAuthorised(
            f'The Juju user "{caller.user}" has no access to this model. Run `{caller.grant}`.'
        )
    return refusals.translate('Admin.Login', message, code, caller)


def _moved(redirect: answers.Redirect) -> errors.ModelMoved:
    everywhere = [server for servers in redirect.servers for server in servers]
    # A controller lists its loopback address among the others.
    servers = [server for server in everywhere if server.scope != 'local-machine'] or everywhere
    addresses = ','.join(
        f'[{server.value}]:{server.port}'
        if ':' in server.value
        else f'{server.value}:{server.port}'
        for server in servers
    )
    alias = redirect.controller_alias
    return errors.ModelMoved(
        f'The model has moved to the controller "{alias}" at {addresses}. '
        f'In the secret that the option juju-credentials names, set `endpoints` to {addresses} '
        f'and `ca-cert` to what `juju show-controller {alias}` prints.'
    )


def _listed(versions: tuple[int, ...]) -> str:
    return ', '.join(map(str, versions)) or '(none)'
