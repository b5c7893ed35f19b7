"""What must hold before a restore begins, as far as it can be known.

The same checks are the first step of restore-all and what it prints without `confirm=true`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from coordinator import errors, integrators, ports
from coordinator.engine import limits, operation, settings, step
from coordinator.record import repository
from coordinator.sets import catalogue, manifest
from coordinator.steps import checking, other_databases, relations, site
from coordinator.steps.backup_set import (
    addenda,
    chosen_set,
    readable,
    set_objects,
    vouching,
)
from coordinator.steps.checks import fitting, reliance, revisions, surroundings, throwaway
from coordinator.steps.maas import inventories
from coordinator.steps.maas_region import maas_status
from coordinator.steps.postgresql import new_path, password_change, passwords, strategy
from coordinator.steps.s3_integrators import configurable

INCONSISTENT = 'inconsistent'
"""Parameter: restore although MAAS may not come up from the set."""


def ready_for_restore(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Make every check, and remember the set that is restored from."""
    wanted = fitting.chosen(op.parameters, op.settings, world)
    outcomes = [
        *older(wanted, op.parameters, op.fact(operation.NEWEST_MADE)),
        *restore_checks(wanted, op.parameters, op.settings, world),
    ]
    waiting = checking.awaited(op, outcomes)
    if waiting:
        return waiting
    return step.Done(
        {
            chosen_set.BACKUP_SET: chosen_set.essence(wanted),
            **repository.remembered(world),
            **(throwaway.remembered(op.settings, world) if op.rehearses else {}),
        },
        warnings=checking.warnings(outcomes),
    )


def older(
    wanted: manifest.Manifest, parameters: Mapping[str, str], newest_made: str
) -> Iterator[checking.Check]:
    """Yield a warning if `latest` is older than what this application has made itself."""
    if parameters['backup-id'] == chosen_set.LATEST and wanted.backup_id < newest_made:
        yield checking.Check(
            'latest',
            checking.WARNING,
            f'latest is {wanted.backup_id}, '
            f'but this coordinator has made the newer backup set {newest_made}: '
            'somebody may have deleted or changed it. list-backups shows whether it is there',
        )


def restore_checks(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> Iterator[checking.Check]:
    """Make the checks of restore-all, one after the other; none raises CoordinatorError."""
    access = checking.made('juju-user', lambda: surroundings.access(world))
    yield access
    if access.outcome == checking.OK:
        if operation.REHEARSAL in parameters:
            yield from throwaway.rehearsal_checks(wanted, parameters, config, world)
        yield from _site_checks(wanted, parameters, config, world)
        yield checking.made('maas-status', lambda: maas_status.check(config, world))
        yield checking.made('passwords', lambda: _passwords(wanted, parameters, config, world))
    yield checking.made('signature', lambda: vouching.check(wanted, parameters, config, world))
    yield checking.made('images', lambda: _images(wanted, parameters))
    yield checking.made('proof', lambda: inventories.foreseen(wanted, world, config.maas))
    yield _verification(wanted, world)
    yield checking.made('archive', lambda: readable.check(wanted, world.maas_store, world))
    yield checking.made('maas-objects', lambda: _maas_objects(wanted, config, world))
    yield checking.made('s3-maas-path', lambda: _readable(wanted, config, world))
    yield _postgresql_objects(wanted, world)
    yield checking.made('postgresql-path', lambda: new_path.check(wanted, parameters, world))
    yield checking.made('s3-paths', lambda: _paths(wanted, world))


# --- The site --------------------------------------------------------------------------------


def _site_checks(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> Iterator[checking.Check]:
    try:
        status = world.juju.status()
    except errors.CoordinatorError as error:
        yield checking.Check('model-status', checking.LATER, str(error))
        return
    yield checking.made('fits', lambda: fitting.check(wanted, config, status))
    yield checking.made('maas-region', lambda: surroundings.units_settled(status, config.maas))
    yield checking.made(
        'postgresql',
        lambda: surroundings.units_settled(status, config.postgresql, site.ANOTHER_CLUSTER),
    )
    yield checking.made(
        'actions', lambda: reliance.actions(status, world, reliance.for_restore(config))
    )
    yield checking.made('s3-integrators', lambda: surroundings.same_integrators(status, config))
    yield checking.made('s3-options', lambda: configurable.check(wanted, status, config, world))
    yield checking.made('coordinators', lambda: surroundings.only_coordinator(status))
    yield checking.made('clock', lambda: surroundings.controllers_clock(status, world.now()))
    yield checking.made('replication', lambda: surroundings.unreplicated(status, config))
    yield checking.made('relation', lambda: relations.check(status, config))
    yield checking.made(
        'other-databases', lambda: other_databases.check(status, config, parameters)
    )
    yield checking.made('other-operations', lambda: surroundings.no_other_task(config, world))
    yield checking.made(
        'record', lambda: limits.names_fit(config, status, _places(wanted, parameters, world))
    )
    advice = f'scale {config.postgresql} down to one unit first'
    yield checking.made(
        'machines', lambda: strategy.leaving_machines(status, config.postgresql, advice)
    )
    yield checking.made('revisions', lambda: revisions.check(wanted, config, status))
    yield checking.made('channels', lambda: _channels(wanted, config, status))


def _places(
    wanted: manifest.Manifest, parameters: Mapping[str, str], world: ports.World
) -> list[Mapping[str, str]]:
    """Return the places in a restore's record, as often as they are there."""
    here, there = world.postgresql_store.place, wanted.postgresql.place.model_dump()
    # It notes where the set is, how the integrators were aimed, and where PostgreSQL continues.
    beside = new_path.home(parameters, wanted, world)
    fresh = {'path': parameters.get('postgresql-path') or f'{beside["path"]}-restored-999'}
    maas = [world.maas_store.place] * 2
    return [*maas, wanted.maas.place.model_dump(), here, there, fresh, fresh]


def _channels(
    wanted: manifest.Manifest, config: settings.Settings, status: ports.ModelStatus
) -> str | checking.Warned:
    differ = [
        f'{app.name} is from {app.channel or "a local file"}, at the backup it was from '
        f'{then.channel or "a local file"}'
        for app, then in (
            (site.application(status, config.maas), wanted.maas.charm),
            (site.application(status, config.postgresql), wanted.postgresql.charm),
        )
        if app.channel != then.channel
    ]
    return checking.Warned('; '.join(differ)) if differ else 'equal'


def _passwords(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> str:
    set_objects.sealed(wanted, world.maas_store)
    current = passwords.in_force(world, config.postgresql)
    differing = passwords.differing(wanted.passwords.hashes, current)
    if not differing:
        return 'the current passwords are those of the set'
    reliance.check_passwords(differing, config, world)
    password_change.unsealed(wanted, parameters.get('identity', ''), world, world.maas_store)
    return 'the identity decrypts the passwords of the set'


# --- The set ---------------------------------------------------------------------------------


def _verification(wanted: manifest.Manifest, world: ports.World) -> checking.Check:
    """Warn of a set that is known to be damaged: it may be the only one that there is."""
    try:
        found = catalogue.last_verification(world.maas_store, wanted.backup_id)
    except errors.CoordinatorError as error:
        return checking.Check('verified', checking.WARNING, str(error))
    if found is None:
        command = f'verify-backup backup-id={wanted.backup_id} deep=true'
        return checking.Check(
            'verified', checking.OK, f'not since the backup; to verify it: {command}'
        )
    outcome = checking.OK if found.outcome.good else checking.WARNING
    sentence = '; '.join(filter(None, (str(found.outcome), found.told)))
    return checking.Check('verified', outcome, sentence)


def _images(wanted: manifest.Manifest, parameters: Mapping[str, str]) -> str | checking.Warned:
    """Make sure that the files hold the images that the database knows, or that it is asked for.

    Raises:
        StepError: they may not.
    """
    why = wanted.inconsistent
    if why and parameters.get(INCONSISTENT) != 'true':
        raise errors.StepError(
            f'backup set {wanted.backup_id} is inconsistent: {why}. '
            'MAAS may not finish initialising after a restore of it. '
            'Restore another set, or give inconsistent=true to restore it anyway'
        )
    if why:
        return checking.Warned(
            f'the set is inconsistent: {why}. '
            'If MAAS does not finish initialising, delete these images from its database'
        )
    if wanted.images is None or wanted.images.state != manifest.SYNCHRONISED:
        told = wanted.images.why if wanted.images else 'MAAS was not asked when it was made'
        return (
            'it is not known whether the files contain every image that the database refers to: '
            f'{told}'
        )
    return 'the files contain every image that the database refers to'


def _readable(wanted: manifest.Manifest, config: settings.Settings, world: ports.World) -> str:
    path = set_objects.maas_store(wanted, world).place['path']
    return surroundings.readable_path(path, config.s3_maas)


def _maas_objects(wanted: manifest.Manifest, config: settings.Settings, world: ports.World) -> str:
    verified = catalogue.standing(world.maas_store, wanted.backup_id)
    vouched = addenda.vouched(wanted, world.maas_store, config, world)
    return set_objects.maas_objects(wanted, world, verified, vouched)


def _postgresql_objects(wanted: manifest.Manifest, world: ports.World) -> checking.Check:
    """Check the database backup; one that rests on one of two files can be restored."""
    weak: list[str] = []

    def look() -> str:
        found = set_objects.postgresql_objects(wanted, world)
        weak.extend(found.weaknesses)
        return found.sentence

    made = checking.made('postgresql-objects', look)
    if not weak:
        return made
    sentence = '; '.join([made.sentence, *weak])
    return dataclasses.replace(made, outcome=checking.WARNING, sentence=sentence)


def _paths(wanted: manifest.Manifest, world: ports.World) -> str:
    """Make sure that both charms can read the set back from where it lies."""
    files = set_objects.maas_store(wanted, world).place
    database = set_objects.postgresql_store(wanted, world).place
    if why := integrators.collision(files, database):
        name = wanted.postgresql.stanza
        raise errors.StepError(
            f'{why}. Copy backup/{name} and archive/{name} from {integrators.where(database)} '
            'to an empty path, set the integrator of s3-postgresql to it, and restore again'
        )
    return f'{integrators.where(files)} and {integrators.where(database)} do not overlap'
