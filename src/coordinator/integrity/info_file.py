"""pgBackRest's info files and manifests, which hold a checksum of themselves in the last line."""

from __future__ import annotations

import hashlib
import json

from coordinator import pgbackrest
from coordinator.integrity import check

_CLAIM = ('backrest', 'backrest-checksum')
_LONGEST_LINE = 1 << 20


class InfoFile:
    """Compares a file with its own checksum.

    That is the SHA-1 of one JSON object of all sections, keys and values, in the file's order and
    as they stand there, without white space and without the checksum itself.
    """

    def __init__(self) -> None:
        self._sha1 = hashlib.sha1(b'{', usedforsecurity=False)
        self._section = ''
        self._written = ''
        """The section that the SHA-1 is in."""
        self._claimed = ''
        self._rest = b''

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b'\n')
        if len(self._rest) > _LONGEST_LINE:
            raise check.Damaged('is no file of pgBackRest')
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        try:
            text = line.decode()
            if text.startswith('[') and text.endswith(']'):
                self._section = text[1:-1]
            elif text:
                key, value = pgbackrest.entry(text)
                self._entry(key, text[len(key) + 1 :], value)
        except (ValueError, RecursionError):
            raise check.Damaged(f'is damaged near {line[:80]!r}') from None

    def _entry(self, key: str, written: str, value: object) -> None:
        if (self._section, key) == _CLAIM:
            self._claimed = str(value)
            return
        if self._section == self._written:
            before = ','
        else:
            before = f'"{self._section}":{{' if not self._written else f'}},"{self._section}":{{'
            self._written = self._section
        name = json.dumps(key, ensure_ascii=False)
        self._sha1.update(f'{before}{name}:{written}'.encode())

    def finish(self) -> str:
        self._line(self._rest)
        self._sha1.update(b'}}')
        if self._sha1.hexdigest() != self._claimed:
            raise check.Damaged('was changed: its own checksum does not fit')
        return ''
