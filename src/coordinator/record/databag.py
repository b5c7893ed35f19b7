"""Keeps the operation in the application databag of the peer relation.

A write takes effect when the dispatch ends. Then Juju notifies every unit, also the leader that
wrote it, and this causes the next dispatch. So an equal record is never written.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import logging
import pathlib

import ops

from coordinator import errors, times
from coordinator.engine import limits, operation
from coordinator.record import ended
from coordinator.unit import newest

logger = logging.getLogger(__name__)

RELATION = 'coordinator'
_OPERATION = 'operation'
_ENDED = 'ended'
_LAST_COMPLETE = 'last-complete'
_SETS = 'sets'
_TRACED = 'traced'
_LOOKED = 'history-looked-at'
_SINCE = 'since-the-end'
_UNSETTLED = 'unsettled'
_SCHEDULES = 'schedules'
_REQUESTS = 'requests'


class Record:
    """The running or last operation, those that have ended, and the newest complete backup set."""

    def __init__(self, model: ops.Model, memory: pathlib.Path):
        """Reach the record.

        Args:
            model: the model.
            memory: file on the unit's own disk that remembers the newest record that was read.
        """
        self._relation = model.get_relation(RELATION)
        self._app = model.app
        self._newest = newest.Newest(memory)
        self._stored = False
        self._back: dict[str, str] | None = None
        self.dropped = False
        """Whether this dispatch has stored nothing, as another unit may have led meanwhile."""
        self.behind = False
        """Whether the databag has an older record than one that this unit has already read."""

    @property
    def ready(self) -> bool:
        """Whether there is a place to keep an operation."""
        return self._relation is not None

    @property
    def raw(self) -> tuple[str, str]:
        """The relation that holds the record, as `coordinator:0`, and the record as stored."""
        number = self._relation.id if self._relation else ''
        return f'{RELATION}:{number}', self._get(_OPERATION)

    def load(self) -> operation.Operation | None:
        """Return the running or last operation, as the newest record that is known has it.

        Raises:
            ForeignRecordError: a newer revision of the charm wrote it.
        """
        text = self._get(_OPERATION)
        if self._relation is None:
            # Of a unit that leaves: Juju may have broken the relation already.
            text = self._newest.newer_than(-1)
        elif not text:
            self._newest.forget()
        if not text:
            return None
        op = operation.Operation.from_json(text)
        # What this dispatch has stored may still be lost, so only records that were read are
        # remembered.
        return op if self._stored else self._not_older(op, text)

    def _not_older(self, op: operation.Operation, text: str) -> operation.Operation:
        newer = self._newest.newer_than(op.generation)
        if not newer:
            self._newest.note(op.generation, text)
            return op
        try:
            found = operation.Operation.from_json(newer)
        except errors.ForeignRecordError:
            # An unreadable remembered record is ignored.
            return op
        if not self.behind:
            logger.error(
                '%s: a former leader overwrote record %s with the older record %s: '
                'the newer one is put back',
                found.at,
                found.generation,
                op.generation,
            )
        self.behind = True
        return found

    def unchanged(self, now: datetime.datetime) -> datetime.timedelta:
        """Return for how long this unit has read no newer record than the one it read last."""
        since = self._newest.noted_at
        return now - since if since is not None else datetime.timedelta()

    def save(self, op: operation.Operation) -> operation.Operation | None:
        """Store an operation, shortened to fit; return it, or None if nothing differs.

        Raises:
            ForeignRecordError: what is there was written by a newer revision, and stays.
            PreconditionError: it is a new operation, and too large.
        """
        before = self.load()
        generation = before.generation if before is not None else 0
        fitting = dataclasses.replace(limits.fitted(op, before), generation=generation)
        if self._get(_OPERATION) == fitting.to_json():
            return None
        fitting = dataclasses.replace(fitting, generation=generation + 1)
        if self._relation is None and before is not None:
            # The last hooks of a unit that leaves read what is on its own disk.
            self._newest.note(fitting.generation, fitting.to_json())
            return fitting
        if not self._put(_OPERATION, fitting.to_json()):
            return None
        self._stored, self.behind = True, False
        for over in (before, fitting):
            if over is not None and over.terminal:
                self._put(_ENDED, ended.to_json(ended.adding(self.earlier, over)))
                left = ended.of(over).error and over.status != operation.FAILED
                if left and over.id not in self.since.settled:
                    self._put(_UNSETTLED, over.to_json())
        return fitting

    @property
    def unsettled(self) -> operation.Operation | None:
        """The last operation that ended and has left something to do, as it was at its end."""
        text = self._get(_UNSETTLED)
        try:
            return operation.Operation.from_json(text) if text else None
        except errors.ForeignRecordError:
            return None

    @property
    def since(self) -> ended.Since:
        """What has become of operations since they ended."""
        text = self._get(_SINCE)
        return ended.Since.from_json(text) if text else ended.Since()

    def set_since(self, since: ended.Since) -> None:
        """Store what has become of them. Settled operations are not checked again."""
        unsettled = self.unsettled
        if unsettled is not None and unsettled.id in since.settled:
            self._put(_UNSETTLED, '')
        self._put(_SINCE, since.to_json())

    @property
    def fresh(self) -> bool:
        """Whether no coordinator has recorded anything yet, nor looked for one before it."""
        keys = (_OPERATION, _ENDED, _LAST_COMPLETE, _LOOKED)
        return self.ready and not any(self._get(key) for key in keys)

    def nothing_before(self) -> None:
        """Note that the history has no operation that this coordinator takes over."""
        self._put(_LOOKED, 'true')

    @property
    def earlier(self) -> tuple[ended.Ended, ...]:
        """The last operations that have ended, newest first."""
        text = self._get(_ENDED)
        return ended.from_json(text) if text else ()

    @property
    def last_complete(self) -> str:
        """Backup id of the newest complete set that this application made, or ''."""
        text = self._get(_LAST_COMPLETE)
        return json.loads(text)['backup-id'] if text else ''

    def set_last_complete(self, backup_id: str, now: datetime.datetime) -> None:
        """Store the id of a complete set if the stored id is older, or in the future."""
        if not times.is_ahead(self.last_complete, now):
            backup_id = max(backup_id, self.last_complete)
        self._put(_LAST_COMPLETE, json.dumps({'backup-id': backup_id}))

    @property
    def sets(self) -> str:
        """What the leader has found in the repository last, for the metrics; '' if nothing."""
        return self._get(_SETS)

    def set_sets(self, text: str) -> None:
        """Store what was found in the repository."""
        self._put(_SETS, text)

    @property
    def traced(self) -> str:
        """Id of the last operation whose trace was sent, or ''."""
        return self._get(_TRACED)

    def set_traced(self, operation_id: str) -> None:
        """Note that the trace of an operation was sent."""
        self._put(_TRACED, operation_id)

    @property
    def schedules(self) -> str:
        """The schedules, as stored."""
        return self._get(_SCHEDULES)

    def set_schedules(self, text: str) -> None:
        """Store the schedules."""
        self._put(_SCHEDULES, text)

    @property
    def requests(self) -> str:
        """The requests of other charms for a backup, as stored."""
        return self._get(_REQUESTS)

    def set_requests(self, text: str) -> None:
        """Store the requests."""
        self._put(_REQUESTS, text)

    def keep_back(self) -> None:
        """Let what is set from now on wait: work follows that may take minutes.

        Juju sends the whole databag as soon as anything in it was set, even to what it was. A unit
        that no longer leads, or leads again, would overwrite what another leader has stored.
        """
        self._back = {}

    @property
    def kept_back(self) -> bool:
        """Whether anything waits."""
        return bool(self._back)

    def release(self) -> None:
        """Set what has waited, and let nothing wait any more."""
        back, self._back = self._back or {}, None
        for key, text in back.items():
            self._put(key, text)

    def drop(self) -> None:
        """Forget what has waited, and set nothing more: another unit may have led meanwhile."""
        self._back, self._stored, self.dropped = None, False, True

    def _get(self, key: str) -> str:
        if self._back is not None and key in self._back:
            return self._back[key]
        return self._relation.data[self._app].get(key, '') if self._relation else ''

    def _put(self, key: str, text: str) -> bool:
        if self._relation is None or self.dropped or self._get(key) == text:
            return False
        if self._back is not None:
            self._back[key] = text
        else:
            self._relation.data[self._app][key] = text
        return True
