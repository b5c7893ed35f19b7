"""Steps that verify backup sets, one after the other: looked at, and read whole if that was asked.

What is found out is kept beside each set. A set that is not right fails the operation, but only
when all sets were looked at.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Sequence

from coordinator import (
    catalogue,
    errors,
    figures,
    manifest,
    operation,
    pgbackrest,
    plain,
    ports,
    retention,
    step,
    verification,
)
from coordinator.steps import checks, repository, restore_checks, set_checks

ALL = 'all'
"""Parameter: every complete set of this model."""
_SET, _NUMBER, _DONE, _WRONG = 'set-in-hand', 'sets', 'sets-done', 'sets-not-right'
"""Facts: the set that is verified, how many there are, how many were, and what was wrong."""
_TALLY, _READ, _SINCE = 'tally', 'read-bytes', 'read-since'
"""Facts: what was read of the set in hand, how much of it when its reading was begun last, and
when it had come so far."""
_DOUBTED = 'set-doubted'
"""Fact: the set that did not look right once."""
_UNREAD = {_TALLY: '', _READ: '', _SINCE: ''}
_MOST_NAMED = 3
"""Sets that are named when they are not right; the others are counted."""
_STALLED = datetime.timedelta(minutes=30)
"""For which a reading may end again and again without having read an object more."""
_STEP = 5
"""Percent between two notes of how far a reading has come: each is a checkpoint."""


def choose(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Choose the sets that are verified."""
    store = world.maas_store
    names = chosen(op.parameters['backup-id'], store, world.model_uuid)
    return step.Done({_SET: names[0], _NUMBER: str(len(names)), **repository.remembered(world)})


def chosen(wanted: str, store: ports.ObjectStore, model_uuid: str) -> Sequence[str]:
    """Return the ids of the sets that are meant, oldest first; at least one.

    Raises:
        StepError: there is none.
        PreconditionError: the parameter is no backup id.
    """
    if wanted not in (ALL, restore_checks.LATEST):
        if catalogue.check_id(wanted) not in catalogue.ids(store):
            raise errors.StepError(
                f'there is no complete backup set {wanted} in {checks.where(store)}: list-backups '
                'shows what is there'
            )
        return [wanted]
    own = _own(store, model_uuid)
    if not own:
        raise errors.StepError(
            f'there is no complete backup set of this model in {checks.where(store)}: '
            'list-backups all-models=true shows what is there'
        )
    return own if wanted == ALL else own[-1:]


def _own(store: ports.ObjectStore, model_uuid: str) -> list[str]:
    """Return this model's sets, oldest first, and those whose model cannot be told."""
    return [
        entry.backup_id
        for entry in catalogue.entries(store)
        if entry.state == retention.UNREADABLE
        or (entry.summary and entry.summary.model_uuid == model_uuid)
    ]


def verify(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Verify the set in hand, or see how its reading stands."""
    store, backup_id = repository.of(op, world), op.fact(_SET)
    whole = op.parameters.get('deep') == 'true'
    try:
        found = catalogue.opened(store, backup_id)
    except (errors.NotFound, errors.UnexpectedAnswer) as error:
        return _looked_at(op, world, store, None, [str(error)])
    reading = world.reader.look(_name(op)) if whole else None
    if reading is None:
        wrong = set_checks.findings(found, store, world, contents_follow=whole)
        if wrong or not whole:
            return _looked_at(op, world, store, found, wrong)
        return _begin_reading(op, world, found, op.fact(_TALLY))
    if reading.ended:
        return _verified(op, world, store, _read(world, reading))
    if not reading.running:
        return _read_on(op, world, found, reading)
    return _progress(op, reading)


def _name(op: operation.Operation) -> str:
    """Name of the reading of the set in hand: each operation reads anew."""
    return f'{op.id} {op.fact(_SET)}'


# --- Reading it whole ------------------------------------------------------------------------


def _begin_reading(
    op: operation.Operation, world: ports.World, found: manifest.Manifest, tally: str
) -> step.Wait:
    world.reader.start(
        _name(op),
        found.to_json().decode(),
        set_checks.maas_store(found, world),
        set_checks.postgresql_store(found, world),
        tally,
    )
    return step.Wait(f'reading {op.fact(_SET)}{_position(op)}')


def _read_on(
    op: operation.Operation, world: ports.World, found: manifest.Manifest, reading: ports.Reading
) -> step.Outcome:
    """Begin a reading anew that has ended before its end, unless it comes no further."""
    now = world.now()
    facts = {_TALLY: reading.tally}
    if not op.fact(_SINCE) or reading.read > int(op.fact(_READ)):
        facts |= {_READ: str(reading.read), _SINCE: operation.stamp(now)}
    elif now - operation.parse_stamp(op.fact(_SINCE)) > _STALLED:
        minutes = int(_STALLED.total_seconds() // 60)
        raise errors.StepError(
            f'{op.fact(_SET)} could not be read for {minutes} minutes: '
            f'{reading.error or "what reads it was killed each time"}'
        )
    waiting = _begin_reading(op, world, found, reading.tally)
    why = f' again: {reading.error}' if reading.error else ' again'
    return step.Wait(f'{waiting.reason}{why}', facts=facts)


def _progress(op: operation.Operation, reading: ports.Reading) -> step.Wait:
    """Say how far a reading has come, in steps: a text that changes is a checkpoint."""
    share = 100 * reading.done // reading.total if reading.total else 0
    begin = (
        f'reading {op.fact(_SET)}{_position(op)}: {share // _STEP * _STEP} % of '
        f'{figures.size(reading.total)}'
    )
    if op.current.reason.startswith(begin):
        return step.Wait(op.current.reason)
    speed = f', {reading.rate / (1 << 20):.0f} MiB/s' if reading.rate else ''
    return step.Wait(f'{begin}{speed}', facts={_TALLY: reading.tally})


def _position(op: operation.Operation) -> str:
    """Return which of the sets this one is, for people; '' if it is the only one."""
    number = int(op.fact(_NUMBER))
    return f' ({int(op.fact(_DONE) or 0) + 1} of {number})' if number > 1 else ''


# --- What was found --------------------------------------------------------------------------


def _looked_at(
    op: operation.Operation,
    world: ports.World,
    store: ports.ObjectStore,
    found: manifest.Manifest | None,
    wrong: Sequence[str],
) -> step.Outcome:
    """Judge a set that was looked at; one that seems damaged is looked at twice.

    An answer that S3 has garbled looks like damage, and restores from that set would be warned of.
    """
    backup_id = op.fact(_SET)
    if wrong and op.fact(_DOUBTED) != backup_id:
        return step.Wait(f'looking at {backup_id} again: {wrong[0]}', facts={_DOUBTED: backup_id})
    outcome = verification.Verification.of(
        operation.stamp(world.now()),
        whole=False,
        # Those of MAAS, the sealed passwords, and those of PostgreSQL.
        objects=len(found.maas.objects) + 1 + found.postgresql.objects if found else 0,
        bytes=found.maas.bytes + found.postgresql.bytes if found else 0,
        findings=wrong,
    )
    return _verified(op, world, store, outcome)


def _read(world: ports.World, reading: ports.Reading) -> verification.Verification:
    more = reading.damaged - len(reading.findings)
    wrong = [*reading.findings, *([f'{more} more objects are damaged'] if more > 0 else [])]
    return verification.Verification.of(
        operation.stamp(world.now()),
        whole=True,
        objects=reading.objects,
        bytes=reading.read,
        findings=wrong,
    )


def _verified(
    op: operation.Operation,
    world: ports.World,
    store: ports.ObjectStore,
    found: verification.Verification,
) -> step.Outcome:
    """Keep what was found out, and turn to the next set.

    Raises:
        StepError: it was the last one, and not all are right.
    """
    backup_id = op.fact(_SET)
    catalogue.record(store, backup_id, found)
    wrong: list[str] = json.loads(op.fact(_WRONG) or '[]')
    if not found.outcome.good:
        wrong.append(f'{backup_id}: {"; ".join(found.findings)}')
    following = _after(backup_id, op, world, store)
    if following:
        verdict = 'is right' if found.outcome.good else 'is not right'
        done = int(op.fact(_DONE) or 0) + 1
        facts = {_SET: following, _DONE: str(done), _WRONG: _told(wrong), **_UNREAD}
        return step.Wait(f'{backup_id} {verdict}; next is {following}', facts=facts)
    if wrong:
        raise errors.StepError(
            f'{len(wrong)} of {op.fact(_NUMBER)} backup set(s) are not right: '
            f'{"; ".join(filter(None, wrong[:_MOST_NAMED]))}. Do not restore from them; '
            'list-backups shows which ones are right'
        )
    return step.Done(_UNREAD, left=_damaged_info(op, world))


def _damaged_info(op: operation.Operation, world: ports.World) -> str:
    """Warn of a repository that rests on one of two files."""
    store = world.postgresql_store
    stanza = pgbackrest.stanza(world.model_name, op.settings.postgresql)
    why = pgbackrest.damaged_info(store, stanza)
    if not why:
        return ''
    return (
        f'{checks.where(store)}: {why}. pgBackRest reads its twin, and writes both anew with the '
        f'next backup: run backup-all'
    )


def _told(wrong: Sequence[str]) -> str:
    """Return the fact of what was wrong: the sets beyond the first ones are only counted."""
    named = [plain.one_line(text) for text in wrong[:_MOST_NAMED]]
    return json.dumps([*named, *[''] * (len(wrong) - len(named))], separators=(',', ':'))


def _after(
    backup_id: str, op: operation.Operation, world: ports.World, store: ports.ObjectStore
) -> str:
    """Return the set that comes after another one; '' if that was the last."""
    if op.parameters['backup-id'] != ALL:
        return ''
    return next((name for name in _own(store, world.model_uuid) if name > backup_id), '')


def stop(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: read no more. What was found out about other sets stays."""
    world.reader.stop()
    return step.Done(_UNREAD)
