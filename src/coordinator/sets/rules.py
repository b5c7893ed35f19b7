"""The retention rules as they are configured; `retention` says what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from coordinator import errors, this

NAMES = ('keep-last', 'keep-daily', 'keep-weekly', 'keep-monthly', 'keep-yearly')
"""Names of the config options."""


@dataclasses.dataclass(frozen=True)
class Policy:
    """How many sets each rule keeps; 0 turns a rule off. Without any rule every set stays."""

    last: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> Policy:
        """Read the charm's config.

        Raises:
            PreconditionError: an option has no usable value; says which and what to set.
        """
        return cls(*(_count(rule, config.get(rule, 0)) for rule in NAMES))

    def to_dict(self) -> dict[str, int]:
        """Return what JSON can hold: the rules that are on."""
        return dict(self.rules)

    @classmethod
    def from_dict(cls, raw: Mapping[str, int]) -> Policy:
        """Read what `to_dict` made; unknown rules are ignored, missing ones are off."""
        return cls(*(raw.get(rule, 0) for rule in NAMES))

    @property
    def rules(self) -> Mapping[str, int]:
        """The rules that are on, with their numbers."""
        counts = zip(NAMES, dataclasses.astuple(self), strict=True)
        return {rule: count for rule, count in counts if count > 0}

    def __str__(self) -> str:
        """Return it as it is configured."""
        return ' '.join(f'{rule}={count}' for rule, count in self.rules.items()) or (
            'no rule is set'
        )


def _count(rule: str, value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise errors.PreconditionError(
            f'{rule} is {str(value)[:40]!r}, it takes the number of backup sets to keep, 0 turns '
            f'it off: juju config {this.application()} {rule}=...'
        )
    return value
