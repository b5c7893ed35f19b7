"""Commands about models, and about users."""

from __future__ import annotations

import asyncio
import json

from rehearsal import cloud, model
from rehearsal.juju import command, shown
from rehearsal.juju.command import Failed, Request, argument, flag

COMMANDS = command.Commands()

_INTERVAL = 'update-status-hook-interval'
_LEVELS = ('read', 'write', 'admin')


@COMMANDS.add(
    'add-model',
    'add an empty model',
    flag('--no-switch'),
    argument('-c', '--controller'),
    argument('--config', action='append', default=[]),
    argument('--credential'),
    argument('name'),
    argument('cloud', nargs='?'),
)
async def _add_model(request: Request) -> str:
    await request.cloud.add_model(request.given.name)
    return ''


@COMMANDS.add(
    'destroy-model',
    'destroy a model with all that is in it',
    flag('--destroy-storage'),
    flag('--release-storage'),
    flag('--force'),
    flag('--no-wait'),
    argument('--timeout'),
    argument('name'),
)
async def _destroy_model(request: Request) -> str:
    await request.cloud.destroy_model(request.cloud.model(request.given.name).juju.name)
    return ''


@COMMANDS.add('show-model', 'show a model', argument('name', nargs='?', default=''))
async def _show_model(request: Request) -> str:
    hosted = request.cloud.model(request.given.name or request.given.model)
    return shown.written(request.as_json, {hosted.juju.name: _described(hosted)})


def _described(hosted: cloud.Hosted) -> dict[str, object]:
    juju = hosted.juju
    return {
        'name': f'{cloud.OPERATOR}/{juju.name}',
        'short-name': juju.name,
        'model-uuid': juju.uuid,
        'model-type': 'iaas',
        'controller-uuid': hosted.controller.uuid,
        'controller-name': shown.CONTROLLER,
        'is-controller': False,
        'owner': cloud.OPERATOR,
        'cloud': shown.CLOUD,
        'life': 'alive',
        'status': {'current': 'available', 'since': shown.when(juju.clock.now())},
        'users': {
            user.name: {
                'access': user.model_access,
                'last-connection': 'never connected',
            }
            for user in juju.users.values()
            if user.model_access
        },
        'machines': {machine: {'cores': 1} for machine in juju.machines},
        'agent-version': juju.version,
    }


@COMMANDS.add('models', 'list models')
async def _models(request: Request) -> str:
    return '\n'.join([*sorted(request.cloud.models), ''])


@COMMANDS.add(
    'model-config',
    'show or set the configuration of a model',
    argument('--reset', default=''),
    argument('values', nargs='*', metavar='key=value'),
)
async def _model_config(request: Request) -> str:
    juju = request.juju
    values = request.pairs(request.given.values)
    if _INTERVAL in values:
        juju.update_status_interval = command.seconds(values[_INTERVAL])
    juju.config |= values
    for key in filter(None, request.given.reset.split(',')):
        juju.config.pop(key, None)
    if values or request.given.reset:
        return ''
    found = {key: {'Value': v, 'Source': 'model'} for key, v in juju.config.items()}
    return shown.written(request.as_json, found)


@COMMANDS.add(
    'set-model-constraints',
    'set what new machines of a model must be like',
    argument('values', nargs='*', metavar='key=value'),
)
async def _set_model_constraints(request: Request) -> str:
    request.pairs(request.given.values)
    return ''


_SETS = argument('set', choices=('destroy-model', 'remove-object', 'all'))


@COMMANDS.add('disable-command', 'forbid a set of commands', _SETS, argument('why', nargs='?'))
async def _disable_command(request: Request) -> str:
    request.juju.blocked[request.given.set] = request.given.why or ''
    return ''


@COMMANDS.add('enable-command', 'allow a set of commands again', _SETS)
async def _enable_command(request: Request) -> str:
    request.juju.blocked.pop(request.given.set, None)
    return ''


@COMMANDS.add('disabled-commands', 'list what is forbidden')
async def _disabled_commands(request: Request) -> str:
    found = [{'command-set': name, 'message': why} for name, why in request.juju.blocked.items()]
    return shown.written(request.as_json, found)


@COMMANDS.add('debug-log', 'show what the units have logged', argument('--limit', default='0'))
async def _debug_log(request: Request) -> str:
    lines = (await asyncio.to_thread(request.hosted.logs)).splitlines(keepends=True)
    return ''.join(lines[-int(request.given.limit) :])


@COMMANDS.add('version', 'show which Juju this is', flag('--all'))
async def _version(request: Request) -> str:
    version = f'{request.cloud.version}-ubuntu-amd64'
    return json.dumps({'version': version}) if request.as_json else f'{version}\n'


@COMMANDS.add('whoami', 'show who is logged in')
async def _whoami(request: Request) -> str:
    return f'Controller:  {shown.CONTROLLER}\nUser:        {cloud.OPERATOR}\n'


@COMMANDS.add(
    'add-user', 'add a user', argument('name'), argument('display-name', nargs='?', default='')
)
async def _add_user(request: Request) -> str:
    request.cloud.add_user(request.given.name)
    return f'User "{request.given.name}" added\n'


@COMMANDS.add(
    'change-user-password',
    'change the password of a user',
    argument('name', nargs='?', default=''),
)
async def _change_user_password(request: Request) -> str:
    name = request.given.name or cloud.OPERATOR
    request.cloud.set_password(name, request.password())
    return f'Password for "{name}" has been changed.\n'


@COMMANDS.add(
    'login',
    "check a user's password; the command goes on as the operator",
    argument('-u', '--user', default=cloud.OPERATOR),
    argument('-c', '--controller'),
)
async def _login(request: Request) -> str:
    user = request.cloud.accounts.get(request.given.user)
    if user is None or user.password != request.password():
        raise Failed('cannot log into controller: invalid entity name or password')
    return ''


def _users_of(request: Request) -> list[model.User]:
    """Return the user who is meant, once for each model that is meant."""
    found = [request.cloud.model(name).juju.users for name in request.given.models]
    missing = [users for users in found if request.given.name not in users]
    if missing or request.given.level not in _LEVELS:
        raise Failed(f'user {request.given.name} or access {request.given.level} is not known')
    return [users[request.given.name] for users in found]


_ACCESS = (argument('name'), argument('level'), argument('models', nargs='*'))


@COMMANDS.add('grant', 'give a user access to models', *_ACCESS)
async def _grant(request: Request) -> str:
    for user in _users_of(request):
        if user.model_access and _rank(user.model_access) >= _rank(request.given.level):
            raise Failed(f'user already has "{user.model_access}" access or greater')
        user.model_access = request.given.level
    return ''


@COMMANDS.add('revoke', "take a user's access to models back", *_ACCESS)
async def _revoke(request: Request) -> str:
    for user in _users_of(request):
        # What is left is the access below the one that is revoked.
        left = ('', *_LEVELS)[_rank(request.given.level)]
        if user.model_access and _rank(user.model_access) >= _rank(request.given.level):
            user.model_access = left
    return ''


def _rank(level: str) -> int:
    return _LEVELS.index(level)
