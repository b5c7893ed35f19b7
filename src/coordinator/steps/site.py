"""What the steps ask of the model's status: units that are settled, units that are not."""

from __future__ import annotations

from coordinator import errors, ports

ANOTHER_CLUSTER = 'the S3 repository has backups from another cluster'
"""What blocks PostgreSQL, and no more than its own backups: it lists and restores all the same."""

_READ_ONLY = 'Primary (read-only)'
"""The message of a primary whose cluster has lost its Raft quorum."""


def application(status: ports.ModelStatus, name: str) -> ports.Application:
    """Return an application; StepError when it is no longer in the model."""
    try:
        return status.applications[name]
    except KeyError:
        raise errors.StepError(
            f'application {name} is not in model {status.name}: juju status shows what is'
        ) from None


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

    With `allowed`, being blocked by just this message is as good as being active.
    """
    if not unit.alive:
        return f'{unit.name} is being removed'
    if why := read_only(unit):
        return why
    works = unit.workload == 'active' or (
        bool(allowed) and unit.workload == 'blocked' and unit.message == allowed
    )
    if works and unit.agent == 'idle':
        return ''
    if not works:
        return f'{unit.name} is {unit.workload}' + (f' ({unit.message})' if unit.message else '')
    return f'agent of {unit.name} is {unit.agent}'


def needs_a_person(unit: ports.Unit, allowed: str = '') -> bool:
    """Whether waiting alone will not settle a unit.

    A hook that failed is no such case, as Juju runs it again by itself; nor is an agent that is
    lost, which may only be restarting.
    """
    blocked = unit.workload == 'blocked' and (not allowed or unit.message != allowed)
    return blocked or unit.agent == 'failed'


def settling(app: ports.Application, allowed: str = '') -> str:
    """Return what an application still waits for, or '' when all its units are settled.

    Raises:
        StepError: a unit needs a person.
    """
    # A unit that goes is told first: what the others do meanwhile changes all the time.
    for unit in sorted(app.units.values(), key=lambda unit: unit.alive):
        why = unsettled(unit, allowed)
        if why and unit.alive and needs_a_person(unit, allowed):
            raise errors.StepError(f'{why}: mend it, juju status {app.name} shows all units')
        if why:
            return why
    return ''
