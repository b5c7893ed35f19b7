"""The coordinator's first and last dispatches: what it takes over, and what it leaves behind."""

from __future__ import annotations

import logging

import given
from coordinator import errors
from coordinator.engine import log, operation
from coordinator.operations import leaving, taking_over
from coordinator.record import databag, history

logger = logging.getLogger(__name__)

_SEALING = ('backup-all', 'adopt-backup')
"""Kinds of operation that need recipients."""


class Succession:
    """Joins one coordinator's operation to the next one's."""

    def __init__(self, given_to_unit: given.Given, kept: databag.Record):
        self._given = given_to_unit
        self._record = kept

    # --- The last dispatches -------------------------------------------------------------------

    def is_last(self, op: operation.Operation) -> bool:
        """Whether the last unit is being removed with an operation that is not over."""
        return not op.terminal and self._given.app.planned_units() == 0

    def leave(self, op: operation.Operation) -> None:
        """Do at once what can be done for an operation that no dispatch will move on."""
        if not self._given.unit.is_leader():
            logger.error(
                '%s: %s %s has not ended, and %s is not the leader: '
                'a coordinator that is deployed into this model takes it over',
                op.at,
                op.kind,
                op.id,
                self._given.unit.name,
            )
            return
        with self._given.connected() as reachable, log.naming(op):
            left = leaving.leave(op, reachable)
            left = self._record.save(left) or left
            # In each of the last hooks that can: an earlier one may have found no S3.
            if self._told_where():
                history.write(left, reachable)

    # --- The first one -------------------------------------------------------------------------

    def take_over(self) -> str:
        """Record what a coordinator before this one has left unfinished, if there was one.

        It is looked for until the repository has answered once.

        Returns:
            Why it is not known whether there was one; '' if it is.
        """
        if not self._record.fresh or not self._told_where():
            return ''
        try:
            self._given.settings(for_restore=True)
        except errors.PreconditionError:
            # The status says what is missing; once it is there the next dispatch looks.
            return ''
        try:
            self._record_found(self._found())
        except Exception as error:
            # An object in the bucket must not stop the hooks of this charm.
            ours = isinstance(error, errors.CoordinatorError)
            reason = str(error) if ours else f'internal error ({type(error).__name__})'
            why = f'cannot find out whether an operation was left unfinished: {reason}'
            logger.warning('%s', why)
            # A history that cannot be read must not keep a site from its backups forever.
            return '' if isinstance(error, errors.ForeignRecordError) else why
        return ''

    def _record_found(self, found: operation.Operation | None) -> None:
        if found is None:
            self._record.nothing_before()
            return
        self._record.save(found)
        logger.warning('%s: %s has not ended: %s', found.at, found.kind, found.current.reason)

    def _found(self) -> operation.Operation | None:
        with self._given.connected() as reachable:
            found = history.newest(reachable.maas_store, reachable.model_uuid)
            if found is None or found.terminal:
                return None
            config = self._given.settings(for_restore=found.kind not in _SEALING)
            found = taking_over.taken_over(found, config)
            return taking_over.with_signed_set(found, config, reachable)

    def _told_where(self) -> bool:
        """Whether s3-maas has told where the repository is."""
        relation = self._given.relation('s3-maas')
        return relation is not None and bool(relation.data[relation.app])
