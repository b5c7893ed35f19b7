"""Broken engines: an exploration that lets one of them pass proves nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Generator, Mapping
from typing import Any

from coordinator import catalogue, doubt, operation, plans, ports, step
from coordinator.steps import passwords, postgresql, tasks
from tests.exploration import faults

Patch = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _replaced(owner: object, name: str, value: object) -> Generator[None]:
    former = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, former)


def _steps(change: Callable[[step.Step], step.Step]) -> contextlib.AbstractContextManager[None]:
    """Replace the steps of all plans."""
    changed = {
        kind: dataclasses.replace(plan, steps=tuple(change(each) for each in plan.steps))
        for kind, plan in plans.PLANS.items()
    }
    return _replaced(plans, 'PLANS', changed)


def _acts_without_looking() -> contextlib.AbstractContextManager[None]:
    looking = tasks.find

    def find(op: operation.Operation, world: ports.World, *more: Any, **named: Any) -> Any:
        # What its own record names it still knows, but it looks for nothing.
        return looking(op, world, *more, **named) if op.current.task is not None else None

    return _replaced(tasks, 'find', find)


def _merges_intent_and_effect() -> contextlib.AbstractContextManager[None]:
    return _steps(lambda each: dataclasses.replace(each, only_looks=True))


def _publishes_first() -> contextlib.AbstractContextManager[None]:
    def capture(op: operation.Operation, world: ports.World) -> step.Outcome:
        world.maas_store.put(catalogue.manifest_key(op.id), b'{}')
        return passwords.capture(op, world)

    return _steps(
        lambda each: (
            dataclasses.replace(each, do=capture) if each.name == 'capture-secrets' else each
        )
    )


def _skips_the_undo() -> contextlib.AbstractContextManager[None]:
    return _steps(lambda each: dataclasses.replace(each, undo=None))


def _forgets_lost_answers() -> contextlib.AbstractContextManager[None]:
    return _replaced(doubt, '_LONGEST', datetime.timedelta(0))


def _forgets_what_was_in_flight() -> contextlib.AbstractContextManager[None]:
    def at_once(op: operation.Operation, world: ports.World) -> operation.Operation:
        return op

    return _replaced(doubt, 'taken_up', at_once)


def _awaits_no_unit() -> contextlib.AbstractContextManager[None]:
    def at_once(op: operation.Operation, world: ports.World) -> step.Outcome:
        return step.Done()

    return _steps(
        lambda each: (
            dataclasses.replace(each, do=at_once)
            if each.name in ('request-postgresql-units', 'restore-postgresql-scale')
            else each
        )
    )


def _undoes_a_restore() -> contextlib.AbstractContextManager[None]:
    changed: Mapping[str, step.Plan] = {
        kind: dataclasses.replace(plan, pivot='') for kind, plan in plans.PLANS.items()
    }
    return _replaced(plans, 'PLANS', changed)


def _keeps_a_password() -> contextlib.AbstractContextManager[None]:
    def mark(op: operation.Operation, world: ports.World) -> step.Mark:
        found = passwords.in_force(world, op.settings.postgresql)
        marked = postgresql.mark_scale_down(op, world)
        return step.Mark(marked.watermark, {**marked.facts, 'seen': found['operator']})

    return _steps(
        lambda each: (
            dataclasses.replace(each, mark=mark) if each.name == 'scale-down-postgresql' else each
        )
    )


@dataclasses.dataclass(frozen=True)
class Mutant:
    """An engine with a fault, and where that must show."""

    name: str
    patch: Patch
    faults: list[faults.Fault]
    scenario: str = 'backup-all'


MUTANTS = (
    Mutant('acts without looking', _acts_without_looking, faults.LOSSES_THAT_COUNT),
    Mutant('merges intent and effect', _merges_intent_and_effect, faults.LOSSES_THAT_COUNT),
    Mutant('publishes first', _publishes_first, []),
    Mutant('skips the undo', _skips_the_undo, faults.ABORTS),
    Mutant('forgets lost answers', _forgets_lost_answers, faults.LOST_ANSWERS),
    Mutant(
        'forgets what was in flight',
        _forgets_what_was_in_flight,
        [faults.LostAnswer(20, killed=True)],
    ),
    Mutant('awaits no unit', _awaits_no_unit, []),
    Mutant(
        'undoes a restore',
        _undoes_a_restore,
        faults.ACTIONS,
        'restore-all, fresh model, 1 region',
    ),
    Mutant('keeps a password', _keeps_a_password, []),
)
