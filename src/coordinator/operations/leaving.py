"""What the last unit of a coordinator does at once when it is removed in mid-operation.

No dispatch follows, so the unit puts back in one go what it can, and logs the rest with the
commands. It looks before it acts, because each of a unit's last hooks does this again.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable

from coordinator import errors, ports, this
from coordinator.engine import facts, operation, step
from coordinator.operations import plans
from coordinator.steps import relations, site
from coordinator.steps.postgresql import scaling

logger = logging.getLogger(__name__)

REMOVED = 'the last unit of its coordinator was removed'
_TO_DO = 'left to do: '
_SCALED_DOWN, _SCALED_BACK = 'scale-down-postgresql', 'restore-postgresql-scale'
_DETACHED, _RENEWED = 'detach-maas', 'renew-repository'
_HALF = (
    'the database or the files of MAAS may be half replaced: '
    'deploy the coordinator in this model again, and run resume-operation before anything else'
)

_Act = Callable[[operation.Operation, ports.World], str]


def leave(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Put back what can be put back in one go; return the operation held, with what is left.

    It raises nothing: a last hook that fails keeps the unit from going.
    """
    plan = plans.of(op)
    known = plan is not None and plan.find(op.step) is not None
    half = plan is not None and known and _is_half(op, plan)
    ways = 'resume-operation continues it'
    ways += '' if half else f', {this.command("abort-operation")} undoes it'
    found = _Found(op.held(f'{REMOVED}: {ways}') if op.open else op, world)
    if plan is not None and known:
        if half:
            found.leaves(_HALF)
        else:
            for act in _acts(op):
                found.tries(act)
        found.looks(plan)
    return found.noted(op)


class _Found:
    """What was put back, and what was not."""

    def __init__(self, op: operation.Operation, world: ports.World):
        self._op = op
        self._world = world
        self._done: list[str] = []
        self._left: list[str] = []

    def tries(self, act: _Act) -> None:
        """Put one thing back, or note why not."""
        try:
            done = act(self._op, self._world)
        except Exception as error:
            self.leaves(_reason(error))
        else:
            self._done += [done] if done else []

    def leaves(self, line: str) -> None:
        """Note something that is left to do."""
        self._left.append(line)

    def looks(self, plan: step.Plan) -> None:
        """Note what the world shows to be left or missing now, or the record if it does not."""
        self._left += plan.remains(self._op, self._world)

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


def _reason(error: Exception) -> str:
    """Return what went wrong; the text of an error that is not ours may hold anything."""
    if isinstance(error, errors.CoordinatorError):
        return str(error)
    return f'internal error ({type(error).__name__})'


def _is_half(op: operation.Operation, plan: step.Plan) -> bool:
    """Whether data is being replaced: MAAS must not work with it, nor new units copy it.

    Before PostgreSQL has a new path, its block would spread to new units as well.
    """
    begun = plan.past_pivot(op.step) and not op.undoing and op.current.begun
    replaced = plan.beyond_pivot(op.step) or begun
    return replaced and _state(op, _RENEWED) != operation.DONE


def _acts(op: operation.Operation) -> list[_Act]:
    """Return what may have to be put back."""
    acts: list[_Act] = []
    if facts.ENDPOINTS.of(op) and _state(op, _DETACHED) != operation.UNDONE:
        acts.append(_relate)
    scaled = facts.UNITS.of(op) and _state(op, _SCALED_DOWN) != operation.UNDONE
    if scaled and _state(op, _SCALED_BACK) != operation.DONE:
        acts.append(_request)
    return acts


def _state(op: operation.Operation, name: str) -> str:
    return next((entry.state for entry in op.steps if entry.name == name), '')


def _relate(op: operation.Operation, world: ports.World) -> str:
    relating = relations.relate(op, world, world.juju.status())
    if relating is None:
        return ''
    if relating.facts:
        raise errors.StepError(
            f'{relating.reason}; once juju status --relations no longer shows it: '
            f'juju integrate {" ".join(facts.ENDPOINTS.of(op))}'
        )
    return relating.reason


def _request(op: operation.Operation, world: ports.World) -> str:
    name = op.settings.postgresql
    before = _alive(world, name)
    if not any(unit.agent != 'lost' for unit in before):
        raise errors.StepError(
            f'no unit of {name} answers: new units would start with an empty database. '
            'If the machine does not come back: '
            f'juju add-unit {name}, then restore the last backup set'
        )
    scaling.request_scale(op, world)
    more = len(_alive(world, name)) - len(before)
    return f'{more} unit(s) of {name} were requested' if more > 0 else ''


def _alive(world: ports.World, name: str) -> list[ports.Unit]:
    app = site.application(world.juju.status(), name)
    return [unit for unit in app.units.values() if unit.alive]
