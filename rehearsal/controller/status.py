"""The Client facade: FullStatus, what `juju status` shows."""

from __future__ import annotations

import fnmatch
from collections.abc import Collection

from rehearsal import model
from rehearsal.controller import rpc, storage, wire

METHODS = rpc.Methods()

_KNOWN_WITHOUT_AGENT = ('error', 'terminated')
"""Workload states that are shown although the agent is lost."""

BASE: wire.Json = {'name': 'ubuntu', 'channel': '24.04/stable'}
_NOT_SET: wire.Json = {
    'status': '',
    'info': '',
    'data': None,
    'since': None,
    'kind': '',
    'version': '',
    'life': '',
}


def track(juju: model.Model) -> wire.Json:
    """Return the base as most of 4.0 writes it: without a risk."""
    return BASE | {'channel': '24.04'} if juju.juju4 else BASE


def bindings(juju: model.Model, app: model.Application) -> dict[str, str]:
    """Return the space of each endpoint; 4.0 names the implicit one, too."""
    names = {'', *(endpoint.name for endpoint in app.charm.endpoints)}
    if juju.juju4:
        names.add('juju-info')
    return dict.fromkeys(sorted(names), 'alpha')


@METHODS.add('FullStatus')
def _full_status(call: rpc.Call) -> wire.Json:
    juju = call.model
    patterns = rpc.texts(call.params, 'patterns')
    if patterns and juju.juju4:
        raise rpc.ApiError('patterns are not implemented', 'not implemented')
    everything = not patterns
    units = set(juju.units) if everything else _matching(juju, patterns)
    # With patterns, what has no units is not even looked at.
    applications = {
        name: app
        for name, app in juju.applications.items()
        if everything or app.units.keys() & units
    }
    used = [juju.units[name].machine for name in units]
    machines = {machine.host or machine.id for machine in used}
    answer: wire.Json = {
        'model': _model(juju),
        'machines': {
            machine.id: _machine(juju, machine)
            for machine in juju.machines.values()
            if not machine.host and (everything or machine.id in machines)
        },
        'applications': {
            name: _application(juju, app, units) for name, app in applications.items()
        },
        'remote-applications': {
            name: _consumed(juju, name, remote) for name, remote in juju.consumed.items()
        },
        'offers': {name: _offer(juju, offer) for name, offer in juju.offers.items()},
        # Go writes a list without elements as null.
        'relations': [
            _relation(juju, relation)
            for relation in juju.relations.values()
            if relation.endpoints.keys() & applications.keys()
        ]
        or None,
        'controller-timestamp': wire.timestamp(juju.clock.now()),
        'branches': None if juju.juju4 else {},
    }
    if rpc.flag(call.params, 'include-storage'):
        answer['storage'] = [storage.details(juju, item) for item in juju.storage.values()]
    return answer


def _matching(juju: model.Model, patterns: Collection[str]) -> set[str]:
    """Names of the units that match, and of those beside them on their machines."""

    def matches(unit: model.Unit) -> bool:
        names = (unit.application.name, unit.name, unit.machine.id)
        return any(fnmatch.fnmatchcase(name, p) for p in patterns for name in names)

    machines = {unit.machine.id for unit in juju.units.values() if matches(unit)}
    return {name for name, unit in juju.units.items() if unit.machine.id in machines}


def _detailed(status: model.Status, life: str = '', version: str = '') -> wire.Json:
    return {
        'status': status.current,
        'info': status.message,
        'data': {},
        'since': wire.timestamp(status.since),
        'kind': '',
        'version': version,
        'life': life,
    }


def _life(juju: model.Model, life: str) -> str:
    return '' if life == 'alive' and not juju.juju4 else life


def _model(juju: model.Model) -> wire.Json:
    available = model.Status('available', '', juju.clock.now())
    answer: wire.Json = {
        'name': juju.name,
        'type': 'iaas',
        'cloud-tag': 'cloud-maas',
        'region': 'default',
        'version': juju.version,
        'available-version': '',
        'model-status': _detailed(available),
    }
    if juju.juju4:
        answer['model-status']['data'] = None
    else:
        answer |= {'meter-status': {'color': '', 'message': ''}, 'sla': 'unsupported'}
    return answer


def _machine(juju: model.Model, machine: model.Machine) -> wire.Json:
    number = int(machine.id.rpartition('/')[2])
    now = juju.clock.now()
    agent = _detailed(model.Status('started', '', now), _life(juju, machine.life), juju.version)
    instance = _detailed(model.Status('running', 'Deployed', now))
    if juju.juju4:
        agent['version'] = ''
        instance |= {'since': None, 'life': machine.life}
    return {
        'id': machine.id,
        'instance-id': machine.instance_id,
        'display-name': '',
        'hostname': machine.hostname,
        'dns-name': machine.address,
        'ip-addresses': [machine.address],
        'base': track(juju),
        'network-interfaces': {
            'eth0': {
                'ip-addresses': [f'{machine.address}/24'],
                'mac-address': f'00:16:3e:00:00:{number % 256:02x}',
                'gateway': machine.address.rpartition('.')[0] + '.1',
                'space': 'alpha',
                'is-up': True,
            }
        },
        'agent-status': agent,
        'instance-status': instance,
        'modification-status': _NOT_SET
        if juju.juju4
        else _detailed(model.Status('idle', '', now)),
        'containers': {
            container.id: _machine(juju, container)
            for container in juju.machines.values()
            if container.host == machine.id
        },
        'constraints': 'arch=amd64',
        'hardware': 'arch=amd64',
        'jobs': ['JobHostUnits', 'JobManageModel'] if machine.controller else ['JobHostUnits'],
        'has-vote': machine.controller,
        'wants-vote': False,
    }


def _application(juju: model.Model, app: model.Application, shown: Collection[str]) -> wire.Json:
    answer: wire.Json = {
        'charm': app.charm.url,
        'charm-version': '',
        'charm-profile': '',
        'base': BASE,
        'exposed': False,
        'life': _life(juju, app.life),
        'relations': _related(juju, app) or None,
        'can-upgrade-to': '',
        'subordinate-to': sorted(
            {unit.principal.application.name for unit in app.units.values() if unit.principal}
        ),
        'units': {
            name: _unit(juju, unit)
            for name, unit in app.units.items()
            if name in shown and unit.principal is None
        }
        or None,
        'status': _detailed(juju.application_status(app)),
        'workload-version': workload_version(app),
        'endpoint-bindings': bindings(juju, app),
        'public-address': '',
    }
    if juju.juju4:
        answer['status']['data'] = None
    # Go leaves out what is empty or zero here: a local charm, and revision 0.
    if app.charm.channel:
        answer['charm-channel'] = app.charm.channel
    if app.charm.revision:
        answer['charm-rev'] = app.charm.revision
    if not juju.juju4:
        answer['meter-statuses'] = None
    return answer


def workload_version(app: model.Application) -> str:
    """Return the version that a unit reported last, as far as the application shows it."""
    versions = (unit.workload_version for unit in app.units.values() if unit.workload_version)
    return app.workload_version or next(versions, '')


def _related(juju: model.Model, app: model.Application) -> dict[str, list[str]]:
    related: dict[str, list[str]] = {}
    for relation in juju.relations.values():
        if app.name in relation.endpoints:
            endpoint = relation.endpoints[app.name].name
            related.setdefault(endpoint, []).append(relation.other(app.name))
    return related


def shown_workload(juju: model.Model, unit: model.Unit) -> model.Status:
    """Return the workload status that is shown: nobody knows it when the agent is lost."""
    if unit.agent.current != 'lost' or unit.workload.current in _KNOWN_WITHOUT_AGENT:
        return unit.workload
    text = f"agent lost, see 'juju show-status-log {unit.name}'"
    if juju.juju4:
        text = 'agent lost, see `juju debug-logs` or `juju show-status-log` for more information'
    return model.Status('unknown', text, unit.workload.since)


def _unit(juju: model.Model, unit: model.Unit) -> wire.Json:
    agent = _detailed(unit.agent, _life(juju, unit.life), juju.version)
    if unit.agent.current == 'lost':
        agent['info'] = 'agent is not communicating with the server'
    answer: wire.Json = {
        'machine': unit.machine.id,
        'workload-status': _detailed(shown_workload(juju, unit)),
        'agent-status': agent,
        'workload-version': unit.workload_version,
        # Nothing opens a port here; Go writes a list without elements as null.
        'opened-ports': None,
        'public-address': unit.machine.address,
        'charm': '',
        'subordinates': {
            other.name: _unit(juju, other)
            for other in juju.units.values()
            if other.principal is unit
        }
        or None,
    }
    if unit.leader:
        answer['leader'] = True
    return answer


def _consumed(juju: model.Model, name: str, remote: model.Consumed) -> wire.Json:
    return {
        'offer-url': remote.url,
        'offer-name': remote.url.rpartition('.')[2],
        'endpoints': [_remote_endpoint(endpoint) for endpoint in remote.endpoints],
        'life': _life(juju, 'alive'),
        'relations': {
            end.name: [relation.other(name)]
            for relation in juju.relations.values()
            for app, end in relation.endpoints.items()
            if app == name
        },
        'status': _detailed(model.Status('active', '', juju.clock.now())),
    }


def _offer(juju: model.Model, offer: model.Offer) -> wire.Json:
    charm = juju.application(offer.application).charm
    return {
        'offer-name': offer.name,
        'application-name': offer.application,
        'charm': charm.url,
        'endpoints': {name: _remote_endpoint(charm.endpoint(name)) for name in offer.endpoints},
        'active-connected-count': offer.connections,
        'total-connected-count': offer.connections,
    }


def _remote_endpoint(endpoint: model.Endpoint) -> wire.Json:
    return {
        'name': endpoint.name,
        'role': endpoint.role,
        'interface': endpoint.interface,
        'limit': endpoint.limit,
    }


def _relation(juju: model.Model, relation: model.Relation) -> wire.Json:
    ends = list(relation.endpoints.items())
    return {
        'id': relation.id,
        'key': relation.key,
        'interface': ends[0][1].interface,
        'scope': 'global',
        'endpoints': [
            {'application': app, 'name': end.name, 'role': end.role, 'subordinate': False}
            for app, end in ends
        ],
        'status': {
            'status': 'joined',
            'info': '',
            'data': {},
            'since': wire.timestamp(relation.created or juju.clock.now()),
            'kind': '',
            'version': '',
            'life': '',
        },
    }
