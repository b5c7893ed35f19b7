"""s3-integrator, tracks 1 and 2: hands S3 connections to who asks.

Track 1 takes the keys from an action, keeps and publishes them in the open (schema v0). Track 2
takes them from a user secret, and hands them on in a secret to whoever asks for that (v1).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping

from coordinator import errors
from rehearsal import clock, model
from rehearsal.standins import behaviour, host, stand_in

ENDPOINT = 's3-credentials'
OPTIONS = (
    'endpoint', 'bucket', 'region', 'path', 'attributes', 's3-uri-style', 'storage-class',
    'tls-ca-chain', 's3-api-version',
)  # fmt: skip
RETENTION = 'experimental-delete-older-than-days'
KEYS = ('access-key', 'secret-key')
_LONGEST_RETENTION = 9999999


class S3Integrator:
    """Hands out one connection."""

    peers = 's3-integrator-peers'

    def __init__(self, track: int = 1, switches: behaviour.Behaviour | None = None):
        self.track = track
        self.behaviour = switches or behaviour.Behaviour()
        self._actions: dict[str, stand_in.Action] = (
            {'sync-s3-credentials': self._sync} if track == 1 else {}
        )
        self.charm = _charm(track)

    def hook(self, here: host.Host, name: str) -> clock.Work:
        yield self.behaviour.hook
        if name in ('stop', 'remove') or name.endswith('storage-detaching'):
            return
        yield from self._reconcile(here, name)

    def action(self, here: host.Host, name: str) -> clock.Work:
        yield from stand_in.run_action(self._actions, here, name, self.behaviour)

    def removed(self, model_uuid: str, unit: str) -> None:
        """It has nothing there."""

    def _sync(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        if not here.is_leader():
            raise host.ActionError('The action can be run only on leader unit.')
        here.shared.update({key: here.parameters[key] for key in KEYS})
        here.results['ok'] = 'Credentials successfully updated.'
        yield from self._reconcile(here, 'sync')

    def _reconcile(self, here: host.Host, name: str) -> clock.Work:
        keys, problem = self._keys(here)
        connection = self._options(here)
        if self.track == 2 and not problem:
            problem = yield from _bucket_problem(here, connection | keys)
        if here.is_leader():
            for relation in here.relations(ENDPOINT):
                if self.track == 1:
                    self._publish_v0(relation, name, connection, keys)
                else:
                    relation.update({'version': '1'})
                    if not problem and (
                        'bucket' in relation.remote or 'version' in relation.remote
                    ):
                        self._publish_v1(here, relation, connection, keys)
        problem = self.behaviour.blocked or problem
        here.set_status('blocked' if problem else 'active', problem)

    def _keys(self, here: host.Host) -> tuple[dict[str, str], str]:
        """Return the keys, and what stands against publishing them."""
        if self.track == 1:
            missing = [key for key in KEYS if key not in here.shared]
            problem = f'Missing parameters: {missing}' if missing else ''
            return {key: here.shared[key] for key in KEYS if key in here.shared}, problem
        uri = here.config.get('credentials', '')
        if not uri:
            return {}, "Missing config(s): 'credentials'"
        try:
            content = here.read_secret(uri)
        except LookupError:
            return {}, f"The secret '{uri}' does not exist"
        except PermissionError:
            return {}, f"The secret '{uri}' has not been granted to the charm"
        missing = ', '.join(f"'{key}'" for key in KEYS if key not in content)
        problem = f"The secret '{uri}' is missing mandatory field(s): {missing}"
        return {key: content[key] for key in KEYS if key in content}, problem if missing else ''

    def _options(self, here: host.Host) -> dict[str, str]:
        """Return the fields to publish out of the config; '' for an option that is not set."""
        fields = {name: str(here.config.get(name, '')) for name in OPTIONS}
        if fields['tls-ca-chain']:
            text = base64.b64decode(fields['tls-ca-chain']).decode()
            fields['tls-ca-chain'] = json.dumps(_certificates(text))
        if fields['attributes']:
            fields['attributes'] = json.dumps(fields['attributes'].split(','))
        days = here.config.get(RETENTION, 0)
        in_range = 0 < days <= _LONGEST_RETENTION
        fields['delete-older-than-days'] = str(days) if in_range else ''
        return fields

    def _publish_v0(
        self,
        relation: host.Relation,
        name: str,
        connection: Mapping[str, str],
        keys: Mapping[str, str],
    ) -> None:
        """Publish to who has asked for a bucket; a change of the config goes to everybody."""
        if name == f'{ENDPOINT}-relation-changed':
            relation.update({'data': json.dumps(dict(relation.remote), sort_keys=True)})
        if 'bucket' in relation.remote:
            # The bucket asked for is mostly a way of knocking: one that is configured wins.
            bucket = connection['bucket'] or relation.remote['bucket']
            relation.update({**connection, **keys, 'bucket': bucket})
        elif name == 'config-changed':
            relation.update(connection)

    def _publish_v1(
        self,
        here: host.Host,
        relation: host.Relation,
        connection: Mapping[str, str],
        keys: Mapping[str, str],
    ) -> None:
        """Publish with the keys in a secret, or in the open to a requirer of schema v0."""
        asked = relation.remote
        path = connection['path'] or asked.get('path', '')
        if 'requested-secrets' not in asked:
            relation.update({**connection, **keys, 'path': path})
            return
        label = f'{ENDPOINT}.{relation.id}.extra.secret'
        uri = here.set_secret(label, keys)
        here.grant_secret(label, relation)
        bucket = connection['bucket'] or asked.get('bucket', '')
        relation.update({**connection, 'bucket': bucket, 'path': path, 'secret-extra': uri})


def _bucket_problem(here: host.Host, connection: Mapping[str, str]) -> clock.Answering[str]:
    """Check that the configured bucket can be reached, as track 2 does before it publishes."""
    if not connection.get('bucket'):
        return ''
    store = here.store(connection)
    try:
        yield lambda: store.folders('')
    except (errors.StoreRefused, errors.StoreUnavailable):
        return f"Could not ensure bucket(s): '{connection['bucket']}'"
    return ''


def _certificates(chain: str) -> list[str]:
    return re.findall(r'-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----', chain, re.DOTALL)


def _charm(track: int) -> model.CharmSpec:
    options = {name: model.Option('string', '') for name in OPTIONS}
    options[RETENTION] = model.Option('int')
    actions: dict[str, model.ActionSpec] = {}
    if track == 1:
        strings = {key: {'type': 'string'} for key in KEYS}
        actions['sync-s3-credentials'] = model.ActionSpec(
            'sync-s3-credentials', 'Synchronize S3 credentials', strings, KEYS
        )
    else:
        options['credentials'] = model.Option('secret')
    return model.CharmSpec(
        's3-integrator',
        endpoints=(
            model.Endpoint(ENDPOINT, 'provider', 's3'),
            model.Endpoint(S3Integrator.peers, 'peer', 's3-integrator-peers'),
        ),
        options=options,
        actions=actions,
        channel='1/stable' if track == 1 else '2/edge',
        revision=145 if track == 1 else 240,
    )
