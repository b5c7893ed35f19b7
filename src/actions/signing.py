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
        keys = self.given.signer.keys()
        if keys:
            return self._told(keys)
        if not self.given.unit.is_leader():
            raise errors.PreconditionError(
                'there is no signing key yet: '
                f'create it with juju run {self.app}/leader show-signing-key'
            )
        return self._told((self.given.signer.create(),))

    def _rotate(self, params: RotateSigningKey) -> action_base.Results:
        """Replace the key."""
        told = self._told(self.given.signer.rotate(forget_former=params.forget_former))
        return {**told, 'next': 'set trusted-signers again in every model that lists the old key'}

    def _told(self, keys: Sequence[str]) -> dict[str, str]:
        """Return what an operator needs of public keys, the current one first."""
        current, *former = keys
        listed = signing.signers(str(self.given.config.get('trusted-signers') or ''))
        trusted = signing.option([*keys, *listed])
        return {
            'public-key': current,
            'fingerprint': signing.fingerprint(current),
            **({'former-keys': ' '.join(former)} if former else {}),
            'trust': f'juju config {self.app} trusted-signers={trusted}',
        }
