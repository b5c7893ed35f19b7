"""The catalogue's index: what a listing shows of each set, so that it need read no manifest.

One object beside the sets, and only a copy. Manifests are the truth: a row counts while the
manifest that it came from is the one that S3 lists, by ETag and size. So it may be lost, stale,
damaged or written by two at once, and nothing is ever restored from what it says.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple, Self

import pydantic

from coordinator import errors, manifest, ports

logger = logging.getLogger(__name__)

KEY = 'coordinator/index.json'
VERSION = 1
_LARGEST = 64 << 20
"""Bytes: ten thousand sets have about four million."""
_VERSION, _CHECKSUM, _SETS = 'version', 'checksum', 'sets'


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
        )


class Row(NamedTuple):
    """A summary, and the manifest that it came from."""

    etag: str
    size: int
    summary: Summary

    def is_of(self, listed: ports.StoredObject) -> bool:
        """Whether it came from this very manifest."""
        return (self.etag, self.size) == (listed.etag, listed.size)


_Rows = pydantic.TypeAdapter(dict[str, Row], config=pydantic.ConfigDict(defer_build=True))


def load(store: ports.ObjectStore) -> Mapping[str, Row]:
    """Return the rows by backup id; none if there is no index that can be used.

    One of another version is none either: it is a copy, and the next leader to list writes it
    anew.
    """
    try:
        raw: Any = json.loads(store.get(KEY, _LARGEST))
        if raw[_VERSION] != VERSION or raw[_CHECKSUM] != manifest.checksum(raw[_SETS]):
            raise ValueError('its version or its checksum does not fit')
        return _Rows.validate_python(raw[_SETS])
    except errors.NotFound:
        return {}
    except (errors.UnexpectedAnswer, ValueError, LookupError, TypeError, RecursionError) as error:
        logger.warning('%s cannot be used (%s): manifests are read', KEY, type(error).__name__)
        return {}


def save(store: ports.ObjectStore, rows: Mapping[str, Row]) -> None:
    """Store the rows; that S3 does not take them harms no one."""
    content = {
        _VERSION: VERSION,
        _CHECKSUM: manifest.checksum(rows),
        _SETS: rows,
    }
    try:
        store.put(KEY, json.dumps(content, separators=(',', ':')).encode())
    except errors.CoordinatorError as error:
        logger.warning('%s was not stored, so listing stays slow: %s', KEY, error)
