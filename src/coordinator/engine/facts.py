"""Facts that several modules read, or that are more than a text.

A fact is a text in the record. If only one step uses a fact as plain text, the module of that step
declares it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from coordinator.engine import operation

_Value = TypeVar('_Value')


@dataclasses.dataclass(frozen=True)
class Fact(Generic[_Value]):
    """One fact. Existing records contain its name and its encoding, so neither may change."""

    name: str
    writer: str
    """The step that writes it; '' if any may."""
    absent: _Value
    """Its value until it is written."""
    decode: Callable[[str], _Value] = json.loads
    encode: Callable[[_Value], str] = json.dumps

    def of(self, op: operation.Operation) -> _Value:
        """Return the value of the fact in an operation.

        Raises:
            ValueError: the record comes from S3, and was changed there.
        """
        text = op.fact(self.name)
        return self.decode(text) if text else self.absent

    def known(self, op: operation.Operation) -> bool:
        """Whether it was written, even with an empty value."""
        return bool(op.fact(self.name))

    def put(self, value: _Value) -> dict[str, str]:
        """Return the value, encoded for the record."""
        return {self.name: self.encode(value)}


def _text(name: str, writer: str) -> Fact[str]:
    return Fact(name, writer, '', str, str)


REQUESTS = Fact[Sequence[str]]('answers-requests', '', (), str.split, ' '.join)
"""Marks of the requests of other charms that a backup answers."""
REQUESTED_BY = _text('requested-by', '')
"""Names of the applications that have made them, for people."""
UNITS = Fact[Mapping[str, str]]('postgresql-units', 'scale-down-postgresql', {})
"""Names of PostgreSQL's units before it was scaled down, each with its machine."""
STORAGE = Fact[Mapping[str, Sequence[str]]]('postgresql-storage', 'scale-down-postgresql', {})
"""Ids of the storage of each of those units."""
CONTROLLERS = Fact[Mapping[str, str]]('region-controllers', 'detach-maas', {})
"""The controller id that each region is to have, by unit."""
AIMED_BEFORE = Fact[Mapping[str, Mapping[str, str]]]('aimed-before', 'aim-repositories', {})
"""Settings of the s3-integrators that were changed, by application, as they were."""
FORMER_CLUSTERS = Fact[Sequence[str]](
    'restore-former-system-id', 'aim-repositories', (), str.split, lambda ids: ' '.join(ids)
)
"""System identifiers of the clusters in PostgreSQL's repository before the restore changed its
path."""
NEW_PATH = _text('postgresql-new-path', 'renew-repository')
"""The path to which PostgreSQL's backups move."""
MODEL = Fact[Mapping[str, str]]('model', 'check', {})
"""The fields of `manifest.Model`."""
PASSWORD_HASHES = Fact[Mapping[str, str]]('password-hashes', 'capture-secrets', {})
"""By user; salted."""
REPOSITORY = Fact[Mapping[str, str]]('repository', 'check', {})
"""Endpoint, bucket and path of s3-maas at the start of the operation."""
OWN_PLACE = Fact[Mapping[str, str]]('own-postgresql-place', 'check', {})
"""Endpoint, bucket and path that s3-postgresql led to before a rehearsal."""
AGENTS_LOST = Fact[Mapping[str, int]](
    'agents-lost', '', {}, encode=lambda lost: json.dumps(lost) if lost else ''
)
"""By the id of a task: the age of the operation at which the agent of its unit was first lost."""
IMAGES_LOST = Fact[Sequence[str]]('images-lost', 'await-images', ())
"""Uploaded images that were deleted since the first list of the operation."""
FILES_REPLACED = Fact[Sequence[str]]('files-backups-replaced', 'back-up-maas', ())
"""Ids of files backups during which an image changed."""
ENDPOINTS = Fact[Sequence[str]](
    'database-endpoints', 'detach-maas', (), str.split, lambda ends: ' '.join(ends)
)
"""Both ends of the relation of MAAS and PostgreSQL."""
RELATION_REMOVED = _text('relation-being-removed', 'detach-maas')
"""Id of that relation, once its removal was requested."""
DOWN_SINCE = _text('maas-down-since', 'detach-maas')
"""A time, as `times.stamp` writes it."""
UP_SINCE = _text('maas-up-since', 'attach-maas')
"""A time, as `times.stamp` writes it."""
