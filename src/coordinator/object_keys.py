"""What may become the key of an object, or a part of one.

S3 takes almost any text; proxies, consoles and people resolve, hide or split it.
"""

from __future__ import annotations

import re

LONGEST = 1024
"""Bytes of a key: S3's own limit."""

ID = re.compile(r'[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z')
"""A backup id, of this charm's and of both others."""
BUCKET = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,254}')
"""Name of a bucket; no ARN, which would lead to another server."""
LABEL = re.compile(r'[0-9]{8}-[0-9]{6}F')
"""pgBackRest's name of a full backup."""


def is_plain(key: str) -> bool:
    """Whether a key, a path or the beginning of either leads where it seems to."""
    return (
        key.isprintable()
        and len(key.encode()) <= LONGEST
        and not key.startswith('/')
        and not {'.', '..'} & set(key.split('/'))
    )
