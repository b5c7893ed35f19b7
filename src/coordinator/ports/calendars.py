"""What schedules ask of systemd."""

from __future__ import annotations

import datetime
from typing import Protocol


class Calendars(Protocol):
    """Works out the times of calendar expressions."""

    def normal(self, text: str) -> str:
        """Return an expression as systemd writes it, with its time zone.

        Raises:
            PreconditionError: systemd does not understand it.
            TransientError: systemd does not answer.
        """
        ...

    def after(
        self, calendar: str, moment: datetime.datetime, count: int = 1
    ) -> list[datetime.datetime]:
        """Return the next times after a moment; fewer if there are no more.

        Raises:
            TransientError: systemd does not answer.
        """
        ...
