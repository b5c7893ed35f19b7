"""Writes the tables of docs/reference out of actions.yaml and config.yaml: `make reference`.

A page keeps its tables between two comments; what is around them is written by hand.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = {'actions.md': 'actions.yaml', 'config.md': 'config.yaml'}
"""By page of docs/reference: what its tables are made of."""
BEGIN = '<!-- Written by `make reference`. -->'
END = '<!-- End of what is written. -->'
_WRITTEN = re.compile(f'(?<={re.escape(BEGIN)}\n).*(?={re.escape(END)})', re.DOTALL)

_Document = Mapping[str, Any]


def renewed(page: str, root: pathlib.Path = ROOT) -> str:
    """Return the text of a page with its tables as they should be.

    Raises:
        ValueError: the page has no place for them.
    """
    text = (root / 'docs/reference' / page).read_text()
    if not _WRITTEN.search(text):
        raise ValueError(f'{page} has not both {BEGIN} and {END}')
    document: _Document = yaml.safe_load((root / PAGES[page]).read_text())
    lines = _actions(document) if page == 'actions.md' else _options(document['options'])
    written = '\n'.join(['', *lines, ''])
    return _WRITTEN.sub(lambda _: written, text)


def _actions(actions: _Document) -> Iterator[str]:
    for name, action in actions.items():
        yield from (f'## {name}', '', action['description'].strip(), '')
        params: _Document = action.get('params', {})
        if not params:
            yield from ('It has no parameters.', '')
            continue
        required = action.get('required', ())
        rows = [
            (
                f'`{key}`',
                _type(schema),
                'required' if key in required else _default(schema),
                _cell(schema['description']),
            )
            for key, schema in params.items()
        ]
        yield from _table(('parameter', 'type', 'default', 'what it says'), rows)


def _options(options: _Document) -> Iterator[str]:
    rows = [
        (f'`{name}`', _type(option), _default(option), _cell(option['description']))
        for name, option in options.items()
    ]
    yield from _table(('option', 'type', 'default', 'what it says'), rows)


def _type(schema: _Document) -> str:
    if 'enum' in schema:
        return ', '.join(f'`{value}`' for value in schema['enum'])
    bounds = [
        f'{word} {schema[key]}'
        for key, word in (('minimum', 'from'), ('maximum', 'to'))
        if key in schema
    ]
    return ' '.join([schema['type'], *bounds])


def _default(schema: _Document) -> str:
    if schema.get('default') in (None, ''):
        return ''
    value = schema['default']
    return f'`{str(value).lower() if isinstance(value, bool) else value}`'


def _cell(text: str) -> str:
    """Return a text as one line, whose angle brackets and bars are no HTML and no columns."""
    line = ' '.join(text.split())
    return line.replace('<', '&lt;').replace('|', '\\|')


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f'| {" | ".join(head)} |'
    yield '|---' * len(head) + '|'
    for row in rows:
        # An empty cell keeps one blank, as the rest of the tables does.
        yield f'| {" | ".join(row)} |'.replace('|  |', '| |')
    yield ''


def main() -> None:
    """Write every page anew."""
    for page in PAGES:
        (ROOT / 'docs/reference' / page).write_text(renewed(page))


if __name__ == '__main__':
    main()
