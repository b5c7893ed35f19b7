"""maas-region: region controllers that live off one database and restart when it moves."""

from __future__ import annotations

import datetime
import functools
import hashlib
import json

from coordinator import errors
from rehearsal import clock, model
from rehearsal.standins import (
    behaviour,
    host,
    installation,
    maas_backups,
    maas_restore,
    modelled,
    s3_parameters,
    stand_in,
)

DATABASE = maas_restore.DATABASE
DATABASE_NAME = 'maas_region_db'
PEERS = 'maas-cluster'
ADMIN = 'maas-admin'
INITIALISING = 'Initializing the MAAS database'
_TELLS_STATUS = 337
"""The first revision with the action `get-maas-status`."""
_SERVICES = ('apiserver', 'bind9', 'http', 'ntp', 'proxy', 'rackd', 'regiond', 'temporal')


class MaasRegion:
    """One application of region controllers.

    A unit's state holds its `system-id`, `images`, `preseeds`, the database `endpoints` that it
    was initialised with, `restarts`: how often MAAS was (re-)initialised, `down-since` while MAAS
    is down after it was up, and `downtime`: how many seconds that was in sum.
    """

    peers = PEERS

    def __init__(
        self,
        switches: behaviour.MaasBehaviour | None = None,
        below: installation.Installation | None = None,
    ):
        self.behaviour = switches or behaviour.MaasBehaviour()
        self._installation = below or installation.Modelled()
        backups = maas_backups.Backups(self.behaviour, self._installation)
        restores = maas_restore.Restores(self.behaviour, self._installation, backups)
        self._actions: dict[str, stand_in.Action] = {
            'create-backup': backups.create,
            'list-backups': backups.list,
            'restore-backup': restores.restore,
            'get-api-endpoint': self._get_api_endpoint,
            'get-maas-status': self._get_maas_status,
        }
        self._hooks: dict[str, stand_in.Hook] = {
            'install': self._install,
            'start': self._start,
            'maas-db-relation-created': self._request_database,
            'maas-db-relation-changed': self._follow_database,
            'maas-db-relation-broken': self._lose_database,
            's3-parameters-relation-created': self._request_s3,
            's3-parameters-relation-changed': self._check_bucket,
            's3-parameters-relation-broken': self._forget_s3,
        }
        self.charm = _charm(self.behaviour.revision)

    def hook(self, here: host.Host, name: str) -> clock.Work:
        yield self.behaviour.hook
        if name in ('stop', 'remove'):
            return
        if name in self._hooks:
            yield from self._hooks[name](here)
        if here.own.get('system-id'):
            yield from self._take_turns(here)
            self._show_status(here)

    def action(self, here: host.Host, name: str) -> clock.Work:
        try:
            yield from stand_in.run_action(self._actions, here, name, self.behaviour)
        except host.Died:
            raise
        except Exception:
            self._show_status(here)
            raise
        self._show_status(here)

    def removed(self, model_uuid: str, unit: str) -> None:
        self._installation.removed(model_uuid, unit)

    def _install(self, here: host.Host) -> clock.Work:
        here.set_status('maintenance', 'installing...')
        yield self.behaviour.install

    def _start(self, here: host.Host) -> clock.Work:
        here.set_status('maintenance', 'starting...')
        here.set_workload_version(self.behaviour.version)
        here.own.update(
            {
                'system-id': system_id(here.model_uuid, here.unit),
                'restarts': 0,
                'downtime': 0.0,
            }
        )
        yield functools.partial(self._installation.install, here)

    def _request_database(self, here: host.Host) -> clock.Work:
        if here.is_leader():
            for relation in here.relations(DATABASE):
                relation.update(
                    {'database': DATABASE_NAME, 'requested-secrets': '["username", "password"]'}
                )
        yield from ()

    def _follow_database(self, here: host.Host) -> clock.Work:
        """Initialise in turn when there is a database; at once when it has only moved."""
        endpoints = _endpoints(here)
        known = here.own.get('endpoints')
        if not endpoints or endpoints == known:
            return
        if known is None:
            here.own['waits-for-turn'] = True
            return
        here.set_status('maintenance', 'Updating database connection')
        yield from self._initialise(here)

    def _lose_database(self, here: host.Host) -> clock.Work:
        """Stop MAAS: it is down until the relation is back."""
        _go_down(here)
        for key in ('endpoints', 'waits-for-turn', 'lacks'):
            here.own.pop(key, None)
        yield self.behaviour.leave
        yield functools.partial(self._installation.stop, here)

    def _take_turns(self, here: host.Host) -> clock.Work:
        """Initialise one region at a time: the leader says whose turn it is."""
        if here.shared.get('turn') == here.unit and here.own.get('waits-for-turn'):
            here.set_status('maintenance', INITIALISING)
            yield from self._initialise(here)
        if here.is_leader():
            states = here.states()
            waiting = [name for name in here.units() if states.get(name, {}).get('waits-for-turn')]
            if here.shared.get('turn') not in waiting:
                here.shared['turn'] = next(iter(waiting), '')

    def _initialise(self, here: host.Host) -> clock.Work:
        """(Re-)start MAAS on its database; without a custom image's file it never gets there."""
        _go_down(here)
        yield self.behaviour.initialise
        endpoints = _endpoints(here)
        if not endpoints:
            return
        access = _access(here)
        try:
            here.own['lacks'] = yield functools.partial(self._installation.start, here, access)
        except installation.Unreachable as error:
            raise host.HookError(str(error)) from error
        if here.own['lacks']:
            here.own.pop('endpoints', None)
            here.own['waits-for-turn'] = True
            return
        here.own.pop('waits-for-turn', None)
        here.own['endpoints'] = endpoints
        here.own['restarts'] += 1
        _come_up(here)
        if here.is_leader() and here.secret(ADMIN) is None:
            here.set_secret(
                ADMIN,
                {
                    'username': 'maas-admin-internal',
                    'password': system_id(here.model_uuid, here.unit),
                },
            )

    def _request_s3(self, here: host.Host) -> clock.Work:
        s3_parameters.request(here)
        yield from ()

    def _check_bucket(self, here: host.Host) -> clock.Work:
        """As leader, see whether the bucket is there; if not, the leader is blocked."""
        fields = s3_parameters.connection(here)
        if not here.is_leader() or not fields or s3_parameters.missing(fields):
            return
        store = here.store(fields)
        try:
            yield lambda: store.folders('backup/')
        except errors.StoreRefused:
            here.shared['s3-block'] = s3_parameters.NO_BUCKET
        else:
            here.shared.pop('s3-block', None)

    def _forget_s3(self, here: host.Host) -> clock.Work:
        if here.is_leader():
            here.shared.pop('s3-block', None)
        yield from ()

    def _show_status(self, here: host.Host) -> None:
        blocked = self.behaviour.blocked
        if here.is_leader():
            blocked = blocked or here.shared.get('s3-block', '')
        if blocked:
            here.set_status('blocked', blocked)
        elif not _endpoints(here):
            here.set_status('waiting', 'Waiting for database DSN')
        else:
            # Also before its turn to initialise, and when that has failed.
            here.set_status('active')

    def _get_api_endpoint(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        here.results['api-url'] = self.behaviour.api_url or f'http://{here.address}:5240/MAAS'
        yield from ()

    def _get_maas_status(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        if not here.own.get('endpoints'):
            raise host.ActionError('MAAS is not initialized yet or failed to retrieve status')
        here.results['services'] = {
            name: {'startup': 'enabled', 'current': 'active'} for name in _SERVICES
        }
        yield from ()


def _endpoints(here: host.Host) -> str:
    """Return where the database is; '' when that, or the way to log in, is not known."""
    for relation in here.relations(DATABASE):
        if 'secret-user' in relation.remote:
            return relation.remote.get('endpoints', '')
    return ''


def _access(here: host.Host) -> installation.Access:
    """Return what the relation says of the database."""
    relation = here.relations(DATABASE)[0]
    login = here.read_secret(relation.remote['secret-user'])
    return installation.Access(
        endpoint=relation.remote['endpoints'],
        database=relation.remote['database'],
        user=login['username'],
        password=login['password'],
        images=json.loads(relation.remote.get(modelled.IMAGES, '[]')),
    )


def _go_down(here: host.Host) -> None:
    """Note that MAAS is down from now on, if it was up."""
    if here.own.get('endpoints'):
        here.own.setdefault('down-since', here.now().isoformat())


def _come_up(here: host.Host) -> None:
    since = here.own.pop('down-since', None)
    if since is not None:
        down = here.now() - datetime.datetime.fromisoformat(since)
        here.own['downtime'] += down.total_seconds()


def system_id(model_uuid: str, unit: str) -> str:
    """Return a region's system id, six characters as MAAS makes them."""
    return hashlib.sha256(f'{model_uuid} {unit}'.encode()).hexdigest()[:6]


def _charm(revision: int) -> model.CharmSpec:
    told = {'get-maas-status': model.ActionSpec('get-maas-status', 'Get MAAS status.')}
    ids = {'backup-id': {'type': 'string'}, 'controller-id': {'type': 'string'}}
    return model.CharmSpec(
        'maas-region',
        endpoints=(
            model.Endpoint(PEERS, 'peer', 'maas_peers'),
            model.Endpoint(DATABASE, 'requirer', 'postgresql_client', limit=1),
            model.Endpoint(s3_parameters.ENDPOINT, 'requirer', 's3', limit=1),
        ),
        options={'maas_url': model.Option('string', '')},
        actions={
            'create-backup': model.ActionSpec(
                'create-backup', 'Create a backup of MAAS data not stored in the database.'
            ),
            'list-backups': model.ActionSpec('list-backups', 'List available MAAS backups.'),
            'restore-backup': model.ActionSpec(
                'restore-backup', 'Restore from a MAAS backup', ids, tuple(ids)
            ),
            'get-api-endpoint': model.ActionSpec('get-api-endpoint', 'Get MAAS API URL.'),
            **(told if revision >= _TELLS_STATUS else {}),
        },
        channel='latest/edge',
        revision=revision,
    )
