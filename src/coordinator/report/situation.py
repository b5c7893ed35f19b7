"""How the site is while an operation is under way or held: what a person must know at once."""

from __future__ import annotations

import contextlib

from coordinator import errors, ports
from coordinator.engine import facts, operation

_HAD = 'postgresql-units-when-held'
"""Fact: how many units PostgreSQL had when the operation was held, of how many before it."""


def told(op: operation.Operation) -> list[str]:
    """Return what the record tells of the site."""
    return [line for line in (_detached(op), _had(op), _published(op)) if line]


def seen(op: operation.Operation, world: ports.World) -> list[str]:
    """Return how the site is now, besides how long MAAS has been down.

    If the controller does not answer, it is what the record tells.
    """
    units = _had(op)
    with contextlib.suppress(errors.CoordinatorError):
        units = _units(op, world)
    return [line for line in (units, _published(op)) if line]


def noted(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Return an operation that is being held with what the world tells of the site."""
    # Whatever it is: that the operation is held must be stored.
    with contextlib.suppress(Exception):
        counts = _counts(op, world)
        return op.remembering({_HAD: '{} of its {}'.format(*counts)} if counts else {})
    return op


def _detached(op: operation.Operation) -> str:
    back = facts.UP_SINCE.of(op) or _state(op, 'detach-maas') == operation.UNDONE
    if back or not facts.RELATION_REMOVED.of(op):
        return ''
    return f'{op.settings.maas} is detached since {facts.DOWN_SINCE.of(op)}'


def _had(op: operation.Operation) -> str:
    if not op.fact(_HAD) or op.status != operation.HELD:
        return ''
    return f'{op.settings.postgresql} had {op.fact(_HAD)} units when it was held'


def _published(op: operation.Operation) -> str:
    if _state(op, 'publish') != operation.DONE:
        return ''
    return f'backup set {op.backup_id} is published'


def _units(op: operation.Operation, world: ports.World) -> str:
    counts = _counts(op, world)
    return '{} has {} of its {} units'.format(op.settings.postgresql, *counts) if counts else ''


def _counts(op: operation.Operation, world: ports.World) -> tuple[int, int] | None:
    """Return how many units PostgreSQL has and had, if any is missing."""
    before = len(facts.UNITS.of(op))
    if not before:
        return None
    app = world.juju.status().applications.get(op.settings.postgresql)
    now = sum(unit.alive for unit in app.units.values()) if app else 0
    return (now, before) if now < before else None


def _state(op: operation.Operation, name: str) -> str:
    return next((entry.state for entry in op.steps if entry.name == name), '')
