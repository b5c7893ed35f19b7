"""How long steps took that waited for another charm's task: it says when to look again.

It is a hint on this unit's own disk, and nothing but the pause between two looks depends on it.
"""

from __future__ import annotations

import contextlib
import json
import pathlib

FILE = '.usual'
"""In the charm's folder."""


class Usual:
    """What this unit has seen last."""

    def __init__(self, path: pathlib.Path):
        self._path = path

    def seconds(self, what: str) -> int:
        """Return how long something took the last time; 0 if nobody knows."""
        return self._known().get(what, 0)

    def note(self, what: str, seconds: int) -> None:
        """Remember how long something took."""
        # A disk that is full must not stop an operation.
        with contextlib.suppress(OSError):
            self._path.write_text(json.dumps({**self._known(), what: seconds}))

    def _known(self) -> dict[str, int]:
        try:
            known = json.loads(self._path.read_text())
            return {str(what): int(seconds) for what, seconds in known.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            # There is no file, or a crash cut it off.
            return {}
