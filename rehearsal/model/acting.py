"""Actions: operations and tasks, from the enqueueing to the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.model import parameters as action_parameters
from rehearsal.model.configuring import Configuring
from rehearsal.model.entities import Application, Event, JujuOperation, Kind, Task
from rehearsal.model.refusals import ActionFailed, ModelError, differing

ActionCall = tuple[str, str, Mapping[str, Any], bool, str]
"""What to enqueue: unit, action, parameters, parallel, execution group."""


COMMANDS = ('juju-exec', 'juju-run')
"""Names of the actions that every unit has: they run any command."""


class Acting(Configuring):
    """Operations and tasks."""

    def action_call(
        self,
        unit: str,
        name: str,
        parameters: Mapping[str, Any],
        parallel: bool | None = None,
        execution_group: str | None = None,
    ) -> ActionCall:
        """Return what to enqueue, or refuse it, as the controller does with a request.

        3.6 looks the unit up, checks parameters, fills in their defaults, and takes what is left
        open from the charm. 4.0 leaves parameters to the unit and does not look at what the charm
        declares; that the unit is gone it finds only when the operation is there.
        """
        if not self.juju4 and unit not in self.units:
            raise ModelError(f'"unit-{unit.replace("/", "-")}" not found', 'not found')
        if name in COMMANDS:
            return unit, name, dict(parameters), bool(parallel), execution_group or ''
        spec = self._application_of(unit).charm.actions.get(name)
        if spec is None:
            raise differing(
                self.juju4,
                (f'action "{name}" not defined on unit "{unit}"', ''),
                (f'action "{name}" not defined for unit "{unit}".', 'not found'),
            )
        if self.juju4:
            stored = {k: action_parameters.stringified(v) for k, v in parameters.items()}
            return unit, name, stored, bool(parallel), execution_group or ''
        try:
            checked = action_parameters.checked(spec, parameters)
        except action_parameters.BadParameters as error:
            raise ModelError(str(error)) from None
        parallel = spec.parallel if parallel is None else parallel
        group = spec.execution_group if execution_group is None else execution_group
        return unit, name, checked, parallel, group

    def _application_of(self, unit: str) -> Application:
        name = unit.partition('/')[0]
        if name not in self.applications:
            doing = 'adding action operation: '
            text = f'application "{name}" not found'
            raise ModelError(f'{doing}{doing}getting charm UUID for application "{name}": {text}')
        return self.applications[name]

    def enqueue(
        self, calls: Sequence[ActionCall], *, summary: str = '', fail: str = ''
    ) -> JujuOperation:
        """Enqueue actions as one operation.

        The operation takes one id of the sequence and each task the next. On 4.0 a unit that is
        gone takes one as well, and gets no task: `unlinked` is why.

        Args:
            calls: what is to be run.
            summary: what the operation is to be listed as; by default what Juju makes of `calls`.
            fail: why there are not more of them.
        """
        now = self.clock.now()
        names = sorted({name for _, name, _, _, _ in calls})
        operation = JujuOperation(
            self._task_id(),
            names[0] if len(names) == 1 else '',
            summary or self._summary(calls),
            now,
            fail,
        )
        self.operations[operation.id] = operation
        for unit_name, name, parameters, parallel, group in calls:
            task_id = self._task_id()
            if self.juju4 and unit_name not in self.units:
                continue
            unit = self.unit(unit_name)
            task = Task(
                task_id,
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

    def _summary(self, calls: Sequence[ActionCall]) -> str:
        names = {name for _, name, _, _, _ in calls}
        name = names.pop() if len(names) == 1 else 'multiple actions'
        if self.juju4:
            return f'action "{name}"'
        receivers = ','.join('unit-' + unit.replace('/', '-') for unit, _, _, _, _ in calls)
        return f'{name} run on {receivers}'

    def unlinked(self, unit: str) -> ModelError:
        """Return why 4.0 has made no task for a unit."""
        return ModelError(
            f'linking task to unit: getting unit UUID for "{unit}": unit "{unit}" not found'
        )

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
