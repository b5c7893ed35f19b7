"""The model as AllWatcher tells it: entities, and what has changed of them since last time.

python-libjuju builds its whole view of a model from these.
"""

from __future__ import annotations

from collections.abc import Iterator

from rehearsal import model
from rehearsal.controller import application, status, wire

_Key = tuple[str, str]
"""Kind of entity and its id."""


class Following:
    """What one client has been told of the model."""

    def __init__(self, juju: model.Model, controller_uuid: str):
        self._model = juju
        self._controller_uuid = controller_uuid
        self._told: dict[_Key, wire.Json] = {}

    def news(self) -> wire.Json | None:
        """Return the changes since the last deltas; None if there are none."""
        now = dict(self._entities())
        told = self._told
        changed = [[key[0], 'change', now[key]] for key in now if told.get(key) != now[key]]
        gone = [[key[0], 'remove', told[key]] for key in told if key not in now]
        self._told = now
        return {'deltas': changed + gone} if changed or gone else None

    def _entities(self) -> Iterator[tuple[_Key, wire.Json]]:
        juju = self._model
        yield ('model', juju.uuid), self._describe_model()
        for machine in juju.machines.values():
            yield ('machine', machine.id), self._describe_machine(machine)
        for app in juju.applications.values():
            yield ('application', app.name), self._describe_application(app)
            for unit in app.units.values():
                yield ('unit', unit.name), self._describe_unit(unit)
        for relation in juju.relations.values():
            yield ('relation', str(relation.id)), self._describe_relation(relation)
        for task in juju.tasks.values():
            yield ('action', str(task.id)), self._describe_task(task)

    def _describe_model(self) -> wire.Json:
        juju = self._model
        return {
            'model-uuid': juju.uuid,
            'name': juju.name,
            'life': 'alive',
            'owner': 'admin',
            'controller-uuid': self._controller_uuid,
            'is-controller': False,
            'config': dict(juju.config),
            'status': _state('available'),
            'constraints': {},
            'sla': {'level': 'unsupported', 'owner': ''},
        }

    def _describe_machine(self, machine: model.Machine) -> wire.Json:
        return {
            'model-uuid': self._model.uuid,
            'id': machine.id,
            'instance-id': machine.instance_id,
            'agent-status': _state('started', version=self._model.version),
            'instance-status': _state('running', 'Deployed'),
            'life': machine.life,
            'hostname': machine.hostname,
            'base': 'ubuntu@24.04',
            'addresses': [{'value': machine.address, 'type': 'ipv4', 'scope': 'local-cloud'}],
            'jobs': ['JobHostUnits'],
            'has-vote': False,
            'wants-vote': False,
        }

    def _describe_application(self, app: model.Application) -> wire.Json:
        return {
            'model-uuid': self._model.uuid,
            'name': app.name,
            'exposed': False,
            'charm-url': app.charm.url,
            'owner-tag': 'user-admin',
            'life': app.life,
            'min-units': 0,
            'constraints': {},
            'subordinate': False,
            'status': _shown(self._model.application_status(app)),
            'workload-version': status.workload_version(app),
        }

    def _describe_unit(self, unit: model.Unit) -> wire.Json:
        return {
            'model-uuid': self._model.uuid,
            'name': unit.name,
            'application': unit.application.name,
            'charm-url': unit.application.charm.url,
            'base': 'ubuntu@24.04',
            'life': unit.life,
            'public-address': unit.machine.address,
            'private-address': unit.machine.address,
            'machine-id': unit.machine.id,
            'principal': unit.principal.name if unit.principal else '',
            'subordinate': unit.principal is not None,
            'workload-status': _shown(unit.workload),
            'agent-status': _shown(unit.agent),
        }

    def _describe_relation(self, relation: model.Relation) -> wire.Json:
        return {
            'model-uuid': self._model.uuid,
            'key': relation.key,
            'id': relation.id,
            'endpoints': [
                {'application-name': app, 'relation': application.describe_endpoint(endpoint)}
                for app, endpoint in relation.endpoints.items()
            ],
        }

    def _describe_task(self, task: model.Task) -> wire.Json:
        return {
            'model-uuid': self._model.uuid,
            'id': str(task.id),
            'receiver': task.unit,
            'name': task.name,
            'status': task.status,
            'message': task.message,
            'enqueued': wire.timestamp(task.enqueued),
            'started': wire.timestamp(task.started),
            'completed': wire.timestamp(task.completed),
        }


def _shown(value: model.Status) -> wire.Json:
    return _state(value.current, value.message) | {'since': wire.timestamp(value.since)}


def _state(current: str, message: str = '', version: str = '') -> wire.Json:
    return {'current': current, 'message': message, 'since': wire.ZERO_TIME, 'version': version}
