"""The Secrets facade. Content is base64 in every call."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping

from rehearsal import model, permissions
from rehearsal.controller import rpc, wire

METHODS = rpc.Methods()


@METHODS.add('ListSecrets')
def _list_secrets(call: rpc.Call) -> wire.Json:
    show = rpc.flag(call.params, 'show-secrets')
    if show:
        permissions.check_access(call.user, 'admin')
    found = _filtered(call.model, rpc.mapping(call.params, 'filter'))
    return {'results': [_describe(call.model, secret, show) for secret in found]}


@METHODS.add('CreateSecrets', 'write', since=2)
def _create_secrets(call: rpc.Call) -> wire.Json:
    def create(item: wire.Json) -> wire.Json:
        content = _decode(item)
        if not content:
            raise model.ModelError('empty secret value not valid', 'not valid')
        secret = call.model.add_secret(
            f'model-{call.model.uuid}',
            content,
            rpc.text(item, 'label'),
            rpc.text(item, 'description'),
        )
        return {'result': secret.uri}

    results = wire.each(call.items('args'), create)
    return {'results': [{'result': ''} | result for result in results]}


@METHODS.add('UpdateSecrets', 'write', since=2)
def _update_secrets(call: rpc.Call) -> wire.Json:
    def update(item: wire.Json) -> wire.Json:
        secret = _find(call.model, item, 'existing-label')
        content = _decode(item)
        if content:
            call.model.update_secret(secret, content)
        secret.label = rpc.text(item, 'label', secret.label)
        secret.description = rpc.text(item, 'description', secret.description)
        return {}

    return {'results': wire.each(call.items('args'), update)}


@METHODS.add('RemoveSecrets', 'write', since=2)
def _remove_secrets(call: rpc.Call) -> wire.Json:
    def remove(item: wire.Json) -> wire.Json:
        uri = rpc.text(item, 'uri')
        if uri and call.model.juju4 and model.secret_id(uri) not in call.model.secrets:
            return {}
        secret = _find(call.model, item, 'label')
        revisions = item.get('revisions')
        if revisions and len(set(revisions)) < len(secret.revisions):
            raise model.ModelError('removing single revisions', 'not supported')
        call.model.remove_secret(secret)
        return {}

    return {'results': wire.each(call.items('args'), remove)}


@METHODS.add('GrantSecret', 'write', since=2)
def _grant_secret(call: rpc.Call) -> wire.Json:
    secret = _find(call.model, call.params, 'label')

    def grant(application: str) -> wire.Json:
        call.model.grant_secret(secret, application)
        return {}

    return {'results': wire.each(rpc.texts(call.params, 'applications'), grant)}


@METHODS.add('RevokeSecret', 'write', since=2)
def _revoke_secret(call: rpc.Call) -> wire.Json:
    secret = _find(call.model, call.params, 'label')

    def revoke(application: str) -> wire.Json:
        secret.grants.discard(call.model.application(application).name)
        call.model.changed()
        return {}

    return {'results': wire.each(rpc.texts(call.params, 'applications'), revoke)}


def _find(juju: model.Model, item: wire.Json, label_key: str) -> model.Secret:
    """Return the user secret that a request names by URI or label."""
    uri = rpc.text(item, 'uri')
    return juju.user_secret(model.secret_id(uri) if uri else rpc.text(item, label_key))


def _filtered(juju: model.Model, wanted: wire.Json) -> list[model.Secret]:
    owner = rpc.text(wanted, 'owner-tag')
    if juju.juju4 and owner.startswith('model-'):
        raise rpc.ApiError(f'owner tag "{owner}" not valid', 'not valid')
    uri, label = rpc.text(wanted, 'uri'), rpc.text(wanted, 'label')
    secret_id = model.secret_id(uri) if uri else ''
    if juju.juju4 and uri:
        # 4.0 looks the one secret up, and says so when there is none; 3.6 only filters.
        juju.secret(uri)
    return [
        secret
        for secret in juju.secrets.values()
        if secret_id in ('', secret.id)
        and label in ('', secret.label)
        and owner in ('', secret.owner)
    ]


def _describe(juju: model.Model, secret: model.Secret, show: bool) -> wire.Json:
    created, updated = wire.timestamp(secret.created), wire.timestamp(secret.updated)
    numbers = range(1, len(secret.revisions) + 1)
    answer: wire.Json = {
        'uri': secret.uri,
        'version': 1,
        'owner-tag': secret.owner,
        'latest-revision': numbers[-1],
        'latest-revision-checksum': _checksum(secret.content),
        'create-time': created,
        'update-time': updated,
        'revisions': [
            {
                'revision': number,
                'create-time': created if number == 1 else updated,
                'update-time': updated,
                'backend-name': 'internal',
            }
            for number in numbers
        ],
    }
    access = [
        {
            'target-tag': _reader_tag(reader),
            'scope-tag': _scope(juju, secret, reader),
            'role': 'view',
        }
        for reader in sorted(secret.grants)
    ]
    optional = {'label': secret.label, 'description': secret.description, 'access': access}
    answer |= {key: value for key, value in optional.items() if value}
    if juju.juju4:
        answer['rotate-policy'] = 'never'
    if show:
        data = {k: base64.b64encode(v.encode()).decode() for k, v in secret.content.items()}
        answer['value'] = {'data': data}
    return answer


def _scope(juju: model.Model, secret: model.Secret, reader: str) -> str:
    """Return what a grant lasts as long as: the relation with a charm that owns the secret."""
    for relation in juju.relations.values():
        own = [app for app in relation.endpoints if secret.owner == f'application-{app}']
        if own and reader.partition('/')[0] == relation.other(own[0]) != own[0]:
            return 'relation-' + relation.key.replace(':', '.').replace(' ', '#')
    return f'model-{juju.uuid}'


def _reader_tag(name: str) -> str:
    return wire.unit_tag(name) if '/' in name else wire.application_tag(name)


def _checksum(content: Mapping[str, str]) -> str:
    text = ''.join(f'{key}={content[key]}\n' for key in sorted(content))
    return hashlib.sha256(text.encode()).hexdigest()


def _decode(item: wire.Json) -> dict[str, str]:
    data = rpc.mapping(rpc.mapping(item, 'content'), 'data')
    content: dict[str, str] = {}
    # Which keys there may be is checked by clients only.
    for key in data:
        try:
            content[key] = base64.b64decode(rpc.text(data, key), validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            raise model.ModelError(f'secret value of "{key}" is not base64', 'not valid') from None
    return content
