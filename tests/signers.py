"""Keys that sign backup sets, in memory: kept once a dispatch has ended, as Juju does."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
from collections.abc import Sequence

from coordinator.sets import signing


@dataclasses.dataclass
class Secret:
    """What Juju keeps for an application: its private keys, the current one first."""

    application: str = 'maas-backup-coordinator'
    private: list[str] = dataclasses.field(default_factory=list[str])
    drawn: list[str] = dataclasses.field(default_factory=list[str])
    """All private keys that there ever were, kept or not."""

    def draw(self) -> str:
        """Return a new private key, the same in every run of a test."""
        seed = hashlib.sha256(f'{self.application} {len(self.drawn)}'.encode()).digest()
        self.drawn.append(base64.b64encode(seed).decode())
        return self.drawn[-1]


class Signer:
    """Signs as one dispatching unit; `commit` and `lose` end its dispatch."""

    def __init__(self, secret: Secret):
        self._secret = secret
        self._made = ''

    def keys(self) -> Sequence[str]:
        return [signing.public_key(private) for private in self._secret.private]

    def create(self) -> str:
        if self._secret.private:
            return self.keys()[0]
        self._made = self._made or self._secret.draw()
        return signing.public_key(self._made)

    def sign(self, purpose: str, digest: str) -> str:
        # The charm could sign with a key that it has just made.
        private = self._secret.private or [self._made]
        return signing.sign(private[0], purpose, digest)

    @property
    def pending(self) -> bool:
        """Whether the dispatch has made what is not kept yet."""
        return bool(self._made)

    def rotate(self) -> None:
        """Replace the key, as an operator does."""
        self._secret.private.insert(0, self._secret.draw())

    def commit(self) -> None:
        """Keep what was made: the dispatch has ended."""
        if self._made and not self._secret.private:
            self._secret.private.append(self._made)
        self._made = ''

    def lose(self) -> None:
        """Keep nothing: the dispatch was killed."""
        self._made = ''


def with_key(application: str) -> Signer:
    """Return what signs with the key that an application has had for long."""
    signer = Signer(Secret(application))
    signer.create()
    signer.commit()
    return signer
