"""The formats that the operation record has had, and how each of them became the next.

A record outlives the revision of the charm that wrote it: a refresh in the middle of an operation
continues it. FORMAT is raised when an older revision would make something else of the record.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from coordinator import errors

FORMAT = 3
MOST_PROBLEMS = 10
"""Problems in one record: the last ones, the history has those before."""

Document = dict[str, Any]


def _from_1(document: Document) -> Document:
    """Format 1 had no bound on problems, and did not tell how many messages it had cut."""
    problems = document['problems']
    dropped = max(len(problems) - MOST_PROBLEMS, 0)
    return {**document, 'problems': problems[dropped:], 'cut': dropped}


def _from_2(document: Document) -> Document:
    """Format 2 had no warnings, no generation and no age.

    The deadline of a step under way starts again, as its times come from clocks that may differ.
    """
    steps = [{**entry, 'began': None} for entry in document['steps']]
    return {**document, 'steps': steps, 'warnings': [], 'age': 0, 'generation': 0}


_NEXT: Mapping[int, Callable[[Document], Document]] = {1: _from_1, 2: _from_2}
"""By format: what makes a record of it one of the next."""


def read(text: str) -> Document:
    """Return the document of a record in today's format.

    Raises:
        ForeignRecordError: a newer version wrote it.
        KeyError, TypeError, ValueError: it is no operation record.
    """
    document: Document = json.loads(text)
    found = document['format']
    if found > FORMAT:
        raise errors.ForeignRecordError(
            f'the operation record has format {found}, but this revision of the charm only knows '
            f'{FORMAT}: refresh the charm to the newer revision again'
        )
    for number in range(found, FORMAT):
        document = _NEXT[number](document)
    return {**document, 'format': FORMAT}
