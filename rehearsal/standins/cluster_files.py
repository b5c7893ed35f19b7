"""The files of a small PostgreSQL cluster, as a backup finds them in the data directory.

The site's database is one JSON document in a table's file, the roles' passwords, digested, are
another: enough for a restore to bring them back, and for a test to see whether they are right.
"""

from __future__ import annotations

import functools
import hashlib
import json
import struct
from collections.abc import Mapping
from typing import Any

PAGE = 8192
DATABASE_FILE = 'base/16388/2619'
ROLES_FILE = 'global/1260'
_SEGMENT = 16 << 20
"""Bytes of a segment, as far as its name and address go."""
_PAGE_MAGIC, _LONG_HEADER = 0xD113, 2


def files(
    system_id: int, database: Mapping[str, Any], roles: Mapping[str, str], label: str
) -> dict[str, bytes]:
    """Return the content of each file of the data directory."""
    return {
        'PG_VERSION': b'16\n',
        'backup_label': f'START WAL LOCATION: {label}\n'.encode(),
        'base/1/1247': _pages('pg_type', 4),
        'base/16388/1418': b'',
        DATABASE_FILE: _document(database),
        ROLES_FILE: _document(roles),
        'global/1262': _pages('pg_database', 1),
        'global/pg_control': _padded(f'system identifier {system_id}\n'.encode()),
    }


def is_relation(name: str) -> bool:
    """Whether a file has pages with checksums."""
    return name.startswith(('base/', 'global/')) and not name.endswith('pg_control')


def wal(segment: str, system_id: int) -> bytes:
    """Return a WAL segment. A real one has 16 MiB; nobody replays these.

    Its first page tells timeline, address, system identifier and size, as PostgreSQL's does.
    """
    timeline, log, number = (int(segment[at : at + 8], 16) for at in (0, 8, 16))
    address = (log << 32) + number * _SEGMENT
    header = struct.pack(
        '<HHIQ8xQI', _PAGE_MAGIC, _LONG_HEADER, timeline, address, system_id, PAGE
    )
    return header + _noise(segment, PAGE - len(header))


def document(content: bytes) -> dict[str, Any]:
    """Return what is in the database's or the roles' file."""
    return json.loads(content.rstrip(b'\0'))


def _document(content: Mapping[str, Any]) -> bytes:
    return _padded(json.dumps(content, sort_keys=True).encode())


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % PAGE)


@functools.cache
def _pages(name: str, count: int) -> bytes:
    return _noise(name, count * PAGE // 16) + bytes(count * PAGE * 15 // 16)


def _noise(seed: str, size: int) -> bytes:
    """Return bytes that look random and are always the same."""
    return hashlib.shake_128(seed.encode()).digest(size)
