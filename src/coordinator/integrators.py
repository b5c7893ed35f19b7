"""An s3-integrator's settings, as maas-region and postgresql interpret them.

The coordinator reads the settings as the charms do, so that it looks where they write. Source:
`v0/s3.py` of data_platform_libs, and `_retrieve_s3_parameters` in `src/backups.py` of maas-charms
(main of 2026-07-16, tracks 3.7 and 3.8) and of postgresql-operator (16/edge of 2026-08-19).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from coordinator import errors

MAAS_REGION, POSTGRESQL = 'maas-region', 'postgresql'
AWS = 'https://s3.amazonaws.com'
"""Where both charms look for a bucket if the integrator gives no endpoint."""
_AWS_DOMAINS = ('amazonaws.com', 'amazonaws.com.cn', 'amazonaws.eu')

_READ = ('bucket', 'access-key', 'secret-key', 'endpoint', 'region', 'path', 's3-uri-style')
_STANZAS = ('backup', 'archive')
"""Folders of a pgBackRest repository: pgBackRest takes everything in them for a stanza."""
_MAAS_FOLDERS = ('backup', 'archive', 'coordinator')


@dataclasses.dataclass(frozen=True)
class Made:
    """The settings that a charm works with."""

    bucket: str
    path: str
    """Prefix of all keys that it writes, without slashes at either end."""
    endpoint: str
    """'' if none is given, which means `AWS`. Requests for AWS go to the region's own endpoint."""
    region: str
    uri_style: str
    """Where it names the bucket: `path`, or `host`. For postgresql it is what pgBackRest does: its
    boto3 client names it in the path, as that of maas-region."""
    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)


def made_of(charm: str, given: Mapping[str, Any]) -> Made:
    """Return the settings that a charm derives from its relation with an s3-integrator.

    Args:
        charm: `MAAS_REGION` or `POSTGRESQL`.
        given: the fields as they are in the relation; '' and a missing one are the same.

    Raises:
        StoreRefused: a field cannot be read by the charm; names the field, never its value.
    """
    read = {name: _read(name, given.get(name)) for name in _READ}
    styles = {'path': 'path', 'host': 'host'} if charm == POSTGRESQL else {}
    return Made(
        bucket=read['bucket'].strip('/'),
        # Strip spaces before slashes, as the charms do: a space between two slashes at the end is
        # part of the path.
        path=read['path'].strip('/'),
        endpoint=read['endpoint'].rstrip('/'),
        region=read['region'],
        uri_style=styles.get(read['s3-uri-style'] or 'host', 'path'),
        access_key=read['access-key'],
        secret_key=read['secret-key'],
    )


def _read(name: str, value: Any) -> str:
    """Return a field as the charms' library does, which takes each for JSON if it can."""
    text = str(value or '')
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = text
    if not isinstance(found, str):
        raise errors.StoreRefused(
            f'the value of {name} is a number or another JSON value, '
            'on which the hooks of maas-region and postgresql fail: '
            'use a value that begins with a letter'
        )
    return found.strip()


def same_server(one: str, other: str) -> bool:
    """Whether two endpoints, each as it was given, are the same S3. All of AWS is one S3."""
    return _server(one) == _server(other)


def _server(endpoint: str) -> str:
    address = endpoint.strip().rstrip('/') or AWS
    host = address.partition('://')[2].partition('/')[0]
    domain = next((name for name in _AWS_DOMAINS if host.endswith(f'.{name}')), '')
    return domain or address


def same_place(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Whether two places (`endpoint`, `bucket`, `path`) are one, however they were written."""
    return same_server(one['endpoint'], other['endpoint']) and all(
        one[key].strip().strip('/') == other[key].strip().strip('/') for key in ('bucket', 'path')
    )


def collision(maas: Mapping[str, str], postgresql: Mapping[str, str]) -> str:
    """Return why one charm's files interfere with the other's; '' if they do not.

    Args:
        maas: the place of the files backups: `endpoint`, `bucket` and `path`.
        postgresql: the place of the database backups.
    """
    if not same_server(maas['endpoint'], postgresql['endpoint']) or (
        maas['bucket'] != postgresql['bucket']
    ):
        return ''
    files, database = maas['path'], postgresql['path']
    if files == database:
        return (
            f'maas-region and postgresql both use {where(maas)}: postgresql mistakes the files '
            'backups there for backups of another cluster and refuses to restore'
        )
    for inner, outer, folders, why in (
        (files, database, _STANZAS, 'postgresql mistakes it for backups of another cluster'),
        (database, files, _MAAS_FOLDERS, 'maas-region mistakes it for a failed files backup'),
    ):
        for folder in folders:
            top = f'{outer}/{folder}'.strip('/')
            if f'{inner}/'.startswith(f'{top}/'):
                return f'{inner} is inside {top} of bucket {maas["bucket"]}: {why}'
    return ''


def where(place: Mapping[str, str]) -> str:
    """Return bucket and path of a place, for people."""
    return '/'.join(filter(None, (place['bucket'], place['path'])))
