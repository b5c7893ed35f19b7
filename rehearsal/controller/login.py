"""The Admin facade: all that a connection may use before it has logged in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal import model, permissions
from rehearsal.controller import facades, faults, rpc, wire

if TYPE_CHECKING:
    from rehearsal.controller import session

_VERSION = 3


def before_login(
    connection: session.Session,
    facade: str,
    method: str,
    version: int,
    params: wire.Json,
    fault: faults.Fault | None,
) -> wire.Json:
    """Answer a request on a connection that has not logged in."""
    if facade != 'Admin':
        raise rpc.not_implemented(connection.model, facade, version)
    if version != _VERSION:
        text = 'this version of Juju does not support login from old clients'
        raise rpc.ApiError(text, 'not supported')
    if method == 'RedirectInfo':
        raise rpc.ApiError('not redirected')
    if method != 'Login':
        raise rpc.not_implemented(connection.model, facade, version, method)
    try:
        return _login(connection, params, fault)
    except model.ModelError as refusal:
        if refusal.code == 'unauthorized access' and connection.controller.faults.on(
            faults.Kind.UPGRADE
        ):
            raise rpc.ApiError('login failed - maintenance in progress') from None
        raise


def _login(
    connection: session.Session, params: wire.Json, fault: faults.Fault | None
) -> wire.Json:
    password = rpc.text(params, 'credentials')
    if not password or (fault is not None and fault.kind is faults.Kind.DISCHARGE):
        return _ask_for_a_macaroon(connection)
    name = rpc.text(params, 'auth-tag').removeprefix('user-').removesuffix('@local')
    user = connection.model.users.get(name)
    if user is None or user.password != password:
        raise rpc.ApiError('invalid entity name or password', 'unauthorized access')
    if connection.model_uuid:
        permissions.check_access(user, 'read')
    if fault is not None and fault.kind is faults.Kind.REDIRECT:
        text = 'redirection to alternative server required'
        raise rpc.ApiError(text, 'redirection required', fault.redirection)
    connection.user_name = name
    return _welcome(connection, user)


def _welcome(connection: session.Session, user: model.User) -> wire.Json:
    controller = connection.controller
    offered = (
        {'name': facade.name, 'versions': list(facade.versions(controller.model))}
        for facade in facades.ALL.values()
        if facade.on(bool(connection.model_uuid))
    )
    answer: wire.Json = {
        'servers': [[wire.host_port(address) for address in controller.addresses]],
        'controller-tag': f'controller-{controller.uuid}',
        'user-info': {
            'display-name': '',
            'identity': f'user-{user.name}',
            'controller-access': user.controller_access,
            'model-access': user.model_access if connection.model_uuid else '',
        },
        'facades': sorted((f for f in offered if f['versions']), key=lambda f: f['name']),
        'server-version': controller.model.version,
    }
    if connection.model_uuid:
        answer['model-tag'] = f'model-{connection.model_uuid}'
    return answer


def _ask_for_a_macaroon(connection: session.Session) -> wire.Json:
    """A login without a password is no error: it succeeds, without facades."""
    macaroon = {
        'location': f'juju model {connection.model_uuid}',
        'identifier': 'rehearsal',
        'caveats': [],
        'signature': '00' * 32,
    }
    return {
        'discharge-required': macaroon,
        'bakery-discharge-required': macaroon,
        'discharge-required-error': 'macaroon discharge required: authentication required',
    }
