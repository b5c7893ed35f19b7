"""Draws the steps of a plan as SVG, for light and for dark pages.

Every arrow is a line from the edge of one box to the edge of the next, every text has a place
where nothing else is drawn: tests/unit/docs/test_diagram.py measures that.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

MARGIN, BOX_WIDTH, BOX_HEIGHT, GAP, WIDTH = 16, 216, 30, 20, 720
"""Pixels."""
FONT_SIZE = 13
REPLACED = 'From here on data is replaced: an error holds the operation.'
PUBLISHED = 'From here on the backup set exists and is kept.'
_COLUMNS = 2

_STYLE = """<style>
svg { color-scheme: light dark; }
.page { fill: #ffffff; } .name { fill: #111111; } .note { fill: #444444; }
.look { fill: #ececec; } .undo { fill: #d6e6f5; } .hold { fill: #fbe0c3; } .keep { fill: #dff0d8; }
.step { stroke: #555555; } .arrow { stroke: #555555; } .head { fill: #555555; }
.milestone { fill: none; stroke: #c7162b; stroke-dasharray: 6 4; } .turn { fill: #c7162b; }
@media (prefers-color-scheme: dark) {
  .page { fill: #131416; } .name { fill: #f2f2f2; } .note { fill: #c4c4c4; }
  .look { fill: #3a3c40; } .undo { fill: #1d3f5e; } .hold { fill: #6b3f0d; }
  .keep { fill: #23482a; } .step { stroke: #a5a5a5; } .arrow { stroke: #a5a5a5; }
  .head { fill: #a5a5a5; } .milestone { stroke: #ff7b88; } .turn { fill: #ff7b88; }
}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" \
orient="auto"><path class="head" d="M0 0L8 4L0 8z"/></marker></defs>"""

Entry = tuple[str, str, str]
"""The name of a step, the class of its box (look, undo, hold or keep), and the note beside it."""


def column(title: str, entries: Sequence[Entry], turns: Sequence[tuple[int, str]]) -> str:
    """Return an SVG with one step below the other.

    Args:
        title: what a screen reader says of the diagram.
        entries: the steps, in order.
        turns: sentences that stand before the step with that number, counted from 0.
    """
    lines: list[str] = []
    top = MARGIN
    middle = MARGIN + BOX_WIDTH // 2
    rows: list[tuple[str, Entry | None]] = [(entry[0], entry) for entry in entries]
    for number, sentence in sorted(turns, reverse=True):
        rows.insert(number, (sentence, None))
    for number, (text, entry) in enumerate(rows):
        if number:
            lines.append(_arrow(middle, top - GAP, middle, top))
        lines += _box(MARGIN, top, entry) if entry else _milestone(top, text)
        top += BOX_HEIGHT + GAP
    return _svg(title, top - GAP + MARGIN, lines)


def grid(title: str, entries: Sequence[Entry]) -> str:
    """Return an SVG with the names of the steps in rows, read like a page."""
    lines: list[str] = []
    rows = [entries[start : start + _COLUMNS] for start in range(0, len(entries), _COLUMNS)]
    for row, steps in enumerate(rows):
        top = MARGIN + row * (BOX_HEIGHT + GAP)
        for place, (name, kind, _) in enumerate(steps):
            left = MARGIN + place * (BOX_WIDTH + GAP)
            numbered = f'{row * _COLUMNS + place + 1} {name}'
            lines += _box(left, top, (numbered, kind, ''))
            if place:
                middle = top + BOX_HEIGHT // 2
                lines.append(_arrow(left - GAP, middle, left, middle))
    height = 2 * MARGIN + len(rows) * (BOX_HEIGHT + GAP) - GAP
    return _svg(title, height, lines, 2 * MARGIN + _COLUMNS * (BOX_WIDTH + GAP) - GAP)


def _svg(title: str, height: int, lines: Sequence[str], width: int = WIDTH) -> str:
    said = html.escape(title)
    return '\n'.join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{said}" '
            f'font-family="Ubuntu, sans-serif" font-size="{FONT_SIZE}">',
            f'<title>{said}</title>',
            _STYLE,
            f'<rect class="page" width="{width}" height="{height}" rx="6"/>',
            *lines,
            '</svg>\n',
        ]
    )


def _box(left: int, top: int, entry: Entry) -> Iterator[str]:
    name, kind, note = entry
    yield (
        f'<rect class="step {kind}" x="{left}" y="{top}" width="{BOX_WIDTH}" '
        f'height="{BOX_HEIGHT}" rx="4"/>'
    )
    yield _text('name', left + BOX_WIDTH // 2, top, name, 'middle')
    if note:
        yield _text('note', left + BOX_WIDTH + MARGIN, top, note, 'start')


def _milestone(top: int, sentence: str) -> Iterator[str]:
    yield (
        f'<rect class="milestone" x="{MARGIN}" y="{top}" width="{WIDTH - 2 * MARGIN}" '
        f'height="{BOX_HEIGHT}" rx="4"/>'
    )
    yield _text('turn', WIDTH // 2, top, sentence, 'middle')


def _text(kind: str, x: int, top: int, text: str, anchor: str) -> str:
    y = top + BOX_HEIGHT // 2 + FONT_SIZE // 3
    return (
        f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{html.escape(text)}</text>'
    )


def _arrow(x1: int, y1: int, x2: int, y2: int) -> str:
    return f'<line class="arrow" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" marker-end="url(#head)"/>'
