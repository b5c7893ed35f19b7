"""Commands about secrets."""

from __future__ import annotations

from collections.abc import Sequence

import yaml

from coordinator.report.tables import table
from rehearsal import model
from rehearsal.juju import command, shown
from rehearsal.juju.command import Failed, Request, argument, flag

COMMANDS = command.Commands()

_SECRET = argument('secret', help='name or URI')
_CONTENT = (
    argument('content', nargs='*', help='key=value or key#file=path'),
    argument('--file', help='a YAML file with the content'),
    argument('--info', default=''),
)


def _content(request: Request) -> dict[str, str]:
    found: dict[str, str] = {}
    if request.given.file:
        found |= yaml.safe_load((request.folder / request.given.file).read_text())
    for key, text in request.pairs(request.given.content).items():
        name, marked, _ = key.partition('#file')
        found[name] = (request.folder / text).read_text() if marked else text
    if not found:
        raise Failed('missing secret value or filename')
    return found


@COMMANDS.add('add-secret', 'add a user secret', argument('name'), *_CONTENT)
async def _add_secret(request: Request) -> str:
    juju = request.juju
    made = juju.add_secret(
        f'model-{juju.uuid}', _content(request), request.given.name, request.given.info
    )
    return f'{made.uri}\n'


@COMMANDS.add(
    'update-secret',
    'give a user secret other content',
    _SECRET,
    *_CONTENT,
    argument('--name', default=''),
    flag('--auto-prune'),
)
async def _update_secret(request: Request) -> str:
    found = _own(request)
    found.label = request.given.name or found.label
    found.description = request.given.info or found.description
    if request.given.content or request.given.file:
        request.juju.update_secret(found, _content(request))
    return ''


@COMMANDS.add('remove-secret', 'remove a user secret', _SECRET, argument('--revision'))
async def _remove_secret(request: Request) -> str:
    request.juju.remove_secret(_own(request))
    return ''


def _own(request: Request) -> model.Secret:
    """Return a user secret; the secrets of charms are not the operator's to change."""
    found = request.juju.secret(request.given.secret)
    if found.owner != f'model-{request.juju.uuid}':
        raise model.ModelError('permission denied', 'unauthorized access')
    return found


_WHO = (_SECRET, argument('applications', help='separated by commas'))


def _applications(request: Request) -> Sequence[str]:
    names = request.given.applications.split(',')
    for name in names:
        request.juju.application(name)
    return names


@COMMANDS.add('grant-secret', 'let applications read a user secret', *_WHO)
async def _grant_secret(request: Request) -> str:
    names = _applications(request)
    _own(request).grants.update(names)
    request.juju.changed()
    return ''


@COMMANDS.add('revoke-secret', 'let applications read a user secret no more', *_WHO)
async def _revoke_secret(request: Request) -> str:
    names = _applications(request)
    _own(request).grants.difference_update(names)
    request.juju.changed()
    return ''


@COMMANDS.add('secrets list-secrets', 'list secrets', argument('--owner', default=''))
async def _secrets(request: Request) -> str:
    juju, owner = request.juju, request.given.owner
    listed = {secret.id: _shown(juju, secret) for secret in juju.secrets.values()}
    listed = {i: found for i, found in listed.items() if owner in ('', found['owner'])}
    if request.as_json:
        return shown.written(True, listed)
    rows = [(i, found['owner'], _name(found)) for i, found in listed.items()]
    return table(('ID', 'Owner', 'Label'), rows) + '\n'


def _name(found: shown.Json) -> str:
    return found.get('name') or found.get('label') or ''


@COMMANDS.add(
    'show-secret',
    'show a secret',
    _SECRET,
    flag('--reveal'),
    flag('--revisions'),
    argument('-r', '--revision'),
)
async def _show_secret(request: Request) -> str:
    found = request.juju.secret(request.given.secret)
    content = _shown(request.juju, found, reveal=request.given.reveal)
    return shown.written(request.as_json, {found.id: content})


def _shown(juju: model.Model, found: model.Secret, reveal: bool = False) -> shown.Json:
    """Return a secret as `juju show-secret --format json` shows it."""
    by_model = found.owner == f'model-{juju.uuid}'
    name = {'name' if by_model else 'label': found.label} if found.label else {}
    description = {'description': found.description} if found.description else {}
    owner = juju.name if by_model else found.owner.partition('-')[2]
    if found.owner.startswith('unit-'):
        owner = '/'.join(owner.rsplit('-', 1))
    return {
        'revision': len(found.revisions),
        'owner': '<model>' if by_model else owner,
        **description,
        **name,
        'created': shown.when(found.created),
        'updated': shown.when(found.updated),
        **({'content': {'Data': found.content}} if reveal else {}),
    }
