"""Steps on the relation between MAAS and its database: removed for a restore, and added again."""

from __future__ import annotations

import dataclasses

from coordinator import errors, ports, times
from coordinator.engine import facts, operation, settings, step
from coordinator.steps import site, tasks

_QUIET = 'regions-quiet'
"""Fact: the operation's age since when all regions are active."""
_QUIET_SECONDS = 8
"""Regions initialise one after the other; between two of them none shows it for a moment."""


def maas_end(config: settings.Settings) -> str:
    """Return the endpoint of MAAS that its database is related to."""
    return f'{config.maas}:maas-db'


def database(status: ports.ModelStatus, config: settings.Settings) -> tuple[str, str] | None:
    """Return both endpoints of the relation between MAAS and PostgreSQL, MAAS' first."""
    found = _relation(status, config)
    if found is None:
        return None
    ends = {end.partition(':')[0]: end for end in found.endpoints}
    return ends[config.maas], ends[config.postgresql]


def check(status: ports.ModelStatus, config: settings.Settings) -> str:
    """Make sure that MAAS keeps its data in this PostgreSQL."""
    found = database(status, config)
    if found is not None:
        return f'{found[0]} and {found[1]} are related'
    here = maas_end(config)
    for relation in status.relations:
        for end in relation.endpoints:
            name = end.partition(':')[0]
            if here in relation.endpoints and end != here:
                url = status.consumed.get(name)
                offered = f', an application of another model (offer {url})' if url else ''
                raise errors.StepError(
                    f'{here} is related to {end}{offered}, not to {config.postgresql}, '
                    'which this charm is related to: '
                    'it backs up and restores the database that MAAS uses'
                )
    raise errors.StepError(
        f'{config.maas} and {config.postgresql} are not related: juju integrate {here} '
        f'{config.postgresql}:database'
    )


def between(status: ports.ModelStatus, config: settings.Settings) -> str:
    """Return what MAAS reaches this PostgreSQL by, such as a connection pooler; '' if nothing."""
    ends = [{end.partition(':')[0] for end in r.endpoints} for r in status.relations]
    here = maas_end(config)
    used = [names for r, names in zip(status.relations, ends, strict=True) if here in r.endpoints]
    for name in sorted({name for names in used for name in names} & status.applications.keys()):
        if name != config.maas and {name, config.postgresql} in ends:
            return name
    return ''


def _relation(status: ports.ModelStatus, config: settings.Settings) -> ports.Relation | None:
    for relation in status.relations:
        ends = {end.partition(':')[0] for end in relation.endpoints}
        if maas_end(config) in relation.endpoints and config.postgresql in ends:
            return relation
    return None


def mark_detach(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember what is related, and since when MAAS is down."""
    if facts.ENDPOINTS.of(op):
        return step.Mark()
    found = database(world.juju.status(op.settings.maas, op.settings.postgresql), op.settings)
    if found is None:
        raise errors.StepError(
            f'{op.settings.maas} and {op.settings.postgresql} are no longer related: '
            f'juju integrate {maas_end(op.settings)} {op.settings.postgresql}:database'
        )
    now = times.stamp(world.now())
    return step.Mark(facts={**facts.ENDPOINTS.put(found), **facts.DOWN_SINCE.put(now)})


def detach(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Take the relation away, and wait until no region works with the database any more."""
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    again = keep_detached(op, world, status)
    if again is not None:
        return again
    app = site.application(status, op.settings.maas)
    for unit in app.units.values():
        if unit.workload != 'waiting' or unit.agent != 'idle':
            # One that stays blocked would refuse to restore.
            why = site.unsettled(unit) if site.needs_a_person(unit) else ''
            return site.lasting(
                op, app, unit, why or f'{unit.name} has not disconnected from the database yet'
            )
    return step.Done(site.settled(op, app))


def keep_detached(
    op: operation.Operation, world: ports.World, status: ports.ModelStatus
) -> step.Wait | None:
    """Take the relation away if it is there, also when somebody has put it back meanwhile."""
    found = _relation(status, op.settings)
    if found is None:
        return None
    # One that is put back is another relation, with an id of its own.
    if facts.RELATION_REMOVED.of(op) != str(found.id):
        world.juju.remove_relation(*facts.ENDPOINTS.of(op))
    return _being_removed(op, found)


def _being_removed(op: operation.Operation, found: ports.Relation) -> step.Wait:
    reason = f'the relation of {" and ".join(facts.ENDPOINTS.of(op))} is being removed'
    return step.Wait(reason, facts=facts.RELATION_REMOVED.put(str(found.id)))


def attach(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Put the relation back, and wait until every region is active."""
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    relating = relate(op, world, status)
    if relating is not None:
        return relating
    settling = site.settling(op, site.application(status, op.settings.maas))
    if settling:
        return dataclasses.replace(
            settling, facts={**settling.facts, facts.UP_SINCE.name: '', _QUIET: ''}
        )
    # A region is active too while it waits for its turn to initialise: it must stay so.
    quiet = tasks.patience(op, _QUIET, _QUIET_SECONDS)
    if quiet is None:
        return step.Done()
    up_since = facts.UP_SINCE.of(op) or times.stamp(world.now())
    return step.Wait('all regions are active', facts={**facts.UP_SINCE.put(up_since), **quiet})


def relate(
    op: operation.Operation, world: ports.World, status: ports.ModelStatus
) -> step.Wait | None:
    """Put the relation back if it is gone; None when it is there."""
    first, second = facts.ENDPOINTS.of(op)
    found = _relation(status, op.settings)
    if found is None:
        world.juju.integrate(first, second)
        return step.Wait(f'{first} and {second} are being related')
    if facts.RELATION_REMOVED.of(op) == str(found.id):
        # Until it is gone regions may be active with it, and Juju takes no other one.
        return _being_removed(op, found)
    return None


def attach_again(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo of detaching."""
    return attach(op, world) if facts.ENDPOINTS.of(op) else step.Done()


def left_over(op: operation.Operation, world: ports.World) -> list[str]:
    """Return what to do about the relation if it is missing."""
    endpoints = ' '.join(facts.ENDPOINTS.of(op))
    if (
        not endpoints
        or _relation(world.juju.status(op.settings.maas, op.settings.postgresql), op.settings)
        is not None
    ):
        return []
    return [f'MAAS has no database: juju integrate {endpoints}']


def remains(op: operation.Operation) -> list[str]:
    """Return what to do about the relation when an operation ends as it is."""
    endpoints = ' '.join(facts.ENDPOINTS.of(op))
    if not endpoints or facts.UP_SINCE.of(op):
        return []
    return [f'MAAS may have no database: juju integrate {endpoints}']


def replacing(application: str) -> str:
    """Return what to do about a unit that is lost while MAAS is detached."""
    return (
        'MAAS is detached from its database. If the machine comes back, run resume-operation. '
        f'If not: juju remove-unit --force {{unit}}, juju add-unit {application}, '
        'then resume-operation: the new unit restores in its place'
    )
