"""The page of statuses has every form that the code gives a status, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from docs.generate import contents

PAGE = (contents.ROOT / 'docs/reference/statuses.md').read_text()
FORMS = re.findall(
    r'^\| `(?:active|maintenance|blocked|waiting)` \| `([^`]+)` \|', PAGE, re.MULTILINE
)
SOURCES = {
    'given.py': ('settings', 'check_access', 'credentials', 'secret'),
    'scheduling.py': ('problem',),
    'coordinator/report/status.py': (
        'describe',
        '_lost',
        '_missed',
        '_next',
        '_progress',
        '_under_way',
    ),
    'coordinator/engine/settings.py': ('from_config', '_minutes', 'verifies_deeply'),
    'coordinator/sets/rules.py': ('_count',),
    'coordinator/sets/sealing.py': ('check_recipients',),
    'coordinator/sets/signing.py': ('signers',),
    'coordinator/engine/formats.py': ('read',),
    'coordinator/engine/operation.py': ('from_json',),
}
"""By file: functions whose texts become statuses."""


def texts(source: str, functions: tuple[str, ...]) -> Iterator[list[str]]:
    """Yield the fixed parts of each text that is put together, raised or returned there."""
    tree = ast.parse((contents.ROOT / 'src' / source).read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for function in found:
        if function.name in functions:
            yield from filter(None, map(parts, ast.walk(function)))


def parts(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        return constants(node.exc.args[:1])
    return constants(node.values) if isinstance(node, ast.JoinedStr) else []


def constants(nodes: list[ast.expr]) -> list[str]:
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return [str(value) for value in values if str(value).strip(' :,')]


FOUND = [(source, found) for source, names in SOURCES.items() for found in texts(source, names)]


def pattern(found: list[str]) -> re.Pattern[str]:
    return re.compile('.*'.join(re.escape(text.strip()) for text in found))


@pytest.mark.parametrize('source', SOURCES)
def test_every_function_that_is_read_is_there(source: str):
    tree = ast.parse((contents.ROOT / 'src' / source).read_text())
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert set(SOURCES[source]) <= names


def test_every_text_of_a_status_is_on_the_page():
    missing = [
        f'{source}: {" ... ".join(found)}'
        for source, found in FOUND
        if not any(pattern(found).search(form) for form in FORMS)
    ]
    assert missing == []


def test_the_page_has_no_form_that_no_code_gives():
    patterns = [pattern(found) for _, found in FOUND]
    assert [form for form in FORMS if not any(p.search(form) for p in patterns)] == []


def test_a_form_that_is_not_on_the_page_is_missed():
    (found,) = texts('coordinator/sets/rules.py', ('_count',))
    assert any(pattern(found).search(form) for form in FORMS)
    assert not pattern(found).search('keep-last is -1: set it')
