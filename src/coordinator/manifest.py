"""What one backup set holds, as its manifest says it.

The manifest is the backup set: written last and in one PUT, it makes the set exist. A reader
refuses a version newer than it knows and ignores fields that it does not know.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pydantic

from coordinator import errors

VERSION = 1


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(
        alias_generator=lambda name: name.replace('_', '-'),
        populate_by_name=True,
        extra='ignore',
        frozen=True,
        # Every dispatch of an operation imports this, few need it.
        defer_build=True,
    )


class Object(_Part):
    """One object in S3; `key` is relative to the path of its place."""

    key: str
    size: int
    etag: str = ''
    sha256: str = ''
    """Only where the coordinator had the content in hand anyway."""


class Place(_Part):
    """Where in S3 a part lies."""

    endpoint: str = ''
    bucket: str
    path: str = ''
    region: str = ''


class Charm(_Part):
    """An application as it was when the backup was made."""

    application: str
    charm: str
    channel: str = ''
    revision: int = 0
    workload_version: str = ''
    units: int


class Maas(_Part):
    """The files backup that maas-region made."""

    charm: Charm
    backup_id: str
    version: str
    """MAAS version, as maas-region recorded it."""
    place: Place
    controllers: tuple[str, ...]
    objects: tuple[Object, ...]

    @property
    def bytes(self) -> int:
        """Size of its objects."""
        return sum(item.size for item in self.objects)


class PostgreSQL(_Part):
    """The database backup that pgBackRest made."""

    charm: Charm
    backup_id: str
    label: str
    stanza: str
    place: Place
    archive: str
    wal_start: str
    wal_stop: str
    lsn_start: str
    lsn_stop: str
    objects: int
    bytes: int
    database_bytes: int
    """Size of the database, uncompressed."""
    manifest: Object
    """pgBackRest's own manifest, which has a checksum of each file."""


class Passwords(_Part):
    """The system users' passwords: sealed, and hashed for comparison."""

    sealed: Object
    recipients: tuple[str, ...]
    hashes: dict[str, str]


class Model(_Part):
    """The Juju model that was backed up."""

    name: str
    uuid: str
    juju_version: str


class Manifest(_Part):
    """One backup set."""

    version: int = VERSION
    backup_id: str
    started: str
    verified: str
    """When both parts were found complete in S3; times are UTC."""
    coordinator_version: str
    strategy: str
    model: Model
    maas: Maas
    postgresql: PostgreSQL
    passwords: Passwords
    seconds: dict[str, int]
    """How long each step took: what a restore's estimate starts from."""

    def to_json(self) -> bytes:
        """Return the manifest as stored, its own checksum included."""
        content: dict[str, Any] = json.loads(self.model_dump_json(by_alias=True))
        return json.dumps({**content, _CHECKSUM: _checksum(content)}, indent=2).encode()


_CHECKSUM = 'checksum'


def _checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of a manifest without its checksum, as compact JSON with sorted keys."""
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(text.encode()).hexdigest()


class _Version(_Part):
    version: int


def parse(content: bytes, source: str) -> Manifest:
    """Read a manifest; `source` names it in errors.

    Raises:
        ForeignRecordError: its version is newer than this one.
        UnexpectedAnswer: it is damaged.
    """
    try:
        version = _Version.model_validate_json(content).version
        if version > VERSION:
            raise errors.ForeignRecordError(
                f'{source} has version {version}, this revision of the charm reads up to '
                f'{VERSION}: refresh maas-backup-coordinator'
            )
        raw: dict[str, Any] = json.loads(content)
        if raw.pop(_CHECKSUM, None) != _checksum(raw):
            raise errors.UnexpectedAnswer(
                f'{source} was changed after it was written: its checksum does not fit'
            )
        return Manifest.model_validate(raw)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = '.'.join(str(part) for part in first['loc'])
        raise errors.UnexpectedAnswer(f'{source} is damaged: {where} {first["msg"]}') from None
