"""The requiring end of the `s3` interface, as maas-region and postgresql hold it (schema v0)."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping

from rehearsal.standins import host

ENDPOINT = 's3-parameters'
_BOOKKEEPING = {'data', 'version'}
REQUIRED = ('bucket', 'access-key', 'secret-key')
NO_BUCKET = 'failed to access/create the bucket, check your S3 settings'


def request(here: host.Host) -> None:
    """Ask for a bucket, as the old library does: without that, track 1 publishes nothing."""
    if here.is_leader():
        for relation in here.relations(ENDPOINT):
            relation.update({'bucket': f'relation-{relation.id}'})


def connection(here: host.Host) -> dict[str, str]:
    """Return the relation's fields, with a path that begins with a slash."""
    for relation in here.relations(ENDPOINT):
        fields = {
            key: _read(value) for key, value in relation.remote.items() if key not in _BOOKKEEPING
        }
        if not missing(fields):
            fields['path'] = '/' + fields.get('path', '').strip('/')
            fields['bucket'] = fields['bucket'].strip('/')
            if 'endpoint' in fields:
                fields['endpoint'] = fields['endpoint'].rstrip('/')
        return fields
    return {}


def _read(value: str) -> str:
    """Return a field without spaces around it; a text that JSON has in quotes loses those."""
    with contextlib.suppress(ValueError):
        found = json.loads(value)
        if isinstance(found, str):
            return found.strip()
    return value.strip()


def chain(fields: Mapping[str, str]) -> list[str]:
    """Return the PEM certificates that a relation publishes as a JSON list."""
    published = fields.get('tls-ca-chain', '')
    return json.loads(published) if published.startswith('[') else [published][: bool(published)]


def missing(fields: Mapping[str, str]) -> list[str]:
    """Return which parameters are not there."""
    return [name for name in REQUIRED if name not in fields]


def check(here: host.Host) -> dict[str, str]:
    """Return the connection, or refuse the action that needs it."""
    if not here.relations(ENDPOINT):
        raise host.ActionError(
            'Relation with s3-integrator charm missing, cannot create/restore backup.'
        )
    fields = connection(here)
    if missing(fields):
        raise host.ActionError(f'Missing S3 parameters: {missing(fields)}')
    return fields


def fingerprint(fields: Mapping[str, str]) -> str:
    """Return what tells one connection from another, and betrays neither."""
    return hashlib.sha256(json.dumps(dict(fields), sort_keys=True).encode()).hexdigest()[:16]


def probe(here: host.Host, requested: str) -> bytes:
    """Return the object that both charms write before a backup, to see whether they can."""
    return (
        f'Date Backup Requested: {requested}\n'
        f'Model Name: {here.model_name}\n'
        f'Application Name: {here.application}\n'
        f'Unit Name: {here.unit}\n'
        f'Juju Version: {here.juju_version}\n'
    ).encode()
