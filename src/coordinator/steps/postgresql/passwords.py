"""Steps on PostgreSQL's system users: a restored database expects the passwords it knew."""

from __future__ import annotations

from collections.abc import Mapping

from coordinator import errors, ports
from coordinator.engine import facts, operation, step
from coordinator.record import repository
from coordinator.sets import catalogue, manifest, sealing
from coordinator.steps.backup_set import beside, claiming

REQUIRED = ('operator', 'replication', 'rewind', 'monitoring')
OPTIONAL = ('backup',)
"""Newer revisions of the charm have it."""

SEALED = 'sealed-passwords'


def secret(world: ports.World, application: str) -> ports.Secret:
    """Return PostgreSQL's peer secret.

    Raises:
        StepError: it is not there.
    """
    label = f'database-peers.{application}.app'
    found = [s for s in world.juju.secrets(label) if s.owner == f'application-{application}']
    if not found:
        raise errors.StepError(
            f'{application} has no secret labelled {label}: '
            'check that it is the charm postgresql, and that its units are active'
        )
    return found[0]


def in_force(world: ports.World, application: str) -> dict[str, str]:
    """Return the system users' passwords out of PostgreSQL's peer secret.

    Raises:
        StepError: the secret or one of its keys is not there.
        NotAuthorised: the coordinator's Juju user is no model admin.
    """
    found = secret(world, application)
    content = world.juju.reveal_secret(found.id)
    missing = [name for name in REQUIRED if not content.get(f'{name}-password')]
    if missing:
        raise errors.StepError(
            f'secret {found.label} lacks {", ".join(f"{name}-password" for name in missing)}: '
            f'wait until {application} is settled, then try again'
        )
    return {
        name: content[f'{name}-password']
        for name in (*REQUIRED, *OPTIONAL)
        if content.get(f'{name}-password')
    }


def capture(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Seal the passwords into the repository, below the set's prefix, once that is reserved.

    A repeated run overwrites what an earlier dispatch may have left: sealing gives a different
    result each time, and the facts must match the object that is kept.
    """
    waiting = claiming.claim(op, world)
    if waiting is not None:
        return waiting
    passwords = in_force(world, op.settings.postgresql)
    sealed = sealing.seal(op.backup_id, world.model_uuid, passwords, op.settings.recipients)
    entry = beside.put(op, world, catalogue.sealed_key(op.backup_id), sealed)
    hashes = {name: sealing.hash_password(password) for name, password in passwords.items()}
    return step.Done(
        {SEALED: entry.model_dump_json(by_alias=True), **facts.PASSWORD_HASHES.put(hashes)}
    )


def discard(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: delete the sealed passwords and the claim of a set that was not published."""
    if _are_sealed(op, repository.of(op, world)):
        repository.of(op, world).delete(catalogue.sealed_key(op.backup_id))
        return step.Wait(f'the sealed passwords of {op.backup_id} are being deleted')
    claiming.give_up(op, world)
    return step.Done()


def _are_sealed(op: operation.Operation, store: ports.ObjectStore) -> bool:
    """Whether this operation's sealed passwords are in the repository."""
    if not claiming.owns(op, store):
        return False
    try:
        found = store.head(catalogue.sealed_key(op.backup_id))
    except errors.NotFound:
        return False
    # The claim shows whose they are. An operation that an older revision began has no claim.
    stored = op.fact(SEALED)
    return not stored or manifest.Object.model_validate_json(stored).etag == found.etag


def sealed_remains(op: operation.Operation) -> list[str]:
    """Return what is in S3 of passwords when an operation ends as it is."""
    if op.entry('capture-secrets').state in (operation.TO_DO, operation.UNDONE):
        return []
    left = [catalogue.sealed_key(op.backup_id), *claiming.remains(op)]
    return [f'sealed passwords may be left in the repository: {", ".join(left)}']


def check_unchanged(op: operation.Operation, world: ports.World) -> None:
    """Make sure that the captured passwords are the ones that the database backup knows.

    Raises:
        StepError: somebody changed one since it was captured.
    """
    hashes = facts.PASSWORD_HASHES.of(op)
    now = in_force(world, op.settings.postgresql)
    changed = sorted({*differing(hashes, now), *(now.keys() - hashes.keys())})
    if changed:
        raise errors.StepError(
            f'the passwords of {", ".join(changed)} changed during the backup, '
            'so the stored passwords may not be those of the backup: run backup-all again'
        )


def differing(hashes: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names among the hashed ones whose password differs now, or is missing.

    Other users do not matter: PostgreSQL never removes a user's password, so that more may be in
    force than a set has.
    """
    return sorted(
        name
        for name, hashed in hashes.items()
        if name not in now or not sealing.matches(now[name], hashed)
    )
