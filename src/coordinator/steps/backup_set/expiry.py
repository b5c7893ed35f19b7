"""Steps that delete backup sets: a named set, or the sets that no rule keeps.

One set at a time: which one is in the record before its manifest goes, and the objects go after
it. What a crash leaves in between is no backup set, and the next dispatch goes on from the record.
Which sets are to go is worked out anew each time: those that are gone change nothing about it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coordinator import errors, integrators, ports, times
from coordinator.engine import operation, step
from coordinator.parts import pgbackrest
from coordinator.record import repository
from coordinator.sets import catalogue, deletion, retention, rules

IN_HAND = 'set-in-hand'
"""Fact: the set that is being deleted, or is next."""


def expire(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Delete the sets that no rule keeps, oldest first, one in each dispatch."""
    store = repository.of(op, world)
    listed = catalogue.entries(store, heal=True)
    whole = {entry.backup_id for entry in listed if entry.state in retention.WHOLE}
    if op.kind == 'backup-all' and op.backup_id not in whole:
        # S3 may list late. Judged without the newest set, another one would take its place.
        return step.Wait(
            f'{integrators.where(store.place)} does not list backup set {op.backup_id} yet'
        )
    if not op.settings.retention.rules:
        return step.Done(_lost(listed, world))
    judged = verdicts(listed, op.settings.retention, store, world)
    going = [verdict.backup_set.backup_id for verdict in judged if verdict.goes]
    target = _in_hand(op)
    if target is not None:
        if target.backup_id in going or target.backup_id not in {e.backup_id for e in listed}:
            try:
                deletion.delete(store, target, listed, world.now())
            except deletion.InUseError as error:
                # A restore has just begun: the next backup deletes the other sets.
                return step.Done({IN_HAND: '', **_lost(listed, world)}, left=str(error))
        going = [backup_id for backup_id in going if backup_id != target.backup_id]
    if not going:
        left = [entry for entry in listed if target is None or entry.backup_id != target.backup_id]
        return step.Done({IN_HAND: '', **_lost(left, world)})
    first = next(entry for entry in listed if entry.backup_id == going[0])
    return step.Wait(
        f'deleting {first.backup_id}, {len(going)} more backup set(s) to delete',
        facts={IN_HAND: deletion.Target.of(store, first).to_json()},
    )


def _lost(listed: Iterable[catalogue.Entry], world: ports.World) -> dict[str, str]:
    """Return the fact that says how many sets have lost their database part."""
    try:
        lost = database_expired(listed, world)
    except errors.CoordinatorError:
        # The backup is complete even if this warning cannot be computed.
        return {}
    return {operation.DATABASE_EXPIRED: str(len(lost)) if lost else ''}


def look(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Remember where the repository is."""
    return step.Done(repository.remembered(world))


def may_go(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Choose the named set, if it may be deleted."""
    store = repository.of(op, world)
    target = chosen(op.parameters['backup-id'], catalogue.with_failed(store), store, world)
    return step.Done({IN_HAND: target.to_json(), **repository.remembered(world)})


def delete(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Delete the set that was chosen."""
    target = _in_hand(op)
    assert target is not None
    store = repository.of(op, world)
    listed = catalogue.with_failed(store)
    manifests = [entry.backup_id for entry in listed if entry.state != retention.FAILED]
    if target.backup_id in manifests:
        # It may have been pinned since. Without its manifest it can only be finished.
        chosen(target.backup_id, listed, store, world)
    deletion.delete(store, target, listed, world.now())
    left = (
        f'no manifest of backup set {target.backup_id} could be read, so its files backup, '
        'if it had one, was not deleted: '
        f'juju run {op.settings.maas}/leader list-backups shows all'
    )
    return step.Done({IN_HAND: ''}, left='' if target.maas_backup_id else left)


def finish(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: nothing comes back, but of a set whose manifest is gone nothing is left behind."""
    target = _in_hand(op)
    if target is not None and target.maas_backup_id:
        store = repository.of(op, world)
        listed = catalogue.entries(store)
        if target.backup_id not in {entry.backup_id for entry in listed}:
            try:
                deletion.delete(store, target, listed, world.now())
            except deletion.InUseError as error:
                return step.Done({IN_HAND: ''}, left=str(error))
    return step.Done({IN_HAND: ''})


def remains(op: operation.Operation) -> list[str]:
    """Return what may be left of a set when an operation ends as it is."""
    target = _in_hand(op)
    if target is None:
        return []
    return [
        f'backup set {target.backup_id} was to be deleted next: '
        'if list-backups no longer shows it as complete, '
        f'objects may be left in {" and ".join(target.folders)}'
    ]


def _in_hand(op: operation.Operation) -> deletion.Target | None:
    text = op.fact(IN_HAND)
    return deletion.Target.from_json(text) if text else None


# --- Which sets may go -----------------------------------------------------------------------


def verdicts(
    listed: Iterable[catalogue.Entry],
    policy: rules.Policy,
    store: ports.ObjectStore,
    world: ports.World,
) -> list[retention.Verdict]:
    """Judge the sets of a repository; oldest first."""
    entries = list(listed)
    expired = database_expired(entries, world)
    sets = [
        retention.BackupSet(
            backup_id=entry.backup_id,
            model_uuid=entry.summary.model_uuid if entry.summary else '',
            state=retention.DATABASE_EXPIRED if entry.backup_id in expired else entry.state,
            pinned=entry.pinned,
            in_use=_in_use(entry, world),
            elsewhere=_elsewhere(entry, store),
        )
        for entry in entries
    ]
    return retention.verdicts(sets, policy, world.model_uuid, world.now())


def database_expired(listed: Iterable[catalogue.Entry], world: ports.World) -> set[str]:
    """Return the ids of this model's sets whose database part pgBackRest has expired.

    Only those are checked whose database part is where `s3-postgresql` leads now.
    """
    store = world.postgresql_store
    here = (store.place['bucket'], store.place['path'])
    labels: dict[str, set[str]] = {}
    expired: set[str] = set()
    for entry in listed:
        found = entry.summary
        if found is None or found.model_uuid != world.model_uuid:
            continue
        if (found.postgresql_bucket, found.postgresql_path) != here:
            continue
        if found.stanza not in labels:
            labels[found.stanza] = _labels(store, found.stanza)
        if found.label not in labels[found.stanza]:
            expired.add(entry.backup_id)
    return expired


def _labels(store: ports.ObjectStore, stanza: str) -> set[str]:
    try:
        return {backup.label for backup in pgbackrest.backups(store, stanza)}
    except errors.NotFound:
        return set()


def _elsewhere(entry: catalogue.Entry, store: ports.ObjectStore) -> str:
    """Return where a set's files lie, if that is not in the repository: nothing goes there."""
    found = entry.summary
    if found is None:
        return ''
    place = {
        'endpoint': found.maas_endpoint,
        'bucket': found.maas_bucket,
        'path': found.maas_path,
    }
    if integrators.same_place(place, store.place):
        return ''
    return '/'.join(filter(None, place.values()))


def _in_use(entry: catalogue.Entry, world: ports.World) -> str:
    """Return which restore uses a set; '' if none does."""
    return next((str(use) for use in entry.uses if use.counts(world.now())), '')


def _is_made_elsewhere(entry: catalogue.Entry, world: ports.World) -> bool:
    """Whether a set that is not complete may be another model's backup under way."""
    claim = entry.claim
    if claim is None or entry.state != retention.FAILED or claim.model_uuid == world.model_uuid:
        return False
    return claim.counts(world.now())


def chosen(
    backup_id: str,
    listed: Sequence[catalogue.Entry],
    store: ports.ObjectStore,
    world: ports.World,
) -> deletion.Target:
    """Return the set of this id, if it may be deleted.

    Args:
        backup_id: what the operator gave.
        listed: all sets, and what is left of those that never became complete.
        store: the repository.
        world: for the newest set, and the time.

    Raises:
        PreconditionError: it may not; says why.
    """
    catalogue.check_id(backup_id)
    entry = next((entry for entry in listed if entry.backup_id == backup_id), None)
    if entry is None:
        why = f'the repository has no backup set {backup_id}: list-backups shows what it has'
    elif entry.pinned:
        why = f'backup set {backup_id} is pinned: keep-backup backup-id={backup_id} keep=false'
    elif _in_use(entry, world):
        why = f'backup set {backup_id} is in use by {_in_use(entry, world)}: wait until that ends'
    elif _is_made_elsewhere(entry, world):
        why = (
            f'model {entry.model_uuid} began backup set {backup_id} '
            'less than a week ago and may still be making it: '
            'wait until it has finished, or delete it from that model'
        )
    elif entry.state == retention.NEWER:
        why = entry.problem
    elif _elsewhere(entry, store):
        why = (
            f'the files of backup set {backup_id} are in {_elsewhere(entry, store)}: '
            'to delete it, set s3-maas to that bucket and path'
        )
    elif backup_id == _newest(entry, listed, world):
        why = (
            f'backup set {backup_id} is the newest complete one of its model, '
            'which is never deleted: first make a newer one with backup-all'
        )
    else:
        return deletion.Target.of(store, entry)
    raise errors.PreconditionError(why)


def _newest(entry: catalogue.Entry, listed: Sequence[catalogue.Entry], world: ports.World) -> str:
    """Return the id of the newest complete set of a set's model, '' if that is not known."""
    if entry.summary is None:
        return ''
    same = [
        other.backup_id
        for other in listed
        if other.summary and other.summary.model_uuid == entry.summary.model_uuid
    ]
    # One that cannot be restored, or that a wrong clock has dated, is the newest of none better.
    expired = database_expired(listed, world)
    past = [name for name in same if name <= times.stamp(world.now())] or same
    worse = (retention.DAMAGED, retention.INCONSISTENT)
    useless = expired | {other.backup_id for other in listed if other.state in worse}
    return max((name for name in past if name not in useless), default=max(past))
