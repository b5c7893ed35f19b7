"""What concerns the model as a whole: its config, its annotations, and its description."""

from __future__ import annotations

from rehearsal import model, permissions
from rehearsal.controller import rpc, wire

MODEL_CONFIG = rpc.Methods()
MODEL_MANAGER = rpc.Methods()
ANNOTATIONS = rpc.Methods()
PINGER = rpc.Methods()


@PINGER.add('Ping', access='')
def _ping(call: rpc.Call) -> wire.Json:
    return {}


@MODEL_CONFIG.add('ModelGet')
def _model_get(call: rpc.Call) -> wire.Json:
    values = {'type': 'iaas'} | call.model.config
    return {'config': {key: {'value': v, 'source': 'model'} for key, v in values.items()}}


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
        return {
            'result': {
                'name': juju.name,
                'type': 'iaas',
                'uuid': juju.uuid,
                'controller-uuid': call.session.controller.uuid,
                'is-controller': False,
                'provider-type': 'maas',
                'cloud-tag': 'cloud-maas',
                'cloud-region': 'default',
                'owner-tag': 'user-admin',
                'life': 'alive',
                'status': {'status': 'available', 'info': '', 'since': wire.timestamp(None)},
                'users': None,
                'machines': None,
                'agent-version': juju.version,
            }
        }

    return {'results': wire.each(call.tags(), describe)}
