"""The modules of src/ import downwards only, as pyproject.toml lists their floors."""

from __future__ import annotations

import ast
import pathlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
LAYERS: Sequence[str] = tomllib.loads((ROOT / 'pyproject.toml').read_text())['tool']['floors'][
    'modules'
]
FLOORS: Mapping[str, int] = {
    name: floor for floor, layer in enumerate(reversed(LAYERS)) for name in layer.split(' | ')
}
FILES = sorted((ROOT / 'src').glob('*.py')) + sorted((ROOT / 'src/actions').glob('*.py'))


def imported(source: str) -> Iterator[str]:
    """Yield the first names of what a module imports anywhere, for types only as well."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition('.')[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition('.')[0]


def upwards(name: str, source: str) -> set[str]:
    """Return what a module imports that is not on a floor below its own."""
    others = FLOORS.keys() & set(imported(source)) - {name}
    return {other for other in others if FLOORS[other] >= FLOORS[name]}


def test_every_module_has_a_floor():
    found = {path.stem for path in (ROOT / 'src').glob('*.py')}
    assert FLOORS.keys() == found | {'actions', 'coordinator'}


@pytest.mark.parametrize('path', FILES, ids=lambda path: str(path.relative_to(ROOT / 'src')))
def test_a_module_imports_from_the_floors_below_it(path: pathlib.Path):
    name = path.stem if path.parent.name == 'src' else path.parent.name
    assert upwards(name, path.read_text()) == set()


def test_an_import_for_types_only_is_found():
    source = 'if typing.TYPE_CHECKING:\n    import charm\n    from coordinator import ports\n'
    assert upwards('world', source) == {'charm'}
