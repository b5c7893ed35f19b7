"""What the steps ask of the model's status: units that are settled, units that are not."""

from __future__ import annotations

from coordinator import errors, ports


def application(status: ports.ModelStatus, name: str) -> ports.Application:
    """Return an application; StepError when it is no longer in the model."""
    try:
        return status.applications[name]
    except KeyError:
        raise errors.StepError(
            f'application {name} is not in model {status.name}: juju status shows what is'
        ) from None


def unsettled(unit: ports.Unit) -> str:
    """Return why a unit is not active and idle, or ''."""
    if not unit.alive:
        return f'{unit.name} is being removed'
    if unit.workload == 'active' and unit.agent == 'idle':
        return ''
    if unit.workload != 'active':
        return f'{unit.name} is {unit.workload}' + (f' ({unit.message})' if unit.message else '')
    return f'agent of {unit.name} is {unit.agent}'


def needs_a_person(unit: ports.Unit) -> bool:
    """Whether waiting alone will not settle a unit.

    A hook that failed is no such case: Juju runs it again by itself.
    """
    return unit.workload == 'blocked' or unit.agent in ('lost', 'failed')
