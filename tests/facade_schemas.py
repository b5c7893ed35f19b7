"""Checks requests and answers against the schemas of Juju's facades.

The schemas are those that Juju publishes of its own facades, one file a version, in the folder
`juju-api` beside the repository. It is not part of the repository: where it is absent, tests that
ask for it are skipped. Typical use:

    schemas = facade_schemas.load('4.0')  # or `facade_schemas.load_or_skip('4.0')`
    schemas.check_request('Application', 'Leader', {'tag': 'application-postgresql'})
    schemas.check_result('Application', 'Leader', {'result': 'postgresql/0'})
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, cast

import jsonschema
import pytest

FOLDER = pathlib.Path(__file__).parents[2] / 'shared' / 'juju-api'
FILES = {'3.6': '3.6.26.json', '4.0': '4.0.15.json'}

_POINTERS = frozenset({'parallel', 'execution-group', 'info'})
"""Fields that point to a value: Go writes that even when it is false or empty."""
_EMPTY: tuple[Any, ...] = ('', [], {}, None, False)

_formats = jsonschema.FormatChecker(formats=())


@_formats.checks('date-time', raises=ValueError)
def _is_time(value: object) -> bool:
    if isinstance(value, str):
        return datetime.datetime.fromisoformat(value).tzinfo is not None
    return True


@dataclasses.dataclass(frozen=True)
class Schemas:
    """The facades of one Juju version."""

    version: str
    _methods: Mapping[tuple[str, str], Mapping[str, Any]]
    _definitions: Mapping[str, Mapping[str, Any]]

    def knows(self, facade: str, method: str) -> bool:
        """Whether there is a schema: watchers and libjuju's odd calls have none."""
        return (facade, method) in self._methods

    def check_request(self, facade: str, method: str, params: Any) -> None:
        """Fail the test when the controller could not read these parameters."""
        self._check(facade, method, 'Params', params)

    def check_result(self, facade: str, method: str, result: Any) -> None:
        """Fail the test when Juju would not write this response, or a client not read it."""
        self._check(facade, method, 'Result', result)
        schema = self._methods[facade, method].get('Result') or {}
        empty = [*self._empty(self._definitions[facade], schema, result, '$')]
        assert not empty, f'Juju {self.version}: {facade}.{method} leaves out: {"; ".join(empty)}'

    def _empty(
        self, definitions: Mapping[str, Any], schema: Mapping[str, Any], value: Any, where: str
    ) -> Iterator[str]:
        """Yield where something is written that Go leaves out, as it may, when it is empty."""
        if '$ref' in schema:
            name = schema['$ref'].rpartition('/')[2]
            yield from self._empty(definitions, definitions[name], value, where)
        elif isinstance(value, list):
            for number, item in enumerate(cast(list[Any], value)):
                place = f'{where}[{number}]'
                yield from self._empty(definitions, schema.get('items', {}), item, place)
        elif isinstance(value, dict):
            inside: dict[str, Any] = schema.get('properties', {})
            others: dict[str, Any] = schema.get('patternProperties', {})
            rest = next(iter(others.values()), {})
            for key, content in cast(dict[str, Any], value).items():
                place = f'{where}.{key}'
                may_lack = key in inside and key not in schema.get('required', ())
                if may_lack and key not in _POINTERS and content in _EMPTY:
                    yield place
                yield from self._empty(definitions, inside.get(key, rest), content, place)

    def _check(self, facade: str, method: str, part: str, value: Any) -> None:
        assert self.knows(facade, method), f'Juju {self.version} has no {facade}.{method}'
        schema = self._methods[facade, method].get(part)
        if schema is None:
            assert not value, f'Juju {self.version}: {facade}.{method} has no {part}: {value}'
            return
        validator = jsonschema.Draft202012Validator(
            {**schema, 'definitions': self._definitions[facade]}, format_checker=_formats
        )
        wrong = [f'{error.json_path}: {error.message}' for error in validator.iter_errors(value)]
        assert not wrong, f'Juju {self.version}: {part} of {facade}.{method}: {"; ".join(wrong)}'


@functools.cache
def load(version: str) -> Schemas:
    """Return the schemas of `3.6` or `4.0` (or a full version that begins so)."""
    short = version[:3]
    facades: list[dict[str, Any]] = json.loads((FOLDER / FILES[short]).read_text())
    methods = {
        (facade['Name'], name): {part: _usable(schema) for part, schema in parts.items()}
        for facade in facades
        for name, entry in facade['Schema'].get('properties', {}).items()
        for parts in [entry.get('properties', {})]
    }
    definitions = {
        facade['Name']: {
            name: _usable(schema)
            for name, schema in facade['Schema'].get('definitions', {}).items()
        }
        for facade in facades
    }
    return Schemas(short, methods, definitions)


def load_or_skip(version: str) -> Schemas:
    """Return the schemas, or skip the running test when they are not at hand."""
    if not FOLDER.is_dir():
        pytest.skip(f'no facade schemas: {FOLDER.parent.name}/{FOLDER.name} is not here')
    return load(version)


def _usable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema without the traces of how it was made from Go types.

    What is not mended, because it is right: the list of `SetConfigs` is called `Args` with a
    capital (its Go field has no tag), and the keys of `UnitsInfo` are in CamelCase.
    """
    if schema == {'type': 'object', 'additionalProperties': True}:
        # A Go `interface{}`, such as an action's parameter: any value, not only an object.
        return {}
    mended = dict(schema)
    if 'items' in schema:
        mended['items'] = _usable(schema['items'])
    if 'patternProperties' in schema:
        mended['patternProperties'] = {
            pattern: _usable(value) for pattern, value in schema['patternProperties'].items()
        }
    if 'properties' in schema:
        # An embedded Go struct (`UpsertSecretArg`, `Address` of a HostPort) appears a second
        # time under its type's name; on the wire there are only its fields, flat.
        embedded = {
            name
            for name, value in schema['properties'].items()
            if value.get('$ref') == f'#/definitions/{name}'
        }
        mended['properties'] = {
            name: _usable(value)
            for name, value in schema['properties'].items()
            if name not in embedded
        }
        mended['required'] = [n for n in schema.get('required', ()) if n not in embedded]
    elif schema.get('type') == 'object' and schema.get('additionalProperties') is False:
        # No fields: either there are none (`StorageFilter`), or the type writes itself
        # (`Macaroon`). Both may be taken as they come.
        mended['additionalProperties'] = True
    if schema.get('type') == 'array' or 'patternProperties' in schema or 'format' in schema:
        # Go writes an empty list, map or time pointer as null.
        mended['type'] = [schema['type'], 'null']
    return mended
