"""Where MAAS' API is, and what the API key is good for.

The secret of `maas-api-key` says where, or maas-region is asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordinator import errors, ports
from coordinator.engine import facts, operation, step
from coordinator.ports import maas_port
from coordinator.steps import site, tasks

_ACTION = 'get-api-endpoint'
_RESULT = 'api-url'
_DOUBTED = 'maas-endpoint-doubted'
"""Fact: since when no region says where MAAS is."""
_REFUSED = 'maas-endpoint-refused'
"""Fact: the newest task whose answer named no URL."""
_NOBODY = ''
"""Among them: MAAS did not answer where it was earlier."""
_PATIENCE_SECONDS = 120
_GROUPS = (3, 8)
"""The version since which a group may entitle its users to see everything."""


def told(world: ports.World, application: str) -> tuple[str, bool]:
    """Say what MAAS lets the API key see, and whether something is wrong with that.

    A backup without it is no worse than ever, so nothing here stops one.
    """
    unproven = 'backups do not wait for images to synchronise, and restores are not proven'
    try:
        maas = reach(world, application)
        return _seen(maas) if maas else (f'maas-api-key is not set: {unproven}', False)
    except errors.MaasNotFound:
        return f'the operation asks {application} for the URL of MAAS', False
    except errors.CoordinatorError as error:
        return f'{error}. Until that is fixed, {unproven}', True


def _seen(maas: maas_port.Maas) -> tuple[str, bool]:
    version, user = maas.version(), maas.whoami()
    accepted = f'MAAS {version} at {maas.endpoint} accepts the API key of {user.username}'
    if user.admin or next(maas.controllers(), None) is not None:
        return accepted, False
    grant = (
        'put the user into a group that has can_view_machines and can_view_controllers'
        if _parts(version) >= _GROUPS
        else 'before MAAS 3.8 only an admin sees them'
    )
    return (
        f'{accepted}, who sees no region controllers, and no machines of other users: '
        f'no restore can prove that these are there; {grant}',
        True,
    )


def _parts(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, such as `3.6.1`."""
    return tuple(int(part) for part in version.split('.')[:2] if part.isdecimal())


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task."""
    return step.Mark(tasks.newest(world, _ACTION))


def find(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Have a region say where MAAS is, unless there is no key, or its secret says it.

    Raises:
        StepError: no region says it within two minutes.
    """
    if not _is_unknown(world):
        return step.Done()
    app = site.look(world, op.settings.maas)
    refused = int(op.fact(_REFUSED) or 0)
    task = tasks.find(op, world, app.name, _ACTION, {}, after=refused)
    if task is None:
        task = world.juju.run_action(_next(app, op.fact(_REFUSED + '-unit')), _ACTION, {})
    if not task.ended:
        waits = f'{task.unit} is reporting the URL of MAAS (task {task.id})'
        return tasks.awaiting(op, world, [task], waits, tasks.replacing(app.name))
    if _url(task):
        return step.Done()
    waits = tasks.patience(op, _DOUBTED, _PATIENCE_SECONDS)
    said = task.message.rstrip('.') or 'it named no URL'
    if waits is None:
        raise errors.StepError(
            f'{task.unit} cannot report the URL of MAAS (task {task.id}): {said}. '
            'Set endpoint in the secret of maas-api-key: '
            'juju update-secret <name> endpoint=http://<address>:5240/MAAS',
            task.id,
        )
    # The reason names neither the unit nor the task, as each question has another one.
    noted = {_REFUSED: str(task.id), _REFUSED + '-unit': task.unit}
    return step.Wait(
        f'no region of {app.name} reports the URL of MAAS: {said}', None, waits | noted
    )


def reach(world: ports.World, application: str, *, fresh: bool = False) -> maas_port.Maas | None:
    """Return MAAS, where a region said last that it is; None without a key.

    Args:
        world: the world.
        application: name of the maas-region application.
        fresh: with the key of the MAAS that is there before a rehearsal.

    Raises:
        MaasNotFound: no region has said it.
        Lacking: the secret cannot be read, or is malformed.
    """
    if not _is_unknown(world):
        return world.maas(fresh=fresh)
    task = _answered(world, application)
    if task is None:
        raise errors.MaasNotFound(
            f'no unit of {application} has reported the URL of MAAS: juju run '
            f'{application}/leader {_ACTION}, or set endpoint in the secret of maas-api-key'
        )
    return world.maas(_url(task), fresh=fresh)


def is_known(op: operation.Operation, world: ports.World) -> bool:
    """Whether a region that is still there has said where MAAS is, for an earlier operation too.

    If MAAS does not answer there, `another` asks anew.
    """
    task = _answered(world, op.settings.maas)
    if task is None:
        return False
    unit = site.look(world, op.settings.maas).units.get(task.unit)
    return unit is not None and unit.alive and unit.agent != 'lost'


def _answered(world: ports.World, application: str) -> ports.Task | None:
    """Return the newest task that has named a URL."""
    completed = (task.id for task in _listed(world, application) if task.status == 'completed')
    return next(filter(_url, map(world.juju.task, completed)), None)


def _listed(world: ports.World, application: str) -> Iterator[ports.Task]:
    """Yield the tasks that ask for a URL, newest first, without their results."""
    for task in reversed(world.juju.tasks(_ACTION)):
        if task.unit.partition('/')[0] == application:
            yield task


# --- Another region ------------------------------------------------------------------------------


def doubt(op: operation.Operation, world: ports.World, phase: str) -> dict[str, str]:
    """Return the fact that the region in use did not answer, so that another one is asked.

    None is asked in place of an `endpoint` that the secret names: the key goes nowhere else.

    Args:
        op: the operation.
        world: the world.
        phase: of a question to MAAS: each region is tried once for each.
    """
    task = _answered(world, op.settings.maas) if _is_unknown(world) else None
    if task is None:
        return {}
    silent = _silent(phase).of(op)
    # What it said before the step began may be out of date: it is asked once more.
    unit = _NOBODY if task.id <= op.watermark else task.unit
    return {} if unit in silent else _silent(phase).put([*silent, unit])


def another(op: operation.Operation, world: ports.World, phase: str) -> step.Wait | None:
    """Have the next region say where MAAS is, if the last one did not answer.

    None if there is another one now, or none is left.
    """
    silent, app = _silent(phase).of(op), op.settings.maas
    if not silent:
        return None
    asked = next(_listed(world, app), None)
    outdated = asked is None or asked.id <= op.watermark
    if asked is None or (asked.ended and (outdated or asked.unit in silent)):
        unit = _left(site.look(world, app), silent)
        if not unit:
            return None
        asked = world.juju.run_action(unit, _ACTION, {})
    why = f'MAAS did not answer: asking {asked.unit} where it is (task {asked.id})'
    if not asked.ended:
        return tasks.awaiting(op, world, [asked], why, tasks.replacing(app))
    if _url(world.juju.task(asked.id)):
        return None
    return step.Wait(why, None, _silent(phase).put([*silent, asked.unit]))


def _left(app: ports.Application, silent: Sequence[str]) -> str:
    """Return the unit to ask next, the leader first; '' if none is left."""
    left = [
        (not unit.leader, name)
        for name, unit in app.units.items()
        if name not in silent and unit.agent != 'lost'
    ]
    return min(left)[1] if left else ''


def _silent(phase: str) -> facts.Fact[Sequence[str]]:
    """Return the fact that names the units on which MAAS did not answer a question."""
    return facts.Fact[Sequence[str]](f'{phase}-silent', '', ())


# --- The URL -------------------------------------------------------------------------------------


def _is_unknown(world: ports.World) -> bool:
    try:
        world.maas()
    except errors.MaasNotFound:
        return True
    return False


def _url(task: ports.Task) -> str:
    return task.results.get(_RESULT, '').strip() if task.status == 'completed' else ''


def _next(app: ports.Application, former: str) -> str:
    """Return the unit to ask: the leader first, then one after the other."""
    units = sorted(app.units, key=lambda name: (not app.units[name].leader, name))
    if not units:
        raise errors.StepError(f'{app.name} has no unit that can report the URL of MAAS')
    if former not in units:
        return units[0]
    return units[(units.index(former) + 1) % len(units)]
