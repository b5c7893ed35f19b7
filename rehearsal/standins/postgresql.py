"""postgresql, 16/stable: a cluster of one primary and its replicas, and who may do what."""

from __future__ import annotations

import hashlib

from rehearsal import clock, model
from rehearsal.standins import (
    behaviour,
    host,
    patroni,
    postgresql_backups,
    s3_parameters,
    stand_in,
)

VERSION = '16.9'
PEERS = 'database-peers'
DATABASE = 'database'
PORT = 5432
SYSTEM_USERS = ('operator', 'replication', 'rewind', 'monitoring')
UNREACHABLE_PASSWORDS = 'Password update for system users failed.'
_OTHER_PASSWORDS = ('patroni', 'raft')
_LAST_HOOKS = ('stop', 'remove')


class Postgresql:
    """One application of PostgreSQL."""

    peers = PEERS

    def __init__(self, switches: behaviour.PostgresqlBehaviour | None = None):
        self.behaviour = switches or behaviour.PostgresqlBehaviour()
        self.backups = postgresql_backups.Backups(self.behaviour)
        self._actions: dict[str, stand_in.Action] = {
            'get-primary': self._get_primary,
            'create-backup': self.backups.create,
            'list-backups': self.backups.list,
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
            yield from self._settle(here)

    def action(self, here: host.Host, name: str) -> clock.Work:
        yield from stand_in.run_action(self._actions, here, name, self.behaviour)

    def _install(self, here: host.Host) -> clock.Work:
        here.set_status('maintenance', 'installing PostgreSQL')
        yield self.behaviour.install
        here.set_status('waiting', 'waiting to start PostgreSQL')

    def _start(self, here: host.Host) -> clock.Work:
        here.set_workload_version(VERSION)
        here.set_unit_secret(f'{PEERS}.{here.application}.unit', {'internal-cert': 'certificate'})
        here.own.update({'started': True, 'address': here.address})
        yield from ()

    def _request_s3(self, here: host.Host) -> clock.Work:
        s3_parameters.request(here)
        yield from ()

    def _settle(self, here: host.Host) -> clock.Work:
        """Do whatever the world asks of this unit now; each hook of the charm comes by here."""
        if here.is_leader():
            self._generate_passwords(here)
        yield from patroni.join(here, self.behaviour)
        timeline = here.shared.get('timeline')
        yield from patroni.follow(here, self.behaviour)
        if here.shared.get('timeline') != timeline and timeline is not None:
            yield from self.backups.begin_timeline(here)
        if here.is_leader() and patroni.primary(here, self.behaviour):
            self._publish_database(here)
            yield from self.backups.initialise(here)
        problem = self._apply_passwords(here)
        self._show_status(here, problem)

    def _generate_passwords(self, here: host.Host) -> None:
        label = f'{PEERS}.{here.application}.app'
        if here.secret(label) is None:
            users = (*self._system_users(), *_OTHER_PASSWORDS)
            here.set_secret(label, {f'{user}-password': _password(here, user) for user in users})

    def _system_users(self) -> tuple[str, ...]:
        return (*SYSTEM_USERS, 'backup') if self.behaviour.backup_user else SYSTEM_USERS

    def _apply_passwords(self, here: host.Host) -> str:
        """Take over the passwords of the secret in `system-users`; return what stands against."""
        uri = here.config.get('system-users', '')
        if not uri or not here.is_leader():
            return ''
        label = f'{PEERS}.{here.application}.app'
        known = dict(here.secret(label) or {})
        try:
            wanted = here.read_secret(uri)
        except (LookupError, PermissionError):
            return UNREACHABLE_PASSWORDS
        news = {f'{u}-password': p for u, p in wanted.items() if u in self._system_users()}
        if news.items() <= known.items():
            return ''
        if len(patroni.running(here)) < len(here.units()):
            raise host.HookError('not all members are healthy or have finished initial sync')
        here.set_secret(label, known | news)
        return ''

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
            uri = here.set_secret(label, {'username': user, 'password': _password(here, user)})
            here.grant_secret(label, relation)
            relation.update(
                {
                    'database': relation.remote['database'],
                    'endpoints': endpoint,
                    'read-only-endpoints': others or endpoint,
                    'secret-user': uri,
                    'version': VERSION,
                }
            )

    def _show_status(self, here: host.Host, problem: str) -> None:
        blocked = self.behaviour.blocked or problem
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


def _password(here: host.Host, user: str) -> str:
    """Return a password that looks random and is always the same for this model."""
    seed = f'{here.model_uuid} {here.application} {user}'
    return hashlib.sha256(seed.encode()).hexdigest()[:32]


def _charm() -> model.CharmSpec:
    kinds = {'type': {'type': 'string', 'description': 'full, differential or incremental'}}
    return model.CharmSpec(
        'postgresql',
        endpoints=(
            model.Endpoint(PEERS, 'peer', 'postgresql_peers'),
            model.Endpoint(DATABASE, 'provider', 'postgresql_client'),
            model.Endpoint(s3_parameters.ENDPOINT, 'requirer', 's3', limit=1),
        ),
        options={
            'system-users': model.Option('secret'),
            'profile': model.Option('string', 'production'),
        },
        actions={
            'get-primary': model.ActionSpec('get-primary', 'Get the primary unit.'),
            'create-backup': model.ActionSpec('create-backup', 'Create a backup in S3.', kinds),
            'list-backups': model.ActionSpec('list-backups', 'List the backups in S3.'),
        },
        storage=('archive', 'data', 'logs', 'temp'),
        channel='16/stable',
        revision=843,
    )
