"""Reads what the charm declares with charmcraft's own models: a mistake is found before packing.

`python -m packing.declaration [directory]` prints every mistake and fails if there is one.
"""

from __future__ import annotations

import pathlib
import re
import sys
from collections.abc import Iterator, Mapping
from typing import Any

import craft_cli
import pydantic
from charmcraft import models
from charmcraft.models import config

MINIMUM_JUJU = 'juju >= 3.4.3'
"""The first Juju with all that the charms which are coordinated need."""
LINKS = ('documentation', 'website', 'source', 'issues', 'contact')
"""What the review of a public listing on Charmhub asks for."""
_NAME = re.compile(r'[a-z]([a-z0-9-]*[a-z0-9])?')
_KEYS = {
    'description', 'params', 'required', 'additionalProperties', 'parallel', 'execution-group',
}  # fmt: skip
_TYPES = {'string', 'integer', 'number', 'boolean', 'object', 'array'}


def mistakes(directory: pathlib.Path) -> Iterator[str]:
    """Yield what is wrong with the declarations of the charm in a directory."""
    try:
        project = models.CharmcraftProject.from_yaml_file(directory / 'charmcraft.yaml')
    except (craft_cli.CraftError, ValueError) as error:
        yield f'charmcraft.yaml: {error}'
        return
    assert isinstance(project, models.PlatformCharm), 'charmcraft.yaml declares no platforms'
    yield from _wrong_actions(project.actions or {})
    yield from _wrong_options(project.config or {})
    yield from _unfit_for_listing(directory, project)


def _wrong_actions(actions: Mapping[str, Any]) -> Iterator[str]:
    """Yield what Juju would not take.

    Charmcraft 4.5 looks at the YAML only; its model of actions.yaml is used nowhere, and refuses
    every action.
    """
    for name, fields in actions.items():
        where = f'actions.yaml: {name}'
        params: Mapping[str, Any] = fields.get('params', {})
        for each in (name, *params):
            if not _NAME.fullmatch(each):
                yield f'{where}: {each!r} is no name of an action or a parameter'
        for key in fields.keys() - _KEYS:
            yield f'{where}: {key} means nothing to Juju'
        for key in set(fields.get('required', ())) - params.keys():
            yield f'{where}: {key} is required, and no parameter'
        for key, schema in params.items():
            if schema.get('type') not in _TYPES:
                yield f'{where}: {key} is of type {schema.get("type")}'


def _wrong_options(document: Mapping[str, Any]) -> Iterator[str]:
    try:
        config.JujuConfig.model_validate(document)
    except pydantic.ValidationError as error:
        for problem in error.errors():
            where = '.'.join(str(part) for part in problem['loc'])
            yield f'config.yaml: {where}: {problem["msg"]}'


def _unfit_for_listing(directory: pathlib.Path, project: models.PlatformCharm) -> Iterator[str]:
    """Yield what Charmhub's review would send back."""
    if MINIMUM_JUJU not in (project.assumes or []):
        yield f'charmcraft.yaml: assumes: {MINIMUM_JUJU} is missing'
    for link in LINKS:
        if not getattr(project.links, link, None):
            yield f'charmcraft.yaml: links: {link} is missing'
    if not (directory / 'icon.svg').is_file():
        yield 'icon.svg is missing'
    for kind, declared in (('action', project.actions), ('option', _options(project))):
        for name, fields in (declared or {}).items():
            if not fields.get('description'):
                yield f'{kind} {name} has no description'


def _options(project: models.PlatformCharm) -> dict[str, dict[str, object]]:
    return (project.config or {}).get('options', {})


def main() -> int:
    """Print the mistakes; return how the process ends."""
    directory = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else '.')
    found = list(mistakes(directory))
    for mistake in found:
        print(mistake)
    if not found:
        print('charmcraft.yaml, actions.yaml and config.yaml are as charmcraft wants them')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
