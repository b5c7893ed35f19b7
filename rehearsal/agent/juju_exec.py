"""`juju-exec` as it is on a unit's machine: queues commands among the unit's other work."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import re
import shlex

from rehearsal import model
from rehearsal.agent import child, context, hook_tools, tool_server


@dataclasses.dataclass
class Commands(model.Event):
    """An event of juju-exec; `ended` says how the commands ended, once they have."""

    ended: child.Ended | None = None


_parser = hook_tools.Parser(prog='juju-exec', add_help=False, allow_abbrev=False)
_parser.add_argument('-u', '--unit', default='')
_parser.add_argument('--operator', action='store_true')
_parser.add_argument('commands', nargs=argparse.REMAINDER)


async def answer(
    juju: model.Model, agent: model.Agent, call: tool_server.Call
) -> tool_server.Reply:
    """Queue the commands and wait, without a limit, until the unit has run them."""
    if call.context_id:
        return tool_server.failure(
            f'juju-exec cannot be called from within a hook, have context "{call.context_id}"'
        )
    try:
        options = _parser.parse_args(call.arguments)
        unit = _unit(juju, agent, call.machine, options)
    except context.ToolError as error:
        return tool_server.failure(str(error), error.code)
    words = [word for word in options.commands if word != '--']
    ended: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
    event = Commands(
        model.Kind.EXEC,
        # One word is a command line; several are the words of one command.
        words[0] if len(words) == 1 else shlex.join(words),
        done=lambda error: None if ended.done() else ended.set_result(error),
    )
    juju.queue(unit, event)
    error = await ended
    if error is not None or event.ended is None:
        return tool_server.failure(str(error))
    return tool_server.Reply(event.ended.exit_code, event.ended.stdout, event.ended.stderr)


def _unit(
    juju: model.Model, agent: model.Agent, machine: str, options: argparse.Namespace
) -> model.Unit:
    """Return the unit that is meant, which must be one of this machine."""
    here = {
        name: unit
        for name, unit in juju.units.items()
        if unit.machine.id == machine and unit.application.agent is agent
    }
    name = options.unit
    if not name and options.commands and re.fullmatch(r'\S+/\d+', options.commands[0]):
        name = options.commands.pop(0)
    if not name and len(here) == 1:
        return next(iter(here.values()))
    if name not in here:
        raise context.ToolError(f'unit "{name}" not found on this machine')
    if here[name].agent.current == 'lost':
        raise context.ToolError(f'dial unix run.socket of {name}: connect: connection refused')
    return here[name]
