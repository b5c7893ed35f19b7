"""What must hold before a restore begins, and which backup set is meant.

The same checks are the first step of restore-all and what it prints without `confirm=true`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from coordinator import errors, integrators, ports, times
from coordinator.engine import limits, operation, settings, step
from coordinator.record import repository
from coordinator.sets import catalogue, index, manifest, retention
from coordinator.steps import (
    checks,
    configurable,
    inventories,
    maas_status,
    other_databases,
    passwords,
    readable,
    relations,
    reliance,
    revisions,
    set_checks,
    site,
    strategy,
    surroundings,
)

BACKUP_SET = 'backup-set'
"""Fact: the manifest of the set."""
LATEST = 'latest'
INCONSISTENT = 'inconsistent'
"""Parameter: restore although MAAS may not come up from the set."""


def ready_for_restore(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Make every check, and remember the set that is restored from."""
    wanted = chosen(op.parameters, op.settings, world)
    outcomes = list(restore_checks(wanted, op.parameters, op.settings, world))
    waiting = checks.awaited(op, outcomes)
    if waiting:
        return waiting
    return step.Done(
        {
            BACKUP_SET: essence(wanted),
            **repository.remembered(world),
        },
        warnings=checks.warnings(outcomes),
    )


def essence(wanted: manifest.Manifest) -> str:
    """Return a manifest as a fact, without what no step of a restore asks for.

    A record is small. It has a copy, as the one in S3 may go or change while the restore runs.
    """
    essential = wanted.model_copy(
        update={
            'images': None,
            'maas': wanted.maas.model_copy(update={'objects': wanted.maas.objects[:1]}),
            'passwords': wanted.passwords.model_copy(update={'recipients': ()}),
            'seconds': {},
        }
    )
    return essential.model_dump_json(by_alias=True, exclude_none=True)


def backup_set(op: operation.Operation) -> manifest.Manifest:
    """Return the set that is restored from, with the first of MAAS's objects only."""
    return manifest.Manifest.model_validate_json(op.fact(BACKUP_SET))


def chosen(
    parameters: Mapping[str, str], config: settings.Settings, world: ports.World
) -> manifest.Manifest:
    """Return the set that the parameters name.

    Raises:
        StepError: there is none of this id, or it cannot be read.
        PreconditionError: the parameter is no backup id.
        ForeignRecordError: its manifest is of a newer version.
    """
    wanted = parameters['backup-id']
    return _latest(config, world) if wanted == LATEST else named(wanted, world)


def named(backup_id: str, world: ports.World) -> manifest.Manifest:
    """Return the set of this id; raises what `chosen` does."""
    try:
        return catalogue.opened(world.maas_store, backup_id)
    except errors.NotFound:
        raise errors.StepError(
            f'there is no complete backup set {backup_id} in '
            f'{checks.where(world.maas_store)}: list-backups shows the sets'
        ) from None


def _latest(config: settings.Settings, world: ports.World) -> manifest.Manifest:
    status = world.juju.status()
    now = times.stamp(world.now())
    # One of a clock that was ahead is newer than all others for years.
    entries = sorted(
        catalogue.entries(world.maas_store),
        key=lambda entry: (entry.backup_id <= now, entry.backup_id),
    )
    for entry in reversed(entries):
        if entry.state != retention.COMPLETE or entry.summary is None:
            continue
        if any(_misfits(entry.summary, config, status)):
            continue
        # What the index says of a set picks it; what its manifest says is restored.
        return catalogue.opened(world.maas_store, entry.backup_id)
    raise errors.StepError(
        f'no complete backup set in {checks.where(world.maas_store)} can be restored here: '
        'list-backups shows the sets. Name one with backup-id to see why'
    )


def restore_checks(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> Iterator[checks.Check]:
    """Make the checks of restore-all, one after the other; none raises CoordinatorError."""
    access = checks.made('juju-user', lambda: checks.access(world))
    yield access
    if access.outcome == checks.OK:
        yield from _site_checks(wanted, parameters, config, world)
        yield checks.made('maas-status', lambda: maas_status.check(config, world))
        yield checks.made('passwords', lambda: _passwords(wanted, parameters, config, world))
    yield checks.made('images', lambda: _images(wanted, parameters))
    yield checks.made('proof', lambda: inventories.foreseen(wanted, world, config.maas))
    yield _verification(wanted, world)
    yield checks.made('archive', lambda: readable.check(wanted, world.maas_store, world))
    yield checks.made('maas-objects', lambda: _maas_objects(wanted, world))
    yield checks.made('s3-maas-path', lambda: _readable(wanted, config, world))
    yield _postgresql_objects(wanted, world)
    yield checks.made('postgresql-path', lambda: _path(wanted, parameters, world))
    yield checks.made('s3-paths', lambda: _paths(wanted, world))


# --- The site --------------------------------------------------------------------------------


def _site_checks(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> Iterator[checks.Check]:
    try:
        status = world.juju.status()
    except errors.CoordinatorError as error:
        yield checks.Check('model-status', checks.LATER, str(error))
        return
    yield checks.made('fits', lambda: _fits(wanted, config, status))
    yield checks.made('maas-region', lambda: checks.units_settled(status, config.maas))
    yield checks.made(
        'postgresql',
        lambda: checks.units_settled(status, config.postgresql, site.ANOTHER_CLUSTER),
    )
    yield checks.made(
        'actions', lambda: reliance.actions(status, world, reliance.for_restore(config))
    )
    yield checks.made('s3-integrators', lambda: checks.same_integrators(status, config))
    yield checks.made('s3-options', lambda: configurable.check(wanted, status, config, world))
    yield checks.made('coordinators', lambda: surroundings.only_coordinator(status))
    yield checks.made('clock', lambda: surroundings.controllers_clock(status, world.now()))
    yield checks.made('replication', lambda: surroundings.unreplicated(status, config))
    yield checks.made('relation', lambda: relations.check(status, config))
    yield checks.made('other-databases', lambda: other_databases.check(status, config, parameters))
    yield checks.made('other-operations', lambda: checks.no_other_task(config, world))
    yield checks.made(
        'record', lambda: limits.names_fit(config, status, _places(wanted, parameters, world))
    )
    advice = f'scale {config.postgresql} down to one unit first'
    yield checks.made(
        'machines', lambda: strategy.leaving_machines(status, config.postgresql, advice)
    )
    yield checks.made('revisions', lambda: revisions.check(wanted, config, status))
    yield checks.made('channels', lambda: _channels(wanted, config, status))


def _places(
    wanted: manifest.Manifest, parameters: Mapping[str, str], world: ports.World
) -> list[Mapping[str, str]]:
    """Return the places in a restore's record, as often as they are there."""
    here, there = world.postgresql_store.place, wanted.postgresql.place.model_dump()
    # It notes where the set is, how the integrators were aimed, and where PostgreSQL goes on.
    fresh = {'path': parameters.get('postgresql-path') or f'{there["path"]}-restored-999'}
    maas = [world.maas_store.place] * 2
    return [*maas, wanted.maas.place.model_dump(), here, there, fresh, fresh]


def _fits(wanted: manifest.Manifest, config: settings.Settings, status: ports.ModelStatus) -> str:
    misfits = list(_misfits(index.Summary.of(wanted), config, status))
    if misfits:
        raise errors.StepError('; '.join(misfits))
    return (
        f'{len(wanted.maas.controllers)} controllers, MAAS {wanted.maas.version} and PostgreSQL '
        f'{wanted.postgresql.charm.workload_version} fit'
    )


def _misfits(
    wanted: index.Summary, config: settings.Settings, status: ports.ModelStatus
) -> Iterator[str]:
    """Yield a sentence for each reason why a set cannot be restored on this site."""
    maas = site.application(status, config.maas)
    more = len(wanted.controllers) - len(maas.units)
    if more:
        command = f'juju add-unit {maas.name} -n {more}' if more > 0 else 'juju remove-unit'
        yield (
            f'{maas.name} has {len(maas.units)} units, '
            f'but the set has {len(wanted.controllers)} controllers: '
            f'{"add" if more > 0 else "remove"} {abs(more)} ({command})'
        )
    yield from _maas_misfits(maas, wanted.maas_version)
    database = site.application(status, config.postgresql)
    there, backed_up = database.workload_version, wanted.postgresql_version
    if _numbers(there)[:1] != _numbers(backed_up)[:1]:
        yield (
            f'{database.name} is PostgreSQL {there}, the set is of {backed_up}: major versions '
            'must be equal, deploy the channel of the set'
        )


def _maas_misfits(maas: ports.Application, backed_up: str) -> Iterator[str]:
    there = maas.workload_version
    here, then = _numbers(there), _numbers(backed_up)
    if here[:2] != then[:2]:
        yield (
            f'{maas.name} is MAAS {there}, the set is of {backed_up}: major and minor version '
            'must be equal'
        )
    elif here < then:
        yield f'{maas.name} is MAAS {there}, older than the {backed_up} of the set: refresh it'
    elif there < backed_up:
        # maas-region compares the versions as text, and would refuse in mid-restore.
        yield (
            f'{maas.name} compares its MAAS {there} with the {backed_up} of the set as text, and '
            'would refuse: refresh it to a revision that compares version numbers'
        )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r'\d+', version.partition('-')[0])]


def _channels(
    wanted: manifest.Manifest, config: settings.Settings, status: ports.ModelStatus
) -> str | checks.Warned:
    differ = [
        f'{app.name} is from {app.channel or "a local file"}, at the backup it was from '
        f'{then.channel or "a local file"}'
        for app, then in (
            (site.application(status, config.maas), wanted.maas.charm),
            (site.application(status, config.postgresql), wanted.postgresql.charm),
        )
        if app.channel != then.channel
    ]
    return checks.Warned('; '.join(differ)) if differ else 'equal'


def _passwords(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> str:
    set_checks.sealed(wanted, world.maas_store)
    current = passwords.in_force(world, config.postgresql)
    differing = passwords.differing(wanted.passwords.hashes, current)
    if not differing:
        return 'the current passwords are those of the set'
    reliance.check_passwords(differing, config, world)
    passwords.unsealed(wanted, parameters.get('identity', ''), world, world.maas_store)
    return 'the identity decrypts the passwords of the set'


# --- The set ---------------------------------------------------------------------------------


def _verification(wanted: manifest.Manifest, world: ports.World) -> checks.Check:
    """Warn of a set that is known to be damaged: it may be the only one that there is."""
    try:
        found = catalogue.recorded(world.maas_store, wanted.backup_id)
    except errors.CoordinatorError as error:
        return checks.Check('verified', checks.WARNING, str(error))
    if found is None:
        command = f'verify-backup backup-id={wanted.backup_id} deep=true'
        return checks.Check('verified', checks.OK, f'not since the backup: {command} does that')
    outcome = checks.OK if found.outcome.good else checks.WARNING
    sentence = '; '.join(filter(None, (str(found.outcome), found.told)))
    return checks.Check('verified', outcome, sentence)


def _images(wanted: manifest.Manifest, parameters: Mapping[str, str]) -> str | checks.Warned:
    """Make sure that the files hold the images that the database knows, or that it is asked for.

    Raises:
        StepError: they may not.
    """
    why = wanted.inconsistent
    if why and parameters.get(INCONSISTENT) != 'true':
        raise errors.StepError(
            f'backup set {wanted.backup_id} is inconsistent: {why}. MAAS may not finish '
            'initialising after a restore of it. Restore another set, or give inconsistent=true '
            'to restore it anyway'
        )
    if why:
        return checks.Warned(
            f'the set is inconsistent: {why}. If MAAS does not finish initialising, delete these '
            'images from its database'
        )
    if wanted.images is None or wanted.images.state != manifest.SYNCHRONISED:
        told = wanted.images.why if wanted.images else 'MAAS was not asked when it was made'
        return (
            'nobody knows whether the files contain every image that the database refers '
            f'to: {told}'
        )
    return 'the files contain every image that the database refers to'


def _readable(wanted: manifest.Manifest, config: settings.Settings, world: ports.World) -> str:
    path = set_checks.maas_store(wanted, world).place['path']
    return surroundings.readable_path(path, config.s3_maas)


def _maas_objects(wanted: manifest.Manifest, world: ports.World) -> str:
    verified = catalogue.standing(world.maas_store, wanted.backup_id)
    return set_checks.maas_objects(wanted, world, verified)


def _postgresql_objects(wanted: manifest.Manifest, world: ports.World) -> checks.Check:
    """Check the database backup; one that rests on one of two files can be restored."""
    weak: list[str] = []

    def look() -> str:
        found = set_checks.postgresql_objects(wanted, world)
        weak.extend(found.weaknesses)
        return found.sentence

    made = checks.made('postgresql-objects', look)
    if not weak:
        return made
    sentence = '; '.join([made.sentence, *weak])
    return dataclasses.replace(made, outcome=checks.WARNING, sentence=sentence)


def _paths(wanted: manifest.Manifest, world: ports.World) -> str:
    """Make sure that both charms can read the set back from where it lies."""
    files = set_checks.maas_store(wanted, world)
    database = set_checks.postgresql_store(wanted, world)
    if why := integrators.collision(files.place, database.place):
        name = wanted.postgresql.stanza
        raise errors.StepError(
            f'{why}. Copy backup/{name} and archive/{name} from {checks.where(database)} to an '
            'empty path, set the integrator of s3-postgresql to it, and restore again'
        )
    return f'{checks.where(files)} and {checks.where(database)} do not overlap'


def _path(wanted: manifest.Manifest, parameters: Mapping[str, str], world: ports.World) -> str:
    given = parameters.get('postgresql-path', '')
    if not given:
        return f'the backups of PostgreSQL move to {fresh_path(wanted, world)}, if they must move'
    try:
        path = integrators.made_of(integrators.POSTGRESQL, {'path': given}).path
    except errors.StoreRefused as error:
        raise errors.StepError(f'postgresql-path={given}: {error}') from None
    there = {**set_checks.postgresql_store(wanted, world).place, 'path': path}
    if why := integrators.collision(world.maas_store.place, there):
        raise errors.StepError(f'postgresql-path={given}: {why}')
    if not is_free(path, wanted, world):
        raise errors.StepError(
            f'postgresql-path={given} is in use: choose an empty path, or omit it'
        )
    return f'the backups of PostgreSQL move to {given}, if they must move'


def fresh_path(wanted: manifest.Manifest, world: ports.World) -> str:
    """Return the first `<path>-restored-<n>` that holds nothing."""
    base = re.sub(r'-restored-\d+$', '', wanted.postgresql.place.path.strip('/'))
    for number in range(1, 1000):
        path = f'{base}-restored-{number}'
        if is_free(path, wanted, world):
            return path
    raise errors.StepError(f'a thousand paths {base}-restored-... are in use: choose a free path')


def is_free(path: str, wanted: manifest.Manifest, world: ports.World) -> bool:
    """Whether a path of the bucket that PostgreSQL will use holds nothing and is nobody's."""
    store = set_checks.postgresql_store(wanted, world)
    in_use = (world.postgresql_store.place['path'], wanted.postgresql.place.path.strip('/'))
    if path.strip('/') in in_use:
        return False
    there = world.postgresql_store_at(store.place['bucket'], path)
    return not any(True for _ in there.list(''))
