"""Lays out tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from coordinator import plain

_WIDEST = 1000
"""Bytes of a table's cell."""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay out a table as the two charms' own lists are: ` | ` between columns, a rule.

    Cells may hold foreign text: what would break the table, or the terminal, is taken out.
    """
    lines = [[plain.one_line(cell, _WIDEST) for cell in row] for row in (head, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    texts = [
        ' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
    rule = '-' * (sum(widths) + 3 * (len(widths) - 1))
    return '\n'.join([texts[0], rule, *texts[1:]])
