"""The controller address that answered last, on the unit's own disk.

It is only a hint: it moves an address that is known anyway to the front.
"""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Sequence

FILE = '.controller-address'
"""In the charm's folder."""


class LastAddress:
    """A file with one address; without a path nothing is remembered."""

    def __init__(self, path: pathlib.Path | None = None):
        self._path = path

    def first(self, addresses: Sequence[str]) -> list[str]:
        """Return addresses in their order, but the one that answered last before all others."""
        last = self._read()
        return sorted(addresses, key=lambda address: address != last)

    def note(self, address: str) -> None:
        """Remember an address that has answered."""
        if self._path is None or address == self._read():
            return
        # A disk that is full or read-only costs a moment at the next call, and nothing else.
        with contextlib.suppress(OSError):
            fresh = self._path.with_name(f'{self._path.name}.new')
            fresh.write_text(address)
            fresh.replace(self._path)

    def _read(self) -> str:
        if self._path is None:
            return ''
        try:
            return self._path.read_text()
        except (OSError, ValueError):
            return ''
