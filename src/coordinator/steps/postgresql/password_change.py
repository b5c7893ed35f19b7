"""Gives PostgreSQL the passwords that a restored database expects, and takes them back."""

from __future__ import annotations

from collections.abc import Mapping

from coordinator import errors, ports, this
from coordinator.engine import operation, step
from coordinator.record import repository
from coordinator.sets import catalogue, manifest, sealing
from coordinator.steps import site
from coordinator.steps.backup_set import chosen_set
from coordinator.steps.postgresql import passwords

OPTION = 'system-users'
OPTION_BEFORE = 'system-users-before'
_BEFORE_LABEL = 'maas-backup-coordinator: system users before restore {}'
_LABEL = 'maas-backup-coordinator: system users of backup set {}'


def unsealed(
    found: manifest.Manifest, reference: str, world: ports.World, store: ports.ObjectStore
) -> dict[str, str]:
    """Open the set's passwords with an identity that a user secret holds.

    Args:
        found: the set.
        reference: URI of the user secret that holds the identity; '' when none was given.
        world: to read the secret.
        store: the repository that the set is in.

    Raises:
        StepError: there is no identity, or it does not open this set's passwords.
    """
    if not reference:
        raise errors.StepError(
            'the current passwords are not those of the set, so the restore needs the identity: '
            'juju add-secret backup-identity identity#file=backup-identity.txt, '
            f'juju grant-secret backup-identity {this.application()}, '
            'and give identity=secret:<id>'
        )
    identity = world.secret(reference).get('identity', '')
    if not identity:
        raise errors.StepError(
            f'{reference} has no key named identity: it must contain an age identity'
        )
    sealed = store.get(catalogue.sealed_key(found.backup_id))
    opened = sealing.unseal(sealed, identity, found.backup_id)
    hashes = found.passwords.hashes
    if opened.keys() != hashes.keys() or passwords.differing(hashes, opened):
        raise errors.StepError(
            f'the sealed passwords of backup set {found.backup_id} are not those of its manifest: '
            'one of them was swapped with another, so do not restore from this set'
        )
    return opened


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember what `system-users` was set to."""
    if OPTION_BEFORE in op.facts:
        return step.Mark()
    config = world.juju.config(op.settings.postgresql)
    return step.Mark(facts={OPTION_BEFORE: str(config.get(OPTION, ''))})


def apply(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Give PostgreSQL the set's passwords, which the restored database expects.

    They go from the sealed file into a user secret of Juju and nowhere else. Those in force are
    kept in another one until the restore is over, to go back.
    """
    app, found = op.settings.postgresql, chosen_set.of(op)
    current = passwords.in_force(world, app)
    if not passwords.differing(found.passwords.hashes, current):
        settling = site.settling(op, site.look(world, app), site.ANOTHER_CLUSTER)
        return settling or step.Done()
    before = _BEFORE_LABEL.format(op.id)
    if not _user_secret(world, before):
        world.juju.create_secret(before, current, 'Removed when the restore has ended.')
        return step.Wait('the current passwords were saved for an undo')
    label = _LABEL.format(found.backup_id)
    reference = op.parameters.get('identity', '')
    return _give(world, app, label, unsealed(found, reference, world, repository.of(op, world)))


def _give(world: ports.World, app: str, label: str, content: Mapping[str, str]) -> step.Wait:
    """Let PostgreSQL take its passwords from a user secret, one effect at a time."""
    secret = _user_secret(world, label)
    if not secret:
        world.juju.create_secret(label, content, f'Config option {OPTION} of {app} uses it.')
        return step.Wait(f'the secret with the passwords for {app} was made')
    uri = f'secret:{secret}'
    if world.juju.config(app).get(OPTION) == uri:
        return step.Wait(f'{app} is taking its passwords from {uri}')
    # Granting raises no event, so it comes before the option; granting twice is no error.
    world.juju.grant_secret(secret, app)
    world.juju.set_config(app, {OPTION: uri})
    return step.Wait(f'{app} was set to take its passwords from {uri}')


def take_back(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: give PostgreSQL the passwords that were in force, and its option as it was."""
    app = op.settings.postgresql
    aside = _user_secret(world, _BEFORE_LABEL.format(op.id))
    if not aside:
        return step.Done()
    former = world.juju.reveal_secret(aside)
    # Additional users of the set remain in PostgreSQL's secret, which does no harm.
    if not former.items() <= passwords.in_force(world, app).items():
        return _give(world, app, _BEFORE_LABEL.format(op.id), former)
    before = op.fact(OPTION_BEFORE)
    if str(world.juju.config(app).get(OPTION, '')) != before:
        if before:
            world.juju.set_config(app, {OPTION: before})
        else:
            world.juju.reset_config(app, [OPTION])
        return step.Wait(f'{OPTION} of {app} has its former value again')
    # Not the parameter, which may be `latest`.
    of_the_set = _user_secret(world, _LABEL.format(chosen_set.of(op).backup_id))
    if of_the_set and before != f'secret:{of_the_set}':
        world.juju.remove_secret(of_the_set)
        return step.Wait('the secret with the passwords of the set is removed')
    return forget(op, world)


def remains(op: operation.Operation) -> list[str]:
    """Return which secrets are in the model when an operation ends as it is."""
    if OPTION_BEFORE not in op.facts:
        return []
    app, before = op.settings.postgresql, op.fact(OPTION_BEFORE) or '""'
    labels = (_BEFORE_LABEL.format(op.id), _LABEL.format(chosen_set.of(op).backup_id))
    return [
        f'{app} may still use the passwords of the set; to set the former value: juju config '
        f'{app} {OPTION}={before}',
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
