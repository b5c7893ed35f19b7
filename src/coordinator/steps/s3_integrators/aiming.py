"""Steps on the s3-integrators: aimed at the set, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from coordinator import errors, integrators, ports
from coordinator.engine import facts, operation, step
from coordinator.parts import pgbackrest, pgbackrest_timeline
from coordinator.sets import manifest
from coordinator.steps import site, tasks
from coordinator.steps.backup_set import chosen_set, set_objects
from coordinator.steps.s3_integrators import configurable

_SETTLED = 'aimed-settled'
_QUIET_SECONDS = 15
"""How long PostgreSQL must stay settled: its hooks follow the integrator's, one by one."""


def _wanted(op: operation.Operation, world: ports.World) -> dict[str, manifest.Place]:
    """Return which integrator must be aimed where: those that do not lead to the set now."""
    found = chosen_set.of(op)
    wanted: dict[str, manifest.Place] = {}
    for integrator, here, there in (
        (op.settings.s3_maas, world.maas_store, set_objects.maas_store(found, world)),
        (
            op.settings.s3_postgresql,
            world.postgresql_store,
            set_objects.postgresql_store(found, world),
        ),
    ):
        if not integrators.same_place(here.place, there.place):
            wanted[integrator] = manifest.Place.model_validate(dict(there.place))
    return wanted


def moved(op: operation.Operation, world: ports.World, *which: str) -> str:
    """Return which integrators somebody has aimed elsewhere since, '' if none.

    Args:
        op: the operation.
        world: the world.
        which: those to check; none are both.
    """
    return '; '.join(
        f'{integrator} no longer has the bucket and path of the set: juju config {integrator} '
        f'bucket={place.bucket} path={place.path}'
        for integrator, place in _wanted(op, world).items()
        if not which or integrator in which
    )


def mark_aim(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember where the integrators that move lead to now."""
    if facts.AIMED_BEFORE.known(op):
        return step.Mark()
    before: dict[str, dict[str, str]] = {}
    for integrator in _wanted(op, world):
        config = world.juju.config(integrator)
        before[integrator] = {key: str(config.get(key, '')) for key in ('bucket', 'path')}
    moves = op.settings.s3_postgresql in before
    known = _former_cluster(op, world) if moves else {}
    return step.Mark(facts={**facts.AIMED_BEFORE.put(before), **known})


def _former_cluster(op: operation.Operation, world: ports.World) -> dict[str, str]:
    """Return the fact that says which cluster the site has, before its integrator is aimed."""
    stanza = pgbackrest.stanza(world.model_name, op.settings.postgresql)
    try:
        owners = pgbackrest_timeline.owners(world.postgresql_store, stanza)
    except errors.StepError:
        # A repository that is not there, or cannot be read any more, keeps no restore back.
        return {}
    return facts.FORMER_CLUSTERS.put(sorted(owners))


def aim(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Aim the integrators at the bucket and path that hold the set, if they are not."""
    for integrator, place in _wanted(op, world).items():
        return point(op, world, integrator, {'bucket': place.bucket, 'path': place.path})
    return _settled(op, world) if facts.AIMED_BEFORE.of(op) else step.Done()


def aim_back(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: aim the integrators where they were aimed."""
    for integrator, values in facts.AIMED_BEFORE.of(op).items():
        if differs(op, world, integrator, values):
            return point(op, world, integrator, values)
    return step.Done()


def remains(op: operation.Operation) -> list[str]:
    """Return where the integrators were aimed, when an operation ends as it is."""
    return [
        f'{integrator} was set to: juju config {integrator} '
        + ' '.join(f'{key}={value}' for key, value in values.items())
        for integrator, values in facts.AIMED_BEFORE.of(op).items()
    ] + [
        f'{op.settings.s3_postgresql} may be set to the new path {path}: juju config '
        f'{op.settings.s3_postgresql} path'
        for path in filter(None, [facts.NEW_PATH.of(op)])
    ]


def aimed(op: operation.Operation) -> tuple[str, ...]:
    """Return the integrators that were aimed at the set."""
    return tuple(facts.AIMED_BEFORE.of(op))


def differs(
    op: operation.Operation, world: ports.World, integrator: str, values: Mapping[str, str]
) -> bool:
    """Whether an integrator has other settings than these."""
    try:
        now = world.juju.config(integrator)
    except errors.NotFound:
        # It is an application of another model: what it gives is all that is known.
        to_maas = integrator == op.settings.s3_maas
        now = (world.maas_store if to_maas else world.postgresql_store).place
    return any(str(now.get(key, '')) != value for key, value in values.items())


def point(
    op: operation.Operation, world: ports.World, integrator: str, values: Mapping[str, str]
) -> step.Wait:
    """Configure an integrator, unless that was done and only has to arrive.

    Raises:
        StepError: it cannot be configured from here.
    """
    if differs(op, world, integrator, values):
        status = world.juju.status()
        if why := configurable.unconfigurable(integrator, status, world):
            by_hand = configurable.by_hand(integrator, status, values)
            raise errors.StepError(f'{why}: {by_hand}, then run resume-operation')
        world.juju.set_config(integrator, values)
    where = ' '.join(f'{key}={value}' for key, value in sorted(values.items()))
    return step.Wait(f'{integrator} is set to {where}')


def _settled(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Wait until PostgreSQL has taken the change, and stays settled for a while."""
    app = site.look(world, op.settings.postgresql)
    settling = site.settling(op, app, site.ANOTHER_CLUSTER)
    if settling:
        return dataclasses.replace(settling, facts={**settling.facts, _SETTLED: ''})
    quiet = tasks.patience(op, _SETTLED, _QUIET_SECONDS)
    return step.Done() if quiet is None else step.Wait(f'{app.name} settles', facts=quiet)
