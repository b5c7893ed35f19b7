"""Makes a backup set out of two backups that were made by hand, before the coordinator came."""

from __future__ import annotations

import datetime
from collections.abc import Mapping

from coordinator import errors, integrators, ports, times
from coordinator.engine import facts, limits, operation, settings, step
from coordinator.parts import maas_backup, pgbackrest
from coordinator.record import repository
from coordinator.sets import catalogue, sealing
from coordinator.steps import site
from coordinator.steps.checks import before_backup, surroundings
from coordinator.steps.maas_region import files_backup
from coordinator.steps.postgresql import database_backup, passwords

MAAS, POSTGRESQL = 'maas-backup-id', 'postgresql-backup-id'
UNCHANGED = 'passwords-unchanged'
"""Parameters."""


def ready(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Check that both backups belong together; remember what the manifest will say."""
    label, controllers = pair(op.parameters, op.settings, world)
    limits.names_fit(op.settings, world.juju.status(), before_backup.places(world))
    status = world.juju.status()
    model = {'name': status.name, 'uuid': world.model_uuid, 'juju-version': status.juju_version}
    maas = site.application(status, op.settings.maas)
    database = site.application(status, op.settings.postgresql)
    return step.Done(
        {
            **facts.MODEL.put(model),
            # As many regions as there were then: a restore needs as many.
            **before_backup.remembering(maas, controllers),
            **before_backup.remembering(database, len(database.units)),
            **repository.remembered(world),
            files_backup.BACKUP_ID: op.parameters[MAAS],
            database_backup.LABEL: label,
        }
    )


def pair(
    parameters: Mapping[str, str], config: settings.Settings, world: ports.World
) -> tuple[str, int]:
    """Return the database backup's label, and the number of controllers of the files backup.

    Raises:
        StepError: the two backups do not belong together, or the passwords of that time are
        unknown.
        PreconditionError: an id has not the form of one.
    """
    for name in (MAAS, POSTGRESQL):
        catalogue.check_id(parameters[name])
    sealing.check_recipients(config.recipients)
    surroundings.access(world)
    status = world.juju.status()
    surroundings.only_coordinator(status)
    surroundings.controllers_clock(status, world.now())
    surroundings.readable_path(world.maas_store.place['path'], config.s3_maas)
    database = _database(parameters[POSTGRESQL], config, world)
    files = maas_backup.read(world.maas_store, parameters[MAAS])
    try:
        _in_order(database, files, config, world)
    except (ValueError, OverflowError, OSError):
        raise errors.StepError(
            f'{files.id} or a time of {database.label} is not a valid date'
        ) from None
    _unknown(database, files, world.maas_store)
    if parameters.get(UNCHANGED) != 'true':
        _same_passwords(database, config, world)
    return database.label, len(files.controllers)


def _database(backup_id: str, config: settings.Settings, world: ports.World) -> pgbackrest.Backup:
    stanza = pgbackrest.stanza(world.model_name, config.postgresql)
    for backup in pgbackrest.backups(world.postgresql_store, stanza):
        if backup.type == 'full' and backup.id == backup_id:
            if backup.error:
                raise errors.StepError(
                    f'pgBackRest lists {backup.label} with an error: do not rely on it'
                )
            app = site.look(world, config.postgresql)
            _same_version(backup.archive, app)
            return backup
    raise errors.StepError(
        f'pgBackRest lists no full backup {backup_id} of {stanza} '
        f'in {integrators.where(world.postgresql_store.place)}: '
        f'juju run {config.postgresql}/leader list-backups shows the sets'
    )


def _in_order(
    database: pgbackrest.Backup,
    files: maas_backup.Backup,
    config: settings.Settings,
    world: ports.World,
) -> None:
    """Make sure that the database was backed up before the files.

    A files backup's id is the local time of its unit, so S3's clock is asked as well: the last
    object of the database's must be older than the first one of the files'.
    """
    finished = datetime.datetime.fromtimestamp(database.stop, datetime.UTC)
    stanza = pgbackrest.stanza(world.model_name, config.postgresql)
    last = world.postgresql_store.head(f'backup/{stanza}/{database.label}/backup.manifest')
    first = min(item.modified for item in files.objects)
    if times.parse_stamp(files.id) < finished or first < last.modified:
        raise errors.StepError(
            f'files backup {files.id} (by the clock of its unit; '
            f'its first object is of {times.stamp(first)} in S3) began before database backup '
            f'{database.id} was finished, at {times.stamp(finished)}: '
            'the database may refer to images that are missing from the files. '
            'Use a files backup that was made after it'
        )


def _same_version(archive: str, app: ports.Application) -> None:
    """Make sure that a database of this version can take the backup.

    Raises:
        StepError: the cluster was upgraded since.
    """
    then, now = archive.partition('-')[0], app.workload_version.partition('.')[0]
    if then.partition('.')[0] != now:
        raise errors.StepError(
            f'the database backup is of PostgreSQL {then}, '
            f'{app.name} is now {app.workload_version}: a restore here would fail'
        )


def _unknown(
    database: pgbackrest.Backup, files: maas_backup.Backup, store: ports.ObjectStore
) -> None:
    """Make sure that neither part is one of a set already, and that the new id is free.

    Raises:
        StepError: it is, or it is not.
    """
    for entry in catalogue.with_failed(store):
        found = entry.summary
        if entry.backup_id == database.id:
            raise errors.StepError(
                f'backup set {entry.backup_id} already exists, {entry.state}: '
                'list-backups shows it, '
                f'delete-backup backup-id={entry.backup_id} removes what has failed'
            )
        if found and (found.label == database.label or found.maas_backup_id == files.id):
            raise errors.StepError(
                f'backup set {entry.backup_id} has database backup {found.postgresql_backup_id} '
                f'and files backup {found.maas_backup_id}, and each backup belongs to one set only'
            )


def _same_passwords(
    database: pgbackrest.Backup, config: settings.Settings, world: ports.World
) -> None:
    """Make sure that the passwords in force are those that the database backup knows.

    Raises:
        StepError: they may have changed since.
    """
    began = datetime.datetime.fromtimestamp(database.start, datetime.UTC)
    changed = passwords.secret(world, config.postgresql).updated
    if changed is None or changed > began:
        when = f'changed at {times.stamp(changed)}' if changed else 'may have changed'
        raise errors.StepError(
            f'the secret with the passwords of {config.postgresql} {when}, after database backup '
            f'{database.id} began: a restore needs the passwords of that time. '
            f'If you know that the system users still have them, add {UNCHANGED}=true as well'
        )
