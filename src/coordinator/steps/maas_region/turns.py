"""Lets models that share a repository start their files backups one after the other.

maas-region names a backup by the second in which it begins. Two that begin in the same second
below the same path would write into one folder, and neither charm would notice. So an operation
first writes a mark, then lists the marks of others, and begins when there are none. It deletes its
mark as soon as its backup has a name.
"""

from __future__ import annotations

import datetime

from coordinator import ports
from coordinator.engine import operation, step
from coordinator.record import repository
from coordinator.steps import tasks
from coordinator.steps.backup_set import claiming

FOLDER = 'coordinator/files-backups/'
_SAID = 'files-backup-announced'
"""Fact: set while the mark may be in the repository."""
_AT = 'files-backup-announced-at'
"""Fact: the operation's age when the mark was written."""
_RUNS = 'files-backup-runs'
"""Fact: since when the backup's task has been running."""
_COUNTS_FOR = datetime.timedelta(minutes=15)
"""An older mark was left by a crash."""
_NAMED_WITHIN = 60
"""Seconds. The charm names its backup as soon as it has tested S3."""
_WAITS = 'another model is starting its files backup in this repository: waiting for it'


def announcing(op: operation.Operation) -> dict[str, str]:
    """Return the facts to store before the mark is written."""
    return {_SAID: 'true', _AT: '', _RUNS: ''} if claiming.name(op) else {}


def await_turn(op: operation.Operation, world: ports.World) -> step.Wait | None:
    """Return what to wait for before the backup may begin; None if it may begin."""
    name = claiming.name(op)
    if not name:
        return None
    store = repository.of(op, world)
    there = {item.key.removeprefix(FOLDER): item for item in store.list(FOLDER)}
    own = there.pop(name, None)
    written = _written(op) if own is not None else None
    # The clock of this unit may be an hour off, but S3's own clock has told when it was written.
    now = world.now() if own is None or written is None else own.modified + written
    others = {each for each, item in there.items() if now - item.modified < _COUNTS_FOR}
    if not others and (written is None or written >= _COUNTS_FOR):
        # Also again, if it waited for so long that nobody heeds what it said.
        store.put(FOLDER + name, b'')
        why = 'no other model is starting a files backup in this repository'
        return step.Wait(why, facts={_AT: str(op.age)})
    if own is not None and others and min(others) < name:
        # Of several marks written at once, the first by name is kept.
        store.delete(FOLDER + name)
    return step.Wait(_WAITS) if others else None


def _written(op: operation.Operation) -> datetime.timedelta | None:
    """Return how long ago the mark was written; None if no dispatch has noted that."""
    at = op.fact(_AT)
    return datetime.timedelta(seconds=op.age - int(at)) if at else None


def pass_on(op: operation.Operation, world: ports.World, task: ports.Task) -> step.Wait | None:
    """Delete the mark once the backup has its name; None if there is nothing to do."""
    if not op.fact(_SAID) or task.status == 'pending':
        return None
    waits = f'{task.unit} is backing up its files (task {task.id})'
    runs = None if task.ended else tasks.patience(op, _RUNS, _NAMED_WITHIN)
    if runs is not None:
        return step.Wait(waits, task.id, runs)
    give_up(op, world)
    return step.Wait(waits, task.id, taken_back())


def taken_back() -> dict[str, str]:
    """Return the facts to store when the mark is deleted."""
    return {_SAID: '', _AT: '', _RUNS: ''}


def give_up(op: operation.Operation, world: ports.World) -> None:
    """Delete the mark."""
    if op.fact(_SAID):
        repository.of(op, world).delete(FOLDER + claiming.name(op))


def remains(op: operation.Operation) -> list[str]:
    """Return what may be left of it when an operation ends as it is."""
    if not op.fact(_SAID):
        return []
    key = FOLDER + claiming.name(op)
    return [
        f'{key} may be left in the repository: '
        'it delays the files backups of other models for 15 minutes'
    ]
