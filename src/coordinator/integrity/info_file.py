"""pgBackRest's info files and manifests, which hold a checksum of themselves in the last line."""

from __future__ import annotations

from coordinator import pgbackrest_info
from coordinator.integrity import check

_LONGEST_LINE = 1 << 20


class InfoFile:
    """Compares a file with its own checksum."""

    def __init__(self) -> None:
        self._checksum = pgbackrest_info.Checksum()
        self._section = ''
        self._rest = b''

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b'\n')
        if len(self._rest) > _LONGEST_LINE:
            raise check.Damaged('is no file of pgBackRest')
        for line in lines:
            self._line(line)

    def _line(self, line: bytes) -> None:
        try:
            text = pgbackrest_info.text(line)
            if text.startswith('[') and text.endswith(']'):
                self._section = text[1:-1]
            elif text:
                key, value = pgbackrest_info.entry(text)
                self._checksum.add(self._section, key, text[len(key) + 1 :], value)
        except (ValueError, RecursionError):
            raise check.Damaged(f'is damaged near {line[:80]!r}') from None

    def finish(self) -> str:
        self._line(self._rest)
        if not self._checksum.fits:
            raise check.Damaged('was changed: its own checksum does not fit')
        return ''
