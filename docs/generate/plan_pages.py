"""Each plan as a table and as a diagram, out of `coordinator.operations.plans`."""

from __future__ import annotations

import dataclasses

from coordinator.engine import settings, step
from coordinator.report import status
from docs.generate import diagram as drawing
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

LOOKS, UNCHANGED = 'changes nothing', 'the operation ends'
TOLERATED = 'the operation reports it and continues'
HOLDS = 'the operation is held'
UNDONE = 'this step and those before it are undone'
NOTHING = 'the steps before it are undone'
_COLOURS = {UNDONE: 'undo', NOTHING: 'undo', HOLDS: 'hold', TOLERATED: 'keep'}


def failure(plan: step.Plan, entry: step.Step) -> str:
    """Return what happens to the operation when a step fails."""
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
    names = [entry.name for entry in plan.steps]
    turns = [(names.index(plan.pivot), drawing.REPLACED)] if plan.pivot else []
    if plan.commit:
        turns.append((names.index(plan.commit) + 1, drawing.PUBLISHED))
    return drawing.column(f'The steps of {plan.kind}', _entries(plan), turns)


def overview(plan: step.Plan) -> str:
    """Return the names of a plan's steps as a small SVG."""
    return drawing.grid(f'The steps of {plan.kind}', _entries(plan))


def _entries(plan: step.Plan) -> list[drawing.Entry]:
    return [(entry.name, _colour(plan, entry), _note(plan, entry)) for entry in plan.steps]


def _colour(plan: step.Plan, entry: step.Step) -> str:
    return 'look' if entry.only_looks else _COLOURS[failure(plan, entry)]


def _note(plan: step.Plan, entry: step.Step) -> str:
    failed = f'if it fails, {failure(plan, entry)}'
    return f'{LOOKS}; {failed}' if entry.only_looks else failed
