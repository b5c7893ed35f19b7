"""The actions on the key that signs backup sets."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import ops

from actions import base as action_base
from coordinator import errors
from coordinator.sets import signing


@dataclasses.dataclass(frozen=True)
class ShowSigningKey:
    """Parameters of show-signing-key."""


@dataclasses.dataclass(frozen=True)
class RotateSigningKey:
    """Parameters of rotate-signing-key."""

    forget_former: bool = False


class SigningActions(action_base.ActionBase):
    """Handles show-signing-key, on any unit once there is a key, and rotate-signing-key."""

    def __init__(self, charm: ops.CharmBase, desk: action_base.Desk):
        super().__init__(charm, desk)
        self.admit('show-signing-key', ShowSigningKey, self._show)
        self.admit('rotate-signing-key', RotateSigningKey, self._rotate, leader=True)

    def _show(self, _: ShowSigningKey) -> action_base.Results:
        """Show the public keys; the leader makes a key if there is none."""
        keys, listed = self.given.signer.keys(), self._listed()
        if keys:
            return self._told(keys, listed)
        if not self.given.unit.is_leader():
            raise errors.PreconditionError(
                'there is no signing key yet: '
                f'create it with juju run {self.app}/leader show-signing-key'
            )
        return self._told((self.given.signer.create(),), listed)

    def _rotate(self, params: RotateSigningKey) -> action_base.Results:
        """Replace the key; the command that is shown trusts no key that is forgotten."""
        # Before the key is replaced, as the option may be wrong.
        listed, before = self._listed(), self.given.signer.keys()
        keys = self.given.signer.rotate(forget_former=params.forget_former)
        forgotten = set(before) - set(keys)
        told = self._told(keys, [key for key in listed if key not in forgotten])
        return {**told, 'next': 'set trusted-signers again in every model that lists the old key'}

    def _listed(self) -> Sequence[str]:
        return signing.signers(str(self.given.config.get('trusted-signers') or ''))

    def _told(self, keys: Sequence[str], listed: Sequence[str]) -> dict[str, str]:
        """Return what an operator needs of public keys, the current one first."""
        current, *former = keys
        trusted = signing.option([*keys, *listed])
        return {
            'public-key': current,
            'fingerprint': signing.fingerprint(current),
            **({'former-keys': ' '.join(former)} if former else {}),
            'trust': f'juju config {self.app} trusted-signers={trusted}',
        }
