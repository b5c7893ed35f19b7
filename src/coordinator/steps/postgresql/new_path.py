"""The path to which PostgreSQL moves its backups after a restore, if it cannot keep its own."""

from __future__ import annotations

import re
from collections.abc import Mapping

from coordinator import errors, integrators, ports, this
from coordinator.engine import facts, operation, step
from coordinator.parts import pgbackrest
from coordinator.sets import manifest
from coordinator.steps import site
from coordinator.steps.backup_set import chosen_set, set_objects
from coordinator.steps.postgresql import evidence
from coordinator.steps.s3_integrators import aiming


def home(
    parameters: Mapping[str, str], wanted: manifest.Manifest, world: ports.World
) -> Mapping[str, str]:
    """Return the place beside which PostgreSQL's new path will be, before a restore.

    A rehearsal writes nothing where the set lies.
    """
    if operation.REHEARSAL in parameters:
        return world.postgresql_store.place
    return set_objects.postgresql_store(wanted, world).place


def check(wanted: manifest.Manifest, parameters: Mapping[str, str], world: ports.World) -> str:
    """Make sure that PostgreSQL's backups can move to the path that a restore names."""
    given = parameters.get('postgresql-path', '')
    beside = home(parameters, wanted, world)
    must = '' if operation.REHEARSAL in parameters else ', if they must move'
    if not given:
        fresh = fresh_path(beside, wanted, world)
        return f'the backups of PostgreSQL move to {fresh}{must}'
    try:
        path = integrators.made_of(integrators.POSTGRESQL, {'path': given}).path
    except errors.StoreRefused as error:
        raise errors.StepError(f'postgresql-path={given}: {error}') from None
    there = {**beside, 'path': path}
    if why := integrators.collision(world.maas_store.place, there):
        raise errors.StepError(f'postgresql-path={given}: {why}')
    if not is_free(there, wanted, world):
        raise errors.StepError(
            f'postgresql-path={given} is in use: choose an empty path, or omit it'
        )
    return f'the backups of PostgreSQL move to {given}{must}'


def renew(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Aim MAAS' integrator back, and move PostgreSQL's backups to a new path if need be."""
    for integrator, values in facts.AIMED_BEFORE.of(op).items():
        if integrator == op.settings.s3_maas and aiming.differs(op, world, integrator, values):
            return aiming.point(op, world, integrator, values)
    return renew_postgresql(op, world)


def renew_postgresql(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Move PostgreSQL's backups to a new path, if it cannot keep using the set's path.

    It must not when it says so itself, or when it was aimed there for the restore. This comes
    before it is scaled: the block would spread to the new units.
    """
    evidence.refuse_others(op, world)
    app = site.look(world, op.settings.postgresql)
    found = chosen_set.of(op)
    moves = (
        op.settings.s3_postgresql in facts.AIMED_BEFORE.of(op)
        or found.model.uuid != world.model_uuid
        or evidence.archives_nothing(op)
        or any(unit.message == site.ANOTHER_CLUSTER for unit in app.units.values())
    )
    path = op.parameters.get('postgresql-path') or facts.NEW_PATH.of(op)
    if not moves and not facts.NEW_PATH.of(op):
        return step.Done()
    if not facts.NEW_PATH.of(op) or facts.NEW_PATH.of(op) != path:
        beside = facts.OWN_PLACE.of(op) or set_objects.postgresql_store(found, world).place
        if path and not is_free({**beside, 'path': path}, found, world):
            # Only the path that a restore begins with has been checked.
            raise errors.StepError(
                f'postgresql-path={path} is in use: '
                f'{this.command("resume-operation")} postgresql-path=<an empty path>'
            )
        path = path or fresh_path(beside, found, world)
        return step.Wait(
            f'{app.name} will keep its backups in {path}', facts=facts.NEW_PATH.put(path)
        )
    fresh = _aim(op, path)
    if aiming.differs(op, world, op.settings.s3_postgresql, fresh):
        return aiming.point(op, world, op.settings.s3_postgresql, fresh)
    for unit in app.units.values():
        if unit.message == site.ANOTHER_CLUSTER:
            return step.Wait(f'{unit.name} is switching to the path {path}{_stuck(app, unit)}')
    # PostgreSQL has taken it when it has made its stanza there.
    stanza = pgbackrest.stanza(world.model_name, app.name)
    try:
        pgbackrest.backups(world.postgresql_store, stanza)
    except errors.NotFound:
        return step.Wait(f'{app.name} is creating its stanza in {path}')
    nothing = evidence.archives_nothing(op)
    warnings = evidence.check_cluster(op, world, stanza) if nothing else []
    return site.settling(op, app) or step.Done(warnings=warnings)


def _aim(op: operation.Operation, path: str) -> Mapping[str, str]:
    """Return what the integrator gets; after a rehearsal also the bucket that it had."""
    own = facts.OWN_PLACE.of(op)
    return {'bucket': own['bucket'], 'path': path} if own else {'path': path}


def _stuck(app: ports.Application, unit: ports.Unit) -> str:
    """Return what to do about a unit that somebody added while the cluster was blocked."""
    if unit.leader or len(app.units) == 1:
        return ''
    remedy = f'juju remove-unit {unit.name}, then resume-operation'
    return f'; it joined while the cluster was blocked and may never become active: {remedy}'


def fresh_path(beside: Mapping[str, str], wanted: manifest.Manifest, world: ports.World) -> str:
    """Return the first `<path>-restored-<n>` beside a place that holds nothing."""
    base = re.sub(r'-restored-\d+$', '', beside['path'].strip('/'))
    for number in range(1, 1000):
        path = f'{base}-restored-{number}'
        if is_free({**beside, 'path': path}, wanted, world):
            return path
    raise errors.StepError(f'a thousand paths {base}-restored-... are in use: choose a free path')


def is_free(place: Mapping[str, str], wanted: manifest.Manifest, world: ports.World) -> bool:
    """Whether a bucket and path that PostgreSQL will use holds nothing and is nobody's."""
    path = place['path'].strip('/')
    if path in (world.postgresql_store.place['path'], wanted.postgresql.place.path.strip('/')):
        return False
    there = world.postgresql_store_at(place['bucket'], path)
    return not any(True for _ in there.list(''))
