"""Makes a backup id one operation's own, in a repository that other models use as well.

Ids are seconds, and schedules of two models begin in the same one. S3 need not know conditional
writes: each operation first writes a claim under a name that no other has, and looks after that
what else lies there. Of two that do so at once, the one that looks last sees the other. Whoever
sees anything of another's takes its claim back and goes on to a later id: both may do so, and
their ranks then part them. So no two ever write into one folder.
"""

from __future__ import annotations

import datetime
import json
import secrets
from collections.abc import Set as AbstractSet

from coordinator import catalogue, errors, marks, operation, ports, step
from coordinator.steps import repository

_CLAIM = 'backup-id-claim'
"""Fact: name of the claim that this operation writes."""
_CLAIMED = 'backup-id-claimed'
"""Fact: the id that is this operation's own."""


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Draw the name of the claim; another attempt keeps to it."""
    if op.fact(_CLAIM):
        return step.Mark()
    return step.Mark(facts={_CLAIM: marks.claim_name(world.model_uuid, token())})


def token() -> str:
    """Draw what no other operation of a model has in its claim."""
    return secrets.token_hex(4)


def name(op: operation.Operation) -> str:
    """Return the name that is this operation's alone; '' if an older revision has begun it."""
    return op.fact(_CLAIM)


def claim(op: operation.Operation, world: ports.World) -> step.Wait | None:
    """Return what there is to wait for until the id is this operation's own; None if it is.

    Raises:
        StepError: the id of a set that is adopted is another operation's: it has no other.
    """
    own = name(op)
    # An operation that an older revision has begun claims nothing.
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
        return step.Wait(f'{op.backup_id} is its backup id', facts={_CLAIMED: op.backup_id})
    if operation.ADOPTED in op.parameters:
        raise errors.StepError(
            f'{why}: list-backups all-models=true shows what of it there is, delete-backup '
            f'backup-id={op.backup_id} removes what has failed'
        )
    if own in there:
        store.delete(_key(op))
    later = _later(op.backup_id, own, others if own in there else set())
    return step.Wait(f'{why}: {later} is tried', facts={operation.BACKUP_ID: later})


def _later(backup_id: str, own: str, others: AbstractSet[str]) -> str:
    """Return the next id; of several that leave one at once, each has another next one."""
    rank = sum(other < own for other in others if marks.is_claim(other))
    later = operation.parse_stamp(backup_id) + datetime.timedelta(seconds=1 + rank)
    return operation.stamp(later)


def _key(op: operation.Operation) -> str:
    return catalogue.folder(op.backup_id) + op.fact(_CLAIM)


def _told(op: operation.Operation, world: ports.World) -> bytes:
    """Return what the claim says to people: its name is what counts."""
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
    """Undo: take the claim back."""
    if op.fact(_CLAIM):
        repository.of(op, world).delete(_key(op))


def remains(op: operation.Operation) -> list[str]:
    """Return the keys of what is in S3 of the claim."""
    return [_key(op)] if op.fact(_CLAIM) else []
