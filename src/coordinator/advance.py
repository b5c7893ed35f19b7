"""The engine: takes an operation one checkpoint further.

A dispatch calls `advance` once and saves what it returns; the save takes hold when the dispatch
ends. So each call must leave the world such that it may be made again from the record before:

- A step that may have an effect is entered only when its intent (`doing` and a watermark) came
  out of an earlier dispatch; the intent is stored together with the end of the step before.
- A step is entered at most once per call, unless it only looks: at most one effect per dispatch.
- Nothing here sleeps. `Wait` ends the dispatch, and an equal record is not written again.
"""

from __future__ import annotations

import datetime
import logging
import traceback
from collections.abc import Callable
from typing import TypeVar

from coordinator import errors, operation, ports, step

logger = logging.getLogger(__name__)

T = TypeVar('T')

TRYING_AGAIN = 'trying again: '
_IN_DOUBT = 'answer-lost'
_DOUBT = datetime.timedelta(seconds=30)
"""How long a controller may take over a request whose connection is gone."""


def advance(op: operation.Operation, plan: step.Plan, world: ports.World) -> operation.Operation:
    """Return the operation one checkpoint further; a held or ended one comes back unchanged."""
    if op.open:
        op = _by_this_clock(_taking_up(op.following(plan.names), world), world)
    while op.open and not _in_doubt(op, world):
        current = plan.find(op.step)
        if current is None:
            return _holding(
                op,
                f'this revision of the charm knows no step {op.step!r} of {op.kind}: refresh to '
                'the revision that began the operation, then run resume-operation',
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
    except errors.TransientError as error:
        op = _doubting(op, error, world)
        if not _late(op, current.deadline(op.settings), world):
            return _trying_again(op, error, world)
        return _failed(op, plan, current, _too_late(op, current, str(error)), world)
    except errors.RetryStepError as error:
        op = _noting_task(op, error, world)
        again = op.attempt_failed(str(error))
        if again.current.attempts < current.attempts:
            logger.warning('%s: attempt %s: %s', op.at, again.current.attempts, error)
            return again
        return _failed(op, plan, current, f'{error} (after {current.attempts} attempts)', world)
    except errors.CoordinatorError as error:
        return _failed(_noting_task(op, error, world), plan, current, str(error), world)
    op = _learning(op, outcome)
    if isinstance(outcome, step.Done):
        logger.info('%s: done', op.at)
        return _next(op.step_ended(operation.DONE, world.now()), plan, world)
    # Whatever was just started is noted first: the undo must find it.
    op = _waiting(op, outcome, world)
    if _late(op, current.deadline(op.settings), world):
        return _failed(op, plan, current, _too_late(op, current, outcome.reason), world)
    return op


def _enter(
    handler: Callable[[operation.Operation, ports.World], T],
    op: operation.Operation,
    world: ports.World,
) -> T:
    """Enter a step. A fault of our own must not leave an operation without an end.

    It is treated as transient: it is tried again until the deadline, and then undone. Its text
    may hold anything, so only its kind and its place reach the record and the log.
    """
    try:
        return handler(op, world)
    except errors.CoordinatorError:
        raise
    except Exception as error:
        frames = ''.join(traceback.format_tb(error.__traceback__))
        logger.error('%s: %s\n%s', op.at, type(error).__name__, frames)
        raise errors.TransientError(
            f'internal error ({type(error).__name__}), the traceback is in juju debug-log'
        ) from None


def _begin(op: operation.Operation, current: step.Step, world: ports.World) -> operation.Operation:
    mark = _enter(current.mark, op, world) if current.mark else step.Mark()
    return op.beginning(mark.watermark, mark.facts, world.now())


def _learning(op: operation.Operation, outcome: step.Outcome) -> operation.Operation:
    if isinstance(outcome, step.Done) and outcome.left:
        op = op.with_problem(outcome.left)
    return op.remembering(outcome.facts)


def _next(op: operation.Operation, plan: step.Plan, world: ports.World) -> operation.Operation:
    """Go to the following step, its intent included, or end."""
    names = plan.names
    position = names.index(op.step) + 1
    if position == len(names):
        failed = any(entry.state == operation.BROKEN for entry in op.steps)
        return _ending(op, operation.FAILED if failed else operation.COMPLETE, world)
    op = op.moving_to(names[position])
    following = plan.steps[position]
    if following.only_looks:
        return op
    try:
        return _begin(op, following, world)
    except errors.CoordinatorError as error:
        # The step before is done all the same: the next dispatch tries the intent again.
        return op.waiting(f'{TRYING_AGAIN}{error}', world.now())


def _failed(
    op: operation.Operation, plan: step.Plan, current: step.Step, why: str, world: ports.World
) -> operation.Operation:
    if plan.past_pivot(op.step) and not current.tolerated:
        return _holding(op, why)
    logger.error('%s: failed: %s', op.at, why)
    op = op.step_ended(operation.BROKEN, world.now(), why)
    if current.tolerated:
        return _next(_unfinished(op, current, f'{op.step}: {why}'), plan, world)
    return op.turning_back(f'{op.step}: {why}')


def _undo(
    op: operation.Operation, plan: step.Plan, current: step.Step, world: ports.World
) -> operation.Operation:
    begun = op.current.state in (operation.DOING, operation.DONE, operation.BROKEN)
    if op.current.state != operation.UNDOING:
        if current.undo is None or not begun:
            return _back(op, plan, world)
        op = op.undo_begins(world.now())
    assert current.undo is not None
    late = _late(op, current.undo_deadline(op.settings), world)
    try:
        outcome = _enter(current.undo, op, world)
    except errors.TransientError as error:
        op = _doubting(op, error, world)
        if not late:
            return _trying_again(op, error, world)
        return _holding(op, f'undoing {op.step}: {error}')
    except errors.BegunError as error:
        logger.warning('%s: goes on: %s', op.at, error)
        return op.going_on(str(error), world.now())
    except errors.CoordinatorError as error:
        return _holding(op, f'undoing {op.step}: {error}')
    op = _learning(op, outcome)
    if isinstance(outcome, step.Done):
        logger.info('%s: undone', op.at)
        return _back(op.step_ended(operation.UNDONE, world.now()), plan, world)
    if late:
        why = f'undoing {op.step} did not come to its end in time: {outcome.reason}'
        op = op.step_ended(operation.BROKEN, world.now(), why)
        return _back(_unfinished(op, current, why), plan, world)
    return _waiting(op, outcome, world)


def _unfinished(op: operation.Operation, current: step.Step, why: str) -> operation.Operation:
    """Tell that a step is given up as it is, and what may be left of it."""
    op = op.with_problem(why)
    for line in current.remains(op) if current.remains else ():
        op = op.with_problem(line)
    return op


def _back(op: operation.Operation, plan: step.Plan, world: ports.World) -> operation.Operation:
    """Go to the nearest earlier step that has something to undo, or end."""
    position = plan.names.index(op.step)
    for earlier in reversed(plan.steps[:position]):
        state = op.record(earlier.name).state
        if earlier.name == plan.commit and state == operation.DONE:
            break
        if earlier.undo is not None and state in (
            operation.DONE,
            operation.DOING,
            operation.BROKEN,
        ):
            return op.moving_to(earlier.name)
    for name in op.begun_outside(plan.names):
        op = op.with_problem(f'{name} was begun by another revision of the charm: not undone')
    return _ending(op, op.outcome, world)


def _holding(op: operation.Operation, why: str) -> operation.Operation:
    logger.error('%s: held: %s', op.at, why)
    return op.held(why)


def _ending(op: operation.Operation, status: str, world: ports.World) -> operation.Operation:
    logger.info('%s: %s ends %s', op.at, op.kind, status)
    return op.ending(status, world.now())


def _waiting(
    op: operation.Operation, outcome: step.Wait, world: ports.World
) -> operation.Operation:
    """Note what is waited for, and tell the log when it is another thing than before."""
    noted = op.waiting(outcome.reason, world.now(), outcome.task)
    if noted.current != op.current:
        logger.info('%s: %s', noted.at, outcome.reason)
    return noted


def _trying_again(
    op: operation.Operation, error: errors.CoordinatorError, world: ports.World
) -> operation.Operation:
    """Note the first of a row of transient errors; the later ones differ in nothing that helps.

    Were each noted, texts that vary (ports, request ids) would make every look a checkpoint, and
    each checkpoint brings the next dispatch at once: a storm instead of patience.
    """
    logger.warning('%s: %s', op.at, error)
    if op.current.reason.startswith(TRYING_AGAIN):
        return op
    return op.waiting(f'{TRYING_AGAIN}{error}', world.now())


def _noting_task(
    op: operation.Operation, error: errors.CoordinatorError, world: ports.World
) -> operation.Operation:
    """Note the task that failed, which an earlier dispatch may have started and not recorded."""
    task = error.task if isinstance(error, errors.StepError) else None
    return op if task is None else op.waiting(op.current.reason, world.now(), task)


def _doubting(
    op: operation.Operation, error: errors.TransientError, world: ports.World
) -> operation.Operation:
    """Note when a request with an effect got no answer: it may still be on its way."""
    if not isinstance(error, errors.AnswerLost):
        return op
    return op.remembering({_IN_DOUBT: operation.stamp(world.now())})


def all_answered(before: operation.Operation, after: operation.Operation) -> bool:
    """Whether every request of a dispatch, given as what it made of a record, got its answer."""
    return before.fact(_IN_DOUBT) == after.fact(_IN_DOUBT)


def _taking_up(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Take up the doubt that a dispatch has left which was killed, or whose record was lost."""
    left = world.take_up()
    since = operation.stamp(left) if left is not None else ''
    return op.remembering({_IN_DOUBT: since}) if since > op.fact(_IN_DOUBT) else op


def _by_this_clock(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Begin a doubt of the future anew: a clock was set back, or another unit leads."""
    now = operation.stamp(world.now())
    return op.remembering({_IN_DOUBT: now}) if op.fact(_IN_DOUBT) > now else op


def _in_doubt(op: operation.Operation, world: ports.World) -> bool:
    """Whether a request may still take effect: to look now, and to send it again, is too soon."""
    since = op.fact(_IN_DOUBT)
    return bool(since) and world.now() - operation.parse_stamp(since) < _DOUBT


def _late(op: operation.Operation, allowed: datetime.timedelta, world: ports.World) -> bool:
    since = op.current.since
    return bool(since) and world.now() - operation.parse_stamp(since) > allowed


def _too_late(op: operation.Operation, current: step.Step, reason: str) -> str:
    minutes = int(current.deadline(op.settings).total_seconds() // 60)
    return f'not done within {minutes} minutes: {reason}'
