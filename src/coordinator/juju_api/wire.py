"""Names, ids, times and values as the API spells them, and back.

What cannot be read raises ValueError, which `answers` turns into an error of ours.
"""

from __future__ import annotations

import base64
import datetime
from collections.abc import Iterator, Mapping
from typing import Any

# Set by Juju and not by the action.
_RESERVED = frozenset({'return-code', 'stdout', 'stderr', 'stdout-encoding', 'stderr-encoding'})


def unit_tag(name: str) -> str:
    """Return `unit-postgresql-0` for `postgresql/0`."""
    return 'unit-' + name.replace('/', '-')


def application_tag(name: str) -> str:
    """Return `application-postgresql` for `postgresql`."""
    return 'application-' + name


def name_of(tag: str) -> str:
    """Return the name that a unit's or application's tag stands for; '' stands for nobody."""
    kind, _, rest = tag.partition('-')
    if kind == 'unit':
        return _numbered(tag, rest)
    if tag and kind != 'application':
        raise ValueError(f'"{tag}" is neither a unit nor an application')
    return rest


def storage_tag(storage_id: str) -> str:
    """Return `storage-pgdata-4` for `pgdata/4`."""
    return 'storage-' + storage_id.replace('/', '-')


def storage_id(tag: str) -> str:
    """Return `pgdata/4` for `storage-pgdata-4`."""
    return _numbered(tag, tag.removeprefix('storage-'))


def _numbered(tag: str, rest: str) -> str:
    # The name may hold hyphens itself: the number is what follows the last one.
    name, hyphen, number = rest.rpartition('-')
    if not (name and hyphen and number.isdecimal()):
        raise ValueError(f'"{tag}" does not end in a name and a number')
    return f'{name}/{number}'


def task_tag(task_id: int) -> str:
    """Return `action-2` for 2."""
    return f'action-{task_id}'


def task_id(tag: str) -> int:
    """Return 2 for `action-2`."""
    return int(tag.removeprefix('action-'))


def secret_uri(secret_id: str) -> str:
    """Return `secret:<id>`."""
    return f'secret:{secret_id}'


def secret_id(uri: str) -> str:
    """Return the id of `secret:<id>` or `secret://<model uuid>/<id>`."""
    return uri.removeprefix('secret:').rpartition('/')[2]


def time_of(text: str) -> datetime.datetime | None:
    """Return an aware time; None for the year 1, by which Go means that there is none yet."""
    time = datetime.datetime.fromisoformat(text)
    try:
        return None if time.year == 1 else time.astimezone(datetime.UTC)
    except OverflowError as error:
        raise ValueError(f'"{text}" is not a time in UTC') from error


def encoded(content: Mapping[str, str]) -> dict[str, str]:
    """Return a secret's content as the API takes it: in base64."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in content.items()}


def decoded(data: Mapping[str, str]) -> dict[str, str]:
    """Return a secret's content in plain text."""
    return {key: base64.b64decode(value, validate=True).decode() for key, value in data.items()}


def results(output: Mapping[str, Any]) -> dict[str, str]:
    """Return what an action set, flat, without what Juju adds to it."""
    try:
        return {key: value for key, value in _flat(output, '') if key not in _RESERVED}
    except RecursionError:
        raise ValueError('nested too deep') from None


def _flat(output: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for key, value in output.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f'{prefix}{key}.')
        else:
            yield f'{prefix}{key}', str(value)
