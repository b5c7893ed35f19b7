"""Times of schedules without systemd: `every N` means every N minutes since 1970."""

from __future__ import annotations

import datetime

from coordinator import errors


class FakeCalendars:
    """Works out the times of `every <minutes>`, `once <stamp>` and nothing else."""

    def __init__(self) -> None:
        self.silent = False
        """Whether the program does not answer."""
        self.asked = 0

    def normal(self, text: str) -> str:
        self._answer()
        if not text.startswith(('every ', 'once ')):
            raise errors.PreconditionError(
                f"systemd does not understand it: Failed to parse calendar specification '{text}'"
            )
        return text

    def after(
        self, calendar: str, moment: datetime.datetime, count: int = 1
    ) -> list[datetime.datetime]:
        self._answer()
        word, _, value = calendar.partition(' ')
        if word == 'once':
            time = datetime.datetime.fromisoformat(value)
            return [time] if time > moment else []
        every = int(float(value) * 60)
        first = (int(moment.timestamp()) // every + 1) * every
        return [
            datetime.datetime.fromtimestamp(first + number * every, datetime.UTC)
            for number in range(count)
        ]

    def _answer(self) -> None:
        self.asked += 1
        if self.silent:
            raise errors.TransientError('systemd-analyze does not answer')
