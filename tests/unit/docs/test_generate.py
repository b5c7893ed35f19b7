"""What is written by a program is as `make reference` writes it."""

from __future__ import annotations

import pathlib
import re
import shutil
from xml.etree import ElementTree

import pytest
import yaml

from coordinator.operations import plans
from docs.generate import contents, examples, pages

ROOT = contents.ROOT
PAGES = pages.with_places(ROOT)


def on_its_worker(page: pathlib.Path) -> object:
    """Return a page; the one that shows the cases on the worker that has played them."""
    name = str(page.relative_to(ROOT))
    marks = pytest.mark.xdist_group('on-call') if name.endswith('statuses.md') else ()
    return pytest.param(page, id=name, marks=marks)


@pytest.mark.parametrize('page', [on_its_worker(page) for page in PAGES])
def test_a_page_is_as_make_reference_writes_it(page: pathlib.Path):
    renewed = pages.renewed(page, contents.content)
    assert page.read_text() == renewed, f'{page} is not up to date: make reference'


def test_the_diagrams_are_as_make_reference_writes_them():
    for path, diagram in contents.diagrams().items():
        # Browsers show nothing of what is no XML.
        ElementTree.fromstring(diagram)
        assert (ROOT / path).read_text() == diagram, f'{path} is not up to date: make reference'


def test_the_rules_file_is_as_make_reference_writes_it():
    for path, text in contents.rules().items():
        assert (ROOT / path).read_text() == text, f'{path} is not up to date: make reference'


@pytest.mark.parametrize(
    ('page', 'source', 'right', 'wrong'),
    [
        ('actions', 'actions.yaml', 'Create a backup set', 'Create two backup sets'),
        ('actions', 'actions.yaml', 'additionalProperties: false', 'required: [dry-run]'),
        ('config', 'config.yaml', 'default: 720', 'default: 721'),
    ],
)
def test_a_change_of_what_is_declared_is_noticed(
    tmp_path: pathlib.Path, page: str, source: str, right: str, wrong: str
):
    text = (ROOT / source).read_text()
    assert right in text
    for name in ('actions.yaml', 'config.yaml'):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / source).write_text(text.replace(right, wrong, 1))

    written = ROOT / f'docs/reference/{page}.md'
    changed = pages.renewed(written, lambda name: contents.content(name, tmp_path))
    assert changed != written.read_text()


def test_a_page_that_asks_for_what_there_is_not_is_refused(tmp_path: pathlib.Path):
    page = tmp_path / 'page.md'
    page.write_text(f'<!-- Written by `make reference`: plan unheard-of -->\n{pages.END}\n')

    with pytest.raises(ValueError, match="no 'plan unheard-of'"):
        pages.renewed(page, contents.content)


def test_what_is_around_a_place_stays_as_it_is(tmp_path: pathlib.Path):
    begin = '<!-- Written by `make reference`: it -->'
    page = tmp_path / 'page.md'
    page.write_text(f'before\n{begin}\nold\n{pages.END}\nafter\n')

    renewed = pages.renewed(page, lambda name: f'new {name}')
    assert renewed == f'before\n{begin}\n\nnew it\n\n{pages.END}\nafter\n'


def test_every_example_is_shown_somewhere():
    shown = '\n'.join(page.read_text() for page in PAGES)
    assert [name for name, screen in examples.screens().items() if screen not in shown] == []


def test_every_action_has_an_example():
    actions = yaml.safe_load((ROOT / 'actions.yaml').read_text())
    commands = [screen.split()[4] for screen in examples.screens().values() if 'run' in screen]
    assert sorted(set(commands) & set(actions)) == sorted(actions)


@pytest.mark.parametrize('kind', plans.PLANS)
def test_every_plan_is_on_its_page(kind: str):
    page = (ROOT / 'docs/reference/plans.md').read_text()
    assert f'`make reference`: plan {kind} -->' in page
    assert f'(plans/{kind}.svg)' in page


def test_the_page_of_actions_names_every_action():
    actions = yaml.safe_load((ROOT / 'actions.yaml').read_text())
    page = (ROOT / 'docs/reference/actions.md').read_text().partition('## ')[0]
    table = re.findall(r'^\| `([a-z-]+)` \|', page, re.MULTILINE)

    assert sorted(table) == sorted(actions)
