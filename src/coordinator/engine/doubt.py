"""Whether a request with an effect, whose answer was lost, may still take effect.

To look now would be too early, and to send it again might do it twice: so nothing is done for a
while. Since when is a fact of the record; what a dispatch that was killed could not store,
`in_flight` has left on the unit's disk.
"""

from __future__ import annotations

import datetime

from coordinator import errors, ports, times
from coordinator.engine import operation

_SINCE = 'answer-lost'
"""Fact: the operation's age when the doubt began."""
_SENT = 'answer-lost-sent'
"""Fact: when the last doubtful request was sent. It is only compared for equality, as it comes
from another dispatch's clock."""
_LONGEST = datetime.timedelta(seconds=30)
"""How long a controller may take over a request whose connection is gone."""


def lasts(op: operation.Operation) -> bool:
    """Whether it is too soon to look, and to act."""
    since = operation.age_of(op.fact(_SINCE))
    return since is not None and op.age - since < _LONGEST.total_seconds()


def noted(op: operation.Operation, error: errors.TransientError) -> operation.Operation:
    """Begin a doubt if this error is a lost answer."""
    if not isinstance(error, errors.AnswerLost):
        return op
    return op.remembering({_SINCE: str(op.age)})


def all_answered(before: operation.Operation, after: operation.Operation) -> bool:
    """Whether every request of a dispatch, given as what it made of a record, got its answer."""
    return before.fact(_SINCE) == after.fact(_SINCE)


def taken_up(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Take up the doubt that a dispatch has left which was killed, or whose record was lost."""
    left = world.take_up()
    sent = times.stamp(left) if left is not None else ''
    if not sent or sent == op.fact(_SENT):
        return op
    return op.remembering({_SINCE: str(op.age), _SENT: sent})
