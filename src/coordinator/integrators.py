"""What maas-region and postgresql make of the settings that an s3-integrator gives them.

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
"""Folders of a pgBackRest repository: whatever lies in them is a stanza to pgBackRest."""
_MAAS_FOLDERS = ('backup', 'archive', 'coordinator')


@dataclasses.dataclass(frozen=True)
class Made:
    """What a charm works with."""

    bucket: str
    path: str
    """Without slashes at its ends: what it writes has keys that begin with it."""
    endpoint: str
    """'' if none is given, which means `AWS`. Requests for AWS go to the region's own endpoint."""
    region: str
    uri_style: str
    """Where it names the bucket: `path`, or `host`. For postgresql it is what pgBackRest does: its
    boto3 client names it in the path, as that of maas-region."""
    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)


def made_of(charm: str, given: Mapping[str, Any]) -> Made:
    """Return what a charm makes of the data of its relation with an s3-integrator.

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
        # In this order: a space between two slashes at the end is part of the path.
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
            f'the value of {name} reads as a number or another JSON value, and the hooks of '
            'maas-region and postgresql fail on it: give one that begins with a letter'
        )
    return found.strip()


def same_server(one: str, other: str) -> bool:
    """Whether two endpoints, each as it was given, are of one S3: all of AWS is one."""
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
    """Return why one charm's files are in the way of the other's, or ''.

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
            f'maas-region and postgresql both use {_named(maas)}: postgresql takes the files '
            'backups there for those of another cluster, and restores nothing'
        )
    for inner, outer, folders, why in (
        (files, database, _STANZAS, 'postgresql takes it for the backups of another cluster'),
        (database, files, _MAAS_FOLDERS, 'maas-region takes it for a files backup that failed'),
    ):
        for folder in folders:
            top = f'{outer}/{folder}'.strip('/')
            if f'{inner}/'.startswith(f'{top}/'):
                return f'{inner} lies inside {top} of bucket {maas["bucket"]}: {why}'
    return ''


def _named(place: Mapping[str, str]) -> str:
    return '/'.join(filter(None, (place['bucket'], place['path'])))
