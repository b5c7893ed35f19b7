"""Steps on PostgreSQL's system users: a restored database expects the passwords it knew."""

from __future__ import annotations

import hashlib
import json

from coordinator import catalogue, errors, manifest, operation, ports, sealing, step

REQUIRED = ('operator', 'replication', 'rewind', 'monitoring')
OPTIONAL = ('backup',)
"""Newer revisions of the charm have it."""

SEALED, HASHES = 'sealed-passwords', 'password-hashes'


def in_force(world: ports.World, application: str) -> dict[str, str]:
    """Return the system users' passwords out of PostgreSQL's peer secret.

    Raises:
        StepError: the secret or one of its keys is not there.
        NotAuthorised: the coordinator's Juju user is no model admin.
    """
    label = f'database-peers.{application}.app'
    found = [s for s in world.juju.secrets(label) if s.owner == f'application-{application}']
    if not found:
        raise errors.StepError(
            f'{application} has no secret labelled {label}: is it charm postgresql, and settled?'
        )
    content = world.juju.reveal_secret(found[0].id)
    missing = [name for name in REQUIRED if not content.get(f'{name}-password')]
    if missing:
        raise errors.StepError(
            f'secret {label} lacks {", ".join(f"{name}-password" for name in missing)}: '
            f'wait until {application} is settled, then try again'
        )
    return {
        name: content[f'{name}-password']
        for name in (*REQUIRED, *OPTIONAL)
        if content.get(f'{name}-password')
    }


def capture(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Seal the passwords into the repository, below the set's prefix.

    Run again, it seals again over what an earlier dispatch may have left: sealing is never equal
    twice, and the facts must fit the object that stays.
    """
    passwords = in_force(world, op.settings.postgresql)
    sealed = sealing.seal(op.id, world.model_uuid, passwords, op.settings.recipients)
    stored = world.maas_store.put(catalogue.sealed_key(op.id), sealed)
    entry = manifest.Object(
        key=stored.key,
        size=len(sealed),
        etag=stored.etag,
        sha256=hashlib.sha256(sealed).hexdigest(),
    )
    hashes = {name: sealing.hash_password(password) for name, password in passwords.items()}
    return step.Done({SEALED: entry.model_dump_json(by_alias=True), HASHES: json.dumps(hashes)})


def discard(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: a set that is not published keeps nobody's passwords."""
    world.maas_store.delete(catalogue.sealed_key(op.id))
    return step.Done()


def check_unchanged(op: operation.Operation, world: ports.World) -> None:
    """Make sure that the captured passwords are the ones that the database backup knows.

    Raises:
        StepError: somebody changed one since it was captured.
    """
    hashes: dict[str, str] = json.loads(op.fact(HASHES))
    now = in_force(world, op.settings.postgresql)
    changed = sorted(
        name
        for name in hashes.keys() | now.keys()
        if name not in hashes or name not in now or not sealing.matches(now[name], hashes[name])
    )
    if changed:
        raise errors.StepError(
            f'the passwords of {", ".join(changed)} changed while the backup ran, so those '
            'captured may not be those in the backup: run backup-all again'
        )
