"""Serves the `juju` command of a rehearsal."""

from __future__ import annotations

import asyncio
import dataclasses
import pathlib

from rehearsal import cloud, line
from rehearsal.juju import applications, command, models, program, tasks, user_secrets

COMMANDS = command.Commands(
    applications.COMMANDS, models.COMMANDS, tasks.COMMANDS, user_secrets.COMMANDS
)


async def serve(speaks_to: cloud.Cloud, folder: pathlib.Path) -> asyncio.AbstractServer:
    """Write the program `juju` into a folder, for PATH, and answer its calls."""

    async def answer(request: line.Json) -> line.Json:
        place = pathlib.Path(request['folder'])
        words, stdin = request['words'], request['stdin']
        return dataclasses.asdict(await COMMANDS.carry_out(speaks_to, words, place, stdin))

    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    socket = folder / 'juju.sock'
    program.write(folder, socket)
    return await line.serve(socket, answer)
