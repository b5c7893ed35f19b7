"""The Action facade's beginnings: actions, and commands of `juju exec`, become tasks."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from rehearsal import model, permissions
from rehearsal.controller import action, rpc, wire

METHODS = rpc.Methods()


@METHODS.add('EnqueueOperation', 'write')
def _enqueue_operation(call: rpc.Call) -> wire.Json:
    requests = [_Request.read(item) for item in call.items('actions')]
    if any(request.name in model.COMMANDS for request in requests):
        permissions.check_access(call.user, 'admin')
    if call.model.juju4:
        return _enqueue_4(call.model, requests)
    return _enqueue_3(call.model, requests)


@METHODS.add('Run', 'admin', blocked_as='change')
def _run(call: rpc.Call) -> wire.Json:
    """Run any command on units: what `juju exec` asks for."""
    juju = call.model
    units = {*_leaders(juju, rpc.texts(call.params, 'units'))}
    for name in rpc.texts(call.params, 'applications'):
        units |= juju.application(name).units.keys()
    if rpc.texts(call.params, 'machines'):
        raise rpc.ApiError('machines run no commands here, units do', 'not supported')
    command = rpc.text(call.params, 'commands')
    parameters = {'command': command, 'timeout': rpc.number(call.params, 'timeout')}
    if not juju.juju4:
        parameters['workload-context'] = rpc.flag(call.params, 'workload-context')
    group = rpc.text(call.params, 'execution-group')
    parallel = rpc.flag(call.params, 'parallel')
    requests = [
        _Request(wire.unit_tag(unit), model.COMMANDS[0], parameters, parallel, group)
        for unit in sorted(units)
    ]
    if juju.juju4:
        return _enqueued_4(juju, requests, f'exec "{command}"')
    return _enqueue_3(juju, requests)


def _leaders(juju: model.Model, names: Iterable[str]) -> Iterator[str]:
    """Yield names of units, for `application/leader` that of the unit which leads now."""
    for name in names:
        application, _, number = name.partition('/')
        if number != 'leader':
            yield name
            continue
        leader = juju.application(application).leader
        if leader is None:
            text = f'could not determine leader for "{application}"'
            raise model.ModelError(text, 'not found' if juju.juju4 else '')
        yield leader


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

    def unit(self, juju: model.Model) -> str:
        """Return the receiving unit; a leader is looked up now and not followed later."""
        if self.receiver.endswith('/leader'):
            return next(_leaders(juju, [self.receiver]))
        return wire.untag(self.receiver, 'unit')

    def call(self, juju: model.Model) -> model.ActionCall:
        """Return what the model is to enqueue, or refuse it as the controller does."""
        return juju.action_call(
            self.unit(juju), self.name, self.parameters, self.parallel, self.execution_group
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
            slots.append(action.NOTHING | {'error': wire.error(refusal)})
    names = {request.name for request in requests}
    name = names.pop() if len(names) == 1 else 'multiple actions'
    receivers = ','.join(request.receiver for request in requests)
    refusals = ', '.join(slot['error']['message'] for slot in slots if slot)
    operation = juju.enqueue(
        calls,
        summary=f'{name} run on {receivers}',
        fail=f'error(s) enqueueing action(s): {refusals}' if refusals else '',
    )
    tasks = iter(operation.tasks)
    actions = [slot or action.describe(juju, next(tasks)) for slot in slots]
    answer: wire.Json = {'operation': f'operation-{operation.id}'}
    return answer | ({'actions': actions} if actions else {})


def _enqueue_4(juju: model.Model, requests: list[_Request]) -> wire.Json:
    """All actions are one: the same action with the same parameters, of one application."""
    if not requests:
        raise rpc.ApiError('no actions specified')
    first, *others = requests
    for other in others[:1]:
        # Juju compares the second with the first, and no more.
        _check_alike(first, other)
    if len({request.receiver.rpartition('-')[0] for request in _of_units(requests)}) > 1:
        raise rpc.ApiError('actions must be run on units from the same application')
    return _enqueued_4(juju, requests)


def _of_units(requests: list[_Request]) -> list[_Request]:
    return [request for request in requests if not request.receiver.endswith('/leader')]


def _check_alike(first: _Request, other: _Request) -> None:
    wrong: list[str] = []
    if first.name != other.name:
        wrong.append(f'action name mismatch: "{first.name}" != "{other.name}"')
    if bool(first.parallel) != bool(other.parallel):
        wrong.append(f'parallel mismatch: {first.parallel} != {other.parallel}')
    if first.parameters != other.parameters:
        wrong.append(f'parameters mismatch: {first.parameters} != {other.parameters}')
    if wrong:
        raise rpc.ApiError('\n'.join(wrong))


def _enqueued_4(juju: model.Model, requests: list[_Request], summary: str = '') -> wire.Json:
    """Enqueue what is alike. It is answered by tags and receivers only."""
    calls = [request.call(juju) for request in requests]
    operation = juju.enqueue(calls, summary=summary)
    tasks = {task.unit: task for task in operation.tasks}
    actions: list[wire.Json] = []
    for unit, *_ in calls:
        if unit not in tasks:
            actions.append(action.NOTHING | {'error': wire.error(juju.unlinked(unit))})
            continue
        answer = action.describe(juju, tasks[unit])
        named = {'tag': answer['action']['tag'], 'receiver': answer['action']['receiver']}
        actions.append(answer | {'action': named | {'name': '', 'parallel': False}})
    return {'operation': f'operation-{operation.id}', 'actions': actions}
