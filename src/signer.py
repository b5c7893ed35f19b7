"""The key that signs backup sets: in a Juju secret of this application, which every unit can read.

What is written takes hold when the dispatch ends. So nothing is signed with a key that was made in
the same dispatch: if that is lost, so is the key.
"""

from __future__ import annotations

import ops

from coordinator import errors
from coordinator.sets import signing

LABEL = 'signing-key'
_PRIVATE, _FORMER = 'private-key', 'former-keys'


class Signer:
    """Answers for the port of the same name."""

    def __init__(self, model: ops.Model, app: ops.Application):
        self._model = model
        self._app = app
        self._content: dict[str, str] | None = None
        self._made = ''
        """Public key of a private one that this dispatch has made."""

    def keys(self) -> tuple[str, ...]:
        """Return the public keys that count, the current one first; none if there is no key."""
        content = self._read()
        if not content:
            return ()
        return (signing.public_key(content[_PRIVATE]), *content.get(_FORMER, '').split())

    def create(self) -> str:
        """Make a key unless there is one; return the public one."""
        keys = self.keys()
        if not keys and not self._made:
            private = signing.new_key()
            self._add({_PRIVATE: private})
            self._made = signing.public_key(private)
        return keys[0] if keys else self._made

    def _add(self, content: dict[str, str]) -> None:
        try:
            self._app.add_secret(
                content,
                label=LABEL,
                description='Signs backup sets. It never leaves this application.',
            )
        except ops.ModelError:
            # No `from`, as in `_read`.
            raise errors.TransientError(
                f'Juju did not store the secret {LABEL}: this unit may no longer be the leader'
            ) from None

    def rotate(self, *, forget_former: bool) -> tuple[str, ...]:
        """Replace the key; return the public keys that count from now on.

        Args:
            forget_former: whether the sets that former keys have signed no longer count as signed.

        Raises:
            PreconditionError: there is no key.
        """
        former = self.keys()
        if not former:
            raise errors.PreconditionError(
                'there is no signing key yet: show-signing-key makes it'
            )
        private = signing.new_key()
        kept = () if forget_former else former
        content = {_PRIVATE: private, **({_FORMER: ' '.join(kept)} if kept else {})}
        self._model.get_secret(label=LABEL).set_content(content)
        return (signing.public_key(private), *kept)

    def sign(self, purpose: str, digest: str) -> str:
        """Return a signature by the current key."""
        return signing.sign(self._read()[_PRIVATE], purpose, digest)

    def _read(self) -> dict[str, str]:
        """Return what the secret held when this dispatch first asked; empty if there is none."""
        if self._content is None:
            try:
                self._content = self._model.get_secret(label=LABEL).get_content(refresh=True)
            except ops.SecretNotFoundError:
                self._content = {}
            except ops.ModelError:
                # No `from`: whatever the cause says, it is about a secret.
                raise errors.TransientError(
                    f'the secret {LABEL} of {self._app.name} cannot be read: '
                    'juju debug-log says why'
                ) from None
        return self._content
