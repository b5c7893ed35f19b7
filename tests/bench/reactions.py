"""How soon the coordinator goes on when a sub-action has ended.

A sub-action has ended when the model says so (`completed` of its task). What follows it is there
when it was *committed*: for the two backups the record in which the operation has come to a later
step, intent included; for get-primary, which ends no step, the removal that it has decided.
"""

from __future__ import annotations

from collections.abc import Callable

from rehearsal import model
from tests.bench import recording

Follows = Callable[[recording.Moment, recording.Moment], bool]
"""Whether the second moment, compared with the first, shows what follows the sub-action."""


def seconds(run: recording.Run) -> list[float]:
    """Return the time from the end of each sub-action to what follows it."""
    return [_seconds(run, task) for task in run.tasks]


def _seconds(run: recording.Run, task: model.Task) -> float:
    assert task.completed is not None
    follows: Follows = _unit_goes if task.name == 'get-primary' else _step_begins
    before, *after = run.since(task.completed)
    follower = next(moment for moment in after if follows(before, moment))
    return (follower.at - task.completed).total_seconds()


def _unit_goes(before: recording.Moment, after: recording.Moment) -> bool:
    return bool(after.dying - before.dying)


def _step_begins(before: recording.Moment, after: recording.Moment) -> bool:
    assert before.operation is not None
    assert after.operation is not None
    return before.operation.step != after.operation.step
