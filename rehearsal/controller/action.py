"""The Action facade: enqueueing actions and looking up tasks by their id."""

from __future__ import annotations

import dataclasses
from typing import Any

from rehearsal import model, parameters, permissions
from rehearsal.controller import rpc, wire

METHODS = rpc.Methods()

_COMMANDS = ('juju-exec', 'juju-run')
"""Names of the actions that run any command: only for admins."""


@METHODS.add('EnqueueOperation', 'write')
def _enqueue_operation(call: rpc.Call) -> wire.Json:
    requests = [_Request.read(item) for item in call.items('actions')]
    if any(request.name in _COMMANDS for request in requests):
        permissions.check_access(call.user, 'admin')
    if call.model.juju4:
        return _enqueue_4(call.model, requests)
    return _enqueue_3(call.model, requests)


@dataclasses.dataclass(frozen=True)
class _Request:
    """One action that should be enqueued; None where the client left the choice to Juju."""

    receiver: str
    name: str
    parameters: dict[str, Any]
    parallel: bool | None
    execution_group: str | None

    @classmethod
    def read(cls, item: wire.Json) -> _Request:
        return cls(
            rpc.text(item, 'receiver'),
            rpc.text(item, 'name'),
            rpc.mapping(item, 'parameters'),
            rpc.flag(item, 'parallel') if item.get('parallel') is not None else None,
            rpc.text(item, 'execution-group') if item.get('execution-group') is not None else None,
        )

    def unit(self, juju: model.Model) -> model.Unit:
        """Return the receiving unit; a leader is looked up now and not followed later."""
        application, slash, leader = self.receiver.partition('/')
        if slash and leader == 'leader':
            unit = juju.application(application).leader
            if unit is None:
                text = f'could not determine leader for "{application}"'
                raise model.ModelError(text, 'not found' if juju.juju4 else '')
            return juju.unit(unit)
        return juju.unit(wire.untag(self.receiver, 'unit'))

    def call(self, juju: model.Model) -> model.ActionCall:
        """Return what the model is to enqueue, or refuse it as the controller does."""
        unit = self.unit(juju)
        return juju.action_call(
            unit, self.name, self.parameters, self.parallel, self.execution_group
        )


def _enqueue_3(juju: model.Model, requests: list[_Request]) -> wire.Json:
    """Each action stands for itself: a refused one does not hold up the others."""
    calls: list[model.ActionCall] = []
    slots: list[wire.Json | None] = []
    for request in requests:
        try:
            calls.append(request.call(juju))
            slots.append(None)
        except model.ModelError as refusal:
            slots.append({'error': wire.error(refusal)})
    operation = juju.enqueue(calls)
    tasks = iter(operation.tasks)
    return {
        'operation': f'operation-{operation.id}',
        'actions': [slot or _enqueued(next(tasks)) for slot in slots],
    }


def _enqueue_4(juju: model.Model, requests: list[_Request]) -> wire.Json:
    """All actions are one: the same action with the same parameters, of one application."""
    if not requests:
        raise rpc.ApiError('no actions specified', 'not valid')
    calls = [request.call(juju) for request in requests]
    first = requests[0]
    for request, call in zip(requests, calls, strict=True):
        if (request.name, request.parameters) != (first.name, first.parameters):
            text = 'all actions of an operation must have the same name and parameters'
            raise rpc.ApiError(text, 'not valid')
        if call[0].partition('/')[0] != calls[0][0].partition('/')[0]:
            text = 'all actions of an operation must be of the same application'
            raise rpc.ApiError(text, 'not valid')
    operation = juju.enqueue(calls)
    return {
        'operation': f'operation-{operation.id}',
        'actions': [_enqueued(task) for task in operation.tasks],
    }


def _enqueued(task: model.Task) -> wire.Json:
    answer = describe(task)
    answer['action'] |= {'parallel': task.parallel, 'execution-group': task.execution_group}
    return answer


@METHODS.add('Actions')
def _actions(call: rpc.Call) -> wire.Json:
    def one(tag: str) -> wire.Json:
        return describe(find(call.model, tag), log=True, output=True)

    return {'results': wire.each(call.tags(), one)}


@METHODS.add('Cancel', 'write')
def _cancel(call: rpc.Call) -> wire.Json:
    def cancel(tag: str) -> wire.Json:
        task = find(call.model, tag)
        if call.model.juju4:
            # A bug of 4.0: it cannot prepare the statement that would cancel a task.
            text = f'cancelling task "{task.id}": type "taskStatus" has no "status_id" db tag'
            raise model.ModelError(text)
        call.model.cancel(task)
        return describe(task, output=True)

    return {'results': wire.each(call.tags(), cancel)}


@METHODS.add('ApplicationsCharmsActions')
def _applications_charms_actions(call: rpc.Call) -> wire.Json:
    def one(tag: str) -> wire.Json:
        specs = call.model.application(wire.untag(tag, 'application')).charm.actions.values()
        return {
            'application-tag': tag,
            'actions': {
                spec.name: {'description': spec.description, 'params': parameters.schema(spec)}
                for spec in specs
            },
        }

    return {'results': wire.each(call.tags(), one)}


def find(juju: model.Model, tag: str) -> model.Task:
    """Return the task that a tag such as `action-2` names."""
    number = wire.untag(tag, 'action')
    if not number.isdigit() or int(number) not in juju.tasks:
        raise model.ModelError(f'action "{number}" not found', 'not found')
    return juju.tasks[int(number)]


def describe(task: model.Task, *, log: bool = False, output: bool = False) -> wire.Json:
    """Write a task, with its log and output where the call in question shows them."""
    answer: wire.Json = {
        'action': {
            'tag': f'action-{task.id}',
            'receiver': wire.unit_tag(task.unit),
            'name': task.name,
            'parameters': task.parameters,
        },
        'enqueued': wire.timestamp(task.enqueued),
        'started': wire.timestamp(task.started),
        'completed': wire.timestamp(task.completed),
        'status': task.status,
    }
    if task.message:
        answer['message'] = task.message
    if log and task.log:
        answer['log'] = [
            {'timestamp': wire.timestamp(when), 'message': message} for when, message in task.log
        ]
    if output and task.output:
        answer['output'] = task.output
    return answer
