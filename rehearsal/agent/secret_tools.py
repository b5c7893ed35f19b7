"""Hook tools for secrets."""

from __future__ import annotations

import base64
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from rehearsal import model
from rehearsal.agent import context, hook_tools
from rehearsal.agent.hook_tools import RELATION, Options, argument

TOOLS: dict[str, hook_tools.HookTool] = {}
_ID = argument('id', nargs='?', default='')
_LABEL = argument('--label', default='')
_CONTENT = argument('content', nargs='*')
_METADATA = (
    _LABEL,
    argument('--description', default=''),
    # Taken and forgotten: no rehearsed charm lets a secret expire or rotate.
    argument('--expire', default=''),
    argument('--rotate', default=''),
    argument('--owner', choices=('application', 'unit'), default='application'),
)


def _id_of(reference: str) -> str:
    return reference.removeprefix('secret:').rpartition('/')[2]


def _not_found(reference: str) -> context.ToolError:
    return context.ToolError(f'secret "{reference}" not found')


def _owners(run: context.Context) -> tuple[str, str]:
    return f'application-{run.unit.application.name}', run.unit.tag


def _all(run: context.Context) -> dict[str, model.Secret]:
    return run.model.secrets | run.new_secrets


def _owned_with_label(run: context.Context, label: str) -> model.Secret | None:
    for secret in _all(run).values():
        if label and secret.label == label and secret.owner in _owners(run):
            return secret
    return None


def _owned(run: context.Context, reference: str, label: str = '') -> model.Secret:
    """Return a secret that the unit may manage: its own, or as leader its application's."""
    secret = _all(run).get(_id_of(reference)) if reference else _owned_with_label(run, label)
    if secret is None or secret.owner not in _owners(run):
        raise _not_found(reference or label)
    if secret.owner.startswith('application-'):
        run.check_leader()
    return secret


def _buffer(run: context.Context, secret: model.Secret, apply: Any) -> None:
    run.buffer(apply, as_leader=secret.owner.startswith('application-'))


def _content(arguments: Sequence[str]) -> dict[str, str]:
    """Parse `key=value`, `key#base64=value` and `key#file=path`."""
    content: dict[str, str] = {}
    for name, value in hook_tools.key_values(arguments).items():
        key, _, form = name.partition('#')
        if not re.fullmatch(r'[a-z][a-z0-9-]*[a-z0-9]', key) or len(key) < 3:
            raise context.ToolError(f'key "{key}" not valid')
        if form == 'file':
            value = pathlib.Path(value).read_text()
        elif form == 'base64':
            value = base64.b64decode(value).decode()
        content[key] = value
    return content


@hook_tools.tool(
    TOOLS,
    'secret-get',
    _ID,
    _LABEL,
    argument('--refresh', action='store_true'),
    argument('--peek', action='store_true'),
)
def secret_get(run: context.Context, options: Options) -> dict[str, str]:
    """Return the content in the revision that the unit tracks, or in the latest."""
    if options.id:
        secret = _all(run).get(_id_of(options.id))
    elif options.label in run.home.secret_labels:
        secret = _all(run).get(run.home.secret_labels[options.label])
    else:
        secret = _owned_with_label(run, options.label)
    if secret is None:
        raise _not_found(options.id or options.label)
    if not run.model.may_read(run.unit, secret):
        raise context.ToolError('permission denied')
    if options.id and options.label:
        run.home.secret_labels[options.label] = secret.id
    latest = options.refresh or options.peek
    if latest and secret.id in run.new_revisions:
        return run.new_revisions[secret.id]
    if options.peek:
        return secret.content
    revision = run.home.secret_revisions.get(secret.id)
    if revision is None or options.refresh:
        revision = run.home.secret_revisions[secret.id] = len(secret.revisions)
    secret.readers.add(run.unit.name)
    return secret.revisions[revision - 1]


@hook_tools.tool(TOOLS, 'secret-add', *_METADATA, _CONTENT)
def secret_add(run: context.Context, options: Options) -> str:
    """Buffer a new secret; its URI is good at once, for this run."""
    application, unit = _owners(run)
    if options.owner == 'application':
        run.check_leader()
    if _owned_with_label(run, options.label) is not None:
        raise context.ToolError(f'secret with label "{options.label}" already exists')
    secret = run.model.new_secret(
        application if options.owner == 'application' else unit,
        _content(options.content),
        options.label,
        options.description,
    )
    run.new_secrets[secret.id] = secret
    _buffer(run, secret, lambda: run.model.keep_secret(secret))
    return secret.uri


@hook_tools.tool(TOOLS, 'secret-set', *_METADATA, _ID, _CONTENT)
def secret_set(run: context.Context, options: Options) -> None:
    """Buffer new content or metadata of a secret."""
    secret = _owned(run, options.id)
    content = _content(options.content)
    if content:
        run.new_revisions[secret.id] = content

    def apply() -> None:
        secret.label = options.label or secret.label
        secret.description = options.description or secret.description
        if content:
            run.model.update_secret(secret, content)

    _buffer(run, secret, apply)


@hook_tools.tool(TOOLS, 'secret-info-get', _ID, _LABEL)
def secret_info_get(run: context.Context, options: Options) -> dict[str, Any]:
    """Return the metadata of a secret, to its owner."""
    secret = _owned(run, options.id, options.label)
    return {
        secret.id: {
            'revision': len(secret.revisions),
            'label': secret.label,
            'owner': 'application' if secret.owner.startswith('application-') else 'unit',
            'description': secret.description,
            'rotation': 'never',
        }
    }


@hook_tools.tool(TOOLS, 'secret-ids')
def secret_ids(run: context.Context, options: Options) -> object:
    """Return the ids of the secrets that the unit manages."""
    application, unit = _owners(run)
    owners = {unit, application} if run.unit.leader else {unit}
    return sorted(s.id for s in _all(run).values() if s.owner in owners) or hook_tools.NULL


@hook_tools.tool(TOOLS, 'secret-grant', RELATION, argument('--unit', default=''), _ID)
def secret_grant(run: context.Context, options: Options) -> None:
    """Buffer a grant to the other end of a relation, or to one unit of it."""
    secret = _owned(run, options.id)
    relation = run.relation_of(options.relation)
    grantee = options.unit or relation.other(run.unit.application.name)
    _buffer(run, secret, lambda: secret.grants.add(grantee))


@hook_tools.tool(
    TOOLS,
    'secret-revoke',
    RELATION,
    argument('--app', default=''),
    argument('--unit', default=''),
    _ID,
)
def secret_revoke(run: context.Context, options: Options) -> None:
    """Buffer the end of a grant."""
    secret = _owned(run, options.id)
    grantee = options.unit or options.app
    if not grantee:
        grantee = run.relation_of(options.relation).other(run.unit.application.name)
    _buffer(run, secret, lambda: secret.grants.discard(grantee))


@hook_tools.tool(TOOLS, 'secret-remove', _ID)
def secret_remove(run: context.Context, options: Options) -> None:
    """Buffer the removal of a secret with all its revisions."""
    secret = _owned(run, options.id)
    _buffer(run, secret, lambda: run.model.remove_secret(secret))
