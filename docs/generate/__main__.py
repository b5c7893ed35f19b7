"""`make reference`: writes what is written by a program into the pages of this tree."""

from __future__ import annotations

import logging
import warnings

from docs.generate import contents, pages


def main() -> None:
    """Write every page, diagram, rules file and dashboard anew."""
    for page in pages.with_places(contents.ROOT):
        page.write_text(pages.renewed(page, contents.content))
    for path, text in {**contents.diagrams(), **contents.rules(), **contents.dashboards()}.items():
        (contents.ROOT / path).parent.mkdir(exist_ok=True)
        (contents.ROOT / path).write_text(text)


if __name__ == '__main__':
    with warnings.catch_warnings():
        logging.disable()
        # As in the tests: object-storage-charmlib asks in a way that ops has deprecated.
        warnings.simplefilter('ignore', DeprecationWarning)
        main()
