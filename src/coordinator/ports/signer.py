"""What signs backup sets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from coordinator.ports.effects import effect


class Signer(Protocol):
    """Signs with this application's own key, which it gives nobody."""

    def keys(self) -> Sequence[str]:
        """Return the public keys: the one of the key that signs, and former ones that count.

        None while there is no key that outlives this dispatch.

        Raises:
            TransientError: the key cannot be read just now.
        """
        ...

    @effect
    def create(self) -> str:
        """Make the key, and return the public one. It is kept once the dispatch has ended.

        Only the leader can. A key that exists is left as it is.

        Raises:
            TransientError: Juju does not store it.
        """
        ...

    def sign(self, purpose: str, digest: str) -> str:
        """Return a signature by the first of `keys`, as `sets.signing.sign` does."""
        ...
