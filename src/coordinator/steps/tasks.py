"""Actions of other charms: started once, found again, judged by what they left behind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from coordinator import errors, ports
from coordinator.engine import facts, operation, step

_SETTLE_SECONDS = 60
LOST_SECONDS = 300
"""How long the agent of a running task may be lost before the operation stops waiting for it."""
# How Juju words the end of a task whose agent died under it: the charm refused nothing.
_CUT_SHORT = {'terminated', 'action terminated', 'command execution aborted', 'unit removed'}


def newest(world: ports.World, *actions: str) -> int:
    """Return the newest id among the tasks of these actions, 0 when there are none.

    Ids rise in one sequence for the whole model, so what is started from now on is newer.
    """
    return max((task.id for action in actions for task in world.juju.tasks(action)), default=0)


def refuse_while_running(world: ports.World, application: str, action: str) -> None:
    """Let no step begin that would run an action beside a running one of the same kind.

    Raises:
        TransientError: there is one; it is waited for.
    """
    for task in world.juju.tasks(action):
        same = task.unit.partition('/')[0] == application
        if same and task.status in ('pending', 'running'):
            raise errors.TransientError(
                f'{action} is running on {task.unit} (task {task.id}), which somebody else started'
            )


def find(
    op: operation.Operation,
    world: ports.World,
    application: str,
    action: str,
    parameters: Mapping[str, str],
    after: int = 0,
    exactly: bool = False,
) -> ports.Task | None:
    """Return this step's task with its results, if there is one.

    It is the first one newer than the watermark (and than `after`) with the same target, action
    and parameters: one that an earlier dispatch started before it died, or that an operator was
    quicker to start. What failed before the operation was resumed is forgiven. Parameters that a
    task does not name have their defaults, unless it must have `exactly` these.
    """
    oldest = max(op.watermark, after)

    def ours(task: ports.Task) -> bool:
        return (
            task.id > oldest
            and not (is_forgiven(op, task) and task.ended and task.status != 'completed')
            and task.action == action
            and task.unit.partition('/')[0] == application
            and all(task.parameters.get(key, value) == value for key, value in parameters.items())
            and not (exactly and _given(task) != parameters)
        )

    known = op.current.task
    if known is not None:
        try:
            task = world.juju.task(known)
        except errors.NotFound:
            # 4.0 forgets the tasks of a removed unit; an earlier dispatch may have begun another.
            pass
        else:
            if ours(task):
                return task
    found = next((task for task in world.juju.tasks(action) if ours(task)), None)
    return world.juju.task(found.id) if found else None


def _given(task: ports.Task) -> dict[str, object]:
    return {key: value for key, value in task.parameters.items() if value not in (None, '')}


def is_forgiven(op: operation.Operation, task: ports.Task) -> bool:
    """Whether a task is from before the operation was last resumed."""
    return task.id <= int(op.fact(operation.FORGIVEN) or 0)


def patience(op: operation.Operation, name: str, seconds: int) -> dict[str, str] | None:
    """Return the fact to store while something may still take time; None when the time is over.

    Time is the operation's age, counted from when this was first asked: the clocks of the
    controller, of S3, of this unit and of the next leader need not agree. A resumed operation asks
    anew, or what was just fixed would get no time.
    """
    first, resumed = operation.age_of(op.fact(name)), operation.age_of(op.fact(operation.RESUMED))
    if first is None or (resumed is not None and first <= resumed):
        first = op.age
    return None if op.age - first > seconds else {name: str(first)}


def runs_on(op: operation.Operation, world: ports.World, action: str) -> step.Wait | None:
    """Wait on for the noted task of an action, as long as it runs; None to look at everything.

    What somebody may change meanwhile is looked for in a part of each minute.
    """
    known = op.current.task
    if known is None or world.look_is_due(op.age):
        return None
    try:
        task = world.juju.task(known)
    except errors.NotFound:
        return None
    runs = task.action == action and task.status in ('pending', 'running')
    return step.Wait(op.current.reason, known) if runs else None


def awaiting(
    op: operation.Operation,
    world: ports.World,
    running: Sequence[ports.Task],
    reason: str,
    then: str,
) -> step.Wait:
    """Wait for tasks, unless an agent has been lost for minutes: its task may never end.

    Args:
        op: the operation.
        world: the world.
        running: the tasks, none of which has ended.
        reason: what is waited for.
        then: what to do about a lost unit, and what happens then; `{unit}` is its name.

    Raises:
        AgentLost: the agent of one of them has been lost for minutes.
    """
    newest_id = max(task.id for task in running)
    if not world.look_is_due(op.age):
        return step.Wait(reason, newest_id)
    applications = {task.unit.partition('/')[0] for task in running}
    units = {
        name: unit
        for app in world.juju.status(*sorted(applications)).applications.values()
        for name, unit in app.units.items()
    }
    known = facts.AGENTS_LOST.of(op)
    lost = {
        str(task.id): known.get(str(task.id), op.age)
        for task in running
        if task.unit in units and units[task.unit].agent == 'lost'
    }
    for task in running:
        if op.age - lost.get(str(task.id), op.age) > LOST_SECONDS:
            raise errors.AgentLost(
                f'{reason}, but the agent of {task.unit} has been lost for more than '
                f'{LOST_SECONDS // 60} min. {then.format(unit=task.unit)}',
                task.id,
            )
    return step.Wait(reason, newest_id, facts.AGENTS_LOST.put(lost) if lost != known else {})


def replacing(application: str) -> str:
    """Return what to do about a lost unit of an application, for `awaiting`."""
    return (
        'If its machine does not come back: juju remove-unit --force {unit}, juju add-unit '
        f'{application}; then run the operation again'
    )


def await_objects(op: operation.Operation, task: ports.Task) -> step.Wait | None:
    """Give S3 a moment to show what a completed task says it has stored; None when it is over."""
    if task.status != 'completed':
        return None
    noted = patience(op, f'task-{task.id}-seen', _SETTLE_SECONDS)
    if noted is None:
        return None
    reason = f'task {task.id} on {task.unit} completed: waiting until its backup appears in S3'
    return step.Wait(reason, task.id, noted)


def remains(op: operation.Operation) -> list[str]:
    """Return the task that may still run when an operation ends as it is."""
    task = op.current.task
    return [] if task is None else [f'task {task} may still run: juju show-task {task}']


def left_over(op: operation.Operation, world: ports.World) -> list[str]:
    """Return the task that still runs."""
    task = op.current.task
    try:
        ended = task is None or world.juju.task(task).ended
    except errors.NotFound:
        # Its unit is gone.
        ended = True
    return [] if ended else [f'task {task} is still running: juju show-task {task}']


def was_cut_short(task: ports.Task) -> bool:
    """Whether a task's agent died under it, or somebody cancelled it."""
    return task.status in ('cancelled', 'aborted', 'aborting') or task.message in _CUT_SHORT


def judge(task: ports.Task) -> NoReturn:
    """Raise what a task that ended without its goal reached means for the step.

    Raises:
        RetryStepError: its agent died, or someone cancelled it.
        StepError: the charm refused or failed; its reason is repeated.
    """
    hint = f'juju show-task {task.id} and juju debug-log --include {task.unit} show more'
    if was_cut_short(task):
        raise errors.RetryStepError(
            f'task {task.id} ({task.action} on {task.unit}) was interrupted: '
            f'{task.message or task.status}',
            task.id,
        )
    if task.status != 'completed':
        raise errors.StepError(
            f'{task.action} on {task.unit} {task.status} (task {task.id}): '
            f'{task.message.rstrip(".") or "no reason given"}. {hint}',
            task.id,
        )
    raise errors.RetryStepError(
        f'task {task.id} says that {task.action} on {task.unit} completed, '
        f'but no new backup is in the bucket. {hint}',
        task.id,
    )


def cancel(
    op: operation.Operation,
    world: ports.World,
    application: str,
    action: str,
    parameters: Mapping[str, str],
) -> step.Outcome:
    """Undo of a step that runs an action: see to it that its task ends.

    The task may have been started by a dispatch whose checkpoint was lost, so it is looked for.
    4.0 cannot cancel a running task, and 3.6 may report one as aborting forever; the deadline
    of the undo then goes on without it.
    """
    task = find(op, world, application, action, parameters)
    if task is None or task.ended:
        return step.Done()
    if task.status != 'aborting' and op.fact('cancelled-task') != str(task.id):
        world.juju.cancel_task(task.id)
    return step.Wait(
        f'task {task.id} on {task.unit} is ending', task.id, {'cancelled-task': str(task.id)}
    )
