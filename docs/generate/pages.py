"""Puts what is written by a program into its places in the pages."""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable

END = '<!-- End of what is written. -->'
_PLACE = re.compile(
    rf'(?P<begin><!-- Written by `make reference`: (?P<name>[^>]+?) -->\n).*?(?={re.escape(END)})',
    re.DOTALL,
)


def with_places(root: pathlib.Path) -> list[pathlib.Path]:
    """Return the pages of a tree that have places to write to."""
    around = [root / 'README.md', root / 'CONTRIBUTING.md']
    found = [*around, *sorted((root / 'docs').rglob('*.md'))]
    return [page for page in found if page.exists() and _PLACE.search(page.read_text())]


def renewed(page: pathlib.Path, content: Callable[[str], str]) -> str:
    """Return the text of a page with what is written in it as it should be.

    Args:
        page: the page.
        content: makes what a place asks for by its name.
    """
    return _PLACE.sub(
        lambda place: f'{place["begin"]}\n{content(place["name"])}\n\n', page.read_text()
    )
