"""Files for their owner's eyes only."""

from __future__ import annotations

import pathlib


def write(path: pathlib.Path, text: str) -> None:
    """Write a file that nobody else can read, at no moment."""
    path.unlink(missing_ok=True)
    path.touch(0o600)
    path.write_text(text)
