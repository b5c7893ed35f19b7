"""What S3 says of an object in its answers, as the port has it."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

import botocore.parsers

from coordinator import archives, checksums, errors, ports


def time(text: str) -> datetime.datetime:
    """Read a time of an answer; the library's own way is most of what a long listing takes."""
    try:
        found = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        # Headers have another form, and servers may have theirs.
        return botocore.parsers.DEFAULT_TIMESTAMP_PARSER(text)
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)


def listed(key: str, item: Mapping[str, Any]) -> ports.StoredObject:
    """Return an object as an entry of a listing describes it."""
    return _described(key, item, 'Size')


def headed(key: str, answer: Mapping[str, Any]) -> ports.StoredObject:
    """Return an object as the answer to a HEAD describes it."""
    return dataclasses.replace(
        _described(key, answer, 'ContentLength'),
        versioned=_versioned(answer),
        lock=_lock(answer),
        checksum=str(checksums.kept(answer) or ''),
        archive=_archive(answer),
    )


def stored(key: str, size: int, answer: Mapping[str, Any]) -> ports.StoredObject:
    """Return an object as far as the answer to its PUT describes it."""
    return ports.StoredObject(
        key=key,
        size=size,
        etag=_etag(answer),
        modified=datetime.datetime.now(datetime.UTC),
        versioned=_versioned(answer),
    )


def part(key: str, item: Mapping[str, Any]) -> ports.UploadedPart:
    """Return a part of an object as an entry of a listing describes it."""
    found = _described(key, item, 'Size')
    return ports.UploadedPart(found.size, found.modified)


def _described(key: str, found: Mapping[str, Any], size: str) -> ports.StoredObject:
    """Return what an answer says of an object; `size` is what it calls that."""
    try:
        return ports.StoredObject(
            key,
            found[size],
            _etag(found),
            found['LastModified'],
            storage_class=_storage_class(found),
        )
    except KeyError as error:
        raise errors.UnexpectedAnswer(f'S3 does not report {error} of {key!r}') from None


def _etag(found: Mapping[str, Any]) -> str:
    return found.get('ETag', '').strip('"')


def _storage_class(found: Mapping[str, Any]) -> str:
    named = str(found.get('StorageClass', ''))
    return named if archives.NAME.fullmatch(named) and named != 'STANDARD' else ''


def _archive(found: Mapping[str, Any]) -> str:
    """Return the archive that an object must be thawed from, as HEAD reports it; '' if none."""
    named, tier = _storage_class(found), str(found.get('ArchiveStatus', ''))
    tier = tier if archives.NAME.fullmatch(tier) else ''
    if named not in archives.CLASSES and not tier:
        return ''
    # A thawed object has `ongoing-request="false"`, with the date until which it is.
    if 'ongoing-request="false"' in str(found.get('Restore', '')):
        return ''
    return ' '.join(filter(None, (named, tier)))


def _versioned(answer: Mapping[str, Any]) -> bool:
    return answer.get('VersionId', 'null') != 'null'


def _lock(found: Mapping[str, Any]) -> str:
    """Return until when an object lock protects an object, out of what HEAD says; '' if none."""
    until = found.get('ObjectLockRetainUntilDate')
    if found.get('ObjectLockLegalHoldStatus') == 'ON':
        return 'until its legal hold is lifted'
    if until is None or until <= datetime.datetime.now(datetime.UTC):
        return ''
    return f'until {until.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}'
