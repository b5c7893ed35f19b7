"""postgresql, 16/stable: a cluster of one primary and its replicas, and who may do what."""

from __future__ import annotations

import json

from rehearsal import clock, model
from rehearsal.standins import (
    behaviour,
    host,
    patroni,
    postgresql_backups,
    postgresql_restore,
    s3_parameters,
    stand_in,
    system_users,
)

PEERS = system_users.PEERS
DATABASE = 'database'
IMAGES = 'rehearsal-images'
"""Field of the relation `database` in which a client sees what it would read in the database."""
PORT = 5432
_LAST_HOOKS = ('stop', 'remove')


class Postgresql:
    """One application of PostgreSQL."""

    peers = PEERS

    def __init__(self, switches: behaviour.PostgresqlBehaviour | None = None):
        self.behaviour = switches or behaviour.PostgresqlBehaviour()
        self.backups = postgresql_backups.Backups(self.behaviour)
        self.users = system_users.SystemUsers(self.behaviour)
        self.restores = postgresql_restore.Restores(self.behaviour, self.users, self.backups)
        self._actions: dict[str, stand_in.Action] = {
            'get-primary': self._get_primary,
            'create-backup': self.backups.create,
            'list-backups': self.backups.list,
            'restore': self.restores.start,
        }
        self._hooks: dict[str, stand_in.Hook] = {
            'install': self._install,
            'start': self._start,
            's3-parameters-relation-created': self._request_s3,
            's3-parameters-relation-broken': self.backups.forget,
        }
        self.charm = _charm()

    def hook(self, here: host.Host, name: str) -> clock.Work:
        yield self.behaviour.hook
        if name in _LAST_HOOKS or name.endswith('storage-detaching'):
            if name == 'stop':
                here.own['member'] = 'stopped'
            return
        if name in self._hooks:
            yield from self._hooks[name](here)
        if here.own.get('started'):
            yield from self._settle(here, name)

    def action(self, here: host.Host, name: str) -> clock.Work:
        yield from stand_in.run_action(self._actions, here, name, self.behaviour)

    def _install(self, here: host.Host) -> clock.Work:
        here.set_status('maintenance', 'installing PostgreSQL')
        yield self.behaviour.install
        here.set_status('waiting', 'waiting to start PostgreSQL')

    def _start(self, here: host.Host) -> clock.Work:
        here.set_workload_version(self.behaviour.version)
        here.set_unit_secret(f'{PEERS}.{here.application}.unit', {'internal-cert': 'certificate'})
        here.own.update(
            {'started': True, 'address': here.address, 'version': self.behaviour.version}
        )
        yield from ()

    def _request_s3(self, here: host.Host) -> clock.Work:
        s3_parameters.request(here)
        yield from ()

    def _settle(self, here: host.Host, hook: str) -> clock.Work:
        """Do whatever the world asks of this unit now; each hook of the charm comes by here."""
        if here.is_leader():
            self.users.generate(here)
        yield from self.restores.follow(here, hook)
        if 'restoring-backup' in here.shared:
            self.users.follow(here, hook)
            self.restores.show(here)
            return
        yield from self._join(here)
        timeline = here.shared.get('timeline')
        yield from patroni.follow(here, self.behaviour)
        if here.shared.get('timeline') != timeline and timeline is not None:
            yield from self.backups.begin_timeline(here)
        if here.is_leader() and patroni.primary(here, self.behaviour):
            self._publish_database(here)
            yield from self.backups.initialise(here)
        self.users.follow(here, hook)
        self._show_status(here)

    def _join(self, here: host.Host) -> clock.Work:
        """Become a member. One that joins a blocked cluster is blocked too, and stays it."""
        was = here.own.get('member')
        yield from patroni.join(here, self.behaviour)
        joined = here.own.get('member') == patroni.RUNNING != was
        another = here.shared.get('s3-block') == postgresql_backups.ANOTHER_CLUSTER
        if joined and another and not here.is_leader():
            here.own['s3-block'] = postgresql_backups.ANOTHER_CLUSTER

    def _publish_database(self, here: host.Host) -> None:
        """Tell the database's clients where the primary is, and how to log in."""
        states = here.states()
        primary = here.shared['primary']
        endpoint = f'{states[primary]["address"]}:{PORT}' if primary in states else ''
        replicas = [name for name in patroni.running(here) if name != primary]
        others = ','.join(f'{states[name]["address"]}:{PORT}' for name in replicas)
        for relation in here.relations(DATABASE):
            if 'database' not in relation.remote or not endpoint:
                continue
            label = f'{DATABASE}.{relation.id}.user.secret'
            user = f'relation-{relation.id}'
            word = system_users.password(here, user)
            uri = here.set_secret(label, {'username': user, 'password': word})
            here.grant_secret(label, relation)
            relation.update(
                {
                    'database': relation.remote['database'],
                    'endpoints': endpoint,
                    'read-only-endpoints': others or endpoint,
                    'secret-user': uri,
                    'version': self.behaviour.version,
                    IMAGES: json.dumps(here.shared.get('database', {}).get('images', [])),
                }
            )

    def _show_status(self, here: host.Host) -> None:
        blocked = (
            self.behaviour.blocked
            or here.own.get('users-block', '')
            or here.own.get('s3-block', '')
        )
        if here.is_leader():
            blocked = blocked or here.shared.get('s3-block', '')
        if blocked:
            here.set_status('blocked', blocked)
        elif here.own.get('member') != patroni.RUNNING:
            here.set_status(*_waiting(here))
        elif here.shared.get('primary') == here.unit and not self.behaviour.no_primary:
            here.set_status('active', f'Primary{patroni.hint(here)}')
        else:
            here.set_status('active')

    def _get_primary(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        primary = patroni.primary(here, self.behaviour)
        if primary:
            here.results['primary'] = primary
        yield from ()


def _waiting(here: host.Host) -> tuple[str, str]:
    for_whom = 'member' if 'primary' in here.shared else 'cluster'
    return 'waiting', f'awaiting for {for_whom} to start'


def _charm() -> model.CharmSpec:
    kinds = {'type': {'type': 'string', 'description': 'full, differential or incremental'}}
    from_what = {
        'backup-id': {'type': 'string', 'description': 'which backup of list-backups'},
        'restore-to-time': {'type': 'string', 'description': 'a point in time, as psql writes it'},
    }
    return model.CharmSpec(
        'postgresql',
        endpoints=(
            model.Endpoint(PEERS, 'peer', 'postgresql_peers'),
            model.Endpoint(DATABASE, 'provider', 'postgresql_client'),
            model.Endpoint(s3_parameters.ENDPOINT, 'requirer', 's3', limit=1),
        ),
        options={
            system_users.OPTION: model.Option('secret'),
            'profile': model.Option('string', 'production'),
        },
        actions={
            'get-primary': model.ActionSpec('get-primary', 'Get the primary unit.'),
            'create-backup': model.ActionSpec('create-backup', 'Create a backup in S3.', kinds),
            'list-backups': model.ActionSpec('list-backups', 'List the backups in S3.'),
            'restore': model.ActionSpec('restore', 'Restore a backup from S3.', from_what),
        },
        storage=('archive', 'data', 'logs', 'temp'),
        channel='16/stable',
        revision=843,
    )
