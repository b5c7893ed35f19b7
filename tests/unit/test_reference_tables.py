"""The tables of docs/reference say what actions.yaml and config.yaml say, and README names all."""

from __future__ import annotations

import pathlib
import re
import shutil

import pytest
import yaml

from docs import reference_tables

ROOT = reference_tables.ROOT


@pytest.mark.parametrize('page', reference_tables.PAGES)
def test_a_page_is_as_make_reference_writes_it(page: str):
    written = (ROOT / 'docs/reference' / page).read_text()

    assert written == reference_tables.renewed(page), f'{page} is not up to date: make reference'


@pytest.mark.parametrize(
    ('page', 'right', 'wrong'),
    [
        ('actions.md', 'Make one backup set of', 'Make two backup sets of'),
        ('actions.md', 'additionalProperties: false', 'required: [dry-run]'),
        ('config.md', 'default: 720', 'default: 721'),
    ],
)
def test_a_change_of_what_is_declared_is_noticed(
    tmp_path: pathlib.Path, page: str, right: str, wrong: str
):
    shutil.copytree(ROOT / 'docs/reference', tmp_path / 'docs/reference')
    source = reference_tables.PAGES[page]
    text = (ROOT / source).read_text()
    assert right in text
    (tmp_path / source).write_text(text.replace(right, wrong, 1))

    before = (tmp_path / 'docs/reference' / page).read_text()
    assert reference_tables.renewed(page, tmp_path) != before


def test_a_page_without_a_place_for_its_tables_is_refused(tmp_path: pathlib.Path):
    (tmp_path / 'docs/reference').mkdir(parents=True)
    (tmp_path / 'docs/reference/config.md').write_text('# Options\n')

    with pytest.raises(ValueError, match=r'config\.md'):
        reference_tables.renewed('config.md', tmp_path)


def test_the_readme_names_every_action():
    actions = yaml.safe_load((ROOT / 'actions.yaml').read_text())
    table = re.findall(r'^\| `([a-z-]+)` \|', (ROOT / 'README.md').read_text(), re.MULTILINE)

    assert sorted(table) == sorted(actions)
