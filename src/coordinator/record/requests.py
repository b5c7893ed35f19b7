"""What is kept of each relation over which another charm may request a backup.

The leader keeps it in the peer relation, as it keeps the schedules: the next leader neither
forgets a request nor answers it twice. A relation has one request at a time.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from coordinator.record import schedules

MOST = 20
"""Relations whose requests are served."""
WAITING, RUNNING, READY, FAILED, REFUSED = 'waiting', 'running', 'ready', 'failed', 'refused'
"""Of a request. Failed: a backup was begun for it. Refused: none was."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """The request of one relation, and what became of it."""

    id: str = ''
    """As the other charm names it; '' if it has requested nothing, or nothing that can be read."""
    state: str = ''
    operation: str = ''
    """Id of the operation whose set answers it."""
    backup_id: str = ''
    """Of that set."""
    reason: str = ''
    by: str = ''
    """Name of the other application, for people."""
    told: bool = False
    """Whether the databag of the relation says all this."""

    def becoming(self, **changes: Any) -> Asked:
        """Return it changed, and to be told if anything differs."""
        changed = dataclasses.replace(self, **changes)
        return self if changed == self else dataclasses.replace(changed, told=False)


@dataclasses.dataclass(frozen=True)
class Requests:
    """All requests, and the one backup that is to answer those that wait."""

    line: schedules.Schedule = dataclasses.field(default_factory=schedules.Schedule)
    """Has a pending run while a request waits. Nothing of it follows a calendar."""
    asked: Mapping[str, Asked] = dataclasses.field(default_factory=dict)
    """By id of the relation, as text."""
    newest: str = ''
    """The newest good set that the relations were told, as `told` writes it."""

    @property
    def waiting(self) -> bool:
        """Whether a request waits for a backup to begin."""
        return any(each.state == WAITING for each in self.asked.values())

    def becoming(self, state: str, **changes: Any) -> Requests:
        """Return them with whatever was waiting in another state."""
        asked = {
            relation: each.becoming(state=state, **changes) if each.state == WAITING else each
            for relation, each in self.asked.items()
        }
        return dataclasses.replace(self, asked=asked)


def mark(relation: str, request_id: str) -> str:
    """Return what an operation remembers of a request that it answers: short, and no blank."""
    return f'{relation}:{hashlib.sha256(request_id.encode()).hexdigest()[:12]}'


def to_json(requests: Requests) -> str:
    """Return requests as stored; '' if nobody is related. Equal requests give equal text."""
    if not requests.asked:
        return ''
    raw = dataclasses.asdict(requests)
    return json.dumps(raw, sort_keys=True, separators=(',', ':'), ensure_ascii=False)


def from_json(text: str) -> Requests:
    """Read requests. If they cannot be read there are none: then they are taken for new ones."""
    try:
        raw: dict[str, Any] = json.loads(text or '{}')
        return Requests(
            schedules.read(raw.get('line', {})),
            {
                str(relation): Asked(**schedules.known(Asked, each))
                for relation, each in raw.get('asked', {}).items()
            },
            str(raw.get('newest', '')),
        )
    except (AttributeError, TypeError, ValueError):
        return Requests()
