"""What concerns the model as a whole: its config, its annotations, and its description."""

from __future__ import annotations

import re

from rehearsal import model, permissions
from rehearsal.controller import rpc, wire

MODEL_CONFIG = rpc.Methods()
MODEL_MANAGER = rpc.Methods()
ANNOTATIONS = rpc.Methods()
PINGER = rpc.Methods()


@PINGER.add('Ping', access='')
def _ping(call: rpc.Call) -> wire.Json:
    return {}


_DEFAULTS: wire.Json = {
    'automatically-retry-hooks': True,
    'default-base': '',
    'development': False,
    'disable-network-management': False,
    'ftp-proxy': '',
    'http-proxy': '',
    'https-proxy': '',
    'juju-http-proxy': '',
    'juju-https-proxy': '',
    'juju-no-proxy': '127.0.0.1,localhost,::1',
    'logging-config': '<root>=INFO',
    'max-action-results-age': '336h',
    'max-action-results-size': '5G',
    'no-proxy': '127.0.0.1,localhost,::1',
    'num-provision-workers': 16,
    'provisioner-harvest-mode': 'destroyed',
    'secret-backend': 'auto',
    'ssl-hostname-verification': True,
}
"""Config of a model that nobody has set."""
_INTERVAL = 'update-status-hook-interval'
_SECONDS = {'h': 3600, 'm': 60, 's': 1}


@MODEL_CONFIG.add('ModelGet')
def _model_get(call: rpc.Call) -> wire.Json:
    juju = call.model
    seconds = int(juju.update_status_interval)
    defaults = {**_DEFAULTS, _INTERVAL: f'{seconds // 60}m{seconds % 60}s'}
    values = {'type': 'iaas'} | juju.config
    return {
        'config': {
            key: {'value': value, 'source': 'default' if key not in values else 'model'}
            for key, value in sorted((defaults | values).items())
        }
    }


@MODEL_CONFIG.add('ModelSet', 'write', blocked_as='change')
def _model_set(call: rpc.Call) -> wire.Json:
    values = rpc.mapping(call.params, 'config')
    if 'agent-version' in values and values['agent-version'] != call.model.version:
        raise rpc.ApiError('agent-version cannot be changed', '')
    if _INTERVAL in values:
        call.model.update_status_interval = _seconds(str(values[_INTERVAL]))
    call.model.config.update(values)
    call.model.changed()
    return {}


def _seconds(text: str) -> float:
    """Return what Go means by a duration such as `1m30s`."""
    parts = re.findall(r'(\d+)([hms])', text)
    if not parts or ''.join(f'{number}{unit}' for number, unit in parts) != text:
        raise rpc.ApiError(f'{_INTERVAL}: "{text}" is no duration', '')
    return float(sum(int(number) * _SECONDS[unit] for number, unit in parts))


@MODEL_CONFIG.add('ModelUnset', 'write', blocked_as='change')
def _model_unset(call: rpc.Call) -> wire.Json:
    for key in rpc.texts(call.params, 'keys'):
        if key in _DEFAULTS or key == _INTERVAL:
            call.model.config.pop(key, None)
    call.model.changed()
    return {}


@ANNOTATIONS.add('Get')
def _get(call: rpc.Call) -> wire.Json:
    known = call.model.annotations
    return {'results': [{'entity': t, 'annotations': known.get(t, {})} for t in call.tags()]}


@ANNOTATIONS.add('Set', 'write')
def _set(call: rpc.Call) -> wire.Json:
    def annotate(entity: wire.Json) -> wire.Json:
        tag = rpc.text(entity, 'entity')
        annotations = call.model.annotations.setdefault(tag, {})
        for key, value in rpc.mapping(entity, 'annotations').items():
            annotations[key] = value
            if not value:
                del annotations[key]
        call.model.changed()
        return {}

    return {'results': wire.each(call.items('annotations'), annotate)}


# The call has no model of its own to be checked against, and serves one model only.
@MODEL_MANAGER.add('ModelInfo', access='')
def _model_info(call: rpc.Call) -> wire.Json:
    juju = call.model

    def describe(tag: str) -> wire.Json:
        if tag != f'model-{juju.uuid}' or not permissions.allows(call.user, 'read'):
            raise model.ModelError('permission denied', 'unauthorized access')
        return {'result': _summary(call) | {'users': None, 'machines': None}}

    return {'results': wire.each(call.tags(), describe)}


@MODEL_MANAGER.add('ListModelSummaries', access='')
def _list_model_summaries(call: rpc.Call) -> wire.Json:
    juju = call.model
    name = wire.untag(rpc.text(call.params, 'user-tag'), 'user').removesuffix('@local')
    superuser = call.user.controller_access == 'superuser'
    if name != call.user.name and not superuser:
        raise model.ModelError('permission denied', 'unauthorized access')
    user = juju.users.get(name)
    if user is None or not permissions.allows(user, 'read'):
        return {'results': []}
    counts = {
        'machines': len(juju.machines),
        'cores': len(juju.machines),
        'units': len(juju.units),
    }
    summary = _summary(call) | {
        'user-access': user.model_access,
        'last-connection': None,
        'counts': [{'entity': entity, 'count': count} for entity, count in counts.items()],
    }
    return {'results': [{'result': summary}]}


@MODEL_MANAGER.add('ListModels', access='')
def _list_models(call: rpc.Call) -> wire.Json:
    if not permissions.allows(call.user, 'read'):
        return {'user-models': []}
    described = {
        'name': call.model.name,
        'uuid': call.model.uuid,
        'type': 'iaas',
        **_owner(call.model),
    }
    return {'user-models': [{'model': described, 'last-connection': None}]}


def _summary(call: rpc.Call) -> wire.Json:
    """Describe the model, as every call that describes it does."""
    juju = call.model
    return {
        'name': juju.name,
        'type': 'iaas',
        'uuid': juju.uuid,
        'controller-uuid': call.session.controller.uuid,
        'is-controller': False,
        'provider-type': 'maas',
        'cloud-tag': 'cloud-maas',
        'cloud-region': 'default',
        **_owner(juju),
        'life': 'alive',
        'status': {'status': 'available', 'info': '', 'since': wire.timestamp(juju.clock.now())},
        'agent-version': juju.version,
    }


def _owner(juju: model.Model) -> wire.Json:
    """Write whose the model is; 4.0 has nothing but a name that qualifies the model's."""
    return {'qualifier': 'admin'} if juju.juju4 else {'owner-tag': 'user-admin'}
