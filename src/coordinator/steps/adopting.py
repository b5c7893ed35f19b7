"""Makes a backup set out of two backups that were made by hand, before the coordinator came."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping

from coordinator import (
    catalogue,
    errors,
    maas_backup,
    operation,
    pgbackrest,
    ports,
    sealing,
    settings,
    step,
)
from coordinator.steps import checks, maas_region, passwords, postgresql, repository, site

MAAS, POSTGRESQL = 'maas-backup-id', 'postgresql-backup-id'
UNCHANGED = 'passwords-unchanged'
"""Parameters."""


def ready(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Look whether both backups belong together; remember what the manifest will say."""
    label, controllers = pair(op.parameters, op.settings, world)
    status = world.juju.status()
    model = {'name': status.name, 'uuid': world.model_uuid, 'juju-version': status.juju_version}
    maas = site.application(status, op.settings.maas)
    database = site.application(status, op.settings.postgresql)
    return step.Done(
        {
            checks.MODEL: json.dumps(model),
            # As many regions as there were then: a restore needs as many.
            **checks.remembering(maas, controllers),
            **checks.remembering(database, len(database.units)),
            **repository.remembered(world),
            maas_region.BACKUP_ID: op.parameters[MAAS],
            postgresql.LABEL: label,
        }
    )


def pair(
    parameters: Mapping[str, str], config: settings.Settings, world: ports.World
) -> tuple[str, int]:
    """Return the database backup's label, and the number of controllers of the files backup.

    Raises:
        StepError: the two are no set, or the passwords of then cannot be known; says why.
        PreconditionError: an id has not the form of one.
    """
    for name in (MAAS, POSTGRESQL):
        catalogue.check_id(parameters[name])
    sealing.check_recipients(config.recipients)
    checks.access(world)
    database = _database(parameters[POSTGRESQL], config, world)
    files = maas_backup.read(world.maas_store, parameters[MAAS])
    finished = datetime.datetime.fromtimestamp(database.stop, datetime.UTC)
    if operation.parse_stamp(files.id) < finished:
        raise errors.StepError(
            f'files backup {files.id} began before database backup {database.id} was finished, at '
            f'{operation.stamp(finished)}: the database may know images that are not in the '
            'files. Name a files backup that was made after it'
        )
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
                    f'pgBackRest lists {backup.label} with an error: it cannot be relied on'
                )
            return backup
    raise errors.StepError(
        f'pgBackRest lists no full backup {backup_id} of {stanza} in '
        f'{checks.where(world.postgresql_store)}: juju run {config.postgresql}/leader '
        'list-backups shows what is there'
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
                f'there is a backup set {entry.backup_id} already, {entry.state}: list-backups'
            )
        if found and (found.label == database.label or found.maas_backup_id == files.id):
            raise errors.StepError(
                f'backup set {entry.backup_id} has database backup {found.postgresql_backup_id} '
                f'and files backup {found.maas_backup_id}: each belongs to one set'
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
        when = f'changed at {operation.stamp(changed)}' if changed else 'may have changed'
        raise errors.StepError(
            f'the secret with the passwords of {config.postgresql} {when}, after database backup '
            f'{database.id} began: a restore needs the passwords of then. If you know that the '
            f'system users still have them, give {UNCHANGED}=true as well'
        )
