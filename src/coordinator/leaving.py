"""What the last unit of a coordinator does at once when it is removed in mid-operation.

There is no next dispatch to wait for: what can be put back in one go is, and the rest is told with
its commands. Everything is looked at first, as each of a unit's last hooks does this again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from coordinator import errors, operation, plans, ports, step
from coordinator.steps import postgresql, relations, site

logger = logging.getLogger(__name__)

REMOVED = 'the last unit of its coordinator was removed'
_TO_DO = 'left to do: '
_SCALED_DOWN, _SCALED_BACK = 'scale-down-postgresql', 'restore-postgresql-scale'
_DETACHED, _RENEWED = 'detach-maas', 'renew-repository'

_Act = Callable[[operation.Operation, ports.World], str]


def leave(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Put back what can be put back in one go; return the operation held, with what is left.

    It raises nothing: a last hook that fails keeps the unit from going.
    """
    plan = plans.PLANS.get(op.kind)
    held = op.held(f'{REMOVED}: resume-operation goes on with it, abort-operation undoes it')
    found = _Found(held if op.open else op)
    if plan is not None and plan.find(op.step) is not None:
        for act, command in _acts(op, plan).items():
            found.tries(act, command, world)
        for line in plan.remains(op):
            found.leaves(line)
    return found.noted(op)


class _Found:
    """What was put back, and what was not."""

    def __init__(self, op: operation.Operation):
        self._op = op
        self._done: list[str] = []
        self._left: list[str] = []
        self._settled = {'juju add-unit'} if _state(op, _SCALED_BACK) == operation.DONE else set()

    def tries(self, act: _Act, command: str, world: ports.World) -> None:
        """Put one thing back, so that nobody need type the command, or note why not."""
        try:
            done = act(self._op, world)
        except errors.CoordinatorError as error:
            self._left.append(str(error))
            return
        except Exception as error:
            # Its text may hold anything.
            self._left.append(f'internal error ({type(error).__name__})')
            return
        self._settled.add(command)
        self._done += [done] if done else []

    def leaves(self, line: str) -> None:
        """Note what is left, unless it is the command for something that is there again."""
        if not any(command in line for command in self._settled):
            self._left.append(line)

    def noted(self, before: operation.Operation) -> operation.Operation:
        """Return the operation with all of it, and tell the log what is new."""
        kept = tuple(line for line in self._op.warnings if not line.startswith(_TO_DO))
        op = dataclasses.replace(self._op, warnings=kept)
        for line in self._done:
            op = op.warned(f'{REMOVED}: {line}')
        for line in self._left:
            op = op.warned(f'{_TO_DO}{line}')
        for line in op.warnings:
            if line not in before.warnings:
                level = logging.ERROR if line.startswith(_TO_DO) else logging.WARNING
                logger.log(level, '%s: %s', op.at, line)
        if before.open:
            logger.error('%s: held: %s', op.at, op.current.reason)
        return op


def _acts(op: operation.Operation, plan: step.Plan) -> dict[_Act, str]:
    """Return what may be put back now, each with the command that a person then need not type."""
    replaced = plan.beyond_pivot(op.step) or (
        plan.past_pivot(op.step) and not op.undoing and op.current.begun
    )
    # Before PostgreSQL has a path of its own its block would spread to new units, and MAAS must
    # not work with half a database.
    if replaced and _state(op, _RENEWED) != operation.DONE:
        return {}
    acts: dict[_Act, str] = {}
    if op.fact(relations.ENDPOINTS) and _state(op, _DETACHED) != operation.UNDONE:
        acts[_relate] = 'juju integrate'
    scaled = op.fact(postgresql.UNITS) and _state(op, _SCALED_DOWN) != operation.UNDONE
    if scaled and _state(op, _SCALED_BACK) != operation.DONE:
        acts[_request] = 'juju add-unit'
    return acts


def _state(op: operation.Operation, name: str) -> str:
    return next((entry.state for entry in op.steps if entry.name == name), '')


def _relate(op: operation.Operation, world: ports.World) -> str:
    relating = relations.relate(op, world, world.juju.status())
    if relating is None:
        return ''
    if relating.facts:
        raise errors.StepError(
            f'{relating.reason}; once juju status --relations does not show it any more: juju '
            f'integrate {op.fact(relations.ENDPOINTS)}'
        )
    return relating.reason


def _request(op: operation.Operation, world: ports.World) -> str:
    name = op.settings.postgresql
    before = _alive(world, name)
    postgresql.request_scale(op, world)
    more = _alive(world, name) - before
    return f'{more} unit(s) of {name} were requested' if more > 0 else ''


def _alive(world: ports.World, name: str) -> int:
    app = site.application(world.juju.status(), name)
    return sum(unit.alive for unit in app.units.values())
