"""Whether a request with an effect, whose answer was lost, may still take effect.

To look now would be too early, and to send it again might do it twice: so nothing is done for a
while. Since when is a fact of the record; what a dispatch that was killed could not store,
`in_flight` has left on the unit's disk.
"""

from __future__ import annotations

import datetime

from coordinator import errors, operation, ports

_SINCE = 'answer-lost'
_LONGEST = datetime.timedelta(seconds=30)
"""How long a controller may take over a request whose connection is gone."""


def lasts(op: operation.Operation, world: ports.World) -> bool:
    """Whether it is too soon to look, and to act."""
    since = op.fact(_SINCE)
    return bool(since) and world.now() - operation.parse_stamp(since) < _LONGEST


def noted(
    op: operation.Operation, error: errors.TransientError, world: ports.World
) -> operation.Operation:
    """Begin a doubt if this error is a lost answer."""
    if not isinstance(error, errors.AnswerLost):
        return op
    return op.remembering({_SINCE: operation.stamp(world.now())})


def all_answered(before: operation.Operation, after: operation.Operation) -> bool:
    """Whether every request of a dispatch, given as what it made of a record, got its answer."""
    return before.fact(_SINCE) == after.fact(_SINCE)


def taken_up(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Take up the doubt that a dispatch has left which was killed, or whose record was lost."""
    left = world.take_up()
    since = operation.stamp(left) if left is not None else ''
    return op.remembering({_SINCE: since}) if since > op.fact(_SINCE) else op


def by_this_clock(op: operation.Operation, world: ports.World) -> operation.Operation:
    """Begin a doubt of the future anew: a clock was set back, or another unit leads."""
    now = operation.stamp(world.now())
    return op.remembering({_SINCE: now}) if op.fact(_SINCE) > now else op
