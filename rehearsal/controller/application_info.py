"""The Application facade, as far as it only tells: Get, Leader, UnitsInfo and the like."""

from __future__ import annotations

from rehearsal import model
from rehearsal.controller import rpc, status, wire

METHODS = rpc.Methods()


@METHODS.add('Get')
def _get(call: rpc.Call) -> wire.Json:
    app = named(call.model, rpc.text(call.params, 'application'))
    return {
        'application': app.name,
        'charm': app.charm.name,
        'config': {name: _setting(app, name, o) for name, o in app.charm.options.items()},
        'application-config': {
            'trust': {
                'type': 'bool',
                'source': 'default',
                'default': False,
                'value': False,
                'description': 'Does this application have access to trusted credentials',
            }
        },
        'constraints': {'arch': 'amd64'},
        'base': status.track(call.model),
        'channel': app.charm.channel,
        'endpoint-bindings': status.bindings(call.model, app),
    }


def named(juju: model.Model, name: str) -> model.Application:
    """Return an application, or refuse as the calls about config do."""
    if name not in juju.applications and juju.juju4:
        raise model.ModelError(f'application {name} not found', 'not found')
    return juju.application(name)


def _setting(app: model.Application, name: str, option: model.Option) -> wire.Json:
    setting: wire.Json = {'description': option.description, 'type': option.type}
    if option.default is not None:
        setting['default'] = option.default
    if name in app.config:
        return setting | {'source': 'user', 'value': app.config[name]}
    if option.default is not None:
        return setting | {'source': 'default', 'value': option.default}
    return setting | {'source': 'unset'}


@METHODS.add('CharmRelations')
def _charm_relations(call: rpc.Call) -> wire.Json:
    app = call.model.application(rpc.text(call.params, 'application'))
    return {'charm-relations': [endpoint.name for endpoint in app.charm.endpoints]}


@METHODS.add('Leader', access_3='')
def _leader(call: rpc.Call) -> wire.Json:
    tag = rpc.text(call.params, 'tag')
    app = call.model.applications.get(wire.untag(tag, 'application'))
    if app is None or app.leader is None:
        refusal = model.ModelError(f'leader for {tag} not found', 'not found')
        return {'error': wire.error(refusal), 'result': ''}
    return {'result': app.leader}


@METHODS.add('ApplicationsInfo', access_3='')
def _applications_info(call: rpc.Call) -> wire.Json:
    def describe(tag: str) -> wire.Json:
        app = call.model.application(wire.untag(tag, 'application'))
        return {
            'result': {
                'tag': tag,
                'charm': app.charm.name,
                'base': status.BASE,
                'channel': app.charm.channel,
                'constraints': {'arch': 'amd64'},
                'principal': True,
                'exposed': False,
                'remote': False,
                'life': app.life,
                'endpoint-bindings': status.bindings(call.model, app),
            }
        }

    return {'results': wire.each(call.tags(), describe)}


@METHODS.add('UnitsInfo', access_3='')
def _units_info(call: rpc.Call) -> wire.Json:
    juju = call.model
    results: list[wire.Json] = []
    for tag in call.tags():
        try:
            if tag.startswith('unit-'):
                units = [juju.unit(wire.untag(tag, 'unit'))]
            else:
                # An application stands for all its units, so results are not one for one.
                units = list(juju.application(wire.untag(tag, 'application')).units.values())
            results += [{'result': _unit(juju, unit)} for unit in units]
        except model.ModelError as refusal:
            results.append({'error': wire.error(refusal)})
    return {'results': results or None}


def _unit(juju: model.Model, unit: model.Unit) -> wire.Json:
    answer: wire.Json = {
        'tag': unit.tag,
        'workload-version': unit.workload_version,
        'machine': unit.machine.id,
        'opened-ports': None,
        'public-address': unit.machine.address,
        'charm': unit.application.charm.url,
        'life': unit.life,
        'relation-data': [
            _relation_data(juju, unit, relation)
            for relation in juju.relations.values()
            if unit.application.name in relation.endpoints
        ],
    }
    if unit.leader:
        answer['leader'] = True
    return answer


def _relation_data(juju: model.Model, unit: model.Unit, relation: model.Relation) -> wire.Json:
    own = unit.application.name
    other = relation.other(own)
    return {
        'relation-id': relation.id,
        'endpoint': relation.endpoints[own].name,
        'cross-model': False,
        'related-endpoint': relation.endpoints[other].name,
        # 3.6 shows the related application's bag here, 4.0 the unit's own application's.
        'ApplicationData': dict(relation.app_data[own if juju.juju4 else other]),
        'unit-relation-data': {
            name: {'InScope': True, 'UnitData': dict(bag)}
            for name, bag in relation.unit_data.items()
            if name.partition('/')[0] == other
        },
    }
