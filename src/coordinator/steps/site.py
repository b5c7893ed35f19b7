"""What the steps ask of the model's status: units that are settled, units that are not."""

from __future__ import annotations

from coordinator import errors, ports
from coordinator.engine import operation, step

ANOTHER_CLUSTER = 'the S3 repository has backups from another cluster'
"""What blocks PostgreSQL, and no more than its own backups: it lists and restores all the same."""

BLOCKED_SECONDS = 60
"""How long a unit must have been blocked to need a person."""
TROUBLE_SECONDS = 180
"""Seconds after which a lost agent, or a removal that does not end, is reported with a command."""
_DYING, _LOST, _BLOCKED = 'is dying', 'is lost', 'is blocked'
_TROUBLES = (_DYING, _LOST, _BLOCKED, '')
_READ_ONLY = 'Primary (read-only)'
"""The message of a primary whose cluster has lost its Raft quorum."""


def application(status: ports.ModelStatus, name: str) -> ports.Application:
    """Return an application; StepError when it is no longer in the model."""
    try:
        return status.applications[name]
    except KeyError:
        if url := status.consumed.get(name):
            raise errors.StepError(
                f'{name} is an application of another model, offered as {url}: '
                'this charm only backs up and restores MAAS and PostgreSQL of its model. '
                f'Relate it, and MAAS, to applications of model {status.name}'
            ) from None
        raise errors.StepError(
            f'application {name} is not in model {status.name}: juju status lists the applications'
        ) from None


def look(world: ports.World, name: str) -> ports.Application:
    """Return an application as it is now, and ask for no other."""
    return application(world.juju.status(name), name)


def read_only(unit: ports.Unit) -> str:
    """Return what to do about a primary whose cluster has lost its quorum, or ''."""
    if unit.message != _READ_ONLY:
        return ''
    return (
        f'{unit.name} is read-only, as most members of its cluster are lost: '
        f'juju run {unit.name} promote-to-primary scope=unit force=true'
    )


def unsettled(unit: ports.Unit, allowed: str = '') -> str:
    """Return why a unit is not active and idle, or ''.

    With `allowed`, a unit blocked with this message counts as active.
    """
    if not unit.alive:
        return f'{unit.name} is being removed'
    if why := read_only(unit):
        return why
    works = _works(unit, allowed)
    if works and unit.agent == 'idle':
        return ''
    if not works:
        return f'{unit.name} is {unit.workload}' + (f' ({unit.message})' if unit.message else '')
    return f'agent of {unit.name} is {unit.agent}'


def _works(unit: ports.Unit, allowed: str) -> bool:
    waits = bool(allowed) and unit.workload == 'blocked' and unit.message == allowed
    return unit.workload == 'active' or waits


def unwell(app: ports.Application, allowed: str = '') -> str:
    """Return what to do about the first unit that is there and does not work; '' if all work.

    A unit whose agent runs a hook works.
    """
    for unit in app.units.values():
        if not unit.alive:
            continue
        if unit.agent == 'lost':
            return (
                f'the agent of {unit.name} is lost. If its machine does not come back: '
                f'juju remove-unit --force {unit.name}, juju add-unit {app.name}'
            )
        if not _works(unit, allowed) or read_only(unit):
            return f'{unsettled(unit, allowed)}: juju status {app.name}'
    return ''


def needs_a_person(unit: ports.Unit, allowed: str = '') -> bool:
    """Whether waiting alone will not settle a unit.

    A hook that failed is no such case, as Juju runs it again by itself; nor is an agent that is
    lost, which may only be restarting.
    """
    blocked = unit.workload == 'blocked' and (not allowed or unit.message != allowed)
    return blocked or unit.agent == 'failed'


def number(unit: str) -> int:
    """Return the number of a unit, by which units are ordered."""
    return int(unit.rpartition('/')[2])


def settling(
    op: operation.Operation, app: ports.Application, allowed: str = '', *, waits: bool = False
) -> step.Wait | None:
    """Return what an application still waits for; None when all its units are settled.

    Args:
        op: the operation, whose facts record how long a problem has lasted.
        app: the application.
        allowed: being blocked by just this message is as good as being active.
        waits: wait even for a unit that needs a person.

    Raises:
        StepError: a unit needs a person, and has for a minute.
    """
    unsettled_ones = [unit for unit in app.units.values() if unsettled(unit, allowed)]
    if unsettled_ones:
        # Name no other units: their states change all the time.
        first = min(unsettled_ones, key=lambda unit: _TROUBLES.index(_trouble(unit, allowed)))
        return lasting(op, app, first, unsettled(first, allowed), allowed, waits=waits)
    over = settled(op, app)
    return step.Wait(f'the units of {app.name} have settled', facts=over) if over else None


def settled(op: operation.Operation, app: ports.Application) -> dict[str, str]:
    """Return the facts that end a problem, so that its time starts again if it recurs."""
    return {_fact(app): ''} if op.fact(_fact(app)) else {}


def lasting(
    op: operation.Operation,
    app: ports.Application,
    unit: ports.Unit,
    why: str,
    allowed: str = '',
    *,
    waits: bool = False,
) -> step.Wait:
    """Return the wait for a unit, with the command for a problem that has lasted.

    PostgreSQL's units are blocked for a moment while members of the cluster change, and agents are
    lost while they restart. Only what lasts is a problem.

    Raises:
        StepError: the unit needs a person, and has for a minute.
    """
    trouble = _trouble(unit, allowed)
    if not trouble:
        return step.Wait(why, facts=settled(op, app))
    key = f'{unit.name} {trouble}'
    since, _, noted = op.fact(_fact(app)).partition(' ')
    first = operation.age_of(since) if noted == key else None
    first = op.age if first is None else first
    lasted = op.age - first
    # While a hook runs, the status may be about to change.
    final = not waits and unit.agent != 'executing'
    if trouble == _BLOCKED and final and lasted > BLOCKED_SECONDS:
        raise errors.StepError(f'{why}. Fix it: juju status {app.name} shows all units')
    hint = _hint(unit) if lasted > TROUBLE_SECONDS else ''
    return step.Wait(f'{why}{hint}', facts={_fact(app): f'{first} {key}'})


def _trouble(unit: ports.Unit, allowed: str) -> str:
    if not unit.alive:
        return _DYING
    if unit.agent == 'lost':
        return _LOST
    return _BLOCKED if needs_a_person(unit, allowed) else ''


def _hint(unit: ports.Unit) -> str:
    """Return what to do about a unit that has had a problem for minutes; '' if it has not."""
    minutes = TROUBLE_SECONDS // 60
    if unit.agent == 'lost':
        return (
            f'. Its agent has been lost for more than {minutes} min. '
            f'If its machine does not come back: juju remove-unit --force {unit.name}'
        )
    if unit.workload == 'error':
        return (
            f'. Its removal has taken more than {minutes} min, {unit.message or "a hook failed"}: '
            f'juju debug-log --include {unit.name}, juju resolved {unit.name}, '
            f'or juju remove-unit --force {unit.name}'
        )
    return ''


def _fact(app: ports.Application) -> str:
    return f'unsettled-{app.name}'
