"""The timeline of a backup: every dispatch, what it cost and what it did."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

from coordinator.engine import operation
from rehearsal.agent import charm_agent
from tests.bench import critical_path, recording

_LONGEST = 100


def advanced(run: recording.Run) -> list[charm_agent.Dispatch]:
    """Return the dispatches that left a new checkpoint."""
    return [d for d, before, after in _dispatches(run) if before.operation != after.operation]


def waited(run: recording.Run) -> list[charm_agent.Dispatch]:
    """Return the dispatches that looked at the open operation and had nothing to write."""
    return [d for d, before, after in _dispatches(run) if before.operation == after.operation]


def lines(run: recording.Run) -> Iterator[str]:
    """Yield the timeline: a line for each dispatch, and one where the charms did their own."""
    done = critical_path.pieces(run)
    for dispatch, before, after in _dispatches(run):
        while done and done[0].ended <= dispatch.started:
            yield _piece(run, done.pop(0))
        yield (
            f'{_clock(run, dispatch.started)}  took {dispatch.seconds:4.2f} s, '
            f'CPU {dispatch.cpu_seconds:4.2f} s, {_event(dispatch):<28} '
            f'{"; ".join(_did(run, before, after))[:_LONGEST]}'
        )


def _piece(run: recording.Run, piece: critical_path.Piece) -> str:
    return (
        f'{_clock(run, piece.begun)}  {piece.seconds:.2f} s, until '
        f'{_clock(run, piece.ended).strip()}: {piece.name}'
    )


def _clock(run: recording.Run, time: datetime.datetime) -> str:
    return f'{(time - run.begun).total_seconds():7.2f}'


def _event(dispatch: charm_agent.Dispatch) -> str:
    return 'pacemaker' if 'hooks/advance' in dispatch.event else dispatch.event


def _dispatches(
    run: recording.Run,
) -> Iterator[tuple[charm_agent.Dispatch, recording.Moment, recording.Moment]]:
    """Yield each dispatch with how things were before it and after it."""
    starts = [dispatch.started for dispatch in run.dispatches]
    for dispatch, following in zip(run.dispatches, [*starts[1:], None], strict=True):
        before = run.since(dispatch.started)[0]
        # What a dispatch wrote is committed after its process has ended, before the next starts.
        after = run.since(following)[0] if following else run.moments[-1]
        yield dispatch, before, after


def _did(run: recording.Run, before: recording.Moment, after: recording.Moment) -> Iterator[str]:
    yield from (f'{unit} goes' for unit in sorted(after.dying - before.dying))
    yield from (f'requested {unit}' for unit in sorted(after.units.keys() - before.units.keys()))
    for task in run.tasks:
        if before.at < task.enqueued <= after.at:
            yield f'started task {task.id}, {task.name} on {task.unit}'
    was, now = before.operation, after.operation
    if now is not None:
        yield from _moves(was if was is not None and was.id == now.id else None, now)


def _moves(was: operation.Operation | None, now: operation.Operation) -> Iterator[str]:
    if was == now:
        yield f'waits: {now.current.reason}' if now.open else 'nothing to do'
        return
    known = {entry.name: entry.state for entry in was.steps} if was else {}
    for entry in now.steps:
        if entry.state != known.get(entry.name, operation.TO_DO):
            yield f'{entry.name} is {entry.state}'
    if now.open and now.current.reason:
        yield f'waits: {now.current.reason}'
    if not now.open:
        yield f'the operation is {now.status}'
