"""The charms' own work on the critical path, and how much longer the operation took.

What the coordinator cannot begin earlier, nor make shorter, is the charms' own. A backup that
takes PostgreSQL down to one unit has these pieces, one after the other:

- *get-primary*: its task, from enqueued to completed, and until its unit is idle again: no unit
  may go before all are;
- *removal of a unit*, one after the other: from when it is dying until it is gone and all the
  others are active and idle again (its last hooks, what the leader does about it, Juju's own two
  seconds before it calls an agent idle);
- *database backup*: its task, from enqueued to completed;
- *files backup*, its task, or *return of the units*, from when they were requested until all are
  active and idle: they go side by side, so the longer of the two.

Each begins and ends where the model's timeline says so; nothing is taken from the settings. All
else between the request and the committed end is the coordinator's: its own checks, waiting for
its next dispatch, sealing, verifying, publishing.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator, Sequence

from rehearsal import model, site
from tests.bench import recording


@dataclasses.dataclass(frozen=True)
class Piece:
    """One thing that the charms did while the operation waited."""

    name: str
    begun: datetime.datetime
    ended: datetime.datetime

    @property
    def seconds(self) -> float:
        return (self.ended - self.begun).total_seconds()


def pieces(run: recording.Run) -> list[Piece]:
    """Return the pieces of the critical path, in the order of their beginnings."""
    primary = [_question(run, task) for task in run.tasks if task.name == 'get-primary']
    removals = [_removal(run, unit) for unit in _removed(run)]
    database, files = backups(run)
    beside = max(_of_task(files), *_return(run), key=lambda piece: piece.seconds)
    return sorted([*primary, *removals, _of_task(database), beside], key=lambda piece: piece.begun)


def ratio(run: recording.Run) -> float:
    """Return how many times the charms' own work the operation took."""
    return run.seconds / sum(piece.seconds for piece in pieces(run))


def backups(run: recording.Run) -> tuple[model.Task, model.Task]:
    """Return the tasks of the database's backup and of the files'."""
    database, files = (task for task in run.tasks if task.name == 'create-backup')
    return database, files


def _of_task(task: model.Task) -> Piece:
    assert task.completed is not None
    return Piece(f'{task.name} on {task.unit}', task.enqueued, task.completed)


def _question(run: recording.Run, task: model.Task) -> Piece:
    piece = _of_task(task)
    ended = next(m.at for m in run.since(piece.ended)[1:] if m.units[task.unit].settled)
    return dataclasses.replace(piece, ended=ended)


def _removed(run: recording.Run) -> Iterator[str]:
    seen: set[str] = set()
    for moment in run.moments:
        yield from moment.dying - seen
        seen |= moment.dying


def _removal(run: recording.Run, unit: str) -> Piece:
    begun = next(moment.at for moment in run.moments if unit in moment.dying)
    ended = next(m.at for m in run.since(begun) if unit not in m.units and m.settled)
    return Piece(f'removal of {unit}', begun, ended)


def _return(run: recording.Run) -> Sequence[Piece]:
    """Return the one piece in which the units came back; none when none had to."""
    wanted = len(run.moments[0].units)
    database, _ = backups(run)
    assert database.completed is not None
    since = run.since(database.completed)
    if len(since[0].units) == wanted:
        return ()
    begun = next(moment.at for moment in since if len(moment.units) == wanted)
    ended = next(m.at for m in run.since(begun) if len(m.units) == wanted and m.settled)
    return (Piece(f'return of the units of {site.POSTGRESQL}', begun, ended),)
