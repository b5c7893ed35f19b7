"""Reserves a backup id for one operation, in a repository that other models use as well.

Ids are seconds, and the schedules of two models may start in the same second. S3 need not support
conditional writes: each operation first writes a claim with a name that no other operation uses,
and then lists the folder. Of two operations that do so at the same time, the one that lists last
sees the other's claim. An operation that sees another's object deletes its claim and moves to a
later id. If both do so, the order of their claims gives them different ids. So no two operations
ever write into one folder.
"""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Set as AbstractSet

from coordinator import errors, ports, times
from coordinator.engine import operation, step
from coordinator.record import repository
from coordinator.sets import catalogue, marks

_CLAIM = 'backup-id-claim'
"""Fact: name of the claim that this operation writes."""
_CLAIMED = 'backup-id-claimed'
"""Fact: the id that is this operation's own."""


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Draw the name of the claim; later attempts keep it."""
    if op.fact(_CLAIM):
        return step.Mark()
    return step.Mark(facts={_CLAIM: marks.claim_name(world.model_uuid, token())})


def token() -> str:
    """Draw the token that distinguishes this operation's claim from all others of the model."""
    return secrets.token_hex(4)


def name(op: operation.Operation) -> str:
    """Return the name of this operation's claim; '' if an older revision began the operation."""
    return op.fact(_CLAIM)


def claim(op: operation.Operation, world: ports.World) -> step.Wait | None:
    """Return what to wait for before the id is reserved for this operation; None if it is.

    Raises:
        StepError: another operation has the id of the set to adopt, which cannot have a later one.
    """
    own = name(op)
    # An operation that an older revision began has no claim.
    if not own or op.fact(_CLAIMED):
        return None
    store = repository.of(op, world)
    why = f'backup id {op.backup_id} is in use in this repository'
    there = catalogue.names(store, op.backup_id)
    if not there:
        store.put(_key(op), _told(op, world))
        there = catalogue.names(store, op.backup_id)
        if there - {own}:
            return step.Wait(why)
    others = there - {own}
    if not others:
        return step.Wait(
            f'backup id {op.backup_id} is taken by this operation', facts={_CLAIMED: op.backup_id}
        )
    if operation.ADOPTED in op.parameters:
        raise errors.StepError(
            f'{why}: list-backups all-models=true shows what is there, '
            f'delete-backup backup-id={op.backup_id} deletes a failed set'
        )
    if own in there:
        store.delete(_key(op))
    later = _later(op.backup_id, own, others if own in there else set())
    return step.Wait(f'{why}: trying {later}', facts={operation.BACKUP_ID: later})


def _later(backup_id: str, own: str, others: AbstractSet[str]) -> str:
    """Return the next id, a different one for each operation that leaves the same id."""
    rank = sum(other < own for other in others if marks.is_claim(other))
    later = times.parse_stamp(backup_id) + datetime.timedelta(seconds=1 + rank)
    return times.stamp(later)


def _key(op: operation.Operation) -> str:
    return catalogue.folder(op.backup_id) + op.fact(_CLAIM)


def _told(op: operation.Operation, world: ports.World) -> bytes:
    """Return the content of the claim, for people. The code uses only its name."""
    told = {'operation': op.id, 'kind': op.kind, 'model': world.model_name}
    return json.dumps({**told, 'model-uuid': world.model_uuid}).encode()


def owns(op: operation.Operation, store: ports.ObjectStore) -> bool:
    """Whether all that lies in the set's folder is this operation's own.

    Once its claim is taken back, by an undo whose record was lost, another may have taken the id.
    """
    if not op.fact(_CLAIM):
        return True
    return bool(op.fact(_CLAIMED)) and op.fact(_CLAIM) in catalogue.names(store, op.backup_id)


def give_up(op: operation.Operation, world: ports.World) -> None:
    """Undo: delete the claim."""
    if op.fact(_CLAIM):
        repository.of(op, world).delete(_key(op))


def remains(op: operation.Operation) -> list[str]:
    """Return the key of the claim, if it is in S3."""
    return [_key(op)] if op.fact(_CLAIM) else []
