"""In the diagrams nothing overlaps, and every arrow leads from one box to another."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from docs.generate import contents, diagram

WIDEST = 0.6 * diagram.FONT_SIZE
"""Pixels of a character, on average: more than the sans-serif fonts of browsers need."""
DIAGRAMS = contents.diagrams()


@dataclasses.dataclass(frozen=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float
    says: str = ''

    def overlaps(self, other: Box) -> bool:
        across = self.left < other.right and other.left < self.right
        return across and self.top < other.bottom and other.top < self.bottom

    def within(self, other: Box) -> bool:
        across = other.left <= self.left and self.right <= other.right
        return across and other.top <= self.top and self.bottom <= other.bottom

    def touches(self, x: float, y: float) -> bool:
        across = self.left <= x <= self.right and self.top <= y <= self.bottom
        return across and (x in (self.left, self.right) or y in (self.top, self.bottom))


def elements(svg: str, name: str) -> Iterator[ElementTree.Element]:
    return ElementTree.fromstring(svg).iter(f'{{http://www.w3.org/2000/svg}}{name}')


def boxes(svg: str) -> list[Box]:
    """Return the boxes of a diagram; the first is the page."""
    found: list[Box] = []
    for rect in elements(svg, 'rect'):
        left, top, width, height = (
            float(rect.get(name, 0)) for name in ('x', 'y', 'width', 'height')
        )
        found.append(Box(left, top, left + width, top + height))
    return found


def texts(svg: str) -> list[Box]:
    found: list[Box] = []
    for text in elements(svg, 'text'):
        says = text.text or ''
        x, y, width = float(text.attrib['x']), float(text.attrib['y']), WIDEST * len(says)
        left = x - width / 2 if text.get('text-anchor') == 'middle' else x
        found.append(Box(left, y - diagram.FONT_SIZE, left + width, y + 4, says))
    return found


def arrows(svg: str) -> list[tuple[float, float, float, float]]:
    ends = ('x1', 'y1', 'x2', 'y2')
    return [
        (x1, y1, x2, y2)
        for line in elements(svg, 'line')
        for x1, y1, x2, y2 in [[float(line.attrib[end]) for end in ends]]
    ]


def faults(svg: str) -> list[str]:
    """Return what is wrong with a diagram."""
    page, *shapes = boxes(svg)
    words = texts(svg)
    lines = [Box(min(a, c), min(b, d), max(a, c), max(b, d)) for a, b, c, d in arrows(svg)]
    pairs = itertools.combinations(words, 2)
    return [
        *(f'{word.says}: beyond the page' for word in words if not word.within(page)),
        *(f'{a.says}: over {b.says}' for a, b in pairs if a.overlaps(b)),
        *(
            f'{word.says}: over the edge of a box'
            for word, shape in itertools.product(words, shapes)
            if word.overlaps(shape) and not word.within(shape)
        ),
        *(
            f'{word.says}: over an arrow'
            for word, line in itertools.product(words, lines)
            if word.overlaps(line)
        ),
        *(
            f'an arrow ends in the air at {x}, {y}'
            for x1, y1, x2, y2 in arrows(svg)
            for x, y in ((x1, y1), (x2, y2))
            if not any(shape.touches(x, y) for shape in shapes)
        ),
    ]


@pytest.mark.parametrize('path', DIAGRAMS)
def test_nothing_overlaps_and_every_arrow_is_attached(path: str):
    assert faults(DIAGRAMS[path]) == []
    assert len(arrows(DIAGRAMS[path])) > 0


def test_a_diagram_is_readable_on_light_and_on_dark_pages():
    for image in DIAGRAMS.values():
        assert 'prefers-color-scheme: dark' in image


@pytest.mark.parametrize(
    ('right', 'wrong', 'fault'),
    [
        ('y1="46"', 'y1="50"', 'an arrow ends in the air at 124.0, 50.0'),
        ('y="35"', 'y="20"', 'check: over the edge of a box'),
        ('>check<', f'>{"check" * 20}<', 'beyond the page'),
    ],
)
def test_what_overlaps_is_found(right: str, wrong: str, fault: str):
    svg = diagram.column('it', [('check', 'look', ''), ('verify', 'look', '')], [])
    assert faults(svg) == []
    assert right in svg

    assert any(fault in found for found in faults(svg.replace(right, wrong, 1)))
