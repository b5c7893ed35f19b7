"""Checks the task that an operation waits for, which is enough for most beats.

A backup of hours has hundreds of beats, and nearly each finds its task still running. A dispatch
for that would load the whole charm and run twenty hook tools. So a dispatch that waits for a task
notes what it waits for. The next beat asks three questions before it loads anything: whether this
unit leads, whether the record is unchanged, and whether the controller says of the task what it
said at the last beat. If anything differs or fails, the whole dispatch follows. It also follows
whenever a look at more than the task is due, and after a dispatch that did not end: each removes
the note before it does anything.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import pathlib
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from coordinator.juju_api import connection, remembered, wire
from coordinator.unit import beat, elapsed

_SECONDS = 20
"""For one hook tool."""
_TIMEOUTS = connection.Timeouts(address=3.0, connecting=5.0, login=3.0, call=5.0)
"""A slow or unreachable controller is left to the whole dispatch."""


@dataclasses.dataclass(frozen=True)
class Waiting:
    """What a dispatch that waits for a task leaves for the next beat; contains no secret."""

    operation: str
    age: int
    """In the record, in seconds."""
    record: str
    """Digest of the record as it is stored."""
    relation: str
    """The peer relation, as `coordinator:0`."""
    application: str
    task: int
    login: str
    """URI of the secret with the login."""
    addresses: Sequence[str]
    ca_cert: str
    model: str
    """Its UUID."""
    ends: int = 0
    """The operation's age at which the task is likely to end; 0 if nobody knows."""
    seen: str = ''
    """Digest of the controller's answer at the last beat; '' before the first."""


def digest(text: str) -> str:
    """Return a digest of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


class Note:
    """The note on the unit's disk."""

    def __init__(self, charm_dir: pathlib.Path):
        self._path = charm_dir / beat.NOTE

    def read(self) -> Waiting | None:
        """Return the note; None if there is none or it cannot be read."""
        try:
            return Waiting(**json.loads(self._path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def take(self) -> Waiting | None:
        """Remove the note and return it. A dispatch that dies must not leave one."""
        noted = self.read()
        self._path.unlink(missing_ok=True)
        return noted

    def keep(self, waiting: Waiting, before: Waiting | None = None) -> None:
        """Leave a note; what was seen of the same wait `before` still counts."""
        if before is not None:
            same = dataclasses.replace(before, seen='') == waiting
            waiting = dataclasses.replace(waiting, seen=before.seen if same else '')
        draft = self._path.with_suffix('.new')
        # A disk that is full must not stop an operation.
        with contextlib.suppress(OSError):
            draft.write_text(json.dumps(dataclasses.asdict(waiting)))
            draft.replace(self._path)


def suffices(charm_dir: pathlib.Path) -> bool:
    """Whether a beat would find nothing new."""
    try:
        return _nothing_new(charm_dir)
    except Exception:
        # The whole dispatch meets the same error, and reports it.
        return False


def _nothing_new(charm_dir: pathlib.Path) -> bool:
    note = Note(charm_dir)
    waiting = note.read()
    if waiting is None or _ask('is-leader') is not True:
        return False
    arguments = ('-r', waiting.relation, '--app', 'operation', waiting.application)
    if digest(_ask('relation-get', *arguments)) != waiting.record:
        return False
    looks = elapsed.Elapsed(charm_dir / elapsed.FILE)
    looks.look(waiting.operation, waiting.age)
    if looks.overdue:
        return False
    answer = _task(waiting, remembered.LastAddress(charm_dir / remembered.FILE))
    seen = digest(json.dumps(answer, sort_keys=True))
    if seen == waiting.seen:
        return True
    note.keep(dataclasses.replace(waiting, seen=seen if _runs(answer) else ''))
    return False


def _task(waiting: Waiting, last: remembered.LastAddress) -> object:
    """Return the controller's answer about the task."""
    login: Mapping[str, str] = _ask('secret-get', waiting.login, '--refresh')
    endpoint = connection.Endpoint(
        waiting.addresses,
        waiting.ca_cert,
        waiting.model,
        login['username'],
        login['password'].rstrip('\r\n'),
    )
    with connection.connect(endpoint, _TIMEOUTS, last) as opened:
        entities = [{'tag': wire.task_tag(waiting.task)}]
        return opened.call('Action', 'Actions', {'entities': entities})


def _runs(answer: Any) -> bool:
    return [task['status'] for task in answer['results']] == ['running']


def _ask(tool: str, *arguments: str) -> Any:
    """Return the answer of a hook tool."""
    command = (tool, '--format=json', *arguments)
    ended = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=True)
    return json.loads(ended.stdout)
