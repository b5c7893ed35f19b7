"""postgresql, 16/stable: a cluster of one primary and its replicas, and who may do what."""

from __future__ import annotations

import functools

from rehearsal import clock, model
from rehearsal.standins import (
    behaviour,
    body,
    host,
    modelled,
    patroni,
    postgresql_backups,
    postgresql_restore,
    s3_parameters,
    stand_in,
    system_users,
)

PEERS = system_users.PEERS
DATABASE = 'database'
_LAST_HOOKS = ('stop', 'remove')


class Postgresql:
    """One application of PostgreSQL: a charm's rules, above what `body` is for its servers."""

    peers = PEERS

    def __init__(
        self,
        switches: behaviour.PostgresqlBehaviour | None = None,
        below: body.Body | None = None,
    ):
        self.behaviour = switches or behaviour.PostgresqlBehaviour()
        self._body = below or modelled.Modelled(self.behaviour)
        self.backups = postgresql_backups.Backups(self.behaviour, self._body)
        self.users = system_users.SystemUsers(self.behaviour, self._body)
        self.restores = postgresql_restore.Restores(
            self.behaviour, self.users, self.backups, self._body
        )
        self._actions: dict[str, stand_in.Action] = {
            'get-primary': self._get_primary,
            'create-backup': self.backups.create,
            'list-backups': self.backups.list,
            'restore': self.restores.start,
            'promote-to-primary': self._promote_to_primary,
        }
        self._hooks: dict[str, stand_in.Hook] = {
            'install': self._install,
            'start': self._start,
            's3-parameters-relation-created': self._request_s3,
            's3-parameters-relation-broken': self.backups.forget,
        }
        self.charm = _charm(self.behaviour.track)

    def hook(self, here: host.Host, name: str) -> clock.Work:
        yield self.behaviour.hook
        if name in _LAST_HOOKS or name.endswith('storage-detaching'):
            if name == 'stop':
                yield self.behaviour.leave
                here.own['member'] = 'stopped'
                yield functools.partial(self._body.leave, here)
            return
        if name in self._hooks:
            yield from self._hooks[name](here)
        if here.own.get('started'):
            yield from self._settle(here, name)

    def action(self, here: host.Host, name: str) -> clock.Work:
        yield from stand_in.run_action(self._actions, here, name, self.behaviour)

    def removed(self, model_uuid: str, unit: str) -> None:
        self._body.removed(model_uuid, unit)

    def _install(self, here: host.Host) -> clock.Work:
        here.set_status('maintenance', 'installing PostgreSQL')
        yield self.behaviour.install
        here.set_status('waiting', 'waiting to start PostgreSQL')

    def _start(self, here: host.Host) -> clock.Work:
        here.set_workload_version(self.behaviour.version)
        here.set_unit_secret(f'{PEERS}.{here.application}.unit', {'internal-cert': 'certificate'})
        here.own.update(
            {
                'started': True,
                'endpoint': self._body.endpoint(here),
                'version': self.behaviour.version,
            }
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
            yield from self.users.follow(here, hook)
            self.restores.show(here)
            return
        yield from self._join(here)
        timeline = here.shared.get('timeline')
        yield from patroni.follow(here, self.behaviour, self._body)
        yield from self._follow(here)
        if here.shared.get('timeline') != timeline and timeline is not None:
            yield from self.backups.begin_timeline(here)
        if here.is_leader() and patroni.primary(here, self.behaviour):
            yield from self._publish_database(here)
            yield from self.backups.initialise(here)
        yield from self.users.follow(here, hook)
        self._show_status(here)

    def _join(self, here: host.Host) -> clock.Work:
        """Become a member. One that joins a blocked cluster is blocked too, and stays it."""
        was = here.own.get('member')
        passwords = self.users.passwords(here)
        yield from patroni.join(here, self.behaviour, self._body, passwords)
        joined = here.own.get('member') == patroni.RUNNING != was
        another = here.shared.get('s3-block') == postgresql_backups.ANOTHER_CLUSTER
        if joined and another and not here.is_leader():
            here.own['s3-block'] = postgresql_backups.ANOTHER_CLUSTER

    def _follow(self, here: host.Host) -> clock.Work:
        """Have this unit's server know the primary, and where its WAL goes."""
        if here.own.get('member') == patroni.RUNNING:
            fields = s3_parameters.connection(here)
            yield functools.partial(self._body.follow, here, fields, self.users.passwords(here))

    def _publish_database(self, here: host.Host) -> clock.Work:
        """Tell the database's clients where the primary is, and how to log in."""
        states = here.states()
        primary = here.shared['primary']
        endpoint = states[primary]['endpoint'] if primary in states else ''
        replicas = [name for name in patroni.running(here) if name != primary]
        others = ','.join(states[name]['endpoint'] for name in replicas)
        clients = [
            (relation, f'relation-{relation.id}')
            for relation in here.relations(DATABASE)
            if 'database' in relation.remote and endpoint
        ]
        let_in = {
            user: {
                'database': relation.remote['database'],
                'password': system_users.password(here, user),
            }
            for relation, user in clients
        }
        yield functools.partial(self._body.admit, here, let_in)
        for relation, user in clients:
            label = f'{DATABASE}.{relation.id}.user.secret'
            word = let_in[user]['password']
            uri = here.set_secret(label, {'username': user, 'password': word})
            here.grant_secret(label, relation)
            relation.update(
                {
                    'database': relation.remote['database'],
                    'endpoints': endpoint,
                    'read-only-endpoints': others or endpoint,
                    'secret-user': uri,
                    'version': self.behaviour.version,
                    **self._body.published(here),
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
        primary = yield from patroni.ask_primary(here, self.behaviour, self._body)
        if primary:
            here.results['primary'] = primary

    def _promote_to_primary(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        if here.parameters.get('scope') != 'unit' or not here.parameters.get('force'):
            raise host.ActionError('only scope=unit force=true is rehearsed')
        if not here.shared.get('quorum-lost'):
            raise host.ActionError('Raft is not stuck')
        patroni.forget_the_lost(here)
        yield from self._settle(here, '')


def _waiting(here: host.Host) -> tuple[str, str]:
    for_whom = 'member' if 'primary' in here.shared else 'cluster'
    return 'waiting', f'awaiting for {for_whom} to start'


def _charm(track: str) -> model.CharmSpec:
    kinds = {'type': {'type': 'string', 'description': 'full, differential or incremental'}}
    from_what = {
        'backup-id': {'type': 'string', 'description': 'which backup of list-backups'},
        'restore-to-time': {'type': 'string', 'description': 'a point in time, as psql writes it'},
    }
    promoted = {
        'scope': {'type': 'string', 'description': 'unit or cluster'},
        'force': {'type': 'boolean', 'description': 'even without a quorum'},
    }
    return model.CharmSpec(
        'postgresql',
        endpoints=(
            model.Endpoint(PEERS, 'peer', 'postgresql_peers'),
            model.Endpoint(DATABASE, 'provider', 'postgresql_client'),
            model.Endpoint(s3_parameters.ENDPOINT, 'requirer', 's3', limit=1),
        ),
        options={
            **({} if track == '14' else {system_users.OPTION: model.Option('secret')}),
            'profile': model.Option('string', 'production'),
        },
        actions={
            'get-primary': model.ActionSpec('get-primary', 'Get the primary unit.'),
            'create-backup': model.ActionSpec('create-backup', 'Create a backup in S3.', kinds),
            'list-backups': model.ActionSpec('list-backups', 'List the backups in S3.'),
            'restore': model.ActionSpec('restore', 'Restore a backup from S3.', from_what),
            'promote-to-primary': model.ActionSpec(
                'promote-to-primary', 'Make this unit the primary.', promoted
            ),
        },
        storage=('archive', 'data', 'logs', 'temp'),
        channel=f'{track}/stable',
        revision=843,
    )
