"""The page on security names tests that exist, and all calls that are made."""

from __future__ import annotations

import ast
import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / 'docs/explanation/security.md').read_text()
FACADES = ROOT / 'src/coordinator/juju_api/facades'


def functions(file: pathlib.Path) -> set[str]:
    tree = ast.parse(file.read_text())
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_the_tests_that_the_page_names_exist():
    named = re.findall(r'`([\w/]+\.py)::(\w+)`', PAGE)
    assert len(named) > 50
    missing = [
        f'{file}::{test}' for file, test in named if test not in functions(ROOT / 'tests' / file)
    ]
    assert missing == []


def test_the_page_names_every_call_of_the_controller():
    code = ''.join(file.read_text() for file in FACADES.glob('*.py'))
    made = re.findall(r"(?:call|effect)\(\s*(?:connection,\s*)?'(\w+)',\s*'(\w+)'", code)
    named = re.findall(r'`((?:Client|Application|Action|Storage|Secrets)\.\w+)`', PAGE)
    assert sorted({f'{facade}.{method}' for facade, method in made}) == sorted(named)
