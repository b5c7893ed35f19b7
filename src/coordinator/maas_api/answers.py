"""Turns what MAAS says into plain data: each field of the type that it should have, or an error.

The shapes are those of canonical/maas, `src/maasserver/api/` and its `examples/`, 3.5 to 3.8.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from coordinator.maas_api import items
from coordinator.ports import maas_port

_T = TypeVar('_T')
Raw = Mapping[str, Any]


def resource(raw: Raw) -> maas_port.BootResource:
    """Read what `boot-resources/{id}/` answers (`boot_resources.py`)."""
    # `order_by("id").reverse()`: the newest set is the first one, and JSON keeps that order.
    sets = tuple(_set(each) for each in _values(raw, 'sets'))
    return maas_port.BootResource(
        id=_of(raw, 'id', int),
        name=_text(raw, 'name'),
        architecture=_text(raw, 'architecture'),
        uploaded=_text(raw, 'type') == 'Uploaded',
        sets=sets,
    )


def resource_id(raw: Raw) -> int:
    """Read the id of an image out of what `boot-resources/` lists."""
    return _of(raw, 'id', int)


def _set(raw: Raw) -> maas_port.BootSet:
    files = tuple(_file(each) for each in _values(raw, 'files'))
    return maas_port.BootSet(_text(raw, 'version'), files)


def _file(raw: Raw) -> maas_port.BootFile:
    complete = _of(raw, 'complete', bool)
    # What is complete has no `progress`.
    progress = 100.0 if complete else _number(raw, 'progress')
    return maas_port.BootFile(
        name=_text(raw, 'filename'),
        sha256=_text(raw, 'sha256'),
        size=_size(raw, 'size'),
        stored_as=_text(raw, 'filename_on_disk'),
        complete=complete,
        progress=min(max(progress, 0.0), 100.0),
    )


def machine(raw: Raw) -> maas_port.Machine:
    """Read one item of `machines/` (`machines.py`, `DISPLAYED_MACHINE_FIELDS`)."""
    return maas_port.Machine(
        system_id=_text(raw, 'system_id'),
        hostname=_text(raw, 'hostname'),
        domain=_name(raw, 'domain'),
        architecture=_optional(raw, 'architecture'),
        status=_text(raw, 'status_name'),
        power_state=_optional(raw, 'power_state'),
        owner=_optional(raw, 'owner'),
        pool=_name(raw, 'pool'),
        zone=_name(raw, 'zone'),
        tags=tuple(sorted(_clean(tag) for tag in _of(raw, 'tag_names', list))),
    )


def controller(raw: Raw) -> maas_port.Controller:
    """Read one item of `regioncontrollers/` (`regioncontrollers.py`)."""
    return maas_port.Controller(
        _text(raw, 'system_id'), _text(raw, 'hostname'), _optional(raw, 'version')
    )


def fabric(raw: Raw) -> maas_port.Fabric:
    """Read one item of `fabrics/`, which has its VLANs in it (`fabrics.py`, `vlans.py`)."""
    vlans = tuple(_vlan(_checked(each)) for each in _of(raw, 'vlans', list))
    return maas_port.Fabric(_of(raw, 'id', int), _text(raw, 'name'), vlans)


def _vlan(raw: Raw) -> maas_port.Vlan:
    return maas_port.Vlan(
        _of(raw, 'id', int), _text(raw, 'name'), _of(raw, 'vid', int), _of(raw, 'dhcp_on', bool)
    )


def subnet(raw: Raw) -> maas_port.Subnet:
    """Read one item of `subnets/` (`subnets.py`)."""
    return maas_port.Subnet(
        id=_of(raw, 'id', int),
        name=_text(raw, 'name'),
        cidr=_text(raw, 'cidr'),
        vlan=_of(_checked(raw.get('vlan')), 'id', int),
        gateway=_optional(raw, 'gateway_ip'),
    )


def user(raw: Raw) -> maas_port.User:
    """Read one item of `users/`, or what `users/?op=whoami` answers (`users.py`)."""
    return maas_port.User(_text(raw, 'username'), _of(raw, 'is_superuser', bool))


def tag(raw: Raw) -> maas_port.Tag:
    """Read one item of `tags/` (`tags.py`)."""
    return maas_port.Tag(
        _text(raw, 'name'), _optional(raw, 'definition'), _optional(raw, 'kernel_opts')
    )


def pool(raw: Raw) -> maas_port.Pool:
    """Read one item of `resourcepools/` (`resourcepools.py`)."""
    return maas_port.Pool(_of(raw, 'id', int), _text(raw, 'name'))


def version(raw: object) -> str:
    """Read what `version/` answers (`version.py`)."""
    return _text(_checked(raw), 'version')


def checked(raw: object) -> Raw:
    """Return an object."""
    return _checked(raw)


def _checked(raw: object) -> Raw:
    if not isinstance(raw, dict):
        raise items.Malformed('not an object')
    return raw


def _of(raw: Raw, field: str, kind: type[_T]) -> _T:
    value = raw.get(field)
    # To Python a truth value is a number as well.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise items.Malformed(f'{field} is missing or not of type {kind.__name__}')
    return value


def _size(raw: Raw, field: str) -> int:
    value = _of(raw, field, int)
    # The column is a bigint. A larger number would not fit into a float either.
    if not 0 <= value < 1 << 63:
        raise items.Malformed(f'{field} is not a number of bytes')
    return value


def _number(raw: Raw, field: str) -> float:
    value = raw.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise items.Malformed(f'{field} is missing or not a number')
    return float(value)


def _text(raw: Raw, field: str) -> str:
    return _clean(_of(raw, field, str))


def _optional(raw: Raw, field: str) -> str:
    """Return a text, '' if there is none."""
    return _text(raw, field) if raw.get(field) is not None else ''


def _name(raw: Raw, field: str) -> str:
    """Return the name of an object within another one, '' if there is none."""
    within = raw.get(field)
    return _text(_checked(within), 'name') if within is not None else ''


def _clean(value: object) -> str:
    """Return a text that can be written: JSON may hold halves of characters."""
    if not isinstance(value, str):
        raise items.Malformed('not a text')
    return value.encode(errors='replace').decode()


def _values(raw: Raw, field: str) -> Iterator[Raw]:
    """Yield the objects of an object, in their order."""
    for value in _of(raw, field, dict).values():
        yield _checked(value)
