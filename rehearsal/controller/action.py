"""The Action facade's tasks: looked up, cancelled, and what a charm offers to run."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal import model
from rehearsal.controller import rpc, wire
from rehearsal.model import parameters

METHODS = rpc.Methods()

_BAD_ID = ('id not found', 'not found')


NOTHING: wire.Json = {
    'enqueued': wire.ZERO_TIME,
    'started': wire.ZERO_TIME,
    'completed': wire.ZERO_TIME,
}
"""Go writes the times of a task that is not there."""


def _each_task(call: rpc.Call, answer: Callable[[str], wire.Json]) -> wire.Json:
    """Answer for each tag; one that is no task's is an error with times."""
    return {'results': [NOTHING | result for result in wire.each(call.tags(), answer)]}


@METHODS.add('Actions')
def _actions(call: rpc.Call) -> wire.Json:
    def one(tag: str) -> wire.Json:
        try:
            task = find(call.model, tag)
        except model.ModelError:
            raise model.ModelError(*_BAD_ID) from None
        return describe(call.model, task, log=True, output=True)

    return _each_task(call, one)


@METHODS.add('Cancel', 'write')
def _cancel(call: rpc.Call) -> wire.Json:
    def cancel(tag: str) -> wire.Json:
        task = find(call.model, tag)
        if call.model.juju4:
            # A bug of 4.0: it cannot prepare the statement that would cancel a task.
            doing = f'cancelling task "{task.id}": '
            text = (
                f'{doing}{doing}preparing update status statement for task ID "{task.id}": '
                'preparing:: cannot prepare statement: input expression: type "taskStatus" has no '
                '"status_id" db tag: $taskStatus.status_id'
            )
            raise model.ModelError(text)
        call.model.cancel(task)
        return describe(call.model, task, output=True)

    return _each_task(call, cancel)


@METHODS.add('ApplicationsCharmsActions', 'write')
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
    number = tag.removeprefix('action-')
    if number == tag or not number.isdigit():
        raise model.ModelError(*_BAD_ID)
    if int(number) not in juju.tasks:
        raise model.differing(
            juju.juju4,
            (f'action "{number}" not found', 'not found'),
            (f'action {number} not found', 'not found'),
        )
    return juju.tasks[int(number)]


def describe(
    juju: model.Model, task: model.Task, *, log: bool = False, output: bool = False
) -> wire.Json:
    """Write a task, with its log and output where the call in question shows them.

    What is empty is left out. 4.0 never says when a task has ended.
    """
    action: wire.Json = {
        'tag': f'action-{task.id}',
        'receiver': wire.unit_tag(task.unit),
        'name': task.name,
        'parallel': task.parallel,
        'execution-group': task.execution_group,
    }
    answer: wire.Json = {
        'action': action,
        'enqueued': wire.timestamp(task.enqueued),
        'started': wire.timestamp(task.started),
        'completed': wire.timestamp(None if juju.juju4 else task.completed),
        'status': task.status,
    }
    if task.parameters:
        action['parameters'] = task.parameters
    if task.message:
        answer['message'] = task.message
    if log and task.log:
        answer['log'] = [
            {'timestamp': wire.timestamp(when), 'message': message} for when, message in task.log
        ]
    if output and task.output:
        answer['output'] = task.output
    return answer
