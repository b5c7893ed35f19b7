"""Every link from one file of the tree to another leads somewhere."""

from __future__ import annotations

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT)
    for pattern in ('*.md', '.github/**/*.md', 'docs/**/*.md', 'terraform/**/*.md')
    for path in ROOT.glob(pattern)
    if '_build' not in path.parts
)
_LINK = re.compile(r'\]\(([^)\s]+)\)')
_FENCED = re.compile(r'^```.*?^```', re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r'^#+ (.+)$', re.MULTILINE)


def links(text: str) -> list[str]:
    """Return where a page's links lead, but for those out of the tree."""
    found = _LINK.findall(_FENCED.sub('', text))
    return [link for link in found if '://' not in link and not link.startswith('mailto:')]


def anchor(heading: str) -> str:
    """Return how GitHub and MyST name a heading."""
    return re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-')


def dead(page: pathlib.Path) -> list[str]:
    """Return the links of a page that lead nowhere."""
    found: list[str] = []
    for link in links(page.read_text()):
        path, _, fragment = link.partition('#')
        target = (page.parent / path).resolve() if path else page
        headings = _HEADING.findall(_FENCED.sub('', target.read_text())) if fragment else []
        known = [anchor(heading) for heading in headings]
        if not target.exists() or (fragment and fragment not in known):
            found.append(link)
    return found


@pytest.mark.parametrize('page', PAGES, ids=str)
def test_every_link_leads_somewhere(page: pathlib.Path):
    assert not dead(ROOT / page)


def test_a_dead_link_is_found(tmp_path: pathlib.Path):
    (tmp_path / 'other.md').write_text('# A heading, with a comma\n')
    page = tmp_path / 'page.md'
    page.write_text(
        '[a](other.md) [b](other.md#a-heading-with-a-comma) [c](#here) [d](gone.md)\n'
        '[e](other.md#gone) [f](https://example.com/gone)\n## Here\n```\n[g](gone.md)\n```\n'
    )

    assert dead(page) == ['gone.md', 'other.md#gone']
