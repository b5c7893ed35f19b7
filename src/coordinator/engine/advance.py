"""The engine: takes an operation one checkpoint further.

A dispatch calls `advance` once and saves the returned record. Juju stores it when the dispatch
ends. If the dispatch is killed, the same call is repeated from the earlier record, so:

- A step with effects is entered only if an earlier dispatch has stored its intent (`doing` and a
watermark). The intent is stored together with the end of the previous step.
- A step is entered at most once per call, unless it only looks: at most one effect per dispatch.
- Nothing here sleeps. `Wait` ends the dispatch, and an equal record is not written again.
"""

from __future__ import annotations

import datetime
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from coordinator import errors, ports
from coordinator.engine import doubt, log, operation, step

logger = logging.getLogger(__name__)

T = TypeVar('T')

TRYING_AGAIN = 'trying again: '
_COARSE = 300
"""Seconds after which the age is stored even if nothing else has changed. A new leader may be this
far behind."""


def advance(op: operation.Operation, plan: step.Plan, world: ports.World) -> operation.Operation:
    """Return the operation one checkpoint further.

    Returns the same object if there is nothing to store: the operation is held, has ended, or
    waits.
    """
    if not op.open:
        return op
    aged = op.aged(world.elapsed(op.id, op.age))
    moved = _moved(doubt.taken_up(aged.following(plan.names), world), plan, world)
    return op if moved == op and moved.age - op.age < _COARSE else moved


def is_uncertain(op: operation.Operation) -> bool:
    """Whether the next dispatch may get another result although the world has not changed."""
    return op.current.reason.startswith(TRYING_AGAIN) or doubt.lasts(op)


def _moved(op: operation.Operation, plan: step.Plan, world: ports.World) -> operation.Operation:
    while op.open and not doubt.lasts(op):
        current = plan.find(op.step)
        if current is None:
            return _holding(
                op,
                f'this revision of the charm does not know step {op.step!r} of {op.kind}: '
                'refresh the charm to the revision that started the operation, '
                'then run resume-operation',
            )
        if op.undoing:
            return _undo(op, plan, current, world)
        moved = _do(op, plan, current, world)
        following = plan.find(moved.step)
        same = moved.step == op.step or moved.undoing
        if same or following is None or not following.only_looks:
            return moved
        op = moved
    return op


def _do(
    op: operation.Operation, plan: step.Plan, current: step.Step, world: ports.World
) -> operation.Operation:
    try:
        if op.current.state == operation.TO_DO:
            op = _begin(op, current, world)
            if not current.only_looks:
                return op
        outcome = _enter(current.do, op, world)
    except errors.CoordinatorError as error:
        return _gone_wrong(op, plan, current, error, world)
    op = _learning(op, outcome)
    if isinstance(outcome, step.Done):
        logger.info('%s: done', op.at)
        return _next(op.step_ended(operation.DONE, world.now()), plan, world)
    # Store what was just started before the step fails, so that the undo finds it.
    op = _waiting(op, outcome, world)
    if _late(op, current.deadline(op.settings)):
        # If a tolerated step is late, its wait reason becomes something left to do.
        why = outcome.reason if current.tolerated else _too_late(op, current, outcome.reason)
        return _failed(op, plan, current, why, world)
    return op


def _gone_wrong(
    op: operation.Operation,
    plan: step.Plan,
    current: step.Step,
    error: errors.CoordinatorError,
    world: ports.World,
) -> operation.Operation:
    """Retry a step or let it fail, depending on the kind of error."""
    if isinstance(error, errors.TransientError):
        op = doubt.noted(op, error)
        if not _late(op, current.deadline(op.settings)):
            return _trying_again(op, error, world)
        return _failed(op, plan, current, _too_late(op, current, str(error)), world)
    op = _noting_task(op, error, world)
    if isinstance(error, errors.RetryStepError):
        again = op.attempt_failed(str(error))
        if again.current.attempts < current.attempts:
            logger.warning('%s: attempt %s: %s', op.at, again.current.attempts, error)
            return again
        return _failed(op, plan, current, f'{error} (after {current.attempts} attempts)', world)
    if isinstance(error, errors.NeedsDecision):
        return _holding(op, str(error))
    if isinstance(error, errors.ShutOut) and _to_undo(
        op, plan, [*_before(plan, op.step), current]
    ):
        return _holding(op, str(error))
    untouched = isinstance(error, errors.RefusedError) or not op.current.begun
    return _failed(op, plan, current, str(error), world, untouched=untouched)


def _enter(
    handler: Callable[[operation.Operation, ports.World], T],
    op: operation.Operation,
    world: ports.World,
) -> T:
    """Call a handler of a step. A fault in our code must not leave the operation without an end.

    It counts as a transient error: the step is retried until its deadline, and then undone.
    """
    try:
        return handler(op, world)
    except errors.CoordinatorError:
        raise
    except Exception as error:
        raise errors.TransientError(log.fault(op.at, error)) from None


def _begin(op: operation.Operation, current: step.Step, world: ports.World) -> operation.Operation:
    mark = _enter(current.mark, op, world) if current.mark else step.Mark()
    return op.beginning(mark.watermark, mark.facts, world.now())


def _learning(op: operation.Operation, outcome: step.Outcome) -> operation.Operation:
    if isinstance(outcome, step.Done):
        if outcome.left:
            op = op.with_problem(outcome.left)
        for warning in outcome.warnings:
            logger.warning('%s: %s', op.at, warning)
            op = op.warned(warning)
    return op.remembering(outcome.facts)


def _next(op: operation.Operation, plan: step.Plan, world: ports.World) -> operation.Operation:
    """Go to the following step, its intent included, or end."""
    names = plan.names
    position = names.index(op.step) + 1
    if position == len(names):
        broken = any(entry.state == operation.BROKEN for entry in op.steps)
        failed = broken and not plan.reached(op)
        return _ending(op, operation.FAILED if failed else operation.COMPLETE, world)
    op = op.moving_to(names[position])
    following = plan.steps[position]
    if following.only_looks:
        return op
    try:
        return _begin(op, following, world)
    except errors.CoordinatorError as error:
        # The previous step is done nevertheless. The next dispatch computes the intent again.
        return op.waiting(f'{TRYING_AGAIN}{error}', world.now())


def _failed(
    op: operation.Operation,
    plan: step.Plan,
    current: step.Step,
    why: str,
    world: ports.World,
    *,
    untouched: bool = False,
) -> operation.Operation:
    """Let a step fail. If it left everything `untouched`, even a failed pivot is undone."""
    past = plan.beyond_pivot(op.step) if untouched else plan.past_pivot(op.step)
    if past and not current.tolerated:
        return _holding(op, why)
    logger.error('%s: failed: %s', op.at, why)
    op = op.step_ended(operation.BROKEN, world.now(), why)
    if current.tolerated:
        return _next(_unfinished(op, current, f'{op.step}: {why}', world), plan, world)
    return op.turning_back(f'{op.step}: {why}')


def _undo(
    op: operation.Operation, plan: step.Plan, current: step.Step, world: ports.World
) -> operation.Operation:
    if op.current.state != operation.UNDOING:
        if current.undo is None or not op.current.begun:
            return _back(op, plan, world)
        op = op.undo_begins(world.now())
    assert current.undo is not None
    late = _late(op, current.undo_deadline(op.settings))
    try:
        outcome = _enter(current.undo, op, world)
    except errors.TransientError as error:
        op = doubt.noted(op, error)
        if not late:
            return _trying_again(op, error, world)
        return _holding(op, f'undoing {op.step}: {error}')
    except errors.BegunError as error:
        logger.warning('%s: continues: %s', op.at, error)
        return op.going_on(str(error), world.now())
    except errors.CoordinatorError as error:
        return _holding(op, f'undoing {op.step}: {error}')
    op = _learning(op, outcome)
    if isinstance(outcome, step.Done):
        logger.info('%s: undone', op.at)
        return _back(op.step_ended(operation.UNDONE, world.now()), plan, world)
    if late:
        why = f'undoing {op.step} did not end in time: {outcome.reason}'
        op = op.step_ended(operation.BROKEN, world.now(), why)
        return _back(_unfinished(op, current, why, world), plan, world)
    return _waiting(op, outcome, world)


def _unfinished(
    op: operation.Operation, current: step.Step, why: str, world: ports.World
) -> operation.Operation:
    """Record that a step is abandoned, and what it may leave over."""
    op = op.with_problem(why)
    for line in current.remaining(op, world):
        op = op.with_problem(line)
    return op


def _back(op: operation.Operation, plan: step.Plan, world: ports.World) -> operation.Operation:
    """Go to the nearest earlier step that has something to undo, or end."""
    earlier = _to_undo(op, plan, _before(plan, op.step))
    if earlier is not None:
        return op.moving_to(earlier.name)
    for name in op.begun_outside(plan.names):
        op = op.with_problem(
            f'{name} was started by another revision of the charm, so it was not undone'
        )
    return _ending(op, op.outcome, world)


def _before(plan: step.Plan, name: str) -> Sequence[step.Step]:
    return plan.steps[: plan.names.index(name)]


def _to_undo(
    op: operation.Operation, plan: step.Plan, steps: Sequence[step.Step]
) -> step.Step | None:
    """Return the last of these steps that was started and can be undone; None if there is none."""
    for each in reversed(steps):
        entry = op.entry(each.name)
        if each.name == plan.commit and entry.state == operation.DONE:
            return None
        if each.undo is not None and entry.begun:
            return each
    return None


def _holding(op: operation.Operation, why: str) -> operation.Operation:
    logger.error('%s: held: %s', op.at, why)
    return op.held(why)


def _ending(op: operation.Operation, status: str, world: ports.World) -> operation.Operation:
    logger.info('%s: %s ends %s', op.at, op.kind, status)
    return op.ending(status, world.now())


def _waiting(
    op: operation.Operation, outcome: step.Wait, world: ports.World
) -> operation.Operation:
    """Record the reason for waiting, and log it if it differs from the last one."""
    noted = op.waiting(outcome.reason, world.now(), outcome.task)
    if noted.current != op.current:
        logger.info('%s: %s', noted.at, outcome.reason)
    return noted


def _trying_again(
    op: operation.Operation, error: errors.CoordinatorError, world: ports.World
) -> operation.Operation:
    """Record the first of several transient errors in a row, and ignore the others.

    Their texts vary (ports, request ids). If each was recorded, every dispatch would store a
    checkpoint, and each checkpoint starts the next dispatch immediately.
    """
    noted = op.waiting(f'{TRYING_AGAIN}{error}', world.now())
    lacking = isinstance(error, errors.Lacking)
    if lacking and noted.current == op.current:
        # The status shows what is missing. It may take hours until somebody provides it.
        return op
    logger.warning('%s: %s', op.at, error)
    if op.current.reason.startswith(TRYING_AGAIN) and not lacking:
        return op
    return noted


def _noting_task(
    op: operation.Operation, error: errors.CoordinatorError, world: ports.World
) -> operation.Operation:
    """Record the failed task: an earlier dispatch may have started it without recording it."""
    task = error.task if isinstance(error, errors.StepError) else None
    return op if task is None else op.waiting(op.current.reason, world.now(), task)


def _late(op: operation.Operation, allowed: datetime.timedelta) -> bool:
    began = op.current.began
    return began is not None and op.age - began > allowed.total_seconds()


def _too_late(op: operation.Operation, current: step.Step, reason: str) -> str:
    minutes = int(current.deadline(op.settings).total_seconds() // 60)
    return f'not done within {minutes} minutes: {reason}'
