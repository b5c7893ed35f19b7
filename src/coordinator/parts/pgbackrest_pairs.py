"""pgBackRest's pairs of files: it reads the copy if the first file is missing or damaged.

`backup.info`, `archive.info` and each `backup.manifest` have a copy beside them (`infoLoad` of
pgBackRest). One of the two is enough for it.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

from coordinator import errors, ports
from coordinator.parts import pgbackrest_info

_COPY = '.copy'
_NO_USE = (errors.NotFound, errors.UnexpectedAnswer)
"""Errors for which pgBackRest uses the other file."""


@dataclasses.dataclass(frozen=True)
class Found:
    """The one of the two that pgBackRest reads."""

    key: str
    sections: Mapping[str, Mapping[str, Any]]
    sha256: str
    size: int
    passed_over: str = ''
    """What is wrong with the first, if this is the copy."""


def copy_of(key: str) -> str:
    """Return the key of a file's copy."""
    return f'{key}{_COPY}'


def read(store: ports.ObjectStore, key: str, limit: int) -> Found:
    """Return the first of the two that is sound.

    Raises:
        NotFound: neither is there.
        UnexpectedAnswer: neither is sound.
        EncryptedRepository: only pgBackRest can read them.
    """
    try:
        return _sound(store, key, limit)
    except _NO_USE as error:
        first = error
    try:
        found = _sound(store, copy_of(key), limit)
    except errors.NotFound:
        raise first from None
    except errors.UnexpectedAnswer as error:
        raise errors.UnexpectedAnswer(f'{first}; {error}') from None
    return dataclasses.replace(found, passed_over=str(first))


def _sound(store: ports.ObjectStore, key: str, limit: int) -> Found:
    content = store.get(key, limit=limit)
    try:
        sections = pgbackrest_info.sound(content, key)
    except errors.UnexpectedAnswer:
        # A single garbled answer is not damage: read the file again.
        content = store.get(key, limit=limit)
        sections = pgbackrest_info.sound(content, key)
    return Found(key, sections, hashlib.sha256(content).hexdigest(), len(content))


def weakness(
    store: ports.ObjectStore,
    key: str,
    found: Found,
    limit: int,
    *,
    equal: bool = False,
    mended: str = '',
) -> str:
    """Return what is wrong with one of the two and how to repair it; '' if both are sound.

    Args:
        store: has both.
        key: of the first.
        found: what `read` returned.
        limit: bytes that either may have.
        equal: whether they must be equal. Pairs that pgBackRest rewrites may differ for a moment.
        mended: how pgBackRest repairs the pair, and the command for that; '' if it must be copied.
    """
    # A shell expands this to two arguments. The message has room for one key only.
    why, pair = found.passed_over, f'{{{_COPY},}}'
    if not why:
        why, pair = _wrong_with_copy(store, key, found, limit, equal), f'{{,{_COPY}}}'
    if not why:
        return ''
    address = '/'.join(filter(None, ('s3:/', store.place['bucket'], store.place['path'], key)))
    copied = f'. Repair it with: aws s3 cp {address}{pair}'
    return f'{why}. pgBackRest uses its twin instead{mended or copied}'


def _wrong_with_copy(
    store: ports.ObjectStore, key: str, found: Found, limit: int, equal: bool
) -> str:
    copy = copy_of(key)
    try:
        content = store.get(copy, limit=limit)
        if hashlib.sha256(content).hexdigest() == found.sha256:
            return ''
        other = _sound(store, copy, limit)
    except _NO_USE as error:
        return str(error)
    return f'{copy} differs from {key}' if equal and other.sha256 != found.sha256 else ''
