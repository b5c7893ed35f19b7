"""What operations write into the folder of a backup set: whose it is, and who restores from it.

A mark is told by its name and by S3's own time of it, so that the one listing of the repository
tells all of them. Each operation has names of its own: none ever replaces the mark of another.
"""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Mapping

from coordinator import keys, ports

COUNTS_FOR = datetime.timedelta(days=7)
"""After that a mark is one that a crash has left."""
_MODEL = r'(?P<model>[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})'
_CLAIM = re.compile(rf'claim-{_MODEL}-[0-9a-f]{{8}}')
_USE = re.compile(rf'in-use-{_MODEL}-(?P<operation>{keys.ID.pattern})')


@dataclasses.dataclass(frozen=True)
class Mark:
    """One mark on a backup set."""

    model_uuid: str
    since: datetime.datetime
    """By S3's own clock."""
    operation_id: str = ''
    """Of the restore that uses the set."""

    def counts(self, now: datetime.datetime) -> bool:
        """Whether it is no older than an operation may be."""
        return now - self.since < COUNTS_FOR

    def __str__(self) -> str:
        return f'restore-all {self.operation_id} of model {self.model_uuid}'


def claim_name(model_uuid: str, token: str) -> str:
    """Return the name of what makes a backup id one operation's own.

    Args:
        model_uuid: the operation's model.
        token: eight hexadecimal digits that no other operation of that model has drawn.
    """
    return f'claim-{model_uuid}-{token}'


def is_claim(name: str) -> bool:
    """Whether an object of this name in a set's folder is a claim."""
    return _CLAIM.fullmatch(name) is not None


def use_name(model_uuid: str, operation_id: str) -> str:
    """Return the name of what keeps a set from being deleted while a restore uses it."""
    return f'in-use-{model_uuid}-{operation_id}'


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
