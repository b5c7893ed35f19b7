"""Draws the floors of imports that pyproject.toml lists."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

_BESIDE = re.compile(r' *[|:] *')


def picture(project: Mapping[str, Any]) -> str:
    """Return the floors as a code block, the highest first.

    Args:
        project: the content of pyproject.toml.
    """
    tool = project['tool']
    contracts: Sequence[Mapping[str, Any]] = tool['importlinter']['contracts']
    drawn = [_drawn('The modules of src', tool['floors']['modules'])]
    drawn += [_drawn(contract['name'], contract['layers']) for contract in contracts]
    return '\n\n'.join(drawn)


def _drawn(title: str, layers: Sequence[str]) -> str:
    return '\n'.join([f'{title}:', '', '```text', *_floors(layers), '```'])


def _floors(layers: Sequence[str]) -> Iterator[str]:
    for number, layer in enumerate(layers):
        if number:
            yield '  ↓'
        yield '   '.join(_BESIDE.split(layer))
