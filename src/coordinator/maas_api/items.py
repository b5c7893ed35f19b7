"""Reads JSON as it arrives: a list item by item, so that no more than one is ever in memory."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any, NoReturn

LONGEST_ITEM = 4 << 20
"""Characters of one item. A machine with dozens of disks and interfaces has some 100 KiB."""
MOST = 200_000
"""Items of one list: ten times the machines of a large MAAS."""
_SPACE = ' \t\r\n'


class Malformed(Exception):
    """The text is not JSON, or does not have the expected shape."""


def _refuse(constant: str) -> NoReturn:
    raise Malformed(f'{constant} is not a number')


_decoder = json.JSONDecoder(parse_constant=_refuse)


def whole(chunks: Iterable[bytes], limit: int) -> Any:
    """Return a document of at most `limit` bytes.

    Raises:
        Malformed: it is larger, or no JSON.
    """
    content = bytearray()
    for chunk in chunks:
        content += chunk
        if len(content) > limit:
            raise Malformed(f'more than {limit} bytes')
    try:
        return _decoder.decode(content.decode())
    except (ValueError, RecursionError):
        raise Malformed('no JSON') from None


def each(chunks: Iterable[bytes], most: int = MOST) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list, as they arrive.

    Raises:
        Malformed: it is no list of objects, one of them is far too large, or there are more than
            `most`.
    """
    text = _Text(chunks)
    if text.mark() != '[':
        raise Malformed('no list')
    mark = text.mark()
    if mark == '{':
        text.back()
        mark = ','
    while mark == ',':
        if not most:
            raise Malformed('more items than any MAAS has')
        most -= 1
        yield text.item()
        mark = text.mark()
    if mark != ']' or text.mark():
        raise Malformed('a list without an end')


class _Text:
    """Text that arrives in chunks, read from its beginning to its end."""

    def __init__(self, chunks: Iterable[bytes]):
        self._chunks = iter(chunks)
        self._utf8 = codecs.getincrementaldecoder('utf-8')()
        self._text = ''
        self._at = 0

    def mark(self) -> str:
        """Return the next character that is no white space, and pass it; '' at the end."""
        while True:
            while self._at < len(self._text):
                self._at += 1
                if self._text[self._at - 1] not in _SPACE:
                    return self._text[self._at - 1]
            if not self._grow(1):
                return ''

    def back(self) -> None:
        """Go back to the character that `mark` has passed."""
        self._at -= 1

    def item(self) -> dict[str, Any]:
        """Return the object that begins here, and pass it."""
        if self.mark() != '{':
            raise Malformed('a list with something other than objects')
        self.back()
        while True:
            try:
                found, self._at = _decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                there = len(self._text) - self._at
                # With twice as much each time, a long item is not tried with every chunk.
                if there > LONGEST_ITEM or not self._grow(2 * there):
                    raise Malformed('an object without an end') from None
            except (ValueError, RecursionError):
                raise Malformed('an object that is not valid JSON') from None
            else:
                return found

    def _grow(self, wanted: int) -> bool:
        """Read on until there are as many characters, if there are; return whether any came."""
        text = [self._text[self._at :]]
        before = length = len(text[0])
        while length < wanted and (chunk := next(self._chunks, None)) is not None:
            text.append(self._decoded(chunk))
            length += len(text[-1])
        self._text, self._at = ''.join(text), 0
        return length > before

    def _decoded(self, chunk: bytes) -> str:
        try:
            return self._utf8.decode(chunk)
        except UnicodeDecodeError:
            raise Malformed('no UTF-8') from None
