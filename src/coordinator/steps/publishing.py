"""Steps on the backup set as a whole: verify both parts, publish, withdraw."""

from __future__ import annotations

from collections.abc import Sequence

from coordinator import VERSION, errors, integrators, ports, times
from coordinator.engine import facts, operation, step
from coordinator.parts import maas_backup, pgbackrest
from coordinator.record import repository
from coordinator.sets import catalogue, manifest
from coordinator.steps.backup_set import vouching
from coordinator.steps.checks import before_backup
from coordinator.steps.maas import fence, inventories
from coordinator.steps.maas_region import controllers, files_backup
from coordinator.steps.postgresql import database_backup, passwords

VERIFIED = 'verified'
MAAS, POSTGRESQL = 'maas-part', 'postgresql-part'


def check_parts(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Look at every object of both parts and of the sealed passwords; nothing is changed."""
    here, began = world.maas_store.place, repository.of(op, world).place
    if not integrators.same_place(here, began):
        raise errors.StepError(
            f'{op.settings.s3_maas} was set to another bucket or path during the backup: '
            'run backup-all again'
        )
    sealed = manifest.Object.model_validate_json(op.fact(passwords.SEALED))
    found = repository.of(op, world).head(sealed.key)
    if (found.size, found.etag) != (sealed.size, sealed.etag):
        raise errors.StepError(
            f'{sealed.key} is not the object that was stored: somebody has changed it'
        )
    passwords.check_unchanged(op, world)
    maas = _maas(op, world)
    postgresql_part, weaknesses = _postgresql(op, world)
    return step.Done(
        {
            MAAS: maas.model_dump_json(by_alias=True),
            POSTGRESQL: postgresql_part.model_dump_json(by_alias=True),
            VERIFIED: times.stamp(world.now()),
        },
        left='; '.join(weaknesses),
    )


def _maas(op: operation.Operation, world: ports.World) -> manifest.Maas:
    backup = maas_backup.read(world.maas_store, op.fact(files_backup.BACKUP_ID))
    charm = before_backup.remembered_charm(op, op.settings.maas)
    if len(backup.controllers) != charm.units:
        raise errors.StepError(
            controllers.mismatch(op.settings.maas, backup.controllers, charm.units)
        )
    return manifest.Maas(
        charm=charm,
        backup_id=backup.id,
        version=backup.maas_version,
        place=place(world.maas_store),
        controllers=backup.controllers,
        objects=tuple(_object(world.maas_store.head(item.key)) for item in backup.objects),
    )


def _object(found: ports.StoredObject) -> manifest.Object:
    """Return what is recorded of an object that is too large to be read for it."""
    return manifest.Object(
        key=found.key, size=found.size, etag=found.etag, checksum=found.checksum
    )


def _postgresql(
    op: operation.Operation, world: ports.World
) -> tuple[manifest.PostgreSQL, Sequence[str]]:
    """Return the database part, and the files of which only one of two copies is sound."""
    store, label = world.postgresql_store, op.fact(database_backup.LABEL)
    stanza = database_backup.stanza(op, world)
    listed = {backup.label: backup for backup in pgbackrest.backups(store, stanza)}
    if label not in listed or listed[label].error:
        raise errors.StepError(
            f'pgBackRest no longer lists {label} of {stanza} without an error: see juju run '
            f'{op.settings.postgresql}/leader list-backups'
        )
    backup = listed[label]
    contents = pgbackrest.contents(store, stanza, backup)
    part = manifest.PostgreSQL(
        charm=before_backup.remembered_charm(op, op.settings.postgresql),
        backup_id=backup.id,
        label=label,
        stanza=stanza,
        place=place(store),
        archive=backup.archive,
        wal_start=backup.wal_start,
        wal_stop=backup.wal_stop,
        lsn_start=backup.lsn_start,
        lsn_stop=backup.lsn_stop,
        objects=contents.objects,
        bytes=contents.bytes,
        database_bytes=backup.database_bytes,
        manifest=manifest.Object(
            key=f'backup/{stanza}/{label}/backup.manifest',
            size=contents.manifest_bytes,
            sha256=contents.manifest_sha256,
        ),
    )
    return part, contents.weaknesses


def place(store: ports.ObjectStore) -> manifest.Place:
    """Return where a store lies, as manifests say it."""
    return manifest.Place.model_validate(dict(store.place))


def publish(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Sign the manifest and write it: from now on the set exists.

    Everything in it comes out of the record, so that a repeated PUT changes nothing. A record that
    others may have written is not vouched for.

    Raises:
        StepError: there is a manifest of another operation.
    """
    if _is_anothers(op, world):
        raise errors.StepError(
            f'another operation has already published backup set {op.backup_id}: '
            'run backup-all again'
        )
    contents = manifest.Manifest(
        backup_id=op.backup_id,
        started=_started(op),
        verified=op.fact(VERIFIED),
        coordinator_version=VERSION,
        strategy=_strategy(op),
        model=manifest.Model.model_validate(facts.MODEL.of(op)),
        maas=manifest.Maas.model_validate_json(op.fact(MAAS)),
        postgresql=manifest.PostgreSQL.model_validate_json(op.fact(POSTGRESQL)),
        passwords=manifest.Passwords(
            sealed=manifest.Object.model_validate_json(op.fact(passwords.SEALED)),
            recipients=op.settings.recipients,
            hashes=dict(facts.PASSWORD_HASHES.of(op)),
        ),
        seconds=op.seconds,
        images=fence.judged(op),
        inventory=inventories.taken(op),
    )
    if op.fact(operation.TAKEN_OVER):
        catalogue.commit(repository.of(op, world), contents)
        return step.Done(left=_inconsistent(contents), warnings=(_unsigned(contents),))
    signed = vouching.signed(contents, world)
    if isinstance(signed, step.Wait):
        return signed
    catalogue.commit(repository.of(op, world), signed)
    return step.Done(left=_inconsistent(contents))


def _unsigned(contents: manifest.Manifest) -> str:
    return (
        f'backup set {contents.backup_id} is not signed: '
        'its backup was taken over from the history in S3, which others may have changed. '
        'Run backup-all again to make a signed one'
    )


def _inconsistent(contents: manifest.Manifest) -> str:
    why = contents.inconsistent
    if not why:
        return ''
    return (
        f'backup set {contents.backup_id} is inconsistent, '
        f'so MAAS may not finish initialising after a restore of it: {why}. '
        'Run backup-all again'
    )


def _started(op: operation.Operation) -> str:
    # An adopted set has the time of its database backup, which is its id.
    return op.backup_id if operation.ADOPTED in op.parameters else op.started


def _is_anothers(op: operation.Operation, world: ports.World) -> bool:
    """Whether the set's manifest is there and says that another operation wrote it."""
    try:
        found = catalogue.opened(repository.of(op, world), op.backup_id)
    except errors.StepError:
        # There is no manifest, or an unreadable one in a folder that this operation has claimed.
        return False
    except errors.ForeignRecordError:
        return True
    return (found.model.uuid, found.started) != (world.model_uuid, _started(op))


def _strategy(op: operation.Operation) -> str:
    """Return how the set was made; whoever restores an adopted one may want to know."""
    if operation.ADOPTED not in op.parameters:
        return op.strategy
    vouched = ', the passwords vouched for' if 'passwords-unchanged' in op.parameters else ''
    return f'by hand{vouched}'


def withdraw(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: the manifest may have arrived although its PUT seemed to fail. It goes first."""
    if not _is_anothers(op, world):
        catalogue.withdraw(repository.of(op, world), op.backup_id)
    return step.Done()


def remains(op: operation.Operation) -> list[str]:
    """Return the set that may be published when an operation ends as it is."""
    if op.entry('publish').state in (operation.TO_DO, operation.UNDONE):
        return []
    return [f'backup set {op.backup_id} may be published: list-backups shows it']
