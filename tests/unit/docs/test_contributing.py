"""CONTRIBUTING.md names files, names in them and packages that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import pytest

from docs.generate import contents, floors

ROOT = contents.ROOT
PAGE = (ROOT / 'CONTRIBUTING.md').read_text()
_QUOTED = re.compile(r'`([^`\n]+)`')
_RECIPE = re.compile(r'^\*\*(.+)\*\*\n\n((?:- .+\n(?:  .+\n)*)+)', re.MULTILINE)


def recipes() -> dict[str, list[str]]:
    """Return the entries of each recipe."""
    return {title: re.split(r'\n- ', text[2:]) for title, text in _RECIPE.findall(PAGE)}


def is_path(quoted: str) -> bool:
    return '/' in quoted or quoted.endswith(('.yaml', '.md', '.py'))


def missing(entry: str) -> Iterator[str]:
    """Yield what an entry of a recipe names that is in none of its files."""
    quoted = _QUOTED.findall(entry)
    paths = [ROOT / name for name in quoted if is_path(name)]
    files = [file for path in paths for file in (path.rglob('*.py') if path.is_dir() else [path])]
    text = '\n'.join(file.read_text() for file in files if file.exists())
    yield from (str(path) for path in paths if not path.exists())
    for name in quoted:
        if not is_path(name) and not re.search(rf'(?<!\w){re.escape(name)}\b', text):
            yield name


def test_each_kind_of_change_has_its_recipe():
    assert recipes().keys() >= {
        'Add a step',
        'Add a retention rule',
        'Add a Juju call',
        'Add a manifest field',
        'Add a backup part',
    }


@pytest.mark.parametrize('title', recipes())
def test_what_a_recipe_names_is_there(title: str):
    entries = recipes()[title]
    assert len(entries) > 1
    assert [name for entry in entries for name in missing(entry)] == []


def test_a_name_that_is_gone_is_found():
    entry = '`config.yaml`: the option `keep-hourly` beside `keep-daily`, and `gone/away.py`'
    assert list(missing(entry)) == [str(ROOT / 'gone/away.py'), 'keep-hourly']


def mapped() -> Sequence[str]:
    """Return the paths in the first column of the map, as often as they stand there."""
    table = PAGE.partition('## The way in')[2].partition('## ')[0]
    cells = [line.split('|')[1] for line in table.splitlines() if line.startswith('| `')]
    return [path for cell in cells for path in _QUOTED.findall(cell)]


def test_the_map_has_every_package_once():
    packages = [path.parent for path in (ROOT / 'src').glob('*/*/__init__.py')]
    names = sorted(f'{package.relative_to(ROOT)}/' for package in packages)
    assert names == sorted(path for path in mapped() if re.fullmatch('src/coordinator/.+/', path))


def test_every_path_on_the_page_exists():
    roots = re.compile(r'(src|tests|docs|rehearsal|packing|terraform)/[\w/.]*')
    paths = [path for path in _QUOTED.findall(PAGE) if roots.fullmatch(path)]
    assert len(paths) > 40
    assert [path for path in paths if not (ROOT / path).exists()] == []


def test_the_floors_are_drawn_from_the_contract():
    contract = {'name': 'Two floors', 'layers': ['roof', 'left | right', 'cellar : coal']}
    tool = {'floors': {'modules': ['top']}, 'importlinter': {'contracts': [contract]}}
    drawn = floors.picture({'tool': tool})

    assert drawn.splitlines()[6:] == [
        'Two floors:',
        '',
        '```text',
        'roof',
        '  ↓',
        'left   right',
        '  ↓',
        'cellar   coal',
        '```',
    ]
