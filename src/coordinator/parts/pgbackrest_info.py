"""pgBackRest's info files and manifests: INI-like, `key=JSON` below `[section]` lines.

Written after pgBackRest 2.45 to 2.5x (repository format 5). Each holds a checksum of itself in its
last line.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from coordinator import errors

_CLAIM = ('backrest', 'backrest-checksum')
_EQUAL_SIGNS = 256
"""How many a file's name may hold: each is tried."""
_ENCRYPTED = b'Salted__'
# A name of a file may hold any bytes but a line's end.
_ENCODING, _ODD_BYTES = 'utf-8', 'surrogateescape'
_VALUES = json.JSONDecoder(strict=False)
_quoted = json.JSONEncoder(ensure_ascii=False).encode
_ESCAPES = str.maketrans(
    {'"': '\\"', '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\b': '\\b', '\f': '\\f'}
)
"""What pgBackRest escapes in JSON: every other control character it writes as it is."""


class EncryptedRepository(errors.StepError):
    """Nothing in it can be read without pgBackRest and its passphrase."""


def sound(content: bytes, source: str) -> dict[str, dict[str, Any]]:
    """Read a file as `parse` does, and compare it with its own checksum.

    Raises:
        EncryptedRepository: the content is encrypted.
        UnexpectedAnswer: it is not of that form, or was changed since it was written.
    """
    own = Checksum()
    sections = parse(content, source, own)
    if not own.fits:
        raise errors.UnexpectedAnswer(
            f'{source} was changed after it was written: its own checksum does not match'
        )
    return sections


def parse(content: bytes, source: str, own: Checksum | None = None) -> dict[str, dict[str, Any]]:
    """Read an info file or a manifest into section, key, value.

    Args:
        content: the whole file.
        source: names it in errors.
        own: takes every line.

    Raises:
        EncryptedRepository: the content is encrypted.
        UnexpectedAnswer: it is not of that form.
    """
    if content.startswith(_ENCRYPTED):
        raise EncryptedRepository(
            'the pgBackRest repository is encrypted (repo-cipher-type): '
            'only pgBackRest can read it'
        )
    sections: dict[str, dict[str, Any]] = {}
    name, section = '', dict[str, Any]()
    try:
        # A file's name may hold any line separator but the one that pgBackRest writes.
        for line in content.decode(_ENCODING, _ODD_BYTES).split('\n'):
            if line.startswith('[') and line.endswith(']'):
                name = line[1:-1]
                section = sections.setdefault(name, {})
            elif line:
                key, value = _entry(line)
                section[key] = value
                if own is not None:
                    own.add(name, key, line[len(key) + 1 :], value)
    except (ValueError, RecursionError) as error:
        raise errors.UnexpectedAnswer(f'{source} is damaged near {str(error)[:80]!r}') from None
    return sections


def _entry(line: str) -> tuple[str, Any]:
    """Split at the first `=` with JSON behind it: a file's name may hold `=` as well."""
    at = line.find('=')
    for _ in range(_EQUAL_SIGNS):
        if at < 0:
            break
        try:
            value, end = _VALUES.raw_decode(line, at + 1)
        except ValueError:
            at = line.find('=', at + 1)
        else:
            if end == len(line):
                return line[:at], value
            at = line.find('=', at + 1)
    raise ValueError(line[:80])


class Checksum:
    """Compares a file with its own checksum.

    That is the SHA-1 of one JSON object of all sections, keys and values, in the file's order and
    as they stand there, without white space and without the checksum itself. In keys only what
    JSON has a short escape for is escaped (`infoSave` and `jsonWriteStr` of pgBackRest).
    """

    def __init__(self) -> None:
        self._sha1 = hashlib.sha1(b'{', usedforsecurity=False)
        self._section = ''
        """The one that the SHA-1 is in."""
        self._claimed = ''

    def add(self, section: str, key: str, written: str, value: object) -> None:
        """Take the next line: its section, and its value as it is written and as it is meant."""
        if (section, key) == _CLAIM:
            self._claimed = str(value)
            return
        if section == self._section:
            before = ','
        else:
            before = f'"{section}":{{' if not self._section else f'}},"{section}":{{'
            self._section = section
        # Of what is printable JSON escapes the same, and the library is ten times as fast.
        name = _quoted(key) if key.isprintable() else f'"{key.translate(_ESCAPES)}"'
        self._sha1.update(f'{before}{name}:{written}'.encode(_ENCODING, _ODD_BYTES))

    @property
    def fits(self) -> bool:
        """Whether the lines, all by now, are those that were written."""
        whole = self._sha1.copy()
        whole.update(b'}}')
        return whole.hexdigest() == self._claimed
