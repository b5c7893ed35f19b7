"""Charms that request backups while an operation is explored: each request is answered once."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterator

from coordinator import times
from coordinator.engine import operation
from coordinator.operations import asked, due, plans
from coordinator.record import requests

_PATIENT, _LATE, _FICKLE = '7', '8', '9'
"""Relations: of one that asks before the operation begins; of one that asks while it runs; of one
that does both, and so makes a new request before the first is answered."""
_LATER = 5
"""Dispatches after which the latter two ask."""
_ENDED = (requests.READY, requests.FAILED, requests.REFUSED)


class Askers:
    """What three charms request, and what dispatches make of it."""

    def __init__(self, op: operation.Operation, now: datetime.datetime):
        self._wanted = {_PATIENT: 'a1', _LATE: '', _FICKLE: 'c1'}
        """As the databags of the relations have it."""
        self._answers: dict[str, set[tuple[str, str]]] = {}
        """By id of an operation, the requests that were seen when it began."""
        self._complete = ''
        self._dispatches = 0
        self.faults: list[str] = []
        kept = asked.lined_up(self._seen(requests.Requests()), now)
        if op.kind == asked.KIND:
            kept, op = self._begun(kept, op, now)
        self.op = op
        """The operation, as it begins."""
        self.stored = requests.to_json(kept)

    def look(self, op: operation.Operation, now: datetime.datetime) -> str:
        """Return the requests as a dispatch would store them."""
        kept = self._seen(requests.from_json(self.stored))
        kept = asked.settled(kept, op, (), self._complete, now)
        kept = asked.lined_up(kept, now)
        pending = kept.line.pending
        if pending is None:
            return requests.to_json(kept)
        waited = now - times.parse_stamp(pending.due)
        line, may = due.waiting(kept.line, op, now, int(waited.total_seconds()))
        if not may:
            return requests.to_json(asked.decided(kept, line, op))
        if not op.terminal:
            self.faults.append(f'a backup is requested beside {op.id}, which is {op.status}')
        return requests.to_json(self._begun(kept, dataclasses.replace(op, id='next'), now)[0])

    def store(self, text: str, op: operation.Operation) -> None:
        """Commit what a dispatch has set, with the operation; then the others may ask."""
        self._commit(text, op)
        self._dispatches += 1
        if self._dispatches == _LATER:
            self._wanted |= {_LATE: 'b1', _FICKLE: 'c2'}

    def _commit(self, text: str, op: operation.Operation) -> None:
        self.stored = text
        if plans.complete(op):
            self._complete = op.backup_id
        for relation, each in requests.from_json(text).asked.items():
            if each.operation and (relation, each.id) not in self._answers[each.operation]:
                self.faults.append(f'request {each.id} is answered by an older backup')

    def ended(self, op: operation.Operation, now: datetime.datetime) -> Iterator[str]:
        """Dispatch once more after the end; yield what did not hold."""
        self._commit(self.look(op, now), op)
        yield from self.faults
        found = requests.from_json(self.stored).asked
        for relation, wanted in self._wanted.items():
            each = found[relation]
            if each.id != wanted:
                yield f'{relation} requests {wanted!r}, known is {each.id!r}'
            elif wanted and not each.state:
                yield f'request {wanted} has vanished'
            elif each.state in (requests.FAILED, requests.REFUSED) and not each.reason:
                yield f'request {wanted} is {each.state} for no reason'
            if each.operation == op.id and each.state not in _ENDED:
                yield f'{op.id} has ended, request {wanted} is still {each.state}'
            if each.state == requests.READY and each.backup_id != self._complete:
                yield f'request {wanted} is ready without a set'
        if op.kind == asked.KIND and self._complete and found[_PATIENT].state != requests.READY:
            yield f'there is a set, and request a1 is {found[_PATIENT].state}'

    def _seen(self, kept: requests.Requests) -> requests.Requests:
        found = {
            relation: requests.Asked(wanted, requests.WAITING) if wanted else requests.Asked()
            for relation, wanted in self._wanted.items()
        }
        return asked.seen(kept, found)

    def _begun(
        self, kept: requests.Requests, op: operation.Operation, now: datetime.datetime
    ) -> tuple[requests.Requests, operation.Operation]:
        self._answers[op.id] = {
            (relation, each.id)
            for relation, each in kept.asked.items()
            if each.state == requests.WAITING
        }
        return asked.joined(kept, op, now)
