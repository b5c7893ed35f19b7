"""The hook tools: their arguments, and how what they return is printed."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import yaml

from rehearsal.agent import context, tool_server

Options = argparse.Namespace
Run = Callable[[context.Context, Options], Any]
"""Carries a tool out. What it returns is printed; None prints nothing."""

NULL = object()
"""What a tool returns to print JSON's null."""


class Parser(argparse.ArgumentParser):
    """A parser that refuses as a tool does, instead of ending the process."""

    def error(self, message: str) -> NoReturn:
        raise context.ToolError(message, 2)


class HookTool:
    """One tool: it parses its arguments as Juju's does, and is carried out by `run`."""

    def __init__(self, name: str, run: Run, arguments: Sequence[Argument]):
        self._run = run
        self._parser = Parser(prog=name, add_help=False, allow_abbrev=False)
        self._parser.add_argument('--format', default='smart', choices=('smart', 'json', 'yaml'))
        for flags, settings in arguments:
            self._parser.add_argument(*flags, **settings)

    def call(self, run: context.Context, arguments: Sequence[str], stdin: bytes) -> bytes:
        """Carry out one call and return what it prints."""
        options = self._parser.parse_args(arguments)
        options.stdin = stdin
        value = self._run(run, options)
        if value is None:
            return b''
        return _formatted(None if value is NULL else value, options.format)


Argument = tuple[tuple[str, ...], Mapping[str, Any]]


def argument(*flags: str, **settings: Any) -> Argument:
    """Return one argument of a tool, as argparse takes it."""
    return flags, settings


RELATION = argument('-r', '--relation', default='')
MESSAGE = argument('message', nargs='?', default='')
KEY = argument('key', nargs='?', default='')
FROM_STDIN = argument('--file', choices=('-',))


def tool(tools: dict[str, HookTool], name: str, *arguments: Argument) -> Callable[[Run], Run]:
    """Return a decorator that makes a hook tool of a function."""

    def register(run: Run) -> Run:
        tools[name] = HookTool(name, run, arguments)
        return run

    return register


def answer(
    tools: Mapping[str, HookTool], run: context.Context, call: tool_server.Call
) -> tool_server.Reply:
    """Answer a call made within a run."""
    try:
        return tool_server.Reply(stdout=tools[call.name].call(run, call.arguments, call.stdin))
    except context.ToolError as error:
        return tool_server.failure(str(error), error.code)


def key_values(pairs: Sequence[str]) -> dict[str, str]:
    """Parse arguments of the form `key=value`."""
    for pair in pairs:
        if '=' not in pair:
            raise context.ToolError(f'expected "key=value", got "{pair}"', 2)
    return {key: value for key, _, value in (pair.partition('=') for pair in pairs)}


def mapping_from(options: Options, pairs: Sequence[str] = ()) -> dict[str, str]:
    """Return the settings that stdin holds when `--file -` was given, else those of the pairs."""
    if not options.file:
        return key_values(pairs)
    # Not `safe_load`: the tools of Juju keep every value a string, whatever it looks like.
    loaded = yaml.load(options.stdin, Loader=yaml.BaseLoader) or {}  # noqa: S506  (safer still)
    return {str(key): str(value) for key, value in loaded.items()}


def _formatted(value: Any, form: str) -> bytes:
    if form == 'json':
        return (json.dumps(value) + '\n').encode()
    if form == 'smart' and isinstance(value, str | bool | int):
        return f'{value}\n'.encode()
    return yaml.safe_dump(value, sort_keys=False).encode()
