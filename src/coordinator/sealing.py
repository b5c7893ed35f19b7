"""Passwords in, age file out, and back; and hashes that compare without telling.

age (https://age-encryption.org) seals for any number of X25519 recipients; only an identity of
one of them opens. The coordinator holds recipients only, so a thief of its unit opens nothing.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence

import pyrage

from coordinator import errors

_SCRYPT = {'n': 1 << 14, 'r': 8, 'p': 1}


def check_recipients(recipients: Sequence[str]) -> None:
    """Refuse what is no age X25519 recipient.

    Raises:
        PreconditionError: there is none, or one does not parse; it is named by its position,
            as what was pasted by mistake may be a private key.
    """
    if not recipients:
        raise errors.PreconditionError(
            'no recipients: make a key pair with age-keygen, keep the identity somewhere safe, '
            'and run juju config maas-backup-coordinator recipients=age1...'
        )
    for position, text in enumerate(recipients, start=1):
        if text.upper().startswith('AGE-SECRET-KEY-'):
            raise errors.PreconditionError(
                f'recipient {position} is a secret key: take it out of the config, make a new '
                'pair, and give the public key (age1...) only'
            )
        try:
            pyrage.x25519.Recipient.from_str(text)
        except pyrage.RecipientError:
            raise errors.PreconditionError(
                f'recipient {position} is no age X25519 public key (age1...): correct it with '
                'juju config maas-backup-coordinator recipients=...'
            ) from None


def seal(
    backup_id: str, model_uuid: str, passwords: Mapping[str, str], to: Sequence[str]
) -> bytes:
    """Return an age file with the passwords, bound to their backup set by its id.

    Args:
        backup_id: the set that the passwords belong to; a swapped file is found out by it.
        model_uuid: the model that they come from.
        passwords: system user (`operator`, `replication`, ...) to password.
        to: age X25519 recipients.
    """
    content = {
        'version': 1,
        'backup-id': backup_id,
        'model-uuid': model_uuid,
        'passwords': dict(passwords),
    }
    keys = [pyrage.x25519.Recipient.from_str(text) for text in to]
    return pyrage.encrypt(json.dumps(content).encode(), keys)


def unseal(sealed: bytes, identity: str, backup_id: str) -> dict[str, str]:
    """Open what `seal` made.

    Raises:
        StepError: the identity does not fit, or the file is not of this backup set.
    """
    try:
        key = pyrage.x25519.Identity.from_str(identity.strip())
        content = json.loads(pyrage.decrypt(sealed, [key]))
        passwords: dict[str, str] = content['passwords']
        owner = content['backup-id']
    except (pyrage.IdentityError, pyrage.DecryptError, ValueError, KeyError, TypeError):
        # No `from`: whatever the cause holds, it must not reach a log.
        raise errors.StepError(
            f'the identity does not open the passwords of backup set {backup_id}: use one whose '
            "recipient is named in the set's manifest"
        ) from None
    if owner != backup_id:
        raise errors.StepError(
            f'the sealed passwords of backup set {backup_id} are those of {owner}: '
            'the file was exchanged, do not restore from this set'
        )
    return passwords


def hash_password(password: str) -> str:
    """Return `scrypt$<salt>$<hash>`: it tells whether a password is the same, and nothing else."""
    salt = os.urandom(16)
    return f'scrypt${_b64(salt)}${_b64(_scrypt(password, salt))}'


def matches(password: str, hashed: str) -> bool:
    """Whether this is the password of a hash that `hash_password` made."""
    scheme, _, rest = hashed.partition('$')
    salt, _, digest = rest.partition('$')
    if scheme != 'scrypt':
        return False
    return hmac.compare_digest(_scrypt(password, base64.b64decode(salt)), base64.b64decode(digest))


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, dklen=32, **_SCRYPT)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
