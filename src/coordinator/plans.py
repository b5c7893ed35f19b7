"""What each operation does, step by step. Read this first."""

from __future__ import annotations

from collections.abc import Mapping

from coordinator import operation
from coordinator.step import Plan, Step, minutes
from coordinator.steps import backup_set, checks, maas_region, passwords, postgresql

# The database goes first and the files after it: a file that the database does not know does no
# harm, but an image that it knows and that is not in the files leaves MAAS stuck after a restore.
BACKUP_ALL = Plan(
    'backup-all',
    (
        Step(
            'check',
            'look whether a backup can succeed: units, access, buckets, recipients',
            checks.ready_for_backup,
            only_looks=True,
        ),
        Step(
            'capture-secrets',
            'seal the passwords of {postgresql} for {recipients} recipient(s) into the repository',
            passwords.capture,
            undo=passwords.discard,
        ),
        Step(
            'scale-down-postgresql',
            '{scale_down}',
            postgresql.scale_down,
            mark=postgresql.mark_scale_down,
            undo=postgresql.restore_scale,
            deadline=lambda settings: settings.scaling_deadline,
            undo_deadline=lambda settings: settings.scaling_deadline,
        ),
        Step(
            'back-up-postgresql',
            'have {backup_unit} make a full backup of the database',
            postgresql.back_up,
            mark=postgresql.mark_back_up,
            undo=postgresql.cancel_back_up,
            deadline=lambda settings: settings.postgresql_backup_deadline,
        ),
        # Requested here, awaited later: the units come back while the files are backed up.
        Step(
            'request-postgresql-units',
            '{request}',
            postgresql.request_scale,
        ),
        Step(
            'back-up-maas',
            'have the leader of {maas} back up images, preseeds and controller ids',
            maas_region.back_up,
            mark=maas_region.mark_back_up,
            undo=maas_region.cancel_back_up,
            deadline=lambda settings: settings.maas_backup_deadline,
        ),
        # Both parts are good by now, so the set is published even if a unit does not come back.
        Step(
            'restore-postgresql-scale',
            'wait until {postgresql} has its {units} unit(s); remove storage left behind',
            postgresql.await_scale,
            deadline=lambda settings: settings.scaling_deadline,
            tolerated=True,
        ),
        Step(
            'verify',
            'look at every object of both backups in S3',
            backup_set.verify,
            deadline=minutes(60),
            only_looks=True,
        ),
        Step(
            'publish',
            'write the manifest: from then on the backup set exists',
            backup_set.publish,
            undo=backup_set.withdraw,
        ),
    ),
)

PLANS: Mapping[str, Plan] = {plan.kind: plan for plan in (BACKUP_ALL,)}


def published(op: operation.Operation) -> bool:
    """Whether an operation has left a complete backup set, however else it ended."""
    return any(entry.name == 'publish' and entry.state == operation.DONE for entry in op.steps)
