"""Foreign text is one printable line, wherever it came from."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import strategies

from coordinator import plain


@pytest.mark.parametrize(
    ('text', 'line'),
    [
        ('as it is', 'as it is'),
        ('  two\nlines\tand\r\nmore  ', 'two lines and more'),
        ('\x1b[31mred\x1b[0m bell\x07', '[31mred [0m bell'),
        ('right\u202eto left\u2028split\x00', 'right to left split'),
        ('größe 表', 'größe 表'),
        ('', ''),
    ],
)
def test_foreign_text_becomes_one_printable_line(text: str, line: str):
    assert plain.one_line(text) == line


@hypothesis.given(strategies.text(max_size=40), strategies.integers(min_value=3, max_value=30))
@hypothesis.settings(max_examples=60, deadline=None)
def test_one_line_is_never_longer_than_its_limit(text: str, limit: int):
    line = plain.one_line(text, limit)
    assert len(line.encode()) <= limit
    assert line.isprintable()


def test_a_cut_line_says_that_it_was_cut():
    assert plain.one_line('x' * 700) == 'x' * 397 + '…'
