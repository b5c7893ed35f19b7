"""Signatures of documents in the repository, with Ed25519.

A signature is of a purpose and a digest, so that none of a document of one kind is good for one
of another kind. Keys are text, as options, manifests and people hold them.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Collection, Iterable, Sequence

from coordinator import errors, this
from coordinator.sets import ed25519

SIGNED, OTHER_KEY, UNSIGNED, BAD = 'signed', 'other key', 'unsigned', 'bad signature'
"""What a signature can be: SIGNED is by a key that counts."""
MOST_SIGNERS = 16
"""An operation carries them in its record, which is small."""
_KIND = 'ed25519:'
_KEY = re.compile(rf'{_KIND}[A-Za-z0-9+/]{{43}}=')
_KEY_BYTES = 32


def new_key() -> str:
    """Return a new private key, in Base64."""
    return _text(ed25519.new_key())


def public_key(private: str) -> str:
    """Return the public key of a private one, as `ed25519:<Base64>`."""
    return _KIND + _text(ed25519.public_key(base64.b64decode(private)))


def sign(private: str, purpose: str, digest: str) -> str:
    """Return the signature of a document, in Base64.

    Args:
        private: key.
        purpose: kind of document that it is good for.
        digest: SHA-256 of what the document says, in hexadecimal digits.
    """
    return _text(ed25519.sign(base64.b64decode(private), _message(purpose, digest)))


def holds(public: str, purpose: str, digest: str, signature: str) -> bool:
    """Whether a signature is of this document, by the owner of this key."""
    try:
        raw = base64.b64decode(_checked(public).removeprefix(_KIND), validate=True)
        value = base64.b64decode(signature, validate=True)
        return ed25519.holds(raw, _message(purpose, digest), value)
    except ValueError:
        return False


def judge(
    public: str, purpose: str, digest: str, signature: str, accepted: Collection[str]
) -> str:
    """Return SIGNED, OTHER_KEY or BAD of a document that has a signature.

    Args:
        public: key that the document names.
        purpose: kind of document that it is.
        digest: SHA-256 of what it says.
        signature: that it has.
        accepted: the keys that count.
    """
    if not holds(public, purpose, digest, signature):
        return BAD
    return SIGNED if public in accepted else OTHER_KEY


def fingerprint(public: str) -> str:
    """Return what people compare of a key, as `1a2b-3c4d-5e6f-7a8b`."""
    digits = hashlib.sha256(public.encode()).hexdigest()[:16]
    return '-'.join(digits[at : at + 4] for at in range(0, len(digits), 4))


def signers(text: str) -> tuple[str, ...]:
    """Return the public keys that the option `trusted-signers` lists.

    Raises:
        PreconditionError: one is not a public key; it is named by its position, as what was pasted
            by mistake may be a secret.
    """
    listed = _listed(text)
    if len(listed) > MOST_SIGNERS:
        raise errors.PreconditionError(
            f'trusted-signers lists {len(listed)} keys, but at most {MOST_SIGNERS} are allowed: '
            f'juju config {this.application()} trusted-signers=...'
        )
    for position, key in enumerate(listed, start=1):
        try:
            _checked(key)
        except ValueError:
            raise errors.PreconditionError(
                f'key {position} of trusted-signers is not a public key (ed25519:...): '
                f'correct it with juju config {this.application()} trusted-signers=..., '
                'show-signing-key prints the key of a coordinator'
            ) from None
    return tuple(listed)


def option(keys: Iterable[str]) -> str:
    """Return the value of the option that lists these keys."""
    return ','.join(dict.fromkeys(keys))


def _listed(text: str) -> Sequence[str]:
    return list(dict.fromkeys(filter(None, re.split(r'[\s,]+', text))))


def _checked(key: str) -> str:
    """Return a public key if its text is the only one that this key has; else ValueError."""
    raw = base64.b64decode(key.removeprefix(_KIND), validate=True)
    if not _KEY.fullmatch(key) or len(raw) != _KEY_BYTES or key != _KIND + _text(raw):
        raise ValueError('is not a public key')
    return key


def _message(purpose: str, digest: str) -> bytes:
    return f'maas-backup-coordinator {purpose} {digest}'.encode()


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
