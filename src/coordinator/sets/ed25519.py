"""Ed25519, on bytes. The only module that loads the library, which most dispatches never need."""

from __future__ import annotations

from cryptography import exceptions
from cryptography.hazmat.primitives.asymmetric import ed25519


def new_key() -> bytes:
    """Return a new private key, 32 bytes."""
    return ed25519.Ed25519PrivateKey.generate().private_bytes_raw()


def public_key(private: bytes) -> bytes:
    """Return the public key of a private one, 32 bytes."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(private)
    return key.public_key().public_bytes_raw()


def sign(private: bytes, message: bytes) -> bytes:
    """Return a signature, 64 bytes."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(private).sign(message)


def holds(public: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature is of this message, by the owner of this key.

    Raises:
        ValueError: no public key has these bytes.
    """
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except exceptions.InvalidSignature:
        return False
    return True
