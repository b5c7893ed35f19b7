"""The retention rules as they are configured; `retention` says what follows from them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Hashable, Mapping

from coordinator import errors, this

Period = Callable[[datetime.datetime], Hashable]
"""What the times of one period have in common."""
_PERIOD = 'period'


def _keep(period: Period) -> int:
    """Declare a rule that keeps the newest set of each of a number of periods."""
    return dataclasses.field(default=0, metadata={_PERIOD: period})


@dataclasses.dataclass(frozen=True)
class Policy:
    """How many sets each rule keeps; 0 turns a rule off. Without any rule every set is kept.

    The config option of the rule `daily` is `keep-daily`.
    """

    # Ids are unique times, so every set is a separate period.
    last: int = _keep(lambda time: time)
    daily: int = _keep(lambda time: time.date())
    # The year of an ISO week, which is not always that of the date.
    weekly: int = _keep(lambda time: time.isocalendar()[:2])
    monthly: int = _keep(lambda time: (time.year, time.month))
    yearly: int = _keep(lambda time: time.year)

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


PERIODS: Mapping[str, Period] = {
    f'keep-{field.name}': field.metadata[_PERIOD] for field in dataclasses.fields(Policy)
}
"""The period of each rule, by the name of its config option."""
NAMES = tuple(PERIODS)


def _count(rule: str, value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise errors.PreconditionError(
            f'{rule} is {str(value)[:40]!r}, but must be the number of backup sets to keep, '
            f'or 0 to turn the rule off: juju config {this.application()} {rule}=...'
        )
    return value
