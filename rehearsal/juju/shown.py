"""What the commands show: as JSON, for programs, in the shape of the real command; as text."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any

import yaml

from coordinator import plain
from coordinator.report.tables import table
from rehearsal import model

CONTROLLER = 'rehearsal'
CLOUD = 'maas'
Json = dict[str, Any]


def written(as_json: bool, content: object) -> str:
    """Write content as JSON, or for people as YAML."""
    if as_json:
        return json.dumps(content) + '\n'
    return yaml.safe_dump(content, sort_keys=False) if content else ''


def when(at: datetime.datetime) -> str:
    """Return a time as `juju status --utc` shows it."""
    return f'{at:%Y-%m-%dT%H:%M:%SZ}'


def results_text(results: Mapping[str, Any]) -> str:
    """Return an action's results as `juju run` lays them out."""
    return '\n'.join(
        f'{key}: |-\n{_indented(value)}' if '\n' in str(value) else f'{key}: {value}'
        for key, value in results.items()
        if key != 'return-code'
    )


def _indented(text: str) -> str:
    return '\n'.join(f'  {line}'.rstrip() for line in text.splitlines())


def task(found: model.Task) -> Json:
    """Return a task as `juju run --format json` shows it."""
    answer: Json = {
        'id': str(found.id),
        'status': found.status,
        'unit': found.unit,
        'timing': {
            name: f'{at:%Y-%m-%d %H:%M:%S +0000 UTC}'
            for name, at in (
                ('enqueued', found.enqueued),
                ('started', found.started),
                ('completed', found.completed),
            )
            if at is not None
        },
        'results': found.output,
    }
    if found.message:
        answer['message'] = found.message
    if found.log:
        answer['log'] = [f'{at:%Y-%m-%d %H:%M:%S +0000 UTC} {text}' for at, text in found.log]
    return answer


def status_text(juju: model.Model) -> str:
    """Return a model as `juju status` lays it out."""
    apps = sorted(juju.applications.values(), key=lambda app: app.name)
    rows = [
        (
            app.name,
            app.workload_version,
            juju.application_status(app).current,
            str(len(app.units)),
            app.charm.name,
            app.charm.channel,
            str(app.charm.revision),
            plain.one_line(juju.application_status(app).message, 100),
        )
        for app in apps
    ]
    units = [
        (
            unit.name + ('*' if unit.leader else ''),
            unit.workload.current if unit.life == 'alive' else 'terminating',
            unit.agent.current,
            unit.machine.id,
            plain.one_line(unit.workload.message, 160),
        )
        for app in apps
        for unit in sorted(app.units.values(), key=lambda unit: unit.number)
    ]
    parts = [
        f'Model {juju.name}, Juju {juju.version}, {len(juju.machines)} machines',
        table(('App', 'Version', 'Status', 'Scale', 'Charm', 'Channel', 'Rev', 'Message'), rows),
        table(('Unit', 'Workload', 'Agent', 'Machine', 'Message'), units),
    ]
    return '\n\n'.join(parts)


def status(juju: model.Model) -> Json:
    """Return a model as `juju status --format json` shows it."""
    now = when(juju.clock.now())
    return {
        'model': {
            'name': juju.name,
            'type': 'iaas',
            'controller': CONTROLLER,
            'cloud': CLOUD,
            'version': juju.version,
            'model-status': {'current': 'available', 'since': now},
        },
        'machines': {machine.id: _machine(machine, now) for machine in juju.machines.values()},
        'applications': {name: _application(juju, app) for name, app in juju.applications.items()},
        'storage': storage(juju),
        'controller': {'timestamp': f'{juju.clock.now():%H:%M:%SZ}'},
    }


def _machine(machine: model.Machine, now: str) -> Json:
    return {
        'juju-status': {'current': 'started', 'since': now, 'version': ''},
        'hostname': machine.hostname,
        'dns-name': machine.address,
        'ip-addresses': [machine.address],
        'instance-id': machine.instance_id,
        'machine-status': {'current': 'running', 'since': now},
        'base': {'name': 'ubuntu', 'channel': '24.04'},
    }


def _status(found: model.Status) -> Json:
    message = {'message': found.message} if found.message else {}
    return {'current': found.current, **message, 'since': when(found.since)}


def _application(juju: model.Model, app: model.Application) -> Json:
    answer: Json = {
        'charm': app.charm.name,
        'base': {'name': 'ubuntu', 'channel': '24.04'},
        'charm-origin': 'charmhub' if app.charm.channel else 'local',
        'charm-name': app.charm.name,
        'charm-rev': app.charm.revision,
        'exposed': False,
        'application-status': _status(juju.application_status(app)),
    }
    if app.life != 'alive':
        answer['life'] = app.life
    if app.workload_version:
        answer['version'] = app.workload_version
    relations: dict[str, list[Json]] = {}
    for relation in juju.relations.values():
        if app.name in relation.endpoints:
            end = relation.endpoints[app.name]
            other = relation.other(app.name)
            related = {
                'related-application': other,
                'interface': end.interface,
                'scope': 'global',
            }
            relations.setdefault(end.name, []).append(related)
    if relations:
        answer['relations'] = relations
    if app.units:
        answer['units'] = {name: _unit(juju, unit) for name, unit in app.units.items()}
    return answer


def _unit(juju: model.Model, unit: model.Unit) -> Json:
    agent = _status(unit.agent) | {'version': juju.version}
    if unit.life != 'alive':
        agent['life'] = unit.life
    return {
        'workload-status': _status(unit.workload),
        'juju-status': agent,
        **({'leader': True} if unit.leader else {}),
        'machine': unit.machine.id,
        'public-address': unit.machine.address,
    }


def unit(juju: model.Model, found: model.Unit) -> Json:
    """Return a unit as `juju show-unit --format json` shows it."""
    app = found.application.name
    return {
        'workload-version': found.workload_version,
        'machine': found.machine.id,
        'opened-ports': [],
        'public-address': found.machine.address,
        'charm': found.application.charm.url,
        'leader': found.leader,
        'life': found.life,
        'relation-info': [
            _relation(relation, app)
            for relation in juju.relations.values()
            if app in relation.endpoints
        ],
    }


def _relation(relation: model.Relation, app: str) -> Json:
    other = relation.other(app)
    return {
        'relation-id': relation.id,
        'endpoint': relation.endpoints[app].name,
        'related-endpoint': relation.endpoints[other].name,
        'application-data': relation.app_data[other],
        'related-units': {
            name: {'in-scope': name in relation.scope, 'data': data}
            for name, data in relation.unit_data.items()
            if name.partition('/')[0] == other
        },
    }


def storage(juju: model.Model) -> Json:
    """Return a model's storage as `juju storage --format json` shows it; {} without any."""
    found = {item.id: _storage(juju, item) for item in juju.storage.values()}
    return {'storage': found} if found else {}


def _storage(juju: model.Model, item: model.Storage) -> Json:
    current = 'attached' if item.owner else 'detached'
    answer: Json = {
        'kind': 'filesystem',
        'life': item.life,
        'status': {'current': current, 'since': when(item.created)},
        'persistent': item.persistent,
    }
    if item.owner:
        held = {'machine': juju.unit(item.owner).machine.id, 'location': f'/var/lib/{item.id}'}
        answer['attachments'] = {'units': {item.owner: {**held, 'life': item.life}}}
    return answer
