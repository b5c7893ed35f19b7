"""The switchboard of a running rehearsal: faults and durations, from another terminal.

It listens on a `line` in the rehearsal's folder.
"""

from __future__ import annotations

import asyncio
import pathlib
from collections.abc import Callable, Mapping, Sequence

from rehearsal import embedded, line, model, site
from rehearsal.standins import behaviour


class SwitchError(Exception):
    """A switch that is not there, or that cannot be set so; says what can."""


def _set(running: embedded.Embedded, where: str, value: str) -> str:
    app, _, name = where.partition('.')
    _behaviour(running, app).set(name, value)
    return f'{where} is {value} from now on'


def _behaviour(running: embedded.Embedded, app: str) -> behaviour.Behaviour:
    found = {site.MAAS: running.maas, site.POSTGRESQL: running.postgresql}
    if app not in found:
        raise SwitchError(f'{app} has no switches; {" and ".join(found)} have')
    return found[app]


def _fail(running: embedded.Embedded, app: str, action: str, message: str) -> str:
    _behaviour(running, app).fail_next(action, message)
    return f'the next {action} of {app} fails'


def _hang(running: embedded.Embedded, app: str, action: str) -> str:
    _behaviour(running, app).hang_next(action)
    return f'the next {action} of {app} hangs'


def _kill(running: embedded.Embedded, unit: str) -> str:
    running.agent.kill_running(running.model.unit(unit))
    return f'whatever {unit} ran is killed'


def _restart(running: embedded.Embedded, unit: str) -> str:
    running.model.restart_agent(unit)
    return f'the agent of {unit} was restarted'


def _lead(running: embedded.Embedded, unit: str) -> str:
    running.model.set_leader(unit)
    return f'{unit} leads'


def _s3(running: embedded.Embedded, kind: str, count: str = '1', method: str = '') -> str:
    running.s3.fault(kind, int(count), method)
    return f'the next {count} requests to S3 fail: {kind}'


def _lose(running: embedded.Embedded) -> str:
    running.thread.loop.create_task(running.lose_and_deploy_afresh())
    return 'the model is lost; a new one is being deployed with the same S3: see juju status'


SWITCHES: Mapping[str, tuple[Callable[..., str], str]] = {
    'set': (_set, 'APP.SWITCH VALUE: set a delay in seconds, or a fault'),
    'fail': (_fail, 'APP ACTION MESSAGE: let the next run of an action fail'),
    'hang': (_hang, 'APP ACTION: let the next run of an action never end'),
    'kill': (_kill, 'UNIT: SIGKILL what a unit of the coordinator runs now'),
    'restart': (_restart, "UNIT: restart a unit's agent"),
    'lead': (_lead, 'UNIT: make a unit the leader'),
    'lose': (_lose, ': lose the model with all machines, and deploy a new one with the same S3'),
    's3': (_s3, 'KIND [COUNT [METHOD]]: let the next requests to S3 fail'),
}


def throw(running: embedded.Embedded, name: str, words: Sequence[str]) -> str:
    """Throw one switch on the model's thread; return what it did.

    Raises:
        SwitchError: there is no such switch, or it takes other words.
    """
    if name not in SWITCHES:
        raise SwitchError(f'no switch {name}; there are {", ".join(SWITCHES)}')
    function, words_it_takes = SWITCHES[name]
    try:
        return function(running, *words)
    except TypeError:
        raise SwitchError(f'{name} {words_it_takes}') from None
    except (ValueError, model.ModelError) as error:
        raise SwitchError(str(error)) from error


async def serve(running: embedded.Embedded, path: pathlib.Path) -> asyncio.AbstractServer:
    """Listen on a socket file that only its owner may use."""

    async def answer(request: line.Json) -> line.Json:
        try:
            return {'ok': throw(running, request['switch'], request['words'])}
        except SwitchError as error:
            return {'error': str(error)}

    return await line.serve(path, answer)


def ask(path: pathlib.Path, name: str, words: Sequence[str]) -> str:
    """Throw a switch of the rehearsal that listens on a socket file.

    Raises:
        SwitchError: it refuses, or no rehearsal listens there.
    """
    try:
        reply = line.ask(path, {'switch': name, 'words': list(words)})
    except line.Unanswered as error:
        raise SwitchError(str(error)) from None
    if 'error' in reply:
        raise SwitchError(reply['error'])
    return reply['ok']
