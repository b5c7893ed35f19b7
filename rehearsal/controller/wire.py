"""How Juju writes names, times and errors on the wire."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from rehearsal import model

Json = dict[str, Any]
_T = TypeVar('_T')

ZERO_TIME = '0001-01-01T00:00:00Z'
"""What Go writes for a time that was never set."""


def timestamp(when: datetime.datetime | None) -> str:
    """Write a time as Go does."""
    return ZERO_TIME if when is None else when.isoformat().replace('+00:00', 'Z')


def error(refusal: model.ModelError) -> Json:
    """Write an error as it stands inside a result; the code is there even when it is empty."""
    return {'message': str(refusal), 'code': refusal.code}


def each(items: Iterable[_T], answer: Callable[[_T], Json]) -> list[Json]:
    """Answer every item of a batch; a refused one becomes that item's error."""
    results: list[Json] = []
    for item in items:
        try:
            results.append(answer(item))
        except model.ModelError as refusal:
            results.append({'error': error(refusal)})
    return results


def application_tag(name: str) -> str:
    """Return a tag such as `application-pg`."""
    return f'application-{name}'


def unit_tag(name: str) -> str:
    """Return a tag such as `unit-pg-0`."""
    return 'unit-' + name.replace('/', '-')


def machine_tag(machine_id: str) -> str:
    """Return a tag such as `machine-0-lxd-1`."""
    return 'machine-' + machine_id.replace('/', '-')


def untag(tag: str, kind: str) -> str:
    """Return the bare name in a tag of this kind: `pg/0` for `unit-pg-0`."""
    prefix = f'{kind}-'
    name = tag.removeprefix(prefix)
    if kind in ('unit', 'storage'):
        head, dash, number = name.rpartition('-')
        name = f'{head}/{number}' if head and dash and number.isdigit() else ''
    if not tag.startswith(prefix) or not name:
        raise model.ModelError(f'"{tag}" is not a valid {kind} tag')
    return name


def host_port(address: str) -> Json:
    """Write `host:port` as the API lists its servers."""
    host, _, port = address.rpartition(':')
    host = host.strip('[]')
    return {
        'value': host,
        'type': 'ipv6' if ':' in host else 'ipv4',
        'scope': 'local-machine' if host in ('127.0.0.1', '::1') else 'local-cloud',
        'port': int(port),
    }
