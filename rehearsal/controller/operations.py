"""The Action facade's Juju operations: what one EnqueueOperation call made."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal import model
from rehearsal.controller import action, rpc, wire

METHODS = rpc.Methods()

_PAGE = 50
"""How many operations an answer has unless the client says otherwise; in 4.0 at most."""

_WORST_FIRST = ('error', 'failed', 'aborted', 'cancelled', 'completed')


@METHODS.add('Operations')
def _operations(call: rpc.Call) -> wire.Json:
    juju = call.model

    def one(tag: str) -> wire.Json:
        number = wire.untag(tag, 'operation')
        if not number.isdigit() or int(number) not in juju.operations:
            raise model.differing(
                juju.juju4,
                (f'operation {number} not found', 'not found'),
                (f'operation "{number}" not found', ''),
            )
        operation = juju.operations[int(number)]
        return _describe(juju, operation, log=True, output=not juju.juju4)

    results = wire.each(call.tags(), one)
    nothing = {
        'operation': '',
        'summary': '',
        'enqueued': wire.ZERO_TIME,
        'started': wire.ZERO_TIME,
        'completed': wire.ZERO_TIME,
    }
    return {'results': [nothing | result for result in results]}


@METHODS.add('ListOperations')
def _list_operations(call: rpc.Call) -> wire.Json:
    juju = call.model
    matches = _query(call)
    found = [operation for operation in juju.operations.values() if matches(operation)]
    limit = rpc.number(call.params, 'limit') or _PAGE
    if juju.juju4:
        found = sorted(found, key=lambda operation: str(operation.id))
        limit = min(limit, _PAGE)
    else:
        # It finds operations by their tasks.
        found = [operation for operation in found if operation.tasks]
    first = rpc.number(call.params, 'offset')
    page = [_describe(juju, o, log=juju.juju4) for o in found[first : first + limit]]
    # Go leaves out what is empty, and what is false.
    answer: wire.Json = {'results': page} if page else {}
    return answer | ({'truncated': True} if first + limit < len(found) else {})


def _query(call: rpc.Call) -> Callable[[model.JujuOperation], bool]:
    """Return whether an operation is one that the client asks for."""
    juju = call.model
    names = set(rpc.texts(call.params, 'actions'))
    statuses = set(rpc.texts(call.params, 'status'))
    applications = rpc.texts(call.params, 'applications')
    units = set(rpc.texts(call.params, 'units'))
    for name in applications:
        if name in juju.applications or not juju.juju4:
            # Only units that exist now: tasks of removed ones are not found this way.
            units |= juju.application(name).units.keys()

    def matches(operation: model.JujuOperation) -> bool:
        tasks = operation.tasks
        wanted = {t.status for t in tasks} if juju.juju4 else {_status(juju, operation)}
        return (
            (not names or operation.action in names or any(t.name in names for t in tasks))
            and (not (units or applications) or any(task.unit in units for task in tasks))
            and (not statuses or bool(statuses & wanted))
        )

    return matches


def _status(juju: model.Model, operation: model.JujuOperation) -> str:
    """3.6 keeps a status and makes it final with the last task; 4.0 computes it."""
    statuses = {task.status for task in operation.tasks}
    if not statuses:
        return 'error'
    if juju.juju4:
        order = ('running', 'aborting', 'pending', *_WORST_FIRST)
    elif all(task.ended for task in operation.tasks):
        order = _WORST_FIRST
    else:
        return 'pending' if statuses == {'pending'} else 'running'
    return next((status for status in order if status in statuses), 'error')


def _describe(
    juju: model.Model, operation: model.JujuOperation, *, log: bool, output: bool = False
) -> wire.Json:
    ended = all(task.ended for task in operation.tasks)
    started = [task.started for task in operation.tasks if task.started]
    completed = [task.completed for task in operation.tasks if task.completed]
    answer: wire.Json = {
        'operation': f'operation-{operation.id}',
        'summary': operation.summary,
        'enqueued': wire.timestamp(operation.enqueued),
        'started': wire.timestamp(None if juju.juju4 else min(started, default=None)),
        'completed': wire.timestamp(max(completed, default=None) if ended else None),
        'status': _status(juju, operation),
    }
    if operation.fail and not juju.juju4:
        answer['fail'] = operation.fail
    if operation.tasks:
        answer['actions'] = [
            action.describe(juju, task, log=log, output=output) for task in operation.tasks
        ]
    return answer
