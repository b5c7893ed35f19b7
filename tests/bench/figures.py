"""Numbers with their unit, and the aim beside them."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Figure:
    """One thing that was measured, once or several times."""

    name: str
    unit: str
    values: Sequence[float]
    aim: str = ''
    """What it should be; empty when nothing was promised."""
    digits: int = 2
    more_is_better: bool = False

    def __str__(self) -> str:
        aim = f'aim: {self.aim}' if self.aim else ''
        return f'{self.name:<58} {self._measured():<46} {aim}'.rstrip()

    def _measured(self) -> str:
        if not self.values:
            return 'nothing was measured'
        worst_of = min if self.more_is_better else max
        median, worst = (
            f'{number:.{self.digits}f} {self.unit}'.rstrip()
            for number in (statistics.median(self.values), worst_of(self.values))
        )
        if len(self.values) == 1:
            return median
        return f'median {median}, worst {worst}, of {len(self.values)}'
