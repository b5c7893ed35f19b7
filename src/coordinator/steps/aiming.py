"""Steps on the s3-integrators: aimed at the set, and PostgreSQL's at a fresh path after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from coordinator import errors, integrators, ports
from coordinator.engine import facts, operation, step
from coordinator.parts import pgbackrest
from coordinator.sets import manifest
from coordinator.steps import configurable, restore_checks, restored, set_checks, site, tasks

NEW_PATH = 'postgresql-new-path'
_SETTLED = 'aimed-settled'
_QUIET_SECONDS = 15
"""How long PostgreSQL must stay settled: its hooks follow the integrator's, one by one."""


def _wanted(op: operation.Operation, world: ports.World) -> dict[str, manifest.Place]:
    """Return which integrator must be aimed where: those that do not lead to the set now."""
    found = restore_checks.backup_set(op)
    wanted: dict[str, manifest.Place] = {}
    for integrator, here, there in (
        (op.settings.s3_maas, world.maas_store, set_checks.maas_store(found, world)),
        (
            op.settings.s3_postgresql,
            world.postgresql_store,
            set_checks.postgresql_store(found, world),
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
    known = restored.former_cluster(op, world) if moves else {}
    return step.Mark(facts={**facts.AIMED_BEFORE.put(before), **known})


def aim(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Aim the integrators at the bucket and path that hold the set, if they are not."""
    for integrator, place in _wanted(op, world).items():
        return _point(op, world, integrator, {'bucket': place.bucket, 'path': place.path})
    return _settled(op, world) if facts.AIMED_BEFORE.of(op) else step.Done()


def aim_back(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: aim the integrators where they were aimed."""
    for integrator, values in facts.AIMED_BEFORE.of(op).items():
        if _differs(op, world, integrator, values):
            return _point(op, world, integrator, values)
    return step.Done()


def renew(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Aim MAAS' integrator back, and move PostgreSQL's backups to a new path if need be."""
    for integrator, values in facts.AIMED_BEFORE.of(op).items():
        if integrator == op.settings.s3_maas and _differs(op, world, integrator, values):
            return _point(op, world, integrator, values)
    return renew_postgresql(op, world)


def renew_postgresql(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Move PostgreSQL's backups to a new path, if it cannot keep using the set's path.

    It must not when it says so itself, or when it was aimed there for the restore. This comes
    before it is scaled: the block would spread to the new units.
    """
    restored.refuse_others(op, world)
    app = site.look(world, op.settings.postgresql)
    found = restore_checks.backup_set(op)
    moves = (
        op.settings.s3_postgresql in facts.AIMED_BEFORE.of(op)
        or found.model.uuid != world.model_uuid
        or restored.archives_nothing(op)
        or any(unit.message == site.ANOTHER_CLUSTER for unit in app.units.values())
    )
    path = op.parameters.get('postgresql-path') or op.fact(NEW_PATH)
    if not moves and not op.fact(NEW_PATH):
        return step.Done()
    if not op.fact(NEW_PATH) or op.fact(NEW_PATH) != path:
        path = path or restore_checks.fresh_path(found, world)
        return step.Wait(f'{app.name} will keep its backups in {path}', facts={NEW_PATH: path})
    if _differs(op, world, op.settings.s3_postgresql, {'path': path}):
        return _point(op, world, op.settings.s3_postgresql, {'path': path})
    for unit in app.units.values():
        if unit.message == site.ANOTHER_CLUSTER:
            return step.Wait(f'{unit.name} is switching to the path {path}{_stuck(app, unit)}')
    # PostgreSQL has taken it when it has made its stanza there.
    stanza = pgbackrest.stanza(world.model_name, app.name)
    try:
        pgbackrest.backups(world.postgresql_store, stanza)
    except errors.NotFound:
        return step.Wait(f'{app.name} is creating its stanza in {path}')
    nothing = restored.archives_nothing(op)
    warnings = restored.check_cluster(op, world, stanza) if nothing else []
    return site.settling(op, app) or step.Done(warnings=warnings)


def _stuck(app: ports.Application, unit: ports.Unit) -> str:
    """Return what to do about a unit that somebody added while the cluster was blocked."""
    if unit.leader or len(app.units) == 1:
        return ''
    remedy = f'juju remove-unit {unit.name}, then resume-operation'
    return f'; it joined while the cluster was blocked and may never become active: {remedy}'


def remains(op: operation.Operation) -> list[str]:
    """Return where the integrators were aimed, when an operation ends as it is."""
    return [
        f'{integrator} was set to: juju config {integrator} '
        + ' '.join(f'{key}={value}' for key, value in values.items())
        for integrator, values in facts.AIMED_BEFORE.of(op).items()
    ] + [
        f'{op.settings.s3_postgresql} may be set to the new path {path}: juju config '
        f'{op.settings.s3_postgresql} path'
        for path in filter(None, [op.fact(NEW_PATH)])
    ]


def aimed(op: operation.Operation) -> tuple[str, ...]:
    """Return the integrators that were aimed at the set."""
    return tuple(facts.AIMED_BEFORE.of(op))


def _differs(
    op: operation.Operation, world: ports.World, integrator: str, values: Mapping[str, str]
) -> bool:
    try:
        now = world.juju.config(integrator)
    except errors.NotFound:
        # It is an application of another model: what it gives is all that is known.
        to_maas = integrator == op.settings.s3_maas
        now = (world.maas_store if to_maas else world.postgresql_store).place
    return any(str(now.get(key, '')) != value for key, value in values.items())


def _point(
    op: operation.Operation, world: ports.World, integrator: str, values: Mapping[str, str]
) -> step.Wait:
    """Configure an integrator, unless that was done and only has to arrive.

    Raises:
        StepError: it cannot be configured from here.
    """
    if _differs(op, world, integrator, values):
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
