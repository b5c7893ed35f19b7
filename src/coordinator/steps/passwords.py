"""Steps on PostgreSQL's system users: a restored database expects the passwords it knew."""

from __future__ import annotations

from collections.abc import Mapping

from coordinator import errors, ports, this
from coordinator.engine import facts, operation, step
from coordinator.record import repository
from coordinator.sets import catalogue, manifest, sealing
from coordinator.steps import beside, claiming, site

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
    if op.record('capture-secrets').state in (operation.TO_DO, operation.UNDONE):
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
            f'the passwords of {", ".join(changed)} changed while the backup ran, so those '
            'captured may not be those in the backup: run backup-all again'
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


# --- For a restore ---------------------------------------------------------------------------

OPTION = 'system-users'
OPTION_BEFORE = 'system-users-before'
_BEFORE_LABEL = 'maas-backup-coordinator: system users before restore {}'
_LABEL = 'maas-backup-coordinator: system users of backup set {}'


def unsealed(
    found: manifest.Manifest, identity: str, world: ports.World, store: ports.ObjectStore
) -> dict[str, str]:
    """Open the set's passwords with an identity that a user secret holds.

    Args:
        found: the set.
        identity: URI of the user secret, key `identity`; empty when none was given.
        world: to read the secret.
        store: the repository that the set is in.

    Raises:
        StepError: there is no identity, or it does not open this set's passwords.
    """
    if not identity:
        raise errors.StepError(
            'the current passwords are not those of the set, so the restore needs the identity: '
            'juju '
            'add-secret backup-identity identity#file=backup-identity.txt, juju grant-secret '
            f'backup-identity {this.application()}, and give identity=secret:<id>'
        )
    text = world.secret(identity).get('identity', '')
    if not text:
        raise errors.StepError(
            f'{identity} has no key named identity: it must contain an age identity'
        )
    sealed = store.get(catalogue.sealed_key(found.backup_id))
    opened = sealing.unseal(sealed, text, found.backup_id)
    hashes = found.passwords.hashes
    if opened.keys() != hashes.keys() or differing(hashes, opened):
        raise errors.StepError(
            f'the sealed passwords of backup set {found.backup_id} are not those of its manifest: '
            'one of them was swapped with another, so do not restore from this set'
        )
    return opened


def mark_apply(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember what `system-users` was set to."""
    if OPTION_BEFORE in op.facts:
        return step.Mark()
    config = world.juju.config(op.settings.postgresql)
    return step.Mark(facts={OPTION_BEFORE: str(config.get(OPTION, ''))})


def apply(
    op: operation.Operation, world: ports.World, found: manifest.Manifest, store: ports.ObjectStore
) -> step.Outcome:
    """Give PostgreSQL the set's passwords, which the restored database expects.

    They go from the sealed file into a user secret of Juju and nowhere else. Those in force are
    kept in another one until the restore is over, to go back.
    """
    app = op.settings.postgresql
    current = in_force(world, app)
    if not differing(found.passwords.hashes, current):
        settling = site.settling(op, site.look(world, app), site.ANOTHER_CLUSTER)
        return settling or step.Done()
    before = _BEFORE_LABEL.format(op.id)
    if not _user_secret(world, before):
        world.juju.create_secret(before, current, 'Removed when the restore has ended.')
        return step.Wait('the current passwords were saved for an undo')
    label = _LABEL.format(found.backup_id)
    passwords = unsealed(found, op.parameters.get('identity', ''), world, store)
    return _give(world, app, label, passwords)


def _give(world: ports.World, app: str, label: str, passwords: Mapping[str, str]) -> step.Wait:
    """Let PostgreSQL take its passwords from a user secret, one effect at a time."""
    secret = _user_secret(world, label)
    if not secret:
        world.juju.create_secret(label, passwords, f'Config option {OPTION} of {app} uses it.')
        return step.Wait(f'the secret with the passwords for {app} was made')
    uri = f'secret:{secret}'
    if world.juju.config(app).get(OPTION) == uri:
        return step.Wait(f'{app} is taking its passwords from {uri}')
    # Granting raises no event, so it comes before the option; granting twice is no error.
    world.juju.grant_secret(secret, app)
    world.juju.set_config(app, {OPTION: uri})
    return step.Wait(f'{app} was set to take its passwords from {uri}')


def take_back(op: operation.Operation, world: ports.World, backup_id: str) -> step.Outcome:
    """Undo: give PostgreSQL the passwords that were in force, and its option as it was.

    Args:
        op: the operation.
        world: that it works on.
        backup_id: of the set whose passwords were given.
    """
    app = op.settings.postgresql
    aside = _user_secret(world, _BEFORE_LABEL.format(op.id))
    if not aside:
        return step.Done()
    former = world.juju.reveal_secret(aside)
    # Additional users of the set remain in PostgreSQL's secret, which does no harm.
    if not former.items() <= in_force(world, app).items():
        return _give(world, app, _BEFORE_LABEL.format(op.id), former)
    before = op.fact(OPTION_BEFORE)
    if str(world.juju.config(app).get(OPTION, '')) != before:
        if before:
            world.juju.set_config(app, {OPTION: before})
        else:
            world.juju.reset_config(app, [OPTION])
        return step.Wait(f'{OPTION} of {app} has its former value again')
    of_the_set = _user_secret(world, _LABEL.format(backup_id))
    if of_the_set and before != f'secret:{of_the_set}':
        world.juju.remove_secret(of_the_set)
        return step.Wait('the secret with the passwords of the set is removed')
    return forget(op, world)


def remains(op: operation.Operation, backup_id: str) -> list[str]:
    """Return which secrets are in the model when an operation that began this ends as it is."""
    app, before = op.settings.postgresql, op.fact(OPTION_BEFORE) or '""'
    labels = (_BEFORE_LABEL.format(op.id), _LABEL.format(backup_id))
    return [
        f'{app} may take its passwords from a secret of the set, before it was: juju config {app} '
        f'{OPTION}={before}',
        *(f'secret "{x}" may be left: juju secrets, juju remove-secret' for x in labels),
    ]


def forget(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Delete the passwords that were saved for an undo, which is no longer possible."""
    aside = _user_secret(world, _BEFORE_LABEL.format(op.id))
    if aside:
        world.juju.remove_secret(aside)
    return step.Done()


def _user_secret(world: ports.World, label: str) -> str:
    owner = f'model-{world.model_uuid}'
    return next((s.id for s in world.juju.secrets(label) if s.owner == owner), '')
