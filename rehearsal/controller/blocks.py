"""The Block facade: `juju disable-command`, `enable-command` and `disabled-commands`."""

from __future__ import annotations

from rehearsal import model
from rehearsal.controller import rpc, wire

METHODS = rpc.Methods()

_SETS = {'BlockDestroy': 'destroy-model', 'BlockRemove': 'remove-object', 'BlockChange': 'all'}
"""What the API calls a block to the set of commands that it disables."""


@METHODS.add('List')
def _list(call: rpc.Call) -> wire.Json:
    juju = call.model
    kinds = {name: kind for kind, name in _SETS.items()}
    results: list[wire.Json] = []
    for number, (name, message) in enumerate(juju.blocked.items()):
        block = {'id': str(number), 'tag': f'model-{juju.uuid}', 'type': kinds[name]}
        results.append({'result': block | ({'message': message} if message else {})})
    return {'results': results} if results else {}


def _set(call: rpc.Call) -> str:
    kind = rpc.text(call.params, 'type')
    if kind not in _SETS:
        raise model.ModelError(f'unknown block type "{kind}"', 'not valid')
    return _SETS[kind]


@METHODS.add('SwitchBlockOn', 'write')
def _switch_on(call: rpc.Call) -> wire.Json:
    name = _set(call)
    if name in call.model.blocked:
        kind = rpc.text(call.params, 'type')
        return {'error': {'message': f'block {kind} is already ON', 'code': ''}}
    call.model.blocked[name] = rpc.text(call.params, 'message')
    call.model.changed()
    return {}


@METHODS.add('SwitchBlockOff', 'write')
def _switch_off(call: rpc.Call) -> wire.Json:
    name = _set(call)
    if name not in call.model.blocked:
        kind = rpc.text(call.params, 'type')
        return {'error': {'message': f'block {kind} is already OFF', 'code': ''}}
    del call.model.blocked[name]
    call.model.changed()
    return {}
