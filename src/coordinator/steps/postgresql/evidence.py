"""Whether S3 proves that PostgreSQL was restored from the set, whatever a status or a task says.

The charm shows `restoring backup` before several steps that can fail, and keeps showing it when
they do. Two things prove a restore without a login:

- A cluster that archives begins a new timeline in its archive, at the end of the backup.
- A cluster that does not archive, as the repository was another cluster's, gets a new path after
the restore. The info files that it writes there name the cluster of the set.
"""

from __future__ import annotations

from coordinator import errors, ports
from coordinator.engine import facts, operation, step
from coordinator.parts import pgbackrest_timeline
from coordinator.steps import site, tasks
from coordinator.steps.backup_set import chosen_set, set_objects

RESTORE = 'restore'
FIRST = 'restore-postgresql-watermark'
"""Fact: the newest `restore` task before the first attempt."""
_TIMELINE = 'restore-next-timeline'
"""Fact: the timeline that the restored cluster begins, if it archives; '' if it does not."""
_CLUSTER = 'restore-system-id'
"""Fact: the cluster that the set is of."""
UNPROVEN_SINCE = 'restore-unproven-since'
"""Fact: the operation's age since when the cluster says that it is restored."""
_PATIENCE_SECONDS = 900
"""Seconds that a cluster may take to archive its history after it shows that it is restored."""
_RESTORING = 'restoring backup'
_NO_LEADER = 'not elected the leader'
_REFUSALS = (
    'Bad restore-to-time format',
    "Can't find the nearest timeline",
    'Cannot restore to the timeline',
    'Cluster or unit is in a blocking state',
    'Either backup-id or restore-to-time',
    'Failed to retrieve backups list',
    'Invalid backup-id',
    'Missing S3 parameters',
    'Relation with s3-integrator charm missing',
    'Restoring backups is not supported on a standby cluster',
    'There is no base backup created from the latest timeline',
    'Unit cannot restore backup',
    'action not implemented',
)
"""How PostgreSQL, of revisions 843 to 1158 and later, refuses before it touches anything."""


def before(op: operation.Operation, world: ports.World) -> dict[str, str]:
    """Return the facts that show later whether there was a restore; none on a second attempt."""
    if _CLUSTER in op.facts:
        return {}
    found = chosen_set.of(op)
    part, store = found.postgresql, set_objects.postgresql_store(found, world)
    app = site.look(world, op.settings.postgresql)
    silent = any(unit.message == site.ANOTHER_CLUSTER for unit in app.units.values())
    base = int(part.wal_stop[:8] or '1', 16)
    following = pgbackrest_timeline.next_timeline(store, part.stanza, part.archive, base)
    return {
        _CLUSTER: pgbackrest_timeline.system_id(store, part.stanza, part.archive),
        _TIMELINE: '' if silent else str(following),
    }


def archives_nothing(op: operation.Operation) -> bool:
    """Whether the cluster did not archive when the restore began, so that it needs a new path."""
    # An older revision that began this restore has left no fact.
    return op.fact(_TIMELINE, 'unknown') == ''


# --- Tasks -----------------------------------------------------------------------------------


def was_no_leader(task: ports.Task) -> bool:
    """Whether a task was refused because its unit was not the leader yet."""
    return task.status == 'failed' and _NO_LEADER in task.message


def refused(task: ports.Task) -> bool:
    """Whether a task ended before it touched anything."""
    if task.status in ('cancelled', 'error'):
        return True
    return task.status == 'failed' and task.message.startswith(_REFUSALS)


def may_have_begun(op: operation.Operation, world: ports.World) -> ports.Task | None:
    """Return a task of this restore, of any attempt, that may have touched the database."""
    return next((task for task in _own(op, world) if not refused(task)), None)


def stopping(
    op: operation.Operation, world: ports.World, why: str, task: int | None = None
) -> errors.StepError:
    """Return the error that undoes the operation, or holds it if the database may be touched."""
    if may_have_begun(op, world) is None:
        return errors.RefusedError(why, task)
    return errors.StepError(f'{why}, then run resume-operation', task)


def refuse_others(op: operation.Operation, world: ports.World) -> None:
    """Hold the operation if somebody else has restored the database since it did.

    Raises:
        StepError: names the task.
    """
    forgiven = int(op.fact(operation.FORGIVEN) or 0)
    begun = [task.id for task in _own(op, world) if not refused(task)]
    # Our own task replaces what earlier tasks restored; until it exists, the operator decides.
    since = max(begun, default=max(_first(op), forgiven))
    for task in _all(op, world):
        if task.id > since and not refused(task) and not _is_own(op, task):
            wanted = chosen_set.of(op).postgresql.backup_id
            what = task.parameters.get('backup-id') or 'a point in time'
            raise errors.StepError(
                f'task {task.id} on {task.unit}, which this operation did not start, '
                f'restores {what} ({task.status}). MAAS is detached. Wait until it has ended. '
                'To restore the set anyway: '
                f'juju run {task.unit} restore backup-id={wanted}, then resume-operation',
                task.id,
            )


def _own(op: operation.Operation, world: ports.World) -> list[ports.Task]:
    return [task for task in _all(op, world) if _is_own(op, task)]


def _all(op: operation.Operation, world: ports.World) -> list[ports.Task]:
    """Return the tasks since the restore was first about to begin."""
    return [
        task
        for task in world.juju.tasks(RESTORE)
        if task.id > _first(op) and task.unit.partition('/')[0] == op.settings.postgresql
    ]


def _first(op: operation.Operation) -> int:
    return int(op.fact(FIRST) or op.watermark)


def _is_own(op: operation.Operation, task: ports.Task) -> bool:
    given = {key: value for key, value in task.parameters.items() if value not in (None, '')}
    return given == {'backup-id': chosen_set.of(op).postgresql.backup_id}


# --- Units -----------------------------------------------------------------------------------


def restoring(app: ports.Application) -> str:
    """Return which unit shows that it is restoring, possibly wrongly; '' if none does."""
    names = [unit.name for unit in app.units.values() if unit.message == _RESTORING]
    return ', '.join(names)


def shown(app: ports.Application) -> str:
    """Return what PostgreSQL's units show, for people."""
    return ', '.join(
        f'{unit.name} shows "{unit.workload}{unit.message and f": {unit.message}"}"'
        for unit in app.units.values()
    )


# --- Proof -----------------------------------------------------------------------------------


def proven(op: operation.Operation, world: ports.World) -> bool:
    """Whether the archive shows that the database was restored from the set."""
    if not op.fact(_TIMELINE):
        return False
    found = chosen_set.of(op)
    part, store = found.postgresql, set_objects.postgresql_store(found, world)
    begun = pgbackrest_timeline.begun_since(
        store, part.stanza, part.archive, int(op.fact(_TIMELINE))
    )
    restores = [branch for branch in begun if branch.restored]
    return bool(restores) and restores[-1].ends(part.lsn_stop, part.wal_stop)


def unproven(op: operation.Operation, why: str) -> str:
    """Return a sentence that names what PostgreSQL shows and what S3 shows."""
    part = chosen_set.of(op).postgresql
    return (
        f'{why}, but the archive in S3 shows no timeline that was restored from database backup '
        f'{part.backup_id}. MAAS is detached. Check the database first: juju debug-log --include '
        f'{op.settings.postgresql}'
    )


def await_proof(
    op: operation.Operation, world: ports.World, app: ports.Application
) -> step.Outcome:
    """Wait until S3 shows that the database was restored.

    A cluster that does not archive proves it later, in its new path.

    Raises:
        StepError: it does not show it in time.
    """
    if not op.fact(_TIMELINE) or proven(op, world):
        return step.Done()
    if any(unit.message == site.ANOTHER_CLUSTER for unit in app.units.values()):
        # It did not say so yet when the restore began: its new path is what proves it.
        return step.Done({_TIMELINE: ''})
    noted = tasks.patience(op, UNPROVEN_SINCE, _PATIENCE_SECONDS)
    if noted is None:
        wanted = chosen_set.of(op).postgresql.backup_id
        raise errors.StepError(
            unproven(op, shown(app)) + '. To restore it again: '
            f'juju run {app.name}/leader restore backup-id={wanted}, then resume-operation'
        )
    return step.Wait(
        f'{shown(app)}: waiting until its archive shows the new timeline', None, noted
    )


def check_cluster(op: operation.Operation, world: ports.World, stanza: str) -> list[str]:
    """Make sure that the cluster that PostgreSQL's new path is for is the one of the set.

    Returns:
        A warning if the site had that cluster before as well: then this proves nothing.

    Raises:
        StepError: it is not.
    """
    wanted = op.fact(_CLUSTER)
    if not wanted:
        return []
    there = pgbackrest_timeline.owners(world.postgresql_store, stanza)
    if there != {wanted}:
        raise errors.StepError(_of_another_cluster(op, world, there, wanted))
    if wanted not in facts.FORMER_CLUSTERS.of(op):
        return []
    found = chosen_set.of(op)
    return [
        f'nothing in S3 proves that {op.settings.postgresql} was restored: '
        'an earlier restore has given it the cluster of the set already, '
        'and it archived nothing meanwhile. '
        f'Check that MAAS shows what it had at {found.backup_id}'
    ]


def _of_another_cluster(
    op: operation.Operation, world: ports.World, there: set[str], wanted: str
) -> str:
    app = site.look(world, op.settings.postgresql)
    found = chosen_set.of(op)
    former = set_objects.postgresql_store(found, world).place['path']
    return (
        f'{shown(app)}, but its repository in {world.postgresql_store.place["path"]} '
        f'belongs to the cluster with system identifier {" and ".join(sorted(there))}, '
        f'the set is of {wanted}: the database was not restored. MAAS is detached. '
        f'Restore it by hand: juju config {op.settings.s3_postgresql} path={former}; '
        f'when {app.name} is blocked by that, '
        f'juju run {app.name}/leader restore backup-id={found.postgresql.backup_id}; '
        'when it is blocked again, resume-operation postgresql-path=<an empty path>'
    )
