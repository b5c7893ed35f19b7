"""What of two answers must agree: shape, codes, states, zero values and the words of a refusal.

Ids, times, addresses, numbers within texts, and words that only describe may differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

Json = dict[str, Any]

_ZERO_TIME = '0001-01-01T00:00:00Z'
_NUMBERS = frozenset({'id', 'port', 'request-id'})
"""Keys whose number is an id."""
_OF_SOME_CLOUDS = frozenset({'region'})
_MACHINES = frozenset({'machines'})
"""Keys whose object has an entry a machine: which state each is in is a site's own."""
_WORDS = frozenset({
    'info', 'description', 'version', 'server-version', 'hardware', 'constraints', 'hostname',
    'dns-name', 'instance-id', 'cloud-tag', 'region', 'scope', 'backups', 'mac-address',
    'location', 'label', 'workload-version', 'latest-revision-checksum', 'space',
})  # fmt: skip
"""Keys whose text describes a site; that there is one, or none, must agree."""

_SHAPES = (
    (re.compile(_ZERO_TIME), '<zero>'),
    (re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z'), '<time>'),
    (re.compile(r'[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}'), '<uuid>'),
    (re.compile(r'secret:[\da-z]{20}'), '<secret>'),
    (re.compile(r'probe-\d+'), '<probe>'),
    (re.compile(r'\d{1,3}(?:\.\d{1,3}){3}(?:/\d+)?'), '<address>'),
    (re.compile(r'\d+'), '<n>'),
)


def differences(recorded: Any, answered: Any, where: str = '', key: str = '') -> Iterator[str]:
    """Yield what an answer does not have in common with the recorded one."""
    match recorded, answered:
        case dict(), dict():
            yield from _of_objects(cast(Json, recorded), cast(Json, answered), where, key)
        case list(), list():
            yield from _of_lists(cast(list[Any], recorded), cast(list[Any], answered), where, key)
        case str(), str():
            one, other = _shape(recorded, key), _shape(answered, key)
            if one != other:
                yield f'{where}: {recorded!r} was recorded, not {answered!r}'
        case int(), int() if key in _NUMBERS:
            pass
        case _:
            if recorded != answered or type(recorded) is not type(answered):
                yield f'{where}: {recorded!r} was recorded, not {answered!r}'


def _of_objects(recorded: Json, answered: Json, where: str, key: str) -> Iterator[str]:
    if key in _MACHINES:
        for name, machine in answered.items():
            yield from _nearest(machine, recorded.values(), f'{where}.{name}')
        return
    for name in recorded.keys() - answered.keys():
        yield f'{where}.{name} is missing; {recorded[name]!r} was recorded'
    for name in answered.keys() - recorded.keys() - _OF_SOME_CLOUDS:
        yield f'{where}.{name} is {answered[name]!r}, and was not recorded'
    for name in recorded.keys() & answered.keys():
        yield from differences(recorded[name], answered[name], f'{where}.{name}', name)


def _of_lists(recorded: list[Any], answered: list[Any], where: str, key: str) -> Iterator[str]:
    """Each item must be like one of the other list: their order and number are a site's own."""
    for number, item in enumerate(answered):
        yield from _nearest(item, recorded, f'{where}[{number}]', key)
    for item in recorded:
        likest = [[*differences(item, other, where, key)] for other in answered]
        if not any(wrong == [] for wrong in likest):
            yield f'{where}: nothing is like {item!r}, which was recorded'


def _nearest(item: Any, recorded: Iterable[Any], where: str, key: str = '') -> list[str]:
    """Return what an item has not in common with the recorded one that it is most like."""
    return min(
        ([*differences(other, item, where, key)] for other in recorded),
        key=len,
        default=[f'{where}: {item!r} was not recorded'],
    )


def _shape(text: str, key: str) -> str:
    if key in _WORDS:
        return 'words' if text else ''
    for pattern, stand_in in _SHAPES:
        text = pattern.sub(stand_in, text)
    return text


def offered(login: Mapping[str, Any]) -> dict[str, list[int]]:
    """Return the facades of a login's answer, with their versions."""
    return {facade['name']: facade['versions'] for facade in login['response']['facades']}
