"""Hook tools of actions."""

from __future__ import annotations

import re
from typing import Any

from rehearsal import model
from rehearsal.agent import context, hook_tools
from rehearsal.agent.hook_tools import KEY, MESSAGE, Options, argument

TOOLS: dict[str, hook_tools.HookTool] = {}
_KEY_PART = re.compile(r'[a-z0-9]([a-z0-9-]*[a-z0-9])?')
_RESERVED = {'stdout', 'stderr', 'stdout-encoding', 'stderr-encoding'}


def _task(run: context.Context) -> model.Task:
    if run.event.task is None:
        raise context.ToolError('not running an action')
    return run.event.task


@hook_tools.tool(TOOLS, 'action-get', KEY)
def action_get(run: context.Context, options: Options) -> object:
    """Return the parameters, or the one that a dotted key names."""
    value: Any = _task(run).parameters
    for part in options.key.split('.') if options.key else ():
        value = value.get(part) if isinstance(value, dict) else None
    return hook_tools.NULL if value is None else value


@hook_tools.tool(TOOLS, 'action-set', argument('pairs', nargs='*'))
def action_set(run: context.Context, options: Options) -> None:
    """Store results, nested by the dots of their keys, until the action ends."""
    _task(run)
    for key, value in hook_tools.key_values(options.pairs).items():
        if key in _RESERVED:
            raise context.ToolError(f'cannot set reserved action key "{key}"')
        parts = key.split('.')
        for part in parts:
            if not _KEY_PART.fullmatch(part):
                raise context.ToolError(
                    f'key "{part}" must start and end with lowercase alphanumeric, '
                    'and contain only lowercase alphanumeric and hyphens'
                )
        _store(run.results, parts, value)


def _store(results: dict[str, Any], parts: list[str], value: str) -> None:
    for part in parts[:-1]:
        if not isinstance(results.get(part), dict):
            results[part] = {}
        results = results[part]
    results[parts[-1]] = value


@hook_tools.tool(TOOLS, 'action-fail', MESSAGE)
def action_fail(run: context.Context, options: Options) -> None:
    """Note that the action has failed; the process goes on."""
    _task(run)
    run.failure = options.message or 'action failed without reason given, check action for errors'


@hook_tools.tool(TOOLS, 'action-log', MESSAGE)
def action_log(run: context.Context, options: Options) -> None:
    """Add a line to the log of the task, for all to see at once."""
    _task(run).log.append((run.model.clock.now(), options.message))
    run.model.changed()
