"""Foreign text made plain: what charms, controllers and buckets say ends up on a terminal."""

from __future__ import annotations

LONGEST = 400
"""Bytes of one message, unless there is reason for more or less."""
_CUT = '…'


def one_line(text: str, limit: int = LONGEST) -> str:
    """Make foreign text safe for a status, a table, a log or a terminal: one line, cut.

    What is not printable becomes a space: escapes, line separators, and what turns the direction
    of writing round or is not seen at all.
    """
    line = ' '.join(''.join(c if c.isprintable() else ' ' for c in text).split())
    whole = line.encode()
    if len(whole) <= limit:
        return line
    return whole[: limit - len(_CUT.encode())].decode(errors='ignore') + _CUT


def is_cut(line: str) -> bool:
    """Whether `one_line` has cut this line."""
    return line.endswith(_CUT)
