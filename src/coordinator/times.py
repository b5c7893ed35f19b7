"""Times as ids and records write them: UTC, to the second."""

from __future__ import annotations

import datetime


def stamp(time: datetime.datetime) -> str:
    """Write a time as both charms write their backup ids: UTC, to the second."""
    return time.astimezone(datetime.UTC).strftime('%Y-%m-%dT%H:%M:%SZ')


def parse_stamp(text: str) -> datetime.datetime:
    """Read what `stamp` wrote; ValueError for anything else."""
    return datetime.datetime.strptime(text, '%Y-%m-%dT%H:%M:%SZ').replace(tzinfo=datetime.UTC)


def between(begin: str, end: str) -> int | None:
    """Return the seconds between two stamps; None if one is missing, or a clock was behind."""
    if not begin or not end:
        return None
    seconds = int((parse_stamp(end) - parse_stamp(begin)).total_seconds())
    return seconds if seconds >= 0 else None


CLOCKS_APART = datetime.timedelta(minutes=5)
"""How far clocks may differ. It matters because backup ids are times, and marks have an age."""


def is_ahead(operation_id: str, now: datetime.datetime) -> bool:
    """Whether an id is in the future, because a clock was wrong."""
    return operation_id > stamp(now + CLOCKS_APART)
