"""Actions: operations and tasks, from the enqueueing to the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal import parameters as action_parameters
from rehearsal.model.configuring import Configuring
from rehearsal.model.entities import Event, JujuOperation, Kind, Task, Unit
from rehearsal.model.refusals import ActionFailed, ModelError

ActionCall = tuple[str, str, Mapping[str, Any], bool, str]
"""What to enqueue: unit, action, parameters, parallel, execution group."""


class Acting(Configuring):
    """Operations and tasks."""

    def action_call(
        self,
        unit: Unit,
        name: str,
        parameters: Mapping[str, Any],
        parallel: bool | None = None,
        execution_group: str | None = None,
    ) -> ActionCall:
        """Return what to enqueue, or refuse it, as the controller does with a request.

        3.6 checks parameters, fills in their defaults, and takes what is left open from the
        charm. 4.0 leaves parameters to the unit and does not look at what the charm declares.
        """
        spec = unit.application.charm.actions.get(name)
        if spec is None:
            raise ModelError(
                f'action "{name}" not defined on unit "{unit.name}"',
                'not found' if self.juju4 else '',
            )
        if self.juju4:
            stored = {k: action_parameters.stringified(v) for k, v in parameters.items()}
            return unit.name, name, stored, bool(parallel), execution_group or ''
        try:
            checked = action_parameters.checked(spec, parameters)
        except action_parameters.BadParameters as error:
            raise ModelError(str(error)) from None
        parallel = spec.parallel if parallel is None else parallel
        group = spec.execution_group if execution_group is None else execution_group
        return unit.name, name, checked, parallel, group

    def enqueue(self, calls: Sequence[ActionCall]) -> JujuOperation:
        """Enqueue actions as one operation.

        The operation takes one id of the sequence and each task the next.
        """
        now = self.clock.now()
        names = sorted({name for _, name, _, _, _ in calls})
        units = ','.join(self.unit(unit).tag for unit, _, _, _, _ in calls)
        operation = JujuOperation(self._task_id(), f'{"/".join(names)} run on {units}', now)
        self.operations[operation.id] = operation
        for unit_name, name, parameters, parallel, group in calls:
            unit = self.unit(unit_name)
            task = Task(
                self._task_id(),
                operation.id,
                unit_name,
                name,
                dict(parameters),
                now,
                parallel,
                group,
            )
            operation.tasks.append(task)
            self.tasks[task.id] = task
            self.queue(unit, Event(Kind.ACTION, name, task=task))
        self.changed()
        return operation

    def _task_id(self) -> int:
        number = self._next_task
        self._next_task += 1
        return number

    def cancel(self, task: Task) -> None:
        """Cancel as 3.6 does: what waits is cancelled, what runs is killed, the rest stays."""
        if task.status == 'pending':
            unit = self.unit(task.unit)
            unit.queue = [event for event in unit.queue if event.task is not task]
            task.status, task.message = 'cancelled', 'action cancelled via the API'
            task.completed = self.clock.now()
        elif task.status == 'running':
            task.status = 'aborting'
            unit = self.unit(task.unit)
            event = unit.running
            self._stop_running(unit)
            self._task_ended(task, None)
            if event is not None:
                event.done(ActionFailed('terminated'))
        self.changed()
