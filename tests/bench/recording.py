"""What happens in an embedded model while operations run, change by change.

The coordinator's record has stamps of whole seconds and holds only what the coordinator knows.
Here the model's own clock and the model's own word count: a record is there when it was
committed, a unit is gone when the model no longer has it.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from coordinator.engine import operation
from rehearsal import embedded, model, site
from rehearsal.agent import charm_agent

_END_SECONDS = 900.0


class OperationFailed(Exception):
    """A backup or a restore did not begin, or did not end well; says why."""


@dataclasses.dataclass(frozen=True)
class UnitState:
    """How a unit of PostgreSQL is."""

    alive: bool
    settled: bool
    """Alive, active and idle."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """How things are from a time on, until the next moment."""

    at: datetime.datetime
    operation: operation.Operation | None
    """As committed."""
    units: Mapping[str, UnitState]
    """PostgreSQL's."""

    @property
    def settled(self) -> bool:
        """Whether all units that are there are settled."""
        return all(unit.settled for unit in self.units.values())

    @property
    def dying(self) -> set[str]:
        """The units that are being removed."""
        return {name for name, unit in self.units.items() if not unit.alive}


@dataclasses.dataclass(frozen=True)
class Run:
    """One backup, from the request to the committed end."""

    request: model.Task
    """The action backup-all."""
    moments: Sequence[Moment]
    """The first one is how things were when it began."""
    tasks: Sequence[model.Task]
    """The coordinator's sub-actions, by their ids."""
    dispatches: Sequence[charm_agent.Dispatch]

    @property
    def seconds(self) -> float:
        """From the request until the record that says `complete` was committed."""
        return (self.ended - self.begun).total_seconds()

    @property
    def begun(self) -> datetime.datetime:
        return self.request.enqueued

    @property
    def ended(self) -> datetime.datetime:
        return self.moments[-1].at

    @property
    def response_seconds(self) -> float:
        """How long the operator waited for the action."""
        assert self.request.completed is not None
        return (self.request.completed - self.request.enqueued).total_seconds()

    def since(self, time: datetime.datetime) -> Sequence[Moment]:
        """Return how things were at a time, and all moments after it."""
        return _from(self.moments, time)


class Recorder:
    """Listens to a running model. Its lists grow on the model's thread."""

    def __init__(self, running: embedded.Embedded):
        self._running = running
        self._juju = running.model
        self._moments: list[Moment] = []
        self._tasks: dict[int, model.Task] = {}
        self._text = ''
        self._relation = running.call(lambda: running.peers)
        running.call(self._juju.on_change.append, self._note)

    def back_up(self) -> Run:
        """Run one backup to its end, and let the model come to rest.

        Raises:
            OperationFailed: it was refused, or did not end complete.
        """
        running, first = self._running, len(self._running.agent.dispatches)
        request = running.run_action(f'{embedded.APP}/leader', 'backup-all')
        if request.status != 'completed':
            raise OperationFailed(f'backup-all {request.status}: {request.message}')
        op = running.until(self._ended, _END_SECONDS)
        assert op is not None
        running.settle()
        if op.status != operation.COMPLETE:
            raise OperationFailed(f'backup-all {op.id} is {op.status}: {op.error}')
        moments = _of_one_operation(self._moments, op.id, request.enqueued)
        return Run(
            request=request,
            moments=moments,
            tasks=[task for number, task in sorted(self._tasks.items()) if number > request.id],
            dispatches=[
                dispatch
                for dispatch in running.agent.dispatches[first:]
                if dispatch.started <= moments[-1].at
            ],
        )

    def _ended(self) -> operation.Operation | None:
        op = self._moments[-1].operation
        return None if op is None or op.open else op

    def _note(self) -> None:
        """Note how things are, if that differs from before."""
        # Juju 4.0 forgets the tasks of removed units: they are kept as they are seen.
        self._tasks.update(self._juju.tasks)
        last = self._moments[-1] if self._moments else None
        text = self._relation.app_data[embedded.APP].get('operation', '')
        op = last.operation if last is not None else None
        if text != self._text:
            self._text, op = text, operation.Operation.from_json(text)
        units = {
            unit.name: UnitState(unit.life == 'alive', _settled(unit))
            for unit in self._juju.application(site.POSTGRESQL).units.values()
        }
        if last is None or (last.operation, last.units) != (op, units):
            self._moments.append(Moment(self._juju.clock.now(), op, units))


def _settled(unit: model.Unit) -> bool:
    status = (unit.life, unit.workload.current, unit.agent.current)
    return status == ('alive', 'active', 'idle')


def _of_one_operation(
    moments: Sequence[Moment], operation_id: str, begun: datetime.datetime
) -> Sequence[Moment]:
    """Return the moments from the last one before the beginning to the one that shows the end."""
    ended = next(
        index
        for index, moment in enumerate(moments)
        if moment.operation is not None
        and moment.operation.id == operation_id
        and not moment.operation.open
    )
    return _from(moments[: ended + 1], begun)


def _from(moments: Sequence[Moment], time: datetime.datetime) -> Sequence[Moment]:
    """Return how things were at a time, and all that followed."""
    known = sum(moment.at <= time for moment in moments)
    return moments[max(known - 1, 0) :]
