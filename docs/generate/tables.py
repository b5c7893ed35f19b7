"""The tables of docs/reference that say what actions.yaml and config.yaml say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from coordinator.observed import alerts as alert_rules
from coordinator.observed import metrics as metric_tables

_Document = Mapping[str, Any]


def actions(declared: _Document, example: Callable[[str], str]) -> str:
    """Return a section for each action.

    Args:
        declared: the content of actions.yaml.
        example: gives what an action prints, as Markdown; '' when there is nothing to show.
    """
    return _text(_actions(declared, example))


def options(declared: _Document) -> str:
    """Return the table of options, out of the content of config.yaml."""
    rows = [
        (f'`{name}`', _type(option), _default(option), cell(option['description']))
        for name, option in declared['options'].items()
    ]
    return _text(table(('option', 'type', 'default', 'what it says'), rows))


def metrics(declared: Sequence[metric_tables.Metric]) -> str:
    """Return the table of metrics."""
    rows = [
        (
            f'`{metric_tables.PREFIX}{metric.name}`',
            metric.kind,
            ', '.join(f'`{label}`' for label in metric.labels),
            cell(metric.help),
        )
        for metric in declared
    ]
    return _text(table(('metric', 'type', 'labels', 'what it says'), rows))


def alerts(declared: Sequence[alert_rules.Alert]) -> str:
    """Return the table of alerts, with links to what to do about each."""
    rows = [
        (
            f'[{alert.name}](../how-to/alerts.md#{alert.name.lower()})',
            alert.severity,
            alert.lasts,
            cell(alert.summary),
        )
        for alert in declared
    ]
    return _text(table(('alert', 'severity', 'after', 'fires when'), rows))


def _text(lines: Iterator[str]) -> str:
    return '\n'.join(lines).strip('\n')


def _actions(declared: _Document, example: Callable[[str], str]) -> Iterator[str]:
    for name, action in declared.items():
        yield from (f'## {name}', '', action['description'].strip(), '')
        params: _Document = action.get('params', {})
        required = action.get('required', ())
        rows = [
            (
                f'`{key}`',
                _type(schema),
                'required' if key in required else _default(schema),
                cell(schema['description']),
            )
            for key, schema in params.items()
        ]
        if rows:
            yield from table(('parameter', 'type', 'default', 'what it says'), rows)
        else:
            yield from ('It has no parameters.', '')
        shown = example(name)
        if shown:
            yield from (shown, '')


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


def cell(text: str) -> str:
    """Return a text as one line, whose angle brackets and bars are no HTML and no columns."""
    return one_line(text).replace('<', '&lt;')


def one_line(text: str) -> str:
    """Return a text as one line, whose bars are no columns."""
    return ' '.join(text.split()).replace('|', '\\|')


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table, and an empty one."""
    yield f'| {" | ".join(head)} |'
    yield '|---' * len(head) + '|'
    for row in rows:
        # An empty cell keeps one blank, as the rest of the tables does.
        yield f'| {" | ".join(row)} |'.replace('|  |', '| |')
    yield ''
