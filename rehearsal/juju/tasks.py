"""Commands that have units do something, and show what came of it."""

from __future__ import annotations

import asyncio
import datetime
import shlex
from collections.abc import Callable
from typing import Any

import yaml

from rehearsal import model
from rehearsal.juju import command, shown
from rehearsal.juju.command import Failed, Request, argument, flag

COMMANDS = command.Commands()

_WAIT = argument('--wait', default='', help='such as 5m; without it the command waits on')


@COMMANDS.add(
    'run',
    'run an action on a unit, and wait for its end',
    argument('unit', help='app/0 or app/leader'),
    argument('action'),
    argument('parameters', nargs='*', metavar='key=value'),
    argument('--params', help='a YAML file with parameters'),
    flag('--string-args'),
    flag('--background'),
    _WAIT,
)
async def _run(request: Request) -> str:
    juju, given = request.juju, request.given
    unit = juju.unit(_unit_name(juju, given.unit)).name
    parameters: dict[str, Any] = {}
    if given.params:
        parameters |= yaml.safe_load((request.folder / given.params).read_text()) or {}
    for key, text in request.pairs(given.parameters).items():
        parameters[key] = text if given.string_args else typed(text)
    task = juju.enqueue([juju.action_call(unit, given.action, parameters)]).tasks[0]
    if given.background:
        return f"Scheduled task {task.id}\nCheck status with 'juju show-task {task.id}'\n"
    await _until(juju, lambda: task.ended, given.wait, f'task {task.id}')
    return _ended(request, task)


def typed(text: str) -> Any:
    """Return a parameter's value as Juju reads it: as YAML, in which a time is a string."""
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Failed(f'cannot parse {text!r}: {error}') from None
    return text if isinstance(value, datetime.date) else value


def _unit_name(juju: model.Model, text: str) -> str:
    if not text.endswith('/leader'):
        return text
    leader = juju.application(text.removesuffix('/leader')).leader
    if leader is None:
        raise Failed(f'could not determine leader for "{text.removesuffix("/leader")}"')
    return leader


async def _until(juju: model.Model, reached: Callable[[], bool], wait: str, what: str) -> None:
    """Wait until something on the model is so."""
    changed = asyncio.Event()
    juju.on_change.append(changed.set)
    try:
        async with asyncio.timeout(command.seconds(wait) or None):
            while not reached():
                changed.clear()
                await changed.wait()
    except TimeoutError:
        raise Failed(f'timed out waiting for results from: {what}') from None
    finally:
        juju.on_change.remove(changed.set)


def _ended(request: Request, task: model.Task) -> str:
    """Return what a task printed; a process that ended badly fails the command, too."""
    if request.as_json:
        text = shown.written(True, {task.unit: shown.task(task)})
    elif task.status == 'completed':
        text = shown.results_text(task.output) + '\n'
    else:
        results = shown.results_text(task.output)
        text = f'{results}\n' if results else ''
        if not task.output.get('return-code'):
            raise Failed(f'Action id {task.id} {task.status}: {task.message}', text)
    code = int(task.output.get('return-code') or 0)
    if code:
        raise Failed(
            f'the following task failed:\n - id "{task.id}" with return code {code}\n\n'
            f"use 'juju show-task' to inspect the failure",
            text,
        )
    return text


@COMMANDS.add(
    'exec',
    'run a command on a unit, in the context of its charm',
    argument('-u', '--unit', required=True, help='app/0 or app/leader'),
    _WAIT,
    argument('words', nargs='*'),
)
async def _exec(request: Request) -> str:
    juju, given = request.juju, request.given
    unit = juju.unit(_unit_name(juju, given.unit)).name
    words = [*given.words, *request.behind]
    if not words:
        raise Failed('no commands specified')
    parameters = {'command': words[0] if len(words) == 1 else shlex.join(words)}
    task = juju.enqueue([juju.action_call(unit, 'juju-exec', parameters)]).tasks[0]
    await _until(juju, lambda: task.ended, given.wait, f'task {task.id}')
    text = _ended(request, task)
    return text if request.as_json else str(task.output.get('stdout', ''))


@COMMANDS.add('show-task', 'show a task', argument('id', type=int))
async def _show_task(request: Request) -> str:
    return shown.written(request.as_json, shown.task(_task(request)))


@COMMANDS.add('cancel-task', 'cancel a task', argument('id', type=int))
async def _cancel_task(request: Request) -> str:
    request.juju.cancel(_task(request))
    return ''


def _task(request: Request) -> model.Task:
    found = request.juju.tasks.get(request.given.id)
    if found is None:
        raise Failed(f'task with ID {request.given.id!r} not found')
    return found


@COMMANDS.add('operations', 'list what was run')
async def _operations(request: Request) -> str:
    found = {str(each.id): _summary(each) for each in request.juju.operations.values()}
    return shown.written(request.as_json, found)


def _summary(operation: model.JujuOperation) -> shown.Json:
    tasks = {str(task.id): task.status for task in operation.tasks}
    return {'summary': operation.summary, 'tasks': tasks}


@COMMANDS.add('show-operation', 'show what was run, with its results', argument('id', type=int))
async def _show_operation(request: Request) -> str:
    operation = request.juju.operations.get(request.given.id)
    if operation is None:
        raise Failed(f'operation with ID {request.given.id!r} not found')
    tasks = {str(task.id): shown.task(task) for task in operation.tasks}
    return shown.written(request.as_json, {'summary': operation.summary, 'tasks': tasks})
