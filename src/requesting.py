"""Joins requests of other charms for a backup to Juju: relations, record, and the door.

Relations are read only when Juju says that something about them may have changed; all other
dispatches know the requests from the record, and ask nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import logging
import typing

import ops

import given
import scheduling
from charms.maas_backup_coordinator.v0 import maas_backup
from coordinator import errors, plain
from coordinator.engine import operation
from coordinator.observed import sets
from coordinator.operations import asked
from coordinator.record import databag, requests, schedules

logger = logging.getLogger(__name__)

ENDPOINT = 'backup'


class Requesting:
    """The requests of other charms. Only the leader sees and answers them."""

    def __init__(
        self,
        given_to_unit: given.Given,
        kept: databag.Record,
        scheduled: scheduling.Scheduling,
    ):
        self._given = given_to_unit
        self._record = kept
        self._scheduling = scheduled
        self._was: schedules.Pending | None = None
        self._read = False

    def note(self, now: datetime.datetime, *, read: bool, alone: bool) -> None:
        """As the leader, note what is requested, and what became of earlier requests.

        Whatever begins a backup after this, in this dispatch or a later one, answers it.

        Args:
            now: the time.
            read: whether the relations may have changed.
            alone: whether this unit may have no timer for the end of a pause.
        """
        kept = requests.from_json(self._record.requests)
        self._was = None if alone else kept.line.pending
        self._read = read
        if read:
            with self._whatever_a_relation_does():
                kept = self._seen(kept)
        if not kept.asked:
            self._record.set_requests('')
            return
        known, op = self._operation()
        if known:
            earlier, newest = self._record.earlier, self._record.last_complete
            kept = asked.settled(kept, op, earlier, newest, now)
        self._record.set_requests(requests.to_json(asked.lined_up(kept, now)))

    def decide(self, now: datetime.datetime) -> None:
        """As the leader, begin a backup that is requested, if one may begin."""
        text = self._record.requests
        if not text:
            return
        kept = requests.from_json(text)
        known, op = self._operation()
        if known and kept.line.pending is not None and (op is None or op.terminal):
            # One may begin now: it must still be wanted.
            with self._whatever_a_relation_does():
                kept = asked.lined_up(asked.standing(kept, self._found(self._provider())), now)
                self._record.set_requests(requests.to_json(kept))
        if known and kept.line.pending is not None:
            line = self._scheduling.decide(asked.NAME, kept.line, now, self._was, again=False)
            # If a backup has begun, its door has changed what is stored.
            kept = requests.from_json(self._record.requests)
            if kept.line.pending is not None:
                kept = asked.decided(kept, line, op)
        self._record.set_requests(requests.to_json(kept))

    def tell(self) -> None:
        """As the leader, put into the relations what the record says, once it says so."""
        text = self._record.requests
        if not text:
            return
        with self._whatever_a_relation_does():
            kept = self._told(requests.from_json(text))
            self._record.set_requests(requests.to_json(kept))

    @staticmethod
    @contextlib.contextmanager
    def _whatever_a_relation_does() -> typing.Generator[None]:
        """Let a relation that Juju does not let us read or write stop no operation."""
        try:
            yield
        except ops.ModelError as error:
            why = plain.one_line(str(error))
            logger.warning('requests of other charms cannot be read or answered now: %s', why)

    def _operation(self) -> tuple[bool, operation.Operation | None]:
        """Return whether the operation is known, and the running or last one."""
        try:
            return True, self._record.load()
        except errors.ForeignRecordError:
            # Nothing can begin, and nothing is known to have ended: requests wait.
            return False, None

    def _seen(self, kept: requests.Requests) -> requests.Requests:
        if not self._given.model.relations[ENDPOINT]:
            return requests.Requests()
        after = asked.seen(kept, self._found(self._provider()))
        for relation, each in after.asked.items():
            if each.id and each != kept.asked.get(relation):
                logger.info('%s requests a backup: request %s', each.by, each.id)
        return after

    def _found(self, provider: maas_backup.MaasBackupProvider) -> dict[str, requests.Asked]:
        """Return what each relation requests now, as if it were new."""
        return {
            str(relation.id): self._requested(provider, relation, served=number < requests.MOST)
            for number, relation in enumerate(provider.relations)
        }

    @staticmethod
    def _requested(
        provider: maas_backup.MaasBackupProvider, relation: ops.Relation, *, served: bool
    ) -> requests.Asked:
        """Return what a relation requests, as if it were new."""
        try:
            request_id = provider.request(relation)
        except maas_backup.InvalidDocument as error:
            why = f'the request is not valid: {error}'
            return requests.Asked('', requests.REFUSED, reason=why)
        if not request_id:
            return requests.Asked()
        if not served:
            why = f'{requests.MOST} applications are related already'
            return requests.Asked(request_id, requests.REFUSED, reason=why)
        return requests.Asked(request_id, requests.WAITING, by=relation.app.name)

    def _told(self, kept: requests.Requests) -> requests.Requests:
        """Write changed answers into the relations; return the requests with that noted."""
        newest = self._newest()
        told = newest == kept.newest and all(each.told for each in kept.asked.values())
        # A hook that hung may have overwritten what another leader has told.
        if told and not self._read:
            return kept

        provider = self._provider()
        try:
            published = maas_backup.BackupSet.from_dict(json.loads(newest)) if newest else None
        except maas_backup.InvalidDocument:
            # Others may write to the bucket, and name a set by a time that there is not.
            published = None
        for relation in provider.relations:
            each = kept.asked.get(str(relation.id))
            if each is not None:
                provider.answer(relation, _answer(each))
                provider.publish(relation, published)
        marked = {key: dataclasses.replace(each, told=True) for key, each in kept.asked.items()}
        return dataclasses.replace(kept, asked=marked, newest=newest)

    def _newest(self) -> str:
        """Return the newest good set that is known, as JSON; '' if none is."""
        found, made = sets.Sets.from_json(self._record.sets), self._record.last_complete
        # Until somebody has listed the sets, that is all that is known.
        newest = found.newest if found is not None else {sets.COMPLETE: made}
        backup_id = newest.get(sets.COMPLETE, '')
        if made:
            # Whoever can write to the bucket can plant a newer one, which nobody here has made.
            backup_id = min(backup_id, made)
        if not backup_id:
            return ''
        verified = 'deep' if newest.get(sets.READ_WHOLE) == backup_id else 'objects'
        proven = newest.get(sets.PROVEN) == backup_id
        return json.dumps({'backup-id': backup_id, 'verified': verified, 'proven': proven})

    def _provider(self) -> maas_backup.MaasBackupProvider:
        return maas_backup.MaasBackupProvider(self._given.model, ENDPOINT)


def _answer(each: requests.Asked) -> maas_backup.Answer | None:
    """Return the answer for a relation; None if nothing was requested."""
    if not each.state:
        return None
    ready = each.state == requests.READY
    made = maas_backup.BackupSet(each.backup_id) if ready else None
    return maas_backup.Answer(each.id, each.state, each.reason, made)
