"""Draws the floors of the import contract in pyproject.toml."""

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
    contracts: Sequence[Mapping[str, Any]] = project['tool']['importlinter']['contracts']
    return '\n\n'.join(_contract(contract) for contract in contracts)


def _contract(contract: Mapping[str, Any]) -> str:
    return '\n'.join([f'{contract["name"]}:', '', '```text', *_floors(contract['layers']), '```'])


def _floors(layers: Sequence[str]) -> Iterator[str]:
    for number, layer in enumerate(layers):
        if number:
            yield '  ↓'
        yield '   '.join(_BESIDE.split(layer))
