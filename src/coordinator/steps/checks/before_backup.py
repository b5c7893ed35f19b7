"""What must hold before a backup begins: each check has its own sentence.

The same checks are the first step of backup-all and the outcome that its dry run prints.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator, Mapping

from coordinator import errors, integrators, ports
from coordinator.engine import facts, limits, operation, settings, step
from coordinator.parts import pgbackrest, pgbackrest_archive
from coordinator.record import repository
from coordinator.sets import manifest, sealing, signing
from coordinator.steps import checking, relations, site
from coordinator.steps.checks import reliance, surroundings
from coordinator.steps.maas import finding_maas
from coordinator.steps.maas_region import controllers
from coordinator.steps.postgresql import (
    password_change,
    passwords,
    primary,
    strategy,
)

_CHARM = 'charm-'
PROBE = 'coordinator/probe'


def ready_for_backup(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Make every check; remember what the manifest will say of the model and the charms."""
    outcomes = list(looking_checks(op.settings, world))
    found = {checking.LATER if check.passing else check.outcome for check in outcomes}
    # Nothing is tried out in S3 while it may be tried again and again. What fails for good is
    # tried once, and S3 may be what the charms suffer from: its sentence says what to fix.
    if checking.BAD in found or checking.LATER not in found:
        outcomes += writing_checks(world)
    waiting = checking.awaited(op, outcomes)
    if waiting:
        return waiting
    status = world.juju.status()
    model = {'name': status.name, 'uuid': world.model_uuid, 'juju-version': status.juju_version}
    noted = {**facts.MODEL.put(model), **repository.remembered(world)}
    for name in (op.settings.maas, op.settings.postgresql):
        app = site.application(status, name)
        noted |= remembering(app, len(app.units))
    if op.settings.strategy == settings.AUTO:
        noted[operation.STRATEGY] = strategy.chosen(status, op.settings).strategy
    return step.Done(noted, warnings=checking.warnings(outcomes))


def remembering(app: ports.Application, units: int) -> dict[str, str]:
    """Return the fact that says what an application was when it was backed up."""
    described = manifest.Charm(
        application=app.name,
        charm=app.charm,
        channel=app.channel,
        revision=app.revision,
        workload_version=app.workload_version,
        units=units,
    )
    return {_CHARM + app.name: described.model_dump_json(by_alias=True)}


def remembered_charm(op: operation.Operation, application: str) -> manifest.Charm:
    """Return what `remembering` noted of an application."""
    return manifest.Charm.model_validate_json(op.fact(_CHARM + application))


def backup_checks(config: settings.Settings, world: ports.World) -> Iterator[checking.Check]:
    """Make the checks of backup-all, one after the other; none raises CoordinatorError."""
    yield from looking_checks(config, world)
    yield from writing_checks(world)


def writing_checks(world: ports.World) -> Iterator[checking.Check]:
    """Try whether both repositories can be written; what is written is removed again."""
    yield checking.made('s3-maas', lambda: _writable(world.maas_store, world.now))
    yield checking.made('s3-postgresql', lambda: _writable(world.postgresql_store, world.now))


def looking_checks(config: settings.Settings, world: ports.World) -> Iterator[checking.Check]:
    """Make the checks that only look."""
    yield checking.made('recipients', lambda: _recipients(config))
    yield checking.made('signing-key', lambda: _signing_key(world))
    user = checking.made('juju-user', lambda: surroundings.access(world))
    yield user
    if user.outcome == checking.OK:
        yield checking.made('passwords', lambda: _passwords(config, world))
        yield from _site_checks(config, world)
    yield checking.made('postgresql-repository', lambda: _repository(config, world))


def _signing_key(world: ports.World) -> str:
    keys = world.signer.keys()
    if not keys:
        return 'the key that signs backup sets will be created'
    return f'the backup set will be signed with the key {signing.fingerprint(keys[0])}'


def _recipients(config: settings.Settings) -> str:
    sealing.check_recipients(config.recipients)
    return f'the passwords will be encrypted for {len(config.recipients)} recipient(s)'


def _passwords(config: settings.Settings, world: ports.World) -> str | checking.Warned:
    found = passwords.in_force(world, config.postgresql)
    told = f'the passwords of {", ".join(sorted(found))} can be read'
    if not reliance.takes_passwords(config, world):
        return checking.Warned(
            f'{told}, but {config.postgresql} has no option {password_change.OPTION}: '
            'a restore is refused if the current passwords are not those of the set'
        )
    return told


def _site_checks(config: settings.Settings, world: ports.World) -> Iterator[checking.Check]:
    try:
        status = world.juju.status()
    except errors.CoordinatorError as error:
        yield checking.Check('model-status', checking.LATER, str(error))
        return
    yield checking.made('maas-region', lambda: surroundings.units_settled(status, config.maas))
    yield checking.made('controllers', lambda: _controllers(status, config, world))
    yield checking.made(
        'postgresql', lambda: surroundings.units_settled(status, config.postgresql)
    )
    yield checking.made('postgresql-primary', lambda: _one_primary(status, config.postgresql))
    yield checking.made('relation', lambda: _related(status, config))
    yield checking.made(
        'actions', lambda: reliance.actions(status, world, reliance.for_backup(config))
    )
    yield checking.made('s3-integrators', lambda: surroundings.same_integrators(status, config))
    yield checking.made('s3-paths', lambda: _paths(config, world))
    yield checking.made(
        's3-maas-path',
        lambda: surroundings.readable_path(world.maas_store.place['path'], config.s3_maas),
    )
    yield checking.made('coordinators', lambda: surroundings.only_coordinator(status))
    yield checking.made('clock', lambda: surroundings.controllers_clock(status, world.now()))
    yield checking.made('replication', lambda: _replication(status, config))
    yield checking.made('other-operations', lambda: surroundings.no_other_task(config, world))
    if _scales_down(status, config):
        yield checking.made(
            'machines', lambda: strategy.leaving_machines(status, config.postgresql)
        )
    yield checking.made('strategy', lambda: _strategy(status, config))
    yield checking.made('record', lambda: limits.names_fit(config, status, places(world)))
    yield checking.made('maas-api', lambda: _maas_api(config, world))


def _maas_api(config: settings.Settings, world: ports.World) -> str | checking.Warned:
    """Say what MAAS itself can prove."""
    sentence, wrong = finding_maas.told(world, config.maas)
    return checking.Warned(sentence) if wrong else sentence


def _related(status: ports.ModelStatus, config: settings.Settings) -> str | checking.Warned:
    """Make sure that what is backed up is MAAS's database, however MAAS reaches it."""
    pooler = relations.between(status, config)
    if pooler and relations.database(status, config) is None:
        return checking.Warned(
            f'{config.maas} reaches {config.postgresql} through {pooler}: '
            'a restore is refused here until they are related directly'
        )
    return relations.check(status, config)


def _scales_down(status: ports.ModelStatus, config: settings.Settings) -> bool:
    """Whether a backup would remove units; not so if it is refused."""
    try:
        return strategy.chosen(status, config).strategy == settings.SCALE_DOWN
    except errors.StepError:
        return False


def _strategy(status: ports.ModelStatus, config: settings.Settings) -> str | checking.Warned:
    """Make sure that the database can be backed up as configured; warn of what that risks."""
    choice = strategy.chosen(status, config)
    risk = strategy.unnoticed(status, config.postgresql)
    if choice.strategy == settings.SCALE_DOWN and risk:
        return checking.Warned(
            f'{risk}. To keep all units, set postgresql-backup-strategy=replica'
        )
    return choice.why


def _replication(status: ports.ModelStatus, config: settings.Settings) -> str | checking.Warned:
    related = surroundings.replication(status, config)
    if related:
        return checking.Warned(
            f'{related} are related for replication: '
            'restore-all is refused until that relation is removed'
        )
    return f'{config.postgresql} replicates to no other cluster'


def places(world: ports.World) -> list[Mapping[str, str]]:
    """Return the places in a backup's record, as often as they are there."""
    # The repository is noted at first, and both in the parts of the manifest.
    return [world.maas_store.place, world.maas_store.place, world.postgresql_store.place]


def _controllers(
    status: ports.ModelStatus, config: settings.Settings, world: ports.World
) -> str | checking.Warned:
    """Warn of a region that is gone but still in MAAS, by the last files backup."""
    if why := controllers.surplus(site.application(status, config.maas), world):
        return checking.Warned(why)
    return 'no files backup names more region controllers than there are units'


def _one_primary(status: ports.ModelStatus, name: str) -> str:
    app = site.application(status, name)
    primaries = primary.shown_by(app)
    if len(primaries) != 1:
        # One that is blocked for a moment does not show that it is the primary.
        blocked = any(unit.workload == 'blocked' for unit in app.units.values())
        raise (errors.BlockedUnit if blocked else errors.StepError)(
            f'{name} shows {len(primaries)} primaries instead of one: '
            f'run juju run {name}/leader get-primary, and fix the cluster first'
        )
    if primaries[0].message not in ('', 'Primary'):
        raise errors.StepError(
            site.read_only(primaries[0])
            or f'{primaries[0].name} is "{primaries[0].message}": '
            f'not all members of the cluster run, fix {name} first'
        )
    return f'{primaries[0].name} is the primary, and all members run'


def _writable(store: ports.ObjectStore, now: Callable[[], datetime.datetime]) -> str:
    probe = b'The coordinator tries whether it may write here, and removes this.\n'
    seen = store.put(PROBE, probe).modified
    then = now()
    store.delete(PROBE)
    surroundings.right_clock(f'the S3 server of {integrators.where(store.place)}', seen, then)
    return f'{integrators.where(store.place)} can be written'


def _paths(config: settings.Settings, world: ports.World) -> str:
    files, database = world.maas_store.place, world.postgresql_store.place
    if why := integrators.collision(files, database):
        # Its own is the path to change: no set is lost, as none could be restored from there.
        raise errors.StepError(
            f'{why}: give {config.s3_maas} or {config.s3_postgresql} an empty path '
            f'(juju config {config.s3_maas} path=...)'
        )
    return f'{integrators.where(files)} and {integrators.where(database)} do not overlap'


def _repository(config: settings.Settings, world: ports.World) -> str:
    name = pgbackrest.stanza(world.model_name, config.postgresql)
    try:
        listed = pgbackrest.backups(world.postgresql_store, name)
    except errors.NotFound:
        # Right after S3 was related the charm still has to make it.
        raise errors.TransientError(
            f'there is no pgBackRest stanza {name} in the bucket of s3-postgresql: '
            f'check that {config.postgresql}:s3-parameters is related to the same integrator'
        ) from None
    # Without it no WAL is archived, and a backup that waits for its WAL fails.
    pgbackrest_archive.info(world.postgresql_store, name)
    return f'stanza {name} lists {len(listed)} backup(s)'
