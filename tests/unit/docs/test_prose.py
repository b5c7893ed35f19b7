"""No page, description or message has a phrase that reads as if translated."""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from docs.generate import contents

PHRASES = {
    r'look(s|ed)? whether': 'check that',
    r'(is|are|was|were|be) told': 'is reported',
    r'of (its|their|his) own': 'a separate, its',
    r'of then': 'of that time',
    r'so many': 'this number of',
    r'puts? aside': 'save',
    r'(take|takes|taken|took) away': 'remove',
    r'(go|goes|went|gone) on': 'continue',
    r'under way': 'running',
    r'for a person': 'until you act',
    r'(tries|tried) again': 'retries the request',
    r'mend(s|ed|ing)?': 'fix',
    r'anew': 'again',
    r'in vain': 'without effect',
    r'lest': 'so that ... not',
    r'(simply|please)': '',
}
"""By phrase of the style guide: what to write instead."""
BANNED = re.compile(rf'\b({"|".join(PHRASES)})\b', re.IGNORECASE)
PAGES = sorted(
    {
        *contents.ROOT.glob('*.md'),
        *contents.ROOT.glob('*.yaml'),
        *contents.ROOT.glob('terraform/**/README.md'),
        *(page for page in contents.ROOT.glob('docs/**/*.md') if '_build' not in page.parts),
    }
)


def prose(page: str) -> str:
    """Return the text of a page without its code, which keeps the words of other programs."""
    fenced = re.sub(r'```.*?```', '', page, flags=re.DOTALL)
    return re.sub(r'`[^`]*`|\([^()\s]*\)', ' ', fenced)


def docstrings(tree: ast.Module) -> set[int]:
    """Return the ids of the nodes that are docstrings, of attributes too."""
    bodies = (getattr(node, 'body', None) for node in ast.walk(tree))
    return {
        id(entry.value)
        for body in bodies
        if isinstance(body, list)
        for entry in body
        if isinstance(entry, ast.Expr)
    }


def messages() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each message in the code of the charm."""
    for module in sorted((contents.ROOT / 'src').rglob('*.py')):
        tree = ast.parse(module.read_text())
        passed_over = docstrings(tree)
        for node in ast.walk(tree):
            if not isinstance(node, ast.Constant) or id(node) in passed_over:
                continue
            if isinstance(node.value, str) and ' ' in node.value:
                yield f'{module.relative_to(contents.ROOT)}:{node.lineno}', node.value


def test_a_phrase_is_found_in_prose_and_not_in_code():
    assert BANNED.search(prose('the backup goes on'))
    assert not BANNED.search(prose('`goes on` and\n```\nput aside\n```\n'))


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(contents.ROOT)))
def test_no_page_has_a_banned_phrase(page: pathlib.Path):
    text = ' '.join(prose(page.read_text()).split())
    assert [found.group() for found in BANNED.finditer(text)] == []


def test_no_message_has_a_banned_phrase():
    found = [f'{place}: {text}' for place, text in messages() if BANNED.search(text)]
    assert found == []
