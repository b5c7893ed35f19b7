"""Starts the separate process that reads a whole backup set, and follows its progress."""

from __future__ import annotations

from coordinator import errors, figures, ports
from coordinator.engine import operation, step
from coordinator.sets import manifest
from coordinator.steps.backup_set import set_objects

SET, NUMBER, DONE = 'set-in-hand', 'sets', 'sets-done'
"""Facts: the set that is verified, how many there are, and how many were."""
_TALLY, _READ, SINCE = 'tally', 'read-bytes', 'read-since'
"""Facts: what was read of the set in hand, how much of it when its reading was begun last, and
when it had come so far."""
UNREAD = {_TALLY: '', _READ: '', SINCE: ''}
_STALLED = 30 * 60
"""For which a reading may end again and again without having read more."""
_AGAIN = ' again: '
"""Between what is read and why its reading has ended before."""
_STEP = 5
"""Percent between two notes of how far a reading has come: each is a checkpoint."""


def name(op: operation.Operation) -> str:
    """Return the name of the reading of the set in hand: each operation reads anew."""
    return f'{op.id} {op.fact(SET)}'


def begin(
    op: operation.Operation,
    world: ports.World,
    store: ports.ObjectStore,
    found: manifest.Manifest,
    ended: ports.Reading | None,
) -> step.Wait:
    """Start to read a set, or continue an earlier reading; give up after its deadline."""
    tally, why = op.fact(_TALLY), ''
    if ended is not None:
        tally, why = ended.tally, f'{_AGAIN}{ended.error}'.rstrip(': ')
        if ended.refused:
            raise errors.StoreRefused(ended.error)
    since = operation.age_of(op.fact(SINCE))
    if since is None or (ended is not None and ended.done > int(op.fact(_READ) or 0)):
        since = op.age
    elif op.age - since > _STALLED:
        minutes = _STALLED // 60
        _, _, last = (why or op.current.reason).partition(_AGAIN)
        raise errors.StepError(
            f'{op.fact(SET)} could not be read for {minutes} minutes: '
            f'{last or "the process that reads it ends immediately: see the log of the unit"}'
        )
    maas = set_objects.maas_store(found, world)
    postgresql = set_objects.postgresql_store(found, world)
    try:
        world.reader.start(name(op), found.to_json().decode(), store, maas, postgresql, tally)
    except errors.TransientError as error:
        # Its time runs as well, or it would be tried for as long as reading all sets may take.
        why = f'{_AGAIN}{error}'
    done = ended.done if ended is not None else int(op.fact(_READ) or 0)
    return step.Wait(
        f'reading {op.fact(SET)}{_position(op)}{why}',
        facts={_TALLY: tally, _READ: str(done), SINCE: str(since)},
    )


def progress(op: operation.Operation, reading: ports.Reading) -> step.Wait:
    """Say how far a reading has come, in steps: a text that changes is a checkpoint."""
    if not reading.total:
        # It looks at what there is.
        return step.Wait(op.current.reason)
    share = 100 * reading.done // reading.total
    begin = (
        f'reading {op.fact(SET)}{_position(op)}: {share // _STEP * _STEP} % of '
        f'{figures.size(reading.total)}'
    )
    if op.current.reason.startswith(begin):
        return step.Wait(op.current.reason)
    speed = f', {reading.rate / (1 << 20):.0f} MiB/s' if reading.rate else ''
    facts = {
        _TALLY: reading.tally,
        _READ: str(reading.done),
        SINCE: str(op.age),
    }
    return step.Wait(f'{begin}{speed}', facts=facts)


def _position(op: operation.Operation) -> str:
    """Return which of the sets this one is, for people; '' if it is the only one."""
    number = int(op.fact(NUMBER))
    return f' ({int(op.fact(DONE) or 0) + 1} of {number})' if number > 1 else ''
