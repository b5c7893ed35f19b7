"""The action with which a person acknowledges an ended operation."""

from __future__ import annotations

import logging

import ops

from actions import base as action_base
from actions import forms
from coordinator import errors
from coordinator.record import ended
from coordinator.report import status

logger = logging.getLogger(__name__)

_ACTION = 'acknowledge-operation'


class AcknowledgingActions(action_base.ActionBase):
    """Handles acknowledge-operation."""

    def __init__(self, charm: ops.CharmBase, desk: action_base.Desk):
        super().__init__(charm, desk)
        self.admit(_ACTION, forms.AcknowledgeOperation, self._acknowledge, leader=True)

    def _acknowledge(self, params: forms.AcknowledgeOperation) -> action_base.Results:
        """Let the status no longer show an operation that failed, or has left something to do."""
        shown = self._shown()
        wanted = (params.operation_id or shown.id).strip()
        if wanted != shown.id:
            raise errors.PreconditionError(
                f'the status shows {shown.kind} {shown.id}, not that operation: '
                f'juju run {self.app}/leader {_ACTION} operation-id={shown.id}'
            )
        self.record.set_since(self.record.since.settling(shown.id))
        logger.warning('%s %s: acknowledged by the operator', shown.kind, shown.id)
        return {
            'operation-id': shown.id,
            'status': 'acknowledged',
            'was': f'{shown.status}: {shown.error}',
        }

    def _shown(self) -> ended.Ended:
        """Return the operation that the status shows.

        Raises:
            PreconditionError: the status shows no operation, or one that has not ended.
        """
        op = self.record.load()
        if op is not None and not op.terminal:
            raise errors.PreconditionError(
                f'{op.kind} {op.id} has not ended, it is {op.status}: {self.follow()}'
            )
        found = status.trouble(op, self.record.earlier, self.record.since)
        if found is None:
            raise errors.PreconditionError(
                f'no ended operation needs attention: juju status {self.app}'
            )
        return found
