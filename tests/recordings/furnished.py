"""A model that is as the recorded one was: its applications, units, relations and secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal import clock, model
from tests.recordings import calls

Json = dict[str, Any]

_LISTED = 'Storage bucket name: postgresql-backups\n'

_ENDPOINTS = {
    'maas-backup-coordinator': (
        model.Endpoint('coordinator', 'peer', 'maas_backup_coordinator_peers'),
        model.Endpoint('maas-region', 'requirer', 'juju-info'),
        model.Endpoint('postgresql', 'requirer', 'juju-info'),
        model.Endpoint('s3-maas', 'requirer', 's3'),
        model.Endpoint('s3-postgresql', 'requirer', 's3'),
    ),
    'maas-region': (
        model.Endpoint('maas-cluster', 'peer', 'maas_peers'),
        model.Endpoint('maas-db', 'requirer', 'postgresql_client'),
        model.Endpoint('s3-parameters', 'requirer', 's3', limit=1),
    ),
    'postgresql': (
        model.Endpoint('database-peers', 'peer', 'postgresql_peers'),
        model.Endpoint('database', 'provider', 'postgresql_client'),
        model.Endpoint('s3-parameters', 'requirer', 's3', limit=1),
    ),
    's3-integrator': (
        model.Endpoint('s3-integrator-peers', 'peer', 's3-integrator-peers'),
        model.Endpoint('s3-credentials', 'provider', 's3'),
    ),
}
_ACTIONS = {
    'maas-backup-coordinator': model.ActionSpec(
        'show-operation', params={'earlier': {'type': 'boolean', 'default': False}}
    ),
    'postgresql': model.ActionSpec('list-backups'),
}
_VERSIONS = {'maas-region': '3.6.1', 'postgresql': '16.9'}
_RELATIONS = (
    ('maas-region:maas-db', 'postgresql:database'),
    ('maas-region:s3-parameters', 's3-integrator-maas:s3-credentials'),
    ('postgresql:s3-parameters', 's3-integrator-postgresql:s3-credentials'),
    ('maas-backup-coordinator:maas-region', 'maas-region:juju-info'),
    ('maas-backup-coordinator:postgresql', 'postgresql:juju-info'),
    ('maas-backup-coordinator:s3-maas', 's3-integrator-maas:s3-credentials'),
    ('maas-backup-coordinator:s3-postgresql', 's3-integrator-postgresql:s3-credentials'),
)
_USERS = ('monitoring', 'operator', 'patroni', 'raft', 'replication', 'rewind')


class Agent:
    """Settles at once. What PostgreSQL's first unit is to run waits until it is released."""

    def __init__(self, juju: model.Model):
        self._juju = juju
        self.released = False

    def run(self, unit: model.Unit, event: model.Event) -> clock.Work:
        while event.kind is model.Kind.EXEC and not self.released:
            yield 0.01
        if event.task is not None:
            event.task.output = {'backups': _LISTED, 'return-code': 0}
        elif event.name == 'start':
            unit.workload_version = _VERSIONS.get(unit.application.name, '')
            if unit.application.name == calls.COORDINATOR:
                self._juju.set_status(unit, 'maintenance', 'backup-all')
            else:
                self._juju.set_status(
                    unit, 'active', 'Primary' if unit.name == 'postgresql/2' else ''
                )

    def kill(self, unit: model.Unit) -> None:
        pass

    def removed(self, unit: model.Unit) -> None:
        pass


def furnish(juju: model.Model, agent: Agent, recorded: Sequence[Json]) -> None:
    """Deploy and relate everything."""
    juju.users['admin'] = model.User('admin', 'admin-password', 'admin', 'superuser')
    answers = {entry['name']: entry['answer'].get('response', {}) for entry in recorded}
    options = {
        's3-integrator': answers['Get pg']['config'],
        calls.COORDINATOR: answers['Get ok']['config'],
    }
    for name, charm, revision, units in (
        ('maas-region', 'maas-region', 0, 1),
        ('postgresql', 'postgresql', 0, 3),
        ('s3-integrator-maas', 's3-integrator', 0, 1),
        ('s3-integrator-postgresql', 's3-integrator', 1, 1),
        (calls.COORDINATOR, calls.COORDINATOR, 0, 3),
    ):
        spec = _charm(charm, revision, options.get(charm, {}))
        config = {key: o['value'] for key, o in options.get(charm, {}).items()
                  if o['source'] == 'user'}  # fmt: skip
        juju.deploy(name, spec, agent, units, config, persistent_storage=False)
    juju.set_leader('postgresql/2')
    juju.set_leader(f'{calls.COORDINATOR}/2')
    for one, other in _RELATIONS:
        juju.integrate(one, other)
    _add_secrets(juju)


def settle(juju: model.Model) -> None:
    """Leave the units as they were found: the leading coordinator is at work."""
    leader = juju.unit(f'{calls.COORDINATOR}/2')
    juju.set_agent_status(leader, 'executing', 'running commands')


def keep_busy(juju: model.Model) -> None:
    """Let the first unit of postgresql run nothing else until its agent is released."""
    juju.queue(juju.unit('postgresql/0'), model.Event(model.Kind.EXEC, 'true'))


def _charm(name: str, revision: int, options: Mapping[str, Json]) -> model.CharmSpec:
    action = _ACTIONS.get(name)
    return model.CharmSpec(
        name,
        endpoints=_ENDPOINTS[name],
        options={key: model.Option(o['type'], o.get('default'), o['description'])
                 for key, o in options.items()},
        actions={action.name: action} if action else {},
        storage=('archive', 'data', 'logs', 'temp') if name == 'postgresql' else (),
        revision=revision,
    )  # fmt: skip


def _add_secrets(juju: model.Model) -> None:
    content = {f'{user}-password': f'example-{user}-password' for user in _USERS}
    juju.add_secret('application-postgresql', content, calls.LABEL)
    juju.add_secret('application-maas-region', content, 'maas-admin')
    for unit in juju.application('postgresql').units.values():
        juju.add_secret(unit.tag, content, 'database-peers.postgresql.unit')
    user = juju.add_secret('application-postgresql', content, 'database.4.user.secret')
    user.grants.add('maas-region')
    login = juju.add_secret(f'model-{juju.uuid}', content, 'coordinator-login')
    login.grants.add(calls.COORDINATOR)
