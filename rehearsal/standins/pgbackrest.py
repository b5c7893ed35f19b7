"""pgBackRest's info files: `key=JSON` below `[section]` lines, sealed with a checksum.

The checksum is the SHA-1 of the same content written as one JSON object of sections, keys and
values, in the file's order and without white space or the checksum itself.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any

Sections = Mapping[str, Mapping[str, Any]]

VERSION = '2.55'
FORMAT = 5
OWN: dict[str, Any] = {'backrest-format': FORMAT, 'backrest-version': VERSION}
_CHECKSUM = 'backrest-checksum'
_ODD_BYTES = 'surrogateescape'
"""How bytes that are no text stand in it."""
_ESCAPES = dict(zip('"\\\n\r\t\b\f', (f'\\{sign}' for sign in '"\\nrtbf'), strict=True))


class DamagedError(Exception):
    """The content does not belong to its checksum, or is no info file."""


def checksum(sections: Sections) -> str:
    """Return the checksum that belongs into a file of these sections."""
    body = ','.join(f'"{name}":{{{_entries(lines)}}}' for name, lines in sections.items())
    content = f'{{{body}}}'.encode(errors=_ODD_BYTES)
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _entries(lines: Mapping[str, Any]) -> str:
    """Return a section as the checksum sees it: what has no short escape is as it is."""
    return ','.join(
        '"' + ''.join(_ESCAPES.get(sign, sign) for sign in key) + f'":{_json(value)}'
        for key, value in lines.items()
    )


def render(sections: Sections) -> str:
    """Return a whole file: pgBackRest's own section is added, the checksum is the last line."""
    whole = {'backrest': OWN, **{name: sections[name] for name in sorted(sections)}}
    blocks = [
        f'[{name}]\n' + ''.join(f'{key}={_json(value)}\n' for key, value in entries.items())
        for name, entries in whole.items()
    ]
    seal = f'[backrest]\n{_CHECKSUM}="{checksum(whole)}"\n'
    return '\n'.join([*blocks, seal])


def parse(text: str) -> dict[str, dict[str, Any]]:
    """Read a whole file and return its sections, without pgBackRest's own.

    Raises:
        DamagedError: the checksum is wrong.
    """
    sections: dict[str, dict[str, Any]] = {}
    entries: dict[str, Any] = {}
    try:
        for line in text.split('\n'):
            if line.startswith('['):
                entries = sections.setdefault(line[1:-1], {})
            elif line:
                key, value = _split(line)
                entries[key] = json.loads(value)
        found = sections['backrest'].pop(_CHECKSUM)
    except (ValueError, KeyError) as error:
        raise DamagedError(f'no info file: {error!r}') from error
    if found != checksum(sections):
        raise DamagedError(f'the checksum is {found}, the content has {checksum(sections)}')
    del sections['backrest']
    return sections


def _split(line: str) -> tuple[str, str]:
    """Split at the first `=` that JSON follows: file names may hold one too."""
    at = line.index('=')
    while True:
        try:
            json.loads(line[at + 1 :])
        except ValueError:
            at = line.index('=', at + 1)
        else:
            return line[:at], line[at + 1 :]


def _json(value: object) -> str:
    return json.dumps(value, separators=(',', ':'), ensure_ascii=False)


SUFFIXES = {'full': 'F', 'diff': 'D', 'incr': 'I'}


def label(kind: str, at: datetime.datetime, base: str = '') -> str:
    """Return the label of a backup begun then; a dependent one carries its full backup's."""
    own = at.strftime('%Y%m%d-%H%M%S') + SUFFIXES[kind]
    return own if kind == 'full' else f'{base}_{own}'


def label_time(backup_label: str) -> datetime.datetime:
    """Return when the backup of this label was begun."""
    own = backup_label.rpartition('_')[2][:-1]
    return datetime.datetime.strptime(own, '%Y%m%d-%H%M%S').replace(tzinfo=datetime.UTC)
