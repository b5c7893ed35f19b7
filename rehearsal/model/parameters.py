"""Action parameters: checked against what the charm declares, and defaults filled in.

Juju 3.6 does this in the controller when the action is enqueued, 4.0 only in the unit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import jsonschema

from rehearsal.model import declared


class BadParameters(ValueError):
    """The parameters do not fit the action's schema."""


def schema(spec: declared.ActionSpec) -> dict[str, Any]:
    """Return the JSON schema of an action's parameters, as Juju shows it."""
    return {
        'title': spec.name,
        'description': spec.description,
        'type': 'object',
        'properties': {name: dict(prop) for name, prop in spec.params.items()},
        'required': list(spec.required),
        'additionalProperties': spec.additional_properties,
    }


def checked(spec: declared.ActionSpec, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters with defaults filled in; raise BadParameters if they do not fit."""
    errors = jsonschema.Draft4Validator(schema(spec)).iter_errors(dict(parameters))
    wrong = [f'(root){error.json_path[1:]} : {_words(error)}' for error in errors]
    if wrong:
        raise BadParameters('validation failed: ' + ', '.join(wrong))
    defaults = {name: prop['default'] for name, prop in spec.params.items() if 'default' in prop}
    return defaults | dict(parameters)


def _words(error: jsonschema.ValidationError) -> str:
    """Return what is wrong in the words of Juju's own validator."""
    given = json.dumps(error.instance)
    match error.validator:
        case 'type':
            return f'must be of type {error.validator_value}, given {given}'
        case 'additionalProperties':
            known: Mapping[str, Any] = cast('Mapping[str, Any]', error.schema)['properties']
            unexpected = sorted(cast('Mapping[str, Any]', error.instance).keys() - known.keys())
            return f'additional property "{unexpected[0]}" is not allowed, given {given}'
        case _:
            return error.message


def stringified(value: Any) -> Any:
    """Return a parameter as Juju 4.0 stores it: lists and maps as Go prints them."""
    if isinstance(value, Mapping):
        inner = ' '.join(f'{key}:{stringified(value[key])}' for key in sorted(value))
        return f'map[{inner}]'
    if isinstance(value, list):
        return '[' + ' '.join(str(stringified(item)) for item in value) + ']'
    return value
