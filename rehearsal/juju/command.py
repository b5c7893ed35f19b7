"""The table of commands, and how one is read and carried out."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import pathlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NoReturn

from rehearsal import cloud, model

logger = logging.getLogger(__name__)

_SECONDS = {'ms': 0.001, 's': 1.0, 'm': 60.0, 'h': 3600.0}


class Failed(Exception):
    """The command ends with this message on standard error, and an exit status of 1."""

    def __init__(self, message: str, stdout: str = ''):
        super().__init__(message)
        self.stdout = stdout


@dataclasses.dataclass(frozen=True)
class Reply:
    """How a command ended."""

    code: int
    stdout: str = ''
    stderr: str = ''


@dataclasses.dataclass(frozen=True)
class Request:
    """One call of the command."""

    cloud: cloud.Cloud
    given: argparse.Namespace
    folder: pathlib.Path
    """Where it was called: paths are relative to it."""
    stdin: str
    behind: Sequence[str] = ()
    """The words behind `--`."""

    @property
    def hosted(self) -> cloud.Hosted:
        """The model that is meant."""
        return self.cloud.model(self.given.model)

    @property
    def juju(self) -> model.Model:
        return self.hosted.juju

    @property
    def as_json(self) -> bool:
        return self.given.format == 'json'

    def pairs(self, words: Sequence[str]) -> dict[str, str]:
        """Return `key=value` words as a map."""
        wrong = [word for word in words if '=' not in word]
        if wrong:
            raise Failed(f'expected "key=value", got "{wrong[0]}"')
        return dict(word.split('=', 1) for word in words)

    def password(self) -> str:
        """Return the password on standard input. Juju reads a whole line and wants its end."""
        line, end, _ = self.stdin.partition('\n')
        if not end:
            raise Failed('EOF')
        return line


Run = Callable[[Request], Awaitable[str]]


@dataclasses.dataclass(frozen=True)
class Argument:
    """An argument of a command, as argparse takes it."""

    names: tuple[str, ...]
    options: dict[str, Any]


def argument(*names: str, **options: Any) -> Argument:
    """Return an argument: the parameters are those of `add_argument`."""
    return Argument(names, options)


def flag(*names: str) -> Argument:
    """Return an option without a value."""
    return Argument(names, {'action': 'store_true'})


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Failed(message)


@dataclasses.dataclass(frozen=True)
class _Command:
    run: Run
    parser: _Parser
    about: str


class Commands:
    """Commands by name."""

    def __init__(self, *parts: Commands) -> None:
        self._known: dict[str, _Command] = {}
        for part in parts:
            self._known |= part._known

    def add(self, names: str, about: str, *arguments: Argument) -> Callable[[Run], Run]:
        """Make a function a command, under each of the names."""

        def register(run: Run) -> Run:
            for name in names.split():
                parser = _Parser(prog=f'juju {name}', description=about, add_help=False)
                parser.add_argument('-m', '--model', default='')
                parser.add_argument('--format', default='')
                parser.add_argument('--no-prompt', action='store_true')
                parser.add_argument('-h', '--help', action='store_true')
                for each in arguments:
                    parser.add_argument(*each.names, **each.options)
                self._known[name] = _Command(run, parser, about)
            return run

        return register

    async def carry_out(
        self, speaks_to: cloud.Cloud, words: Sequence[str], folder: pathlib.Path, stdin: str = ''
    ) -> Reply:
        """Carry out one command line, without the word `juju`."""
        try:
            return Reply(0, await self._answer(speaks_to, list(words), folder, stdin))
        except Failed as failure:
            return Reply(1, failure.stdout, f'ERROR {failure}\n')
        except model.ModelError as refusal:
            code = f' ({refusal.code})' if refusal.code else ''
            return Reply(1, stderr=f'ERROR {refusal}{code}\n')
        except OSError as error:
            return Reply(1, stderr=f'ERROR {error}\n')
        except Exception as bug:
            # The other words may be secrets.
            logger.exception('juju %s', words[0])
            return Reply(1, stderr=f'ERROR the rehearsal failed: {bug}\n')

    async def _answer(
        self, speaks_to: cloud.Cloud, words: list[str], folder: pathlib.Path, stdin: str
    ) -> str:
        if not words or words[0] in ('help', '--help', '-h'):
            return self._help()
        behind: list[str] = []
        if '--' in words:
            split = words.index('--')
            words, behind = words[:split], words[split + 1 :]
        command, given = self.read(words)
        if given.help:
            return command.parser.format_help()
        return await command.run(Request(speaks_to, given, folder, stdin, behind))

    def read(self, words: Sequence[str]) -> tuple[_Command, argparse.Namespace]:
        """Return the command that is meant, and its arguments.

        Raises:
            Failed: there is no such command, or it takes other arguments.
        """
        name, *arguments = words
        if name not in self._known:
            raise Failed(f'juju: "{name}" is not a command of a rehearsal. See "juju help".')
        command = self._known[name]
        if '--help' in arguments or '-h' in arguments:
            return command, argparse.Namespace(help=True)
        return command, command.parser.parse_intermixed_args(arguments)

    def _help(self) -> str:
        width = max(map(len, self._known))
        lines = (f'  {name:<{width}}  {c.about}' for name, c in sorted(self._known.items()))
        return '\n'.join(['The commands of Juju that a rehearsal knows:', *lines, ''])


def seconds(text: str) -> float:
    """Return a duration as Juju writes it (`90s`, `1m30s`) in seconds; 0 without one.

    Raises:
        Failed: it is none.
    """
    if not re.fullmatch(r'([\d.]+(ms|s|m|h))*', text):
        raise Failed(f'time: invalid duration "{text}"')
    parts = re.findall(r'([\d.]+)(ms|s|m|h)', text)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)
