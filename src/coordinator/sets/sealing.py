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

from coordinator import errors, this

COST = 1 << 14
"""scrypt's n: 16 MiB and some 50 ms for each guess, and for each of our own few comparisons."""


def check_recipients(recipients: Sequence[str]) -> None:
    """Refuse what is no age X25519 recipient.

    Raises:
        PreconditionError: there is none, or one does not parse; it is named by its position,
            as what was pasted by mistake may be a private key.
    """
    if not recipients:
        raise errors.PreconditionError(
            'no recipients: create a key pair with age-keygen, '
            f'keep the identity in a safe place, and run juju config {this.application()} '
            'recipients=age1...'
        )
    for position, text in enumerate(recipients, start=1):
        if text.upper().startswith('AGE-SECRET-KEY-'):
            raise errors.PreconditionError(
                f'recipient {position} is a secret key: remove it from the option, '
                'create a new key pair, and set only the public key (age1...)'
            )
        try:
            pyrage.x25519.Recipient.from_str(text)
        except pyrage.RecipientError:
            raise errors.PreconditionError(
                f'recipient {position} is not an age X25519 public key (age1...): '
                f'correct it with juju config {this.application()} recipients=...'
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
    return seal_content(json.dumps(content).encode(), to)


def seal_content(content: bytes, to: Sequence[str]) -> bytes:
    """Return an age file with any content, for age X25519 recipients."""
    return pyrage.encrypt(content, [pyrage.x25519.Recipient.from_str(text) for text in to])


def unseal_content(sealed: bytes, identity: str) -> bytes | None:
    """Open what `seal_content` made; None if the identity does not.

    An error raised in the `except` would carry the one that it handles, `from None` or not.
    """
    try:
        return pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity.strip())])
    except (pyrage.IdentityError, pyrage.DecryptError):
        return None


def unseal(sealed: bytes, identity: str, backup_id: str) -> dict[str, str]:
    """Open what `seal` made.

    Raises:
        StepError: the identity does not fit, or the file is not of this backup set.
    """
    opened = _opened(sealed, identity)
    if opened is None:
        raise errors.StepError(
            f'the identity does not decrypt the passwords of backup set {backup_id}: '
            'use one whose '
            "recipient is named in the set's manifest"
        )
    owner, passwords = opened
    if owner != backup_id:
        raise errors.StepError(
            f'the sealed passwords of backup set {backup_id} are those of {owner}: '
            'the file was swapped with another, so do not restore from this set'
        )
    return passwords


def _opened(sealed: bytes, identity: str) -> tuple[str, dict[str, str]] | None:
    """Return backup id and passwords, or None.

    A JSON error holds the whole text that it is about, so none is passed on.
    """
    plaintext = unseal_content(sealed, identity)
    if plaintext is None:
        return None
    try:
        content = json.loads(plaintext)
        passwords = {str(user): str(word) for user, word in content['passwords'].items()}
        return str(content['backup-id']), passwords
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        # Anybody can seal anything for a recipient.
        return None


def hash_password(password: str) -> str:
    """Return `scrypt$<salt>$<hash>`: it tells whether a password is the same, and nothing else."""
    salt = os.urandom(16)
    return f'scrypt${_b64(salt)}${_b64(_scrypt(password, salt))}'


def matches(password: str, hashed: str) -> bool:
    """Whether this is the password of a hash that `hash_password` made."""
    scheme, _, rest = hashed.partition('$')
    try:
        salt, digest = (base64.b64decode(part) for part in rest.split('$'))
    except ValueError:
        return False
    return scheme == 'scrypt' and hmac.compare_digest(_scrypt(password, salt), digest)


def _scrypt(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=COST, r=8, p=1, dklen=32)


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
