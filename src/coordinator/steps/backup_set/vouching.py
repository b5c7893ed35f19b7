"""Who vouches for a backup set: signs it here, and checks the signature before a restore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from coordinator import errors, ports, this
from coordinator.engine import settings, step
from coordinator.sets import documents, manifest, signing
from coordinator.steps import checking

ACCEPT_UNSIGNED = 'accept-unsigned'
"""Parameter: restore a set although no key that counts has signed it."""
_Document = TypeVar('_Document', bound='documents.Signed')


def signed(document: _Document, world: ports.World) -> _Document | step.Wait:
    """Return a document with a signature of this application; without a key, make one first."""
    keys = world.signer.keys()
    if not keys:
        # One that is lost with this dispatch must have signed nothing.
        world.signer.create()
        return step.Wait('the key that signs backup sets was created')
    return document.signed(keys[0], world.signer.sign(document.purpose, document.digest))


def accepted(config: settings.Settings, world: ports.World) -> tuple[str, ...]:
    """Return the public keys whose signatures count here: its own, and the trusted ones."""
    return (*world.signer.keys(), *config.trusted_signers)


def check(
    wanted: manifest.Manifest,
    parameters: Mapping[str, str],
    config: settings.Settings,
    world: ports.World,
) -> str | checking.Warned:
    """Make sure that a set has a signature that counts, or that it is asked for without one.

    Raises:
        StepError: it has none; or its signature does not hold, which nothing excuses.
    """
    state = wanted.standing(accepted(config, world))
    name = f'backup set {wanted.backup_id}'
    if state == signing.SIGNED and wanted.signature is not None:
        return f'signed with the key {signing.fingerprint(wanted.signature.key)}'
    if state == signing.BAD:
        raise errors.StepError(
            f'the signature of {name} does not hold: '
            'somebody changed the set after it was signed. '
            'Do not restore from it: list-backups shows the other sets'
        )
    why = _why(wanted, name)
    if not config.trusted_signers:
        return checking.Warned(
            f'{why}, so whoever can write to the bucket may have made or changed it'
        )
    if parameters.get(ACCEPT_UNSIGNED) == 'true':
        return checking.Warned(f'{why}, and {ACCEPT_UNSIGNED}=true accepts it')
    raise errors.StepError(
        f'{why}, and trusted-signers is set. Restore a set that list-backups shows as signed. '
        'If you know who made this one, add the public key of that coordinator (juju config '
        f'{this.application()} trusted-signers=...), or give {ACCEPT_UNSIGNED}=true'
    )


def _why(wanted: manifest.Manifest, name: str) -> str:
    if wanted.signature is None:
        return f'{name} is not signed'
    # Not the key itself: it would be copied from here instead of from who made the set.
    key = signing.fingerprint(wanted.signature.key)
    return f'{name} is signed with the key {key}, which is neither trusted nor of this coordinator'
