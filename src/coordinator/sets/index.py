"""The catalogue's index: what a listing shows of each set, so that it need read no manifest.

One object beside the sets, and only a copy. Manifests are the truth: a row counts while the
manifest that it came from is the one that S3 lists, by ETag and size. So it may be lost, stale,
damaged or written by two at once, and nothing is ever restored from what it says.

A manifest that cannot be read is remembered as well, beside the rows, where older revisions do not
look. What this revision cannot read another one may: so that counts for the same code alone.
"""

from __future__ import annotations

import functools
import hashlib
import json
import logging
import pathlib
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Self

import pydantic

from coordinator import errors, object_keys, plain, ports
from coordinator.sets import documents, manifest

logger = logging.getLogger(__name__)

KEY = 'coordinator/index.json'
VERSION = 2
_LARGEST = 64 << 20
"""Bytes: ten thousand sets have about four million."""
_VERSION, _CHECKSUM, _SETS = 'version', 'checksum', 'sets'
_DAMAGED, _READER = 'damaged', 'reader'


class Summary(NamedTuple):
    """What a listing shows of a set, and what retention asks of it. Stored as a JSON array.

    Others may write there: what has bounds in a manifest has the same here.
    """

    started: str
    verified: str
    model: str
    model_uuid: str
    maas_version: str
    maas_backup_id: str
    maas_bytes: manifest.Count
    maas_endpoint: str
    maas_bucket: str
    maas_path: str
    controllers: Annotated[tuple[str, ...], manifest.Few]
    postgresql_version: str
    postgresql_backup_id: str
    postgresql_bytes: manifest.Count
    postgresql_bucket: str
    postgresql_path: str
    stanza: str
    label: str
    inconsistent: str
    """Why the files may lack an image that the database knows; '' if they do not."""

    @classmethod
    def of(cls, found: manifest.Manifest) -> Self:
        """Return what a manifest says."""
        database = found.postgresql
        return cls(
            started=found.started,
            verified=found.verified,
            model=found.model.name,
            model_uuid=found.model.uuid,
            maas_version=found.maas.version,
            maas_backup_id=found.maas.backup_id,
            maas_bytes=found.maas.bytes,
            maas_endpoint=found.maas.place.endpoint,
            maas_bucket=found.maas.place.bucket,
            maas_path=found.maas.place.path,
            controllers=found.maas.controllers,
            postgresql_version=database.charm.workload_version,
            postgresql_backup_id=database.backup_id,
            postgresql_bytes=database.bytes,
            postgresql_bucket=database.place.bucket,
            postgresql_path=database.place.path,
            stanza=database.stanza,
            label=database.label,
            inconsistent=found.inconsistent,
        )


class Row(NamedTuple):
    """A summary, and the manifest that it came from."""

    etag: str
    size: int
    summary: Summary

    def is_of(self, listed: ports.StoredObject) -> bool:
        """Whether it came from this very manifest."""
        return (self.etag, self.size) == (listed.etag, listed.size)


class Damage(NamedTuple):
    """Why a manifest cannot be read."""

    etag: str
    size: int
    newer: bool
    """Whether a newer revision wrote it."""
    problem: Annotated[documents.Text, pydantic.Field(max_length=errors.LONGEST)]

    def is_of(self, listed: ports.StoredObject) -> bool:
        """Whether it is about this very manifest."""
        return (self.etag, self.size) == (listed.etag, listed.size)


_LAZY = pydantic.ConfigDict(defer_build=True)
_Rows = pydantic.TypeAdapter(dict[str, Row], config=_LAZY)
_Damages = pydantic.TypeAdapter(dict[str, Damage], config=_LAZY)


def load(store: ports.ObjectStore) -> Mapping[str, Row | Damage]:
    """Return what is known by backup id; nothing if there is no index that can be used.

    One of another version is none either: it is a copy, and the next leader to list writes it
    anew.
    """
    try:
        raw: Any = json.loads(store.get(KEY, _LARGEST))
        if raw[_VERSION] != VERSION:
            raise ValueError('its version is not supported')
        return {**_Damages.validate_python(_damaged(raw)), **_Rows.validate_python(_sets(raw))}
    except errors.NotFound:
        return {}
    except (errors.UnexpectedAnswer, ValueError, LookupError, TypeError, RecursionError) as error:
        logger.warning('%s cannot be used (%s): manifests are read', KEY, type(error).__name__)
        return {}


def _sets(part: Any) -> Any:
    if part[_CHECKSUM] != documents.checksum(part[_SETS]):
        raise ValueError('its checksum does not match')
    return part[_SETS]


def _damaged(raw: Any) -> Any:
    """Return what is remembered of damaged manifests: nothing if another revision has judged."""
    part = raw.get(_DAMAGED)
    return _sets(part) if part is not None and part[_READER] == _reader() else {}


@functools.cache
def _reader() -> str:
    """Return what tells revisions apart that may judge the same manifest otherwise."""
    digest = hashlib.sha256(pydantic.VERSION.encode())
    for module in (documents, manifest, object_keys, plain):
        digest.update(pathlib.Path(str(module.__file__)).read_bytes())
    return digest.hexdigest()


def save(store: ports.ObjectStore, known: Mapping[str, Row | Damage]) -> None:
    """Store what is known; that S3 does not take it harms no one."""
    sets = {name: found for name, found in known.items() if isinstance(found, Row)}
    damaged = {name: found for name, found in known.items() if isinstance(found, Damage)}
    content: dict[str, Any] = {_VERSION: VERSION, **_checked(sets)}
    if damaged:
        content[_DAMAGED] = {_READER: _reader(), **_checked(damaged)}
    try:
        store.put(KEY, json.dumps(content, separators=(',', ':')).encode())
    except errors.CoordinatorError as error:
        logger.warning('%s was not stored, so listing stays slow: %s', KEY, error)


def _checked(sets: Mapping[str, object]) -> dict[str, Any]:
    return {_CHECKSUM: documents.checksum(sets), _SETS: sets}
