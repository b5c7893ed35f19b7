"""Whether a request with an effect, whose answer was lost, may still take effect.

A check would be too early, and a second request might have its effect twice, so the operation
waits. The start of the wait is a fact of the record. A killed dispatch cannot store that fact;
`in_flight` has then left a mark on the unit's disk.
"""

from __future__ import annotations

import datetime

from coordinator import errors, ports, times
from coordinator.engine import operation

_SINCE = 'answer-lost'
"""Fact: the operation's age in seconds at the start of the doubt."""
_SENT = 'answer-lost-sent'
"""Fact: when the last doubtful request was sent. It is only compared for equality, as it comes
from another dispatch's clock."""
_LONGEST = datetime.timedelta(seconds=30)
"""Seconds within which a controller may still execute a request after its connection broke."""


def lasts(op: operation.Operation) -> bool:
    """Whether it is too early to check and to act."""
    since = operation.age_of(op.fact(_SINCE))
    return since is not None and op.age - since < _LONGEST.total_seconds()


def noted(op: operation.Operation, error: errors.TransientError) -> operation.Operation:
    """Begin a doubt if this error is a lost answer."""
    if not isinstance(error, errors.AnswerLost):
        return op
    return op.remembering({_SINCE: str(op.age)})


def all_answered(before: operation.Operation, after: operation.Operation) -> bool:
    """Whether every request of a dispatch was answered, judged by the record that it made."""
    return before.fact(_SINCE) == after.fact(_SINCE)


def taken_up(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Start a doubt if an earlier dispatch was killed during a request, or its record was lost."""
    left = world.take_up()
    sent = times.stamp(left) if left is not None else ''
    if not sent or sent == op.fact(_SENT):
        return op
    return op.remembering({_SINCE: str(op.age), _SENT: sent})
