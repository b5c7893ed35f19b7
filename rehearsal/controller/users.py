"""Users and their access: the UserManager facade, and the part of ModelManager that grants."""

from __future__ import annotations

import base64
import secrets as random_source

from rehearsal import model, permissions
from rehearsal.controller import rpc, wire

USER_MANAGER = rpc.Methods()
MODEL_MANAGER = rpc.Methods()

_KEY_BYTES = 32


def _name(tag: str) -> str:
    return wire.untag(tag, 'user').removesuffix('@local')


def _find(juju: model.Model, name: str) -> model.User:
    if name not in juju.users:
        raise model.ModelError(f'user "{name}" not found', 'user not found')
    return juju.users[name]


def _check_superuser(call: rpc.Call) -> None:
    if call.user.controller_access != 'superuser':
        raise model.ModelError('permission denied', 'unauthorized access')


@USER_MANAGER.add('AddUser', access='')
def _add_user(call: rpc.Call) -> wire.Json:
    _check_superuser(call)

    def add(item: wire.Json) -> wire.Json:
        name = rpc.text(item, 'username')
        if name in call.model.users:
            text = f'failed to create user: user "{name}" already exists'
            raise model.ModelError(text, 'already exists')
        password = rpc.text(item, 'password')
        call.model.users[name] = model.User(name, password, '')
        call.model.changed()
        answer: wire.Json = {'tag': f'user-{name}'}
        if not password:
            # With this a user would register; here a password has to be set instead.
            key = random_source.token_bytes(_KEY_BYTES)
            answer['secret-key'] = base64.b64encode(key).decode()
        return answer

    return {'results': wire.each(call.items('users'), add)}


@USER_MANAGER.add('RemoveUser', access='')
def _remove_user(call: rpc.Call) -> wire.Json:
    _check_superuser(call)

    def remove(tag: str) -> wire.Json:
        name = _name(tag)
        _find(call.model, name)
        if name == call.user.name:
            raise model.ModelError('cannot remove yourself', '')
        del call.model.users[name]
        call.model.changed()
        return {}

    return {'results': wire.each(call.tags(), remove)}


@USER_MANAGER.add('SetPassword', access='')
def _set_password(call: rpc.Call) -> wire.Json:
    def set_password(item: wire.Json) -> wire.Json:
        name, password = _name(rpc.text(item, 'tag')), rpc.text(item, 'password')
        if name != call.user.name:
            _check_superuser(call)
        if not password:
            raise model.ModelError('cannot use an empty password', '')
        _find(call.model, name).password = password
        return {}

    return {'results': wire.each(call.items('changes'), set_password)}


@USER_MANAGER.add('UserInfo', access='')
def _user_info(call: rpc.Call) -> wire.Json:
    superuser = call.user.controller_access == 'superuser'

    def describe(tag: str) -> wire.Json:
        name = _name(tag)
        if name != call.user.name and not superuser:
            raise model.ModelError('permission denied', 'unauthorized access')
        user = _find(call.model, name)
        return {
            'result': {
                'username': user.name,
                'display-name': '',
                'access': user.controller_access,
                'created-by': 'admin',
                'date-created': wire.timestamp(call.model.clock.now()),
                'disabled': False,
            }
        }

    everybody = [f'user-{name}' for name in call.model.users if superuser]
    return {'results': wire.each(call.tags() or everybody or [f'user-{call.user.name}'], describe)}


@MODEL_MANAGER.add('ModifyModelAccess', access='')
def _modify_model_access(call: rpc.Call) -> wire.Json:
    def modify(item: wire.Json) -> wire.Json:
        permissions.check_access(call.user, 'admin')
        if rpc.text(item, 'model-tag') != f'model-{call.model.uuid}':
            raise model.ModelError('could not lookup model: model not found', 'model not found')
        user = _find(call.model, _name(rpc.text(item, 'user-tag')))
        _modify(user, rpc.text(item, 'action'), rpc.text(item, 'access'))
        call.model.changed()
        return {}

    return {'results': wire.each(call.items('changes'), modify)}


def _modify(user: model.User, action: str, access: str) -> None:
    """Grant an access, or revoke it, which leaves the next lower one."""
    levels = permissions.LEVELS
    if access not in levels[1:]:
        raise model.ModelError(f'could not modify model access: "{access}" not valid', 'not valid')
    if action == 'grant':
        if levels.index(user.model_access) >= levels.index(access):
            text = f'could not grant model access: user already has "{access}" access or greater'
            raise model.ModelError(text)
        user.model_access = access
    elif levels.index(user.model_access) >= levels.index(access):
        user.model_access = levels[levels.index(access) - 1]
    else:
        text = f'could not revoke model access: "{access}" access for user "{user.name}" not found'
        raise model.ModelError(text, 'not found')
