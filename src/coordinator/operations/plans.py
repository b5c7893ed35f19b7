"""What each operation does, step by step. Read this first."""

from __future__ import annotations

from collections.abc import Mapping

from coordinator.engine import operation
from coordinator.engine.step import Plan, Step, minutes
from coordinator.sets import manifest
from coordinator.steps import adopting, publishing, rehearsing, relations, tasks
from coordinator.steps.backup_set import claiming, expiry, marking, verifying
from coordinator.steps.checks import before_backup, before_restore
from coordinator.steps.maas import fence, finding_maas, inventories, proving
from coordinator.steps.maas_region import files_backup, files_restore, maas_status, reading_back
from coordinator.steps.postgresql import (
    database_backup,
    database_restore,
    new_path,
    password_change,
    passwords,
    scaling,
    scaling_down,
)
from coordinator.steps.s3_integrators import aiming

_CAPTURE = Step(
    'capture-secrets',
    'encrypt the passwords of {postgresql} for {recipients} recipient(s), '
    'and store them in the repository',
    passwords.capture,
    mark=claiming.mark,
    undo=passwords.discard,
    remains=passwords.sealed_remains,
)

_SCALE_DOWN = Step(
    'scale-down-postgresql',
    '{scale_down}',
    scaling_down.scale_down,
    mark=scaling_down.mark,
    undo=scaling.restore_scale,
    deadline=lambda settings: settings.scaling_deadline,
    undo_deadline=lambda settings: settings.scaling_deadline,
    remains=scaling.remains,
    left_over=scaling.left_over,
)

_VERIFY = Step(
    'verify',
    'check every object of both backups in S3',
    publishing.check_parts,
    deadline=minutes(60),
    only_looks=True,
)

_PUBLISH = Step(
    'publish',
    'write the manifest: the backup set exists from now on',
    publishing.publish,
    undo=publishing.withdraw,
    remains=publishing.remains,
)

# If it fails, the new set is published nevertheless.
_EXPIRE = Step(
    'expire-backups',
    'delete the backup sets that no rule keeps: {retention}',
    expiry.expire,
    undo=expiry.finish,
    deadline=minutes(120),
    tolerated=True,
    remains=expiry.remains,
)

# The database goes first and the files after it: a file that the database does not know does no
# harm, but an image that it knows and that is not in the files leaves MAAS stuck after a restore.
BACKUP_ALL = Plan(
    'backup-all',
    (
        Step(
            'check',
            'check that a backup can succeed: units, access, buckets, recipients',
            before_backup.ready_for_backup,
            only_looks=True,
        ),
        _CAPTURE,
        # Before PostgreSQL is scaled down, because the wait may take long.
        Step(
            'await-images',
            'with maas-api-key: wait until every region controller has all images',
            fence.await_images,
            mark=fence.mark,
            undo=fence.discard,
            deadline=fence.deadline,
            tolerated=True,
            remains=fence.remains,
        ),
        _SCALE_DOWN,
        Step(
            'back-up-postgresql',
            'make a full backup of the database on {backup_unit}',
            database_backup.back_up,
            mark=database_backup.mark,
            undo=database_backup.cancel,
            remains=tasks.remains,
            left_over=tasks.left_over,
            deadline=lambda settings: settings.postgresql_backup_deadline,
        ),
        # Request the units here and wait for them later: they join while the files are backed up.
        Step(
            'request-postgresql-units',
            '{request}',
            scaling.request_scale,
        ),
        # Immediately after the database backup, because later changes are not in the set.
        Step(
            'take-inventory',
            'record what MAAS holds, sealed for {recipients} recipient(s)',
            inventories.take,
            undo=inventories.discard,
            deadline=minutes(60),
            tolerated=True,
            remains=inventories.remains,
        ),
        Step(
            'back-up-maas',
            'back up images, preseeds and controller ids on the leader of {maas}',
            fence.back_up,
            mark=fence.mark_back_up,
            undo=files_backup.cancel,
            remains=files_backup.remains,
            deadline=fence.files_deadline,
            attempts=fence.ATTEMPTS,
        ),
        # Both parts are complete, so the set is published even if a unit does not join.
        Step(
            'restore-postgresql-scale',
            'wait until {postgresql} has its {units} unit(s); remove storage left behind',
            scaling.await_scale,
            deadline=lambda settings: settings.scaling_deadline,
            tolerated=True,
            remains=scaling.remains,
            left_over=scaling.left_over,
        ),
        _VERIFY,
        _PUBLISH,
        _EXPIRE,
    ),
    commit='publish',
)

_MARK = Step(
    'mark-backup-set',
    'mark the backup set as in use, so that no model deletes it meanwhile',
    marking.mark,
    mark=marking.announce,
    undo=marking.unmark,
    remains=marking.remains,
)

_UNMARK = Step(
    'unmark-backup-set',
    'remove the mark from the backup set',
    marking.unmark_at_last,
    deadline=minutes(60),
)

RESTORE_ALL = Plan(
    'restore-all',
    (
        Step(
            'check',
            'check that the restore can succeed: the set, the site, access, passwords',
            before_restore.ready_for_restore,
            only_looks=True,
        ),
        _MARK,
        Step(
            'aim-repositories',
            'set the s3-integrators to the bucket and path of the set, '
            'unless they already use them',
            aiming.aim,
            mark=aiming.mark_aim,
            undo=aiming.aim_back,
            remains=aiming.remains,
        ),
        Step(
            'ask-maas-region',
            'check that each region of {maas} lists the files backup that it will restore',
            reading_back.ask,
            mark=reading_back.mark,
            deadline=minutes(120),
        ),
        _SCALE_DOWN,
        Step(
            'apply-passwords',
            'set the passwords of the set on {postgresql}, unless it already uses them',
            password_change.apply,
            mark=password_change.mark,
            undo=password_change.take_back,
            remains=password_change.remains,
        ),
        Step(
            'detach-maas',
            'remove the relation of {maas} and {postgresql}: MAAS is down from now on',
            relations.detach,
            mark=files_restore.mark_detach,
            undo=relations.attach_again,
            undo_deadline=minutes(60),
            remains=relations.remains,
            left_over=relations.left_over,
        ),
        # From here on the old database no longer exists, so an error holds the operation.
        Step(
            'restore-postgresql',
            'start the restore of the database on {postgresql}{others}',
            database_restore.restore,
            mark=database_restore.mark,
            undo=database_restore.nothing_restored,
            remains=tasks.remains,
            left_over=tasks.left_over,
        ),
        # The regions restore their files while the database is being restored. Once it is, its
        # backups move to their new path, whether or not the regions are done.
        Step(
            'restore-maas',
            'restore all {regions} region(s) of {maas} at the same time',
            files_restore.restore,
            mark=files_restore.mark,
            deadline=lambda settings: settings.maas_backup_deadline,
        ),
        Step(
            'await-postgresql',
            'wait until {postgresql} has restored the database',
            database_restore.await_restored,
            deadline=lambda settings: settings.postgresql_backup_deadline,
        ),
        # Before it is scaled up: new units would be blocked by the repository of another cluster
        # as well.
        Step(
            'renew-repository',
            'move the backups of {postgresql} to a new path, '
            'if it cannot keep using the path of the set',
            new_path.renew,
        ),
        Step(
            'attach-maas',
            'add the relation again, and wait until every region is active: MAAS is up again',
            relations.attach,
            deadline=minutes(120),
        ),
        Step(
            'request-postgresql-units',
            'request the missing units of {postgresql}',
            scaling.request_scale,
        ),
        Step(
            'restore-postgresql-scale',
            'wait until {postgresql} has its {units} unit(s)',
            scaling.await_scale,
            deadline=lambda settings: settings.scaling_deadline,
            tolerated=True,
            remains=scaling.remains,
            left_over=scaling.left_over,
        ),
        Step(
            'forget-passwords', 'delete the copies of the former passwords', password_change.forget
        ),
        Step(
            'verify',
            'check the services of MAAS, and compare the site with the set',
            maas_status.check_site,
            mark=maas_status.mark,
            # Regions initialise one after the other, and may have to migrate the database.
            deadline=minutes(120),
        ),
        # The result of the comparison does not change that the set is restored.
        Step(
            'prove',
            'compare what MAAS holds with the inventory of the set, if there is a maas-api-key',
            proving.prove,
            mark=finding_maas.mark,
            deadline=proving.deadline,
            tolerated=True,
        ),
        _UNMARK,
    ),
    pivot='restore-postgresql',
)

# The repository is that of a site that lives: no mark, no history, one object at the end.
REHEARSAL = Plan(
    'rehearsal',
    (
        *(
            each
            for each in RESTORE_ALL.steps
            if each.name not in ('mark-backup-set', 'unmark-backup-set')
        ),
        # Whatever becomes of it: MAAS is restored, and the operator has seen how.
        Step(
            'record-rehearsal',
            'write the result of the rehearsal beside the backup set',
            rehearsing.record,
            deadline=minutes(60),
            tolerated=True,
        ),
    ),
    pivot=RESTORE_ALL.pivot,
)
"""What `restore-all rehearsal=true` does."""

DELETE_BACKUP = Plan(
    'delete-backup',
    (
        Step(
            'check',
            'check that the backup set may be deleted',
            expiry.may_go,
            only_looks=True,
        ),
        Step(
            'delete-backup-set',
            'delete the manifest of the set, and then its objects',
            expiry.delete,
            undo=expiry.finish,
            tolerated=True,
            remains=expiry.remains,
        ),
    ),
)

EXPIRE = Plan(
    'expire',
    (
        Step('check', 'record where the repository is', expiry.look, only_looks=True),
        _EXPIRE,
    ),
)

ADOPT_BACKUP = Plan(
    'adopt-backup',
    (
        Step('check', 'check that both backups belong together', adopting.ready, only_looks=True),
        _CAPTURE,
        _VERIFY,
        _PUBLISH,
    ),
    commit='publish',
)

VERIFY_BACKUP = Plan(
    'verify-backup',
    (
        Step('check', 'choose the backup sets', verifying.choose, only_looks=True),
        Step(
            'verify',
            'check every object of each backup set; with deep=true, read it completely',
            verifying.verify,
            undo=verifying.stop,
            remains=verifying.remains,
            deadline=minutes(3 * 24 * 60),
        ),
    ),
)

PROVE_RESTORE = Plan(
    'prove-restore',
    (
        Step('check', 'read the manifest of the backup set', proving.choose, only_looks=True),
        _MARK,
        Step(
            'prove',
            'compare what MAAS holds with the inventory of the set',
            proving.prove_again,
            mark=finding_maas.mark,
            deadline=minutes(120),
        ),
        _UNMARK,
    ),
)

PLANS: Mapping[str, Plan] = {
    plan.kind: plan
    for plan in (
        BACKUP_ALL,
        RESTORE_ALL,
        REHEARSAL,
        DELETE_BACKUP,
        EXPIRE,
        ADOPT_BACKUP,
        VERIFY_BACKUP,
        PROVE_RESTORE,
    )
}


def named(kind: str, parameters: Mapping[str, str]) -> str:
    """Return the name of the plan of an operation of this kind, begun with these parameters."""
    rehearses = kind == RESTORE_ALL.kind and operation.REHEARSAL in parameters
    return REHEARSAL.kind if rehearses else kind


def of(op: operation.Operation) -> Plan | None:
    """Return the plan of an operation; None if this revision knows none."""
    return PLANS.get(named(op.kind, op.parameters))


def published(op: operation.Operation) -> bool:
    """Whether an operation has left a backup set, however else it ended."""
    return any(entry.name == 'publish' and entry.state == operation.DONE for entry in op.steps)


def complete(op: operation.Operation) -> bool:
    """Whether an operation has left a complete backup set: one that is inconsistent is not."""
    judged = fence.judged(op)
    inconsistent = judged is not None and judged.state == manifest.INCONSISTENT
    return published(op) and not inconsistent
