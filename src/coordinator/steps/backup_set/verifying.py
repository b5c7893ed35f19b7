"""Steps that verify backup sets, one after the other.

They check the objects of each set, and with `deep` read them completely. The result is stored
beside each set. A damaged set fails the operation, but only after all sets were verified.
"""

from __future__ import annotations

from collections.abc import Sequence

from coordinator import errors, integrators, plain, ports, times
from coordinator.engine import operation, step
from coordinator.record import repository
from coordinator.sets import catalogue, manifest, retention, verification
from coordinator.steps.backup_set import (
    addenda,
    chosen_set,
    expiry,
    readable,
    reading_whole,
    set_objects,
)

ALL = 'all'
"""Parameter: every set of this model that could be restored."""
_WRONG, _TOLD = 'sets-not-right', 'first-finding'
"""Facts: which sets were not right, and what was wrong with the first of them."""
_WEAK = 'set-weak'
"""Fact: the damaged one of two files in the first set that has such a pair."""
_UNCHECKED = 'sets-images-unknown'
"""Fact: how many sets were read that do not say which images they should hold."""
_DOUBTED = 'set-doubted'
"""Fact: the set that did not look right once, and when."""
_PATIENCE = 60
"""Between two looks at it."""
_MOST_NAMED = 3
"""Sets that are named when they are not right; the others are counted."""


class NotRight(errors.StepError):
    """All sets were verified, and not all is right."""


def choose(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Choose the sets that are verified."""
    store = world.maas_store
    names = chosen(op.parameters['backup-id'], store, world)
    return step.Done(
        {
            reading_whole.SET: names[0],
            reading_whole.NUMBER: str(len(names)),
            **repository.remembered(world),
        }
    )


def chosen(wanted: str, store: ports.ObjectStore, world: ports.World) -> Sequence[str]:
    """Return the ids of the sets that are meant, newest first; at least one.

    Raises:
        StepError: there is none.
        PreconditionError: the parameter is no backup id.
    """
    if wanted not in (ALL, chosen_set.LATEST):
        if catalogue.check_id(wanted) not in catalogue.ids(store):
            raise errors.StepError(
                f'there is no backup set {wanted} in {integrators.where(store.place)}: '
                'list-backups shows the sets'
            )
        return [wanted]
    own = _own(store, world)
    if not own:
        raise errors.StepError(
            f'there is no backup set of this model that could be restored in '
            f'{integrators.where(store.place)}: list-backups all-models=true shows what is there'
        )
    return own if wanted == ALL else own[:1]


def _own(store: ports.ObjectStore, world: ports.World) -> list[str]:
    """Return this model's sets, newest first, and those whose model cannot be told.

    Without those that have lost their database part: that is known, and no damage.
    """
    listed = catalogue.entries(store)
    expired = expiry.database_expired(listed, world)
    return [
        entry.backup_id
        for entry in reversed(listed)
        if entry.state == retention.UNREADABLE
        or (
            entry.summary
            and entry.summary.model_uuid == world.model_uuid
            and entry.backup_id not in expired
        )
    ]


def verify(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Verify the set in hand, or see how its reading stands."""
    try:
        return _verify(op, world)
    except NotRight:
        raise
    except errors.StepError as error:
        wrong = _wrong(op)
        if not wrong:
            raise
        # What was found out about other sets must not go with it.
        raise errors.StepError(f'{error}; damaged: {_named(wrong)}') from error


def _verify(op: operation.Operation, world: ports.World) -> step.Outcome:
    store, backup_id = repository.of(op, world), op.fact(reading_whole.SET)
    whole = op.parameters.get('deep') == 'true'
    try:
        found = catalogue.opened(store, backup_id)
    except (errors.NotFound, errors.UnexpectedAnswer) as error:
        return _looked_at(op, world, store, None, [str(error)])
    reading = world.reader.look(reading_whole.name(op)) if whole else None
    if reading is not None and reading.running:
        return reading_whole.progress(op, reading)
    if why := readable.archived(found, store, world):
        return _verified(op, world, store, _judged(world, found, [why], archived=True), ())
    known = addenda.vouched(found, store, op.settings, world)
    # Before it is read, before it is read on, and when it was read: WAL may have gone meanwhile.
    looked = set_objects.findings(found, store, world, known, contents_follow=whole)
    if reading is not None and reading.ended and not looked.wrong:
        if not reading.damaged and (
            waiting := addenda.record(op, found, known, reading.digests, store, world)
        ):
            return waiting
        unchecked = found.images is None or found.images.state != manifest.SYNCHRONISED
        return _verified(op, world, store, _read(world, reading), looked.weak, unchecked=unchecked)
    if looked.wrong or not whole:
        return _looked_at(op, world, store, found, looked.wrong, looked.weak)
    return reading_whole.begin(op, world, store, addenda.completed(found, known), reading)


# --- What was found --------------------------------------------------------------------------


def _looked_at(
    op: operation.Operation,
    world: ports.World,
    store: ports.ObjectStore,
    found: manifest.Manifest | None,
    wrong: Sequence[str],
    weak: Sequence[str] = (),
) -> step.Outcome:
    """Judge a set that was looked at; one that seems damaged is checked twice.

    An answer that S3 has garbled looks like damage, and restores from that set would be warned of.
    """
    backup_id = op.fact(reading_whole.SET)
    if wrong:
        name, _, since = op.fact(_DOUBTED).partition(' ')
        first = operation.age_of(since)
        if name != backup_id or first is None:
            facts = {_DOUBTED: f'{backup_id} {op.age}'}
            return step.Wait(f'checking {backup_id} again soon: {wrong[0]}', facts=facts)
        if op.age - first < _PATIENCE:
            return step.Wait(op.current.reason)
    return _verified(op, world, store, _judged(world, found, wrong), weak)


def _judged(
    world: ports.World,
    found: manifest.Manifest | None,
    wrong: Sequence[str],
    *,
    archived: bool = False,
) -> verification.Verification:
    return verification.Verification.of(
        times.stamp(world.now()),
        whole=False,
        # Those of MAAS, the sealed passwords, and those of PostgreSQL.
        objects=len(found.maas.objects) + 1 + found.postgresql.objects if found else 0,
        bytes=found.maas.bytes + found.postgresql.bytes if found else 0,
        findings=wrong,
        archived=archived,
    )


def _read(world: ports.World, reading: ports.Reading) -> verification.Verification:
    return verification.Verification.of(
        times.stamp(world.now()),
        whole=True,
        objects=reading.objects,
        bytes=reading.read,
        findings=reading.findings,
        # Of one object there may be two findings.
        more=max(reading.damaged - len(reading.findings), 0),
    )


def _unsaid(op: operation.Operation, blind: int) -> Sequence[str]:
    """Return the warning that of some sets nobody knows which images they should hold."""
    if not blind:
        return ()
    return (
        f'{blind} of {op.fact(reading_whole.NUMBER)} backup set(s) '
        'do not say which images MAAS had, '
        'so whether the files hold all of them cannot be checked (adopted sets, '
        'and sets made without maas-api-key)',
    )


def _verified(
    op: operation.Operation,
    world: ports.World,
    store: ports.ObjectStore,
    found: verification.Verification,
    weak: Sequence[str],
    *,
    unchecked: bool = False,
) -> step.Outcome:
    """Keep what was found out, and turn to the next set.

    Args:
        op: the operation.
        world: the world.
        store: the repository.
        found: what was found out.
        weak: files of which only one of two copies is sound.
        unchecked: whether it was read, and nobody knows which images it should hold.

    Raises:
        NotRight: it was the last one, and not all is right.
    """
    backup_id = op.fact(reading_whole.SET)
    wrong = _wrong(op)
    try:
        catalogue.note_verification(store, backup_id, found)
        following = _after(backup_id, op, world, store)
    except errors.UnexpectedAnswer as error:
        # That says nothing of the set.
        raise errors.TransientError(str(error)) from None
    told = op.fact(_TOLD)
    if not found.outcome.good:
        wrong.append(backup_id)
        told = told or found.told
    rests = op.fact(_WEAK) or plain.one_line('; '.join(weak))
    done = int(op.fact(reading_whole.DONE) or 0) + 1
    blind = int(op.fact(_UNCHECKED) or 0) + unchecked
    if following:
        verdict = 'is right' if found.outcome.good else 'is damaged'
        facts = {
            reading_whole.SET: following,
            reading_whole.DONE: str(done),
            _WRONG: _shortened(wrong),
            _TOLD: told,
        }
        facts |= {**reading_whole.UNREAD, **({_WEAK: rests} if rests else {})}
        facts |= {_UNCHECKED: str(blind)} if blind else {}
        return step.Wait(f'{backup_id} {verdict}; next is {following}', facts=facts)
    if found.outcome.archived and wrong == [backup_id]:
        raise NotRight(f'backup set {backup_id} has no damage, but cannot be restored now: {told}')
    if wrong:
        raise NotRight(
            f'{len(wrong)} of {op.fact(reading_whole.NUMBER)} verified backup set(s) are damaged, '
            f'do not restore from {_named(wrong)} '
            f'(list-backups shows which sets, and show-backup what is wrong): {told}'
        )
    vanished = int(op.fact(reading_whole.NUMBER)) - done
    gone = f'{vanished} backup set(s) were deleted during the verification' if vanished > 0 else ''
    if rests:
        sound = (
            'every verified set can be restored, '
            f'but one of two copies of a file is damaged or missing: {rests}'
        )
        raise NotRight('; '.join(filter(None, (sound, gone))))
    return step.Done(reading_whole.UNREAD, left=gone, warnings=_unsaid(op, blind))


def _wrong(op: operation.Operation) -> list[str]:
    """Return the ids of the sets that were not right so far, '' for those only counted."""
    named, _, more = op.fact(_WRONG).partition('+')
    return [*filter(None, named.split(' ')), *[''] * int(more or 0)]


def _named(wrong: Sequence[str]) -> str:
    more = len(wrong) - _MOST_NAMED
    return ', '.join(wrong[:_MOST_NAMED]) + (f' and {more} more' if more > 0 else '')


def _shortened(wrong: Sequence[str]) -> str:
    """Return the fact that `_wrong` reads: of thousands of sets only the first are named."""
    more = len(wrong) - _MOST_NAMED
    return ' '.join(wrong[:_MOST_NAMED]) + (f'+{more}' if more > 0 else '')


def _after(
    backup_id: str, op: operation.Operation, world: ports.World, store: ports.ObjectStore
) -> str:
    """Return the set that comes after another one; '' if that was the last."""
    if op.parameters['backup-id'] != ALL:
        return ''
    return next((name for name in _own(store, world) if name < backup_id), '')


def stop(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Undo: read no more. What was found out about other sets stays."""
    world.reader.stop()
    return step.Done(reading_whole.UNREAD)


def remains(op: operation.Operation) -> list[str]:
    """Return what goes on for a while when an operation ends as it is."""
    if not op.fact(reading_whole.SINCE):
        return []
    return [f'{op.fact(reading_whole.SET)} is still being read, which ends within 15 minutes']
