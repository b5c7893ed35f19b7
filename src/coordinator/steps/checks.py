"""What must hold before a backup begins: each check has a sentence of its own.

The same checks are the first step of backup-all and the outcome that its dry run prints.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from coordinator import errors, integrators, ports
from coordinator.engine import facts, limits, operation, settings, step
from coordinator.parts import pgbackrest, pgbackrest_archive
from coordinator.record import repository
from coordinator.sets import manifest, sealing
from coordinator.steps import (
    controllers,
    finding_maas,
    passwords,
    postgresql,
    relations,
    reliance,
    site,
    strategy,
    surroundings,
    tasks,
)

_CHARM = 'charm-'
_BLOCKED = 'check-blocked'
"""Fact: the operation's age when a check that may pass by itself began to fail."""
PROBE = 'coordinator/probe'

OK, WARNING, LATER, BAD = 'ok', 'warning', 'wait', 'fail'


@dataclasses.dataclass(frozen=True)
class Check:
    """The outcome of one check."""

    name: str
    outcome: str
    """ok; warning, which stops nothing; wait, when time alone may fix it; or fail."""
    sentence: str
    passing: bool = False
    """Whether a failure may pass within a minute: units are blocked while their cluster changes.
    """


@dataclasses.dataclass(frozen=True)
class Warned:
    """The result of a check that has found a risk, but no reason to stop the operation."""

    sentence: str


def ready_for_backup(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Make every check; remember what the manifest will say of the model and the charms."""
    outcomes = list(looking_checks(op.settings, world))
    found = {LATER if check.passing else check.outcome for check in outcomes}
    # Nothing is tried out in S3 while it may be tried again and again. What fails for good is
    # tried once, and S3 may be what the charms suffer from: its sentence says what to fix.
    if BAD in found or LATER not in found:
        outcomes += writing_checks(world)
    waiting = awaited(op, outcomes)
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
    return step.Done(noted, warnings=warnings(outcomes))


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


def backup_checks(config: settings.Settings, world: ports.World) -> Iterator[Check]:
    """Make the checks of backup-all, one after the other; none raises CoordinatorError."""
    yield from looking_checks(config, world)
    yield from writing_checks(world)


def writing_checks(world: ports.World) -> Iterator[Check]:
    """Try whether both repositories can be written; what is written is removed again."""
    yield made('s3-maas', lambda: _writable(world.maas_store, world.now))
    yield made('s3-postgresql', lambda: _writable(world.postgresql_store, world.now))


def looking_checks(config: settings.Settings, world: ports.World) -> Iterator[Check]:
    """Make the checks that only look."""
    yield made('recipients', lambda: _recipients(config))
    user = made('juju-user', lambda: access(world))
    yield user
    if user.outcome == OK:
        yield made('passwords', lambda: _passwords(config, world))
        yield from _site_checks(config, world)
    yield made('postgresql-repository', lambda: _repository(config, world))


def awaited(op: operation.Operation, outcomes: Sequence[Check]) -> step.Wait | None:
    """Return what the checks still wait for; None when all are well.

    Raises:
        StepError: a check failed, and has for a minute if that may pass; all that failed are
            named.
    """
    bad = [check for check in outcomes if check.outcome == BAD]
    passing = bool(bad) and all(check.passing for check in bad)
    patience = tasks.patience(op, _BLOCKED, site.BLOCKED_SECONDS) if passing else None
    # Several checks report a problem of S3 or the controller in the same words.
    if bad and patience is None:
        raise errors.StepError('; '.join(dict.fromkeys(check.sentence for check in bad)))
    reasons = dict.fromkeys(c.sentence for c in outcomes if c.outcome in (BAD, LATER))
    if reasons:
        over = {_BLOCKED: ''} if op.fact(_BLOCKED) else {}
        return step.Wait('; '.join(reasons), facts=patience or over)
    return None


def warnings(outcomes: Iterable[Check]) -> tuple[str, ...]:
    """Return the warnings of the checks, which the step hands to the operation."""
    return tuple(
        f'{check.name}: {check.sentence}' for check in outcomes if check.outcome == WARNING
    )


def made(name: str, check: Callable[[], str | Warned]) -> Check:
    """Make one check: what it returns is the sentence, what it raises the outcome."""
    try:
        found = check()
        if isinstance(found, Warned):
            return Check(name, WARNING, found.sentence)
        return Check(name, OK, found)
    except errors.TransientError as error:
        return Check(name, LATER, str(error))
    except errors.CoordinatorError as error:
        return Check(name, BAD, str(error), isinstance(error, errors.BlockedUnit))


def _recipients(config: settings.Settings) -> str:
    sealing.check_recipients(config.recipients)
    return f'the passwords will be encrypted for {len(config.recipients)} recipient(s)'


def access(world: ports.World) -> str:
    """Make sure that the Juju user may do all that an operation needs."""
    user = world.juju.access()
    if not user.admin:
        raise errors.NotAuthorised(
            f'Juju user {user.user} has {user.model_access or "no"} access to model '
            f'{world.model_name}, the passwords need admin: run juju grant {user.user} admin '
            f'{world.model_name}'
        )
    return f'Juju user {user.user} is admin of model {world.model_name}'


def _passwords(config: settings.Settings, world: ports.World) -> str | Warned:
    found = passwords.in_force(world, config.postgresql)
    told = f'the passwords of {", ".join(sorted(found))} can be read'
    if not reliance.takes_passwords(config, world):
        return Warned(
            f'{told}, but {config.postgresql} has no option {passwords.OPTION}: '
            'a restore is refused if the current passwords are not those of the set'
        )
    return told


def _site_checks(config: settings.Settings, world: ports.World) -> Iterator[Check]:
    try:
        status = world.juju.status()
    except errors.CoordinatorError as error:
        yield Check('model-status', LATER, str(error))
        return
    yield made('maas-region', lambda: units_settled(status, config.maas))
    yield made('controllers', lambda: _controllers(status, config, world))
    yield made('postgresql', lambda: units_settled(status, config.postgresql))
    yield made('postgresql-primary', lambda: _one_primary(status, config.postgresql))
    yield made('relation', lambda: _related(status, config))
    yield made('actions', lambda: reliance.actions(status, world, reliance.for_backup(config)))
    yield made('s3-integrators', lambda: same_integrators(status, config))
    yield made('s3-paths', lambda: _paths(config, world))
    yield made('s3-maas-path', lambda: readable_path(config, world))
    yield made('coordinators', lambda: surroundings.only_coordinator(status))
    yield made('clock', lambda: surroundings.controllers_clock(status, world.now()))
    yield made('replication', lambda: _replication(status, config))
    yield made('other-operations', lambda: no_other_task(config, world))
    if _scales_down(status, config):
        yield made('machines', lambda: strategy.leaving_machines(status, config.postgresql))
    yield made('strategy', lambda: _strategy(status, config))
    yield made('record', lambda: limits.names_fit(config, status, places(world)))
    yield made('maas-api', lambda: _maas_api(config, world))


def _maas_api(config: settings.Settings, world: ports.World) -> str | Warned:
    """Say what MAAS itself can prove."""
    sentence, wrong = finding_maas.told(world, config.maas)
    return Warned(sentence) if wrong else sentence


def _related(status: ports.ModelStatus, config: settings.Settings) -> str | Warned:
    """Make sure that what is backed up is MAAS's database, however MAAS reaches it."""
    pooler = relations.between(status, config)
    if pooler and relations.database(status, config) is None:
        return Warned(
            f'{config.maas} reaches {config.postgresql} through {pooler}: '
            'a restore is refused here until they are related directly'
        )
    return relations.check(status, config)


def readable_path(config: settings.Settings, world: ports.World) -> str:
    """Make sure that maas-region can list what it writes where `s3-maas` leads."""
    return surroundings.readable_path(world.maas_store.place['path'], config.s3_maas)


def _scales_down(status: ports.ModelStatus, config: settings.Settings) -> bool:
    """Whether a backup would remove units; not so if it is refused."""
    try:
        return strategy.chosen(status, config).strategy == settings.SCALE_DOWN
    except errors.StepError:
        return False


def _strategy(status: ports.ModelStatus, config: settings.Settings) -> str | Warned:
    """Make sure that the database can be backed up as configured; warn of what that risks."""
    choice = strategy.chosen(status, config)
    risk = strategy.unnoticed(status, config.postgresql)
    if choice.strategy == settings.SCALE_DOWN and risk:
        return Warned(f'{risk}. To keep all units, set postgresql-backup-strategy=replica')
    return choice.why


def _replication(status: ports.ModelStatus, config: settings.Settings) -> str | Warned:
    related = surroundings.replication(status, config)
    if related:
        return Warned(
            f'{related} are related for replication: restore-all is refused until that relation '
            'is removed'
        )
    return f'{config.postgresql} replicates to no other cluster'


def places(world: ports.World) -> list[Mapping[str, str]]:
    """Return the places in a backup's record, as often as they are there."""
    # The repository is noted at first, and both in the parts of the manifest.
    return [world.maas_store.place, world.maas_store.place, world.postgresql_store.place]


def units_settled(status: ports.ModelStatus, name: str, allowed: str = '') -> str:
    """Make sure that every unit is settled; `allowed` may block one all the same."""
    app = site.application(status, name)
    if not app.units:
        raise errors.StepError(f'{name} has no units: juju status {name}')
    unsettled = [(unit, site.unsettled(unit, allowed)) for unit in app.units.values()]
    reasons = [reason for _, reason in unsettled if reason]
    if not reasons:
        return f'{len(app.units)} unit(s) of {name} are active and idle'
    text = f'{", ".join(reasons)}: every unit of {name} must be active and idle'
    if any(site.needs_a_person(unit, allowed) for unit, reason in unsettled if reason):
        raise errors.BlockedUnit(f'{text}; fix it: juju status {name} shows all units')
    raise errors.TransientError(text)


def _controllers(
    status: ports.ModelStatus, config: settings.Settings, world: ports.World
) -> str | Warned:
    """Warn of a region that is gone but still in MAAS, by the last files backup."""
    if why := controllers.surplus(site.application(status, config.maas), world):
        return Warned(why)
    return 'no files backup names more region controllers than there are units'


def same_integrators(status: ports.ModelStatus, config: settings.Settings) -> str:
    """Make sure that the backups go where this charm looks for them."""
    for app, integrator, endpoint in (
        (config.maas, config.s3_maas, 's3-maas'),
        (config.postgresql, config.s3_postgresql, 's3-postgresql'),
    ):
        here = f'{app}:s3-parameters'
        leads_to = {
            end.partition(':')[0]
            for relation in status.relations
            if here in relation.endpoints
            for end in relation.endpoints
        }
        if integrator not in leads_to:
            raise errors.StepError(
                f'{app} does not use {integrator}, the integrator that is related to {endpoint}: '
                'juju integrate '
                f'{here} {integrator}, or relate {endpoint} to the integrator that it uses'
            )
    return (
        f'{config.maas} and {config.postgresql} use the integrators that are related to '
        'the coordinator'
    )


def _one_primary(status: ports.ModelStatus, name: str) -> str:
    app = site.application(status, name)
    primaries = postgresql.shown_primaries(app)
    if len(primaries) != 1:
        # One that is blocked for a moment does not show that it is the primary.
        blocked = any(unit.workload == 'blocked' for unit in app.units.values())
        raise (errors.BlockedUnit if blocked else errors.StepError)(
            f'{name} shows {len(primaries)} primaries instead of one: run juju run {name}/leader '
            'get-primary, and fix the cluster first'
        )
    if primaries[0].message not in ('', 'Primary'):
        raise errors.StepError(
            site.read_only(primaries[0])
            or f'{primaries[0].name} is "{primaries[0].message}": not all members of the cluster '
            f'run, fix {name} first'
        )
    return f'{primaries[0].name} is the primary, and all members run'


def no_other_task(config: settings.Settings, world: ports.World) -> str:
    """Make sure that nobody backs up or restores by hand."""
    for action in ('create-backup', 'restore', 'restore-backup'):
        for task in world.juju.tasks(action):
            ours = task.unit.partition('/')[0] in (config.maas, config.postgresql)
            if ours and task.status in ('pending', 'running'):
                raise errors.StepError(
                    f'{action} is running on {task.unit}: wait until it ends (juju show-task '
                    f'{task.id}), or end it with juju cancel-task {task.id}'
                )
    return 'no backup or restore is running'


def _writable(store: ports.ObjectStore, now: Callable[[], datetime.datetime]) -> str:
    probe = b'The coordinator tries whether it may write here, and removes this.\n'
    seen = store.put(PROBE, probe).modified
    then = now()
    store.delete(PROBE)
    surroundings.right_clock(f'the S3 server of {where(store)}', seen, then)
    return f'{where(store)} can be written'


def where(store: ports.ObjectStore) -> str:
    """Return bucket and path of a store, for people."""
    return '/'.join(filter(None, (store.place['bucket'], store.place['path'])))


def _paths(config: settings.Settings, world: ports.World) -> str:
    files, database = world.maas_store.place, world.postgresql_store.place
    if why := integrators.collision(files, database):
        # Its own is the path to change: no set is lost, as none could be restored from there.
        raise errors.StepError(
            f'{why}: give {config.s3_maas} or {config.s3_postgresql} an empty path '
            f'(juju config {config.s3_maas} path=...)'
        )
    return f'{where(world.maas_store)} and {where(world.postgresql_store)} do not overlap'


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
