"""Times of schedules, as systemd reads calendar expressions: its own program works them out.

An expression without a time zone means UTC, whatever the machine's zone is. A time that a change
to daylight saving time skips is no time of that day, as for systemd's timers.
"""

from __future__ import annotations

import datetime
import os
import re
import subprocess

from coordinator import errors, plain

_PROGRAM = 'systemd-analyze'
_SECONDS = 20
_LONGEST = 200
"""Characters of an expression."""
_NORMAL = 'Normalized form:'
_ELAPSE = re.compile(r'\s*(?:Next elapse|Iter\S* #\d+):.* (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)\S* UTC')


class Calendars:
    """Asks `systemd-analyze calendar`."""

    def normal(self, text: str) -> str:
        """Return an expression as systemd writes it, with its time zone.

        Raises:
            PreconditionError: systemd does not understand it; says what systemd says.
            TransientError: the program does not answer.
        """
        if len(text) > _LONGEST or not text.isprintable():
            raise errors.PreconditionError(
                f'it is longer than {_LONGEST} characters, or has several lines'
            )
        answer = self._ask('--iterations=1', '--', text)
        if answer.returncode:
            said = plain.one_line(answer.stderr, _LONGEST)
            raise errors.PreconditionError(f'systemd does not understand it: {said}')
        lines = [line.strip() for line in answer.stdout.splitlines()]
        normal = next((line for line in lines if line.startswith(_NORMAL)), '')
        found = normal.removeprefix(_NORMAL).strip()
        if not found:
            raise errors.TransientError(f'{_PROGRAM} calendar shows no normalised expression')
        # No name of a time zone has a colon, and each time has.
        return f'{found} UTC' if ':' in found.split()[-1] else found

    def after(
        self, calendar: str, moment: datetime.datetime, count: int = 1
    ) -> list[datetime.datetime]:
        """Return the next times after a moment; fewer if there are no more.

        Raises:
            TransientError: the program does not answer.
        """
        base = f'--base-time=@{int(moment.timestamp())}'
        answer = self._ask(base, f'--iterations={count}', '--', calendar)
        if answer.returncode:
            raise errors.TransientError(
                f'{_PROGRAM} calendar: {plain.one_line(answer.stderr, _LONGEST)}'
            )
        found = (_ELAPSE.match(line) for line in answer.stdout.splitlines())
        times = [
            datetime.datetime.fromisoformat(match[1]).replace(tzinfo=datetime.UTC)
            for match in found
            if match
        ]
        return [time for time in times if time > moment]

    def _ask(self, *words: str) -> subprocess.CompletedProcess[str]:
        try:
            return subprocess.run(
                (_PROGRAM, 'calendar', *words),
                env={**os.environ, 'TZ': 'UTC', 'LC_ALL': 'C'},
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise errors.TransientError(f'{_PROGRAM} does not answer: {error}') from None
