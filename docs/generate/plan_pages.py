"""Each plan as a table and as a diagram, out of `coordinator.plans`."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Iterator

from coordinator import settings, status, step
from docs.generate import tables

# What the placeholders of a step's text stand for on any site.
_WORDS = {
    'maas': 'maas-region',
    'postgresql': 'postgresql',
    'recipients': 'the',
    'scale_down': 'remove units, one at a time, until only the primary is left',
    'backup_unit': 'the primary (with `replica`: a replica)',
    'request': 'request the removed units again',
    'units': 'n',
    'regions': 'n',
    'others': ', with the data of all who use it',
    'retention': 'those of the `keep-...` options',
}
_SITE = settings.Settings('maas-region', 'postgresql')
_OPTIONS = {
    'scaling_minutes': 'scaling-deadline',
    'postgresql_backup_minutes': 'postgresql-backup-deadline',
    'maas_backup_minutes': 'maas-backup-deadline',
}

LOOKS, UNCHANGED = 'it only looks', 'nothing was changed'
TOLERATED = 'it is reported, and the operation goes on'
HOLDS = 'the operation is held'
UNDONE = 'it is undone, and so are the steps before it'
NOTHING = 'the steps before it are undone'
_COLOURS = {
    LOOKS: '#e8e8e8',
    UNDONE: '#d6e6f5',
    NOTHING: '#d6e6f5',
    HOLDS: '#fbe0c3',
    TOLERATED: '#dff0d8',
}

_BOX, _GAP, _WIDTH, _LEFT = 30, 16, 720, 16
"""Pixels."""


def failure(plan: step.Plan, entry: step.Step) -> str:
    """Return what becomes of a step, and of the operation, when it fails."""
    if entry is plan.steps[0] and entry.only_looks:
        return UNCHANGED
    if entry.tolerated:
        return TOLERATED
    if plan.past_pivot(entry.name):
        return HOLDS
    if entry.undo is not None:
        return UNDONE
    return NOTHING


def table(plan: step.Plan) -> str:
    """Return a plan's steps as a table."""
    rows = [
        (
            str(number),
            f'`{entry.name}`',
            entry.tells.format_map(_WORDS),
            _deadline(entry),
            failure(plan, entry),
        )
        for number, entry in enumerate(plan.steps, start=1)
    ]
    head = ('#', 'step', 'what it does', 'deadline', 'if it fails')
    return '\n'.join(tables.table(head, rows)).strip('\n')


def _deadline(entry: step.Step) -> str:
    length = entry.deadline(_SITE)
    for field, option in _OPTIONS.items():
        longer = dataclasses.replace(_SITE, **{field: 1_000_000})
        if entry.deadline(longer) != length:
            return f'`{option}`, {status.span(length)}'
    return status.span(length)


def diagram(plan: step.Plan) -> str:
    """Return a plan's steps as an SVG, from top to bottom."""
    lines: list[str] = []
    top = _GAP
    for number, entry in enumerate(plan.steps):
        if entry.name == plan.pivot:
            lines += _line(top, 'from here on data is replaced: nothing can be put back')
            top += _GAP * 2
        if number:
            lines.append(_arrow(top))
            top += _GAP
        lines += _step(plan, entry, top)
        top += _BOX
        if entry.name == plan.commit:
            lines += _line(top, 'from here on the backup set exists and is kept')
            top += _GAP * 2
    height = top + _GAP
    title = html.escape(f'The steps of {plan.kind}')
    return '\n'.join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" aria-label="{title}" '
            'font-family="Ubuntu, sans-serif" font-size="13">',
            f'<title>{title}</title>',
            f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
            *lines,
            '</svg>\n',
        ]
    )


def _step(plan: step.Plan, entry: step.Step, top: int) -> Iterator[str]:
    looks = LOOKS if entry.only_looks else ''
    note = ', '.join(filter(None, [looks, f'if it fails {failure(plan, entry)}']))
    colour = _COLOURS[looks or failure(plan, entry)]
    middle = top + _BOX // 2 + 4
    yield (
        f'<rect x="{_LEFT}" y="{top}" width="220" height="{_BOX}" rx="4" '
        f'fill="{colour}" stroke="#555555"/>'
    )
    yield (
        f'<text x="{_LEFT + 110}" y="{middle}" text-anchor="middle" fill="#111111">'
        f'{html.escape(entry.name)}</text>'
    )
    yield f'<text x="{_LEFT + 240}" y="{middle}" fill="#444444">{html.escape(note)}</text>'


def _arrow(top: int) -> str:
    x = _LEFT + 110
    return (
        f'<path d="M{x} {top}v{_GAP - 6}m-4 0h8l-4 6z" fill="#555555" stroke="#555555" '
        'stroke-width="1"/>'
    )


def _line(top: int, text: str) -> Iterator[str]:
    y = top + _GAP
    yield (
        f'<path d="M{_LEFT} {y}H{_WIDTH - _LEFT}" stroke="#c7162b" stroke-width="1.5" '
        'stroke-dasharray="6 4"/>'
    )
    yield f'<text x="{_LEFT + 240}" y="{y - 4}" fill="#c7162b">{html.escape(text)}</text>'
