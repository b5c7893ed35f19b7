"""Marks in the folder of a backup set: who made it, which restores use it, and which proved it.

Only a mark's name and the time that S3 gives it matter, so that one listing of the repository
finds all marks. Names contain the operation, so that no operation overwrites another's mark.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping

from coordinator import object_keys, ports

COUNTS_FOR = datetime.timedelta(days=7)
"""An older mark was left by a crash."""
_MODEL = r'(?P<model>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})'
_CLAIM = re.compile(rf'claim-{_MODEL}-[0-9a-f]{{8}}')
_USE = re.compile(rf'in-use-{_MODEL}-(?P<operation>{object_keys.ID.pattern})')
_PROOF = re.compile(rf'proven-{_MODEL}-(?P<operation>{object_keys.ID.pattern})')


@dataclasses.dataclass(frozen=True)
class Mark:
    """One mark on a backup set."""

    model_uuid: str
    since: datetime.datetime
    """By S3's own clock."""
    operation_id: str = ''
    """Of the restore, or of the proof of one, that uses the set."""

    def counts(self, now: datetime.datetime) -> bool:
        """Whether it is recent enough to belong to a running operation."""
        return now - self.since < COUNTS_FOR

    def __str__(self) -> str:
        return f'operation {self.operation_id} of model {self.model_uuid}'


def claim_name(model_uuid: str, token: str) -> str:
    """Return the name of the claim that reserves a backup id for one operation.

    Args:
        model_uuid: the operation's model.
        token: eight hexadecimal digits that no other operation of that model has drawn.
    """
    return f'claim-{model_uuid}-{token}'


def is_claim(name: str) -> bool:
    """Whether an object of this name in a set's folder is a claim."""
    return _CLAIM.fullmatch(name) is not None


def use_name(model_uuid: str, operation_id: str) -> str:
    """Return the name of the mark that protects a set from deletion while a restore uses it."""
    return f'in-use-{model_uuid}-{operation_id}'


def proof_name(model_uuid: str, operation_id: str) -> str:
    """Return the name of the mark of an operation that found in MAAS exactly what the set has."""
    return f'proven-{model_uuid}-{operation_id}'


def proven(found: Iterable[str]) -> str:
    """Return the id of the last operation that has proven a set, of the names in its folder."""
    proofs = filter(None, map(_PROOF.fullmatch, found))
    return max((proof['operation'] for proof in proofs), default='')


def claims(found: Mapping[str, ports.StoredObject]) -> list[Mark]:
    """Return the claims among the objects of a set's folder, by their names there."""
    return [
        Mark(match['model'], item.modified)
        for name, item in sorted(found.items())
        if (match := _CLAIM.fullmatch(name))
    ]


def uses(found: Mapping[str, ports.StoredObject]) -> list[Mark]:
    """Return the marks of restores among the objects of a set's folder, by their names there."""
    return [
        Mark(match['model'], item.modified, match['operation'])
        for name, item in sorted(found.items())
        if (match := _USE.fullmatch(name))
    ]
