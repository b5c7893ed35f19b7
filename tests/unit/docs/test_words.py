"""The same words everywhere: in README, in the documentation, and in what the charm says."""

from __future__ import annotations

import ast
import pathlib
import re
from collections.abc import Iterator

import pytest

from docs.generate import contents

ROOT = contents.ROOT
INSTEAD = {
    'snapshot': 'backup set',
    'prune': 'expire',
    'purge': 'expire',
    'rollback': 'undo',
    'roll back': 'undo',
    'phase': 'step',
    'job': 'operation',
    'workflow': 'operation',
    'timestamp': 'backup id, or time',
    'point of no return': 'pivot',
    'simply': 'nothing',
    'please': 'nothing',
}
"""Words that are not used, and what is said in their place."""
PLAIN = {
    r'look(?:s|ed|ing)? whether': 'check that',
    r'(?:is|are|was|were|be) told': 'is reported',
    r'of then': 'of that time',
    r'so many': 'the number',
    r'for ever': 'forever',
    r'puts? aside': 'save',
    r'take(?:s|n)? (?:units )?away': 'remove',
    r'the last but one': 'the command',
    r'mend(?:s|ed|ing)?': 'fix',
    r'none of any calendar': 'not a valid date',
    r'joined too early': 'joined while the cluster was blocked',
    r'as long as moving': 'as long as the data transfer',
    r'what going on needs': 'the same access',
    r'is a hope': 'is not a backup',
    r'(?:go|goes|gone|went) on': 'continue',
    r'of (?:its|their|his) own': 'a separate ...',
    r'under way': 'running',
    r'for a person': 'until you act',
    r'(?:tries|tried) again': 'retries the request',
    r'anew': 'again',
    r'in vain': 'without effect',
    r'lest': 'so that ... not',
}
"""Phrases that a reader must read twice, and the plain ones: a pattern, and what to write."""
_WORDS = re.compile(rf'\b({"|".join(INSTEAD)})s?\b', re.IGNORECASE)
PAGES = [
    *(ROOT / f'{name}.md' for name in ('README', 'CONTRIBUTING', 'CHANGES', 'SECURITY')),
    *sorted((ROOT / 'terraform').rglob('README.md')),
    *sorted(path for path in (ROOT / 'docs').rglob('*.md') if '_build' not in path.parts),
    *(ROOT / f'{name}.yaml' for name in ('actions', 'config', 'charmcraft')),
]
MODULES = sorted((ROOT / 'src').rglob('*.py'))


def messages(module: pathlib.Path) -> Iterator[str]:
    """Yield the texts of a module that people may read: more than one word, and no docstring."""
    tree = ast.parse(module.read_text())
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in said else None
        if isinstance(text, str) and ' ' in text:
            yield text


def wrong(text: str) -> list[str]:
    # What is told apart from the coordinator's way has its own name.
    told = text.replace('workflow engine', '')
    words = [f'{word}: say {INSTEAD[word.lower()]}' for word in _WORDS.findall(told)]
    return words + [
        f'{found[0]}: say {plain}'
        for phrase, plain in PLAIN.items()
        for found in re.finditer(rf'\b(?:{phrase})\b', ' '.join(told.split()), re.IGNORECASE)
    ]


@pytest.mark.parametrize('page', PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_uses_the_words_of_the_readme(page: pathlib.Path):
    assert wrong(page.read_text()) == []


def test_the_charm_says_the_words_of_the_readme():
    found = {
        str(module.relative_to(ROOT)): words
        for module in MODULES
        if (words := [word for text in messages(module) for word in wrong(text)])
    }
    assert found == {}


@pytest.mark.parametrize(
    'text',
    ['the snapshots', 'Roll back now', 'simply run it', 'look\nwhether', 'it is told', 'goes on'],
)
def test_another_word_is_found(text: str):
    assert wrong(text)
