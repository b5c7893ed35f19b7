"""Broken engines: an exploration that lets one of them pass proves nothing."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from coordinator import errors, ports, times
from coordinator.engine import doubt, operation, step
from coordinator.operations import asked, due, plans
from coordinator.parts import maas_backup, pgbackrest
from coordinator.record import requests, schedules
from coordinator.sets import catalogue, differences, documents, images, signing
from coordinator.steps import relations, site, tasks
from coordinator.steps.backup_set import vouching
from coordinator.steps.checks import throwaway
from coordinator.steps.postgresql import (
    database_backup,
    new_path,
    password_change,
    passwords,
    primary,
    scaling,
    scaling_down,
)
from tests.exploration import faults, meddling

Patch = Callable[[], contextlib.AbstractContextManager[None]]


@contextlib.contextmanager
def _replaced(owner: object, name: str, value: object) -> Generator[None]:
    former = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, former)


def _steps(change: Callable[[step.Step], step.Step]) -> contextlib.AbstractContextManager[None]:
    """Replace the steps of all plans."""
    changed = {
        kind: dataclasses.replace(plan, steps=tuple(change(each) for each in plan.steps))
        for kind, plan in plans.PLANS.items()
    }
    return _replaced(plans, 'PLANS', changed)


def _acts_without_looking() -> contextlib.AbstractContextManager[None]:
    looking = tasks.find

    def find(op: operation.Operation, world: ports.World, *more: Any, **named: Any) -> Any:
        # What its own record names it still knows, but it looks for nothing.
        return looking(op, world, *more, **named) if op.current.task is not None else None

    return _replaced(tasks, 'find', find)


def _merges_intent_and_effect() -> contextlib.AbstractContextManager[None]:
    return _steps(lambda each: dataclasses.replace(each, only_looks=True))


def _publishes_first() -> contextlib.AbstractContextManager[None]:
    def capture(op: operation.Operation, world: ports.World) -> step.Outcome:
        world.maas_store.put(catalogue.manifest_key(op.id), b'{}')
        return passwords.capture(op, world)

    return _steps(
        lambda each: (
            dataclasses.replace(each, do=capture) if each.name == 'capture-secrets' else each
        )
    )


def _skips_the_undo() -> contextlib.AbstractContextManager[None]:
    return _steps(lambda each: dataclasses.replace(each, undo=None))


def _forgets_lost_answers() -> contextlib.AbstractContextManager[None]:
    return _replaced(doubt, '_LONGEST', datetime.timedelta(0))


def _forgets_what_was_in_flight() -> contextlib.AbstractContextManager[None]:
    def at_once(op: operation.Operation, world: ports.World) -> operation.Operation:
        return op

    return _replaced(doubt, 'taken_up', at_once)


def _awaits_no_unit() -> contextlib.AbstractContextManager[None]:
    def at_once(op: operation.Operation, world: ports.World) -> step.Outcome:
        return step.Done()

    return _steps(
        lambda each: (
            dataclasses.replace(each, do=at_once)
            if each.name in ('request-postgresql-units', 'restore-postgresql-scale')
            else each
        )
    )


def _undoes_a_restore() -> contextlib.AbstractContextManager[None]:
    changed: Mapping[str, step.Plan] = {
        kind: dataclasses.replace(plan, pivot='') for kind, plan in plans.PLANS.items()
    }
    return _replaced(plans, 'PLANS', changed)


def _keeps_a_password() -> contextlib.AbstractContextManager[None]:
    def mark(op: operation.Operation, world: ports.World) -> step.Mark:
        found = passwords.in_force(world, op.settings.postgresql)
        marked = scaling_down.mark(op, world)
        return step.Mark(marked.watermark, {**marked.facts, 'seen': found['operator']})

    return _steps(
        lambda each: (
            dataclasses.replace(each, mark=mark) if each.name == 'scale-down-postgresql' else each
        )
    )


def _fails_every_backup() -> contextlib.AbstractContextManager[None]:
    def fail(op: operation.Operation, world: ports.World) -> step.Outcome:
        raise errors.StepError('no backup today')

    return _steps(
        lambda each: (
            dataclasses.replace(each, do=fail) if each.name == 'back-up-postgresql' else each
        )
    )


def _takes_files_of_the_mark() -> contextlib.AbstractContextManager[None]:
    def since(store: ports.ObjectStore, mark: str) -> list[str]:
        listed = {name: store.head(_metadata(name)).modified for name in maas_backup.ids(store)}
        return [name for name, at in listed.items() if at.isoformat(timespec='seconds') >= mark]

    def _metadata(name: str) -> str:
        return maas_backup.folder(name) + maas_backup.METADATA

    return _replaced(maas_backup, 'changed_since', since)


def _takes_the_label_of_the_mark() -> contextlib.AbstractContextManager[None]:
    def first(store: ports.ObjectStore, stanza: str, after: str) -> pgbackrest.Backup | None:
        listed = pgbackrest.backups(store, stanza)
        return next((b for b in listed if b.type == 'full' and b.label >= after), None)

    return _replaced(pgbackrest, 'first_full_after', first)


def _ignores_the_watermark() -> contextlib.AbstractContextManager[None]:
    find = tasks.find

    def among_all(op: operation.Operation, world: ports.World, *more: Any, **named: Any) -> Any:
        return find(dataclasses.replace(op, watermark=0), world, *more, **named)

    return _replaced(tasks, 'find', among_all)


def _compares_no_passwords() -> contextlib.AbstractContextManager[None]:
    def unchanged(op: operation.Operation, world: ports.World) -> None:
        return

    return _replaced(passwords, 'check_unchanged', unchanged)


def _takes_a_dying_relation() -> contextlib.AbstractContextManager[None]:
    attach = relations.attach

    def forgetful(op: operation.Operation, world: ports.World) -> step.Outcome:
        return attach(op.remembering({'relation-being-removed': ''}), world)

    return _replaced(relations, 'attach', forgetful)


def _leaves_system_users() -> contextlib.AbstractContextManager[None]:
    take_back = password_change.take_back

    def leave(op: operation.Operation, world: ports.World) -> step.Outcome:
        now = str(world.juju.config(op.settings.postgresql).get(password_change.OPTION, ''))
        return take_back(op.remembering({password_change.OPTION_BEFORE: now}), world)

    def leaving(each: step.Step) -> step.Step:
        return dataclasses.replace(each, undo=leave) if each.undo is take_back else each

    return _steps(leaving)


def _removes_any_storage() -> contextlib.AbstractContextManager[None]:
    await_scale = scaling.await_scale

    def trusting(op: operation.Operation, world: ports.World) -> step.Outcome:
        return await_scale(op.remembering({database_backup.LABEL: 'whatever'}), world)

    return _replaced(scaling, 'await_scale', trusting)


def _keeps_the_lowest_unit() -> contextlib.AbstractContextManager[None]:
    def lowest(op: operation.Operation, world: ports.World, app: ports.Application) -> str:
        return min(app.units, key=site.number)

    return _replaced(primary, 'ask', lowest)


def _removes_the_fence() -> contextlib.AbstractContextManager[None]:
    @property
    def nothing(reading: images.Reading) -> list[images.Image]:
        return []

    return _replaced(images.Reading, 'incomplete', nothing)


def _reads_no_second_time() -> contextlib.AbstractContextManager[None]:
    def unchanged(before: images.Reading, now: images.Reading) -> list[str]:
        return []

    @contextlib.contextmanager
    def patched() -> Generator[None]:
        with _replaced(images, 'changed', unchanged), _replaced(images, 'lost', unchanged):
            yield

    return patched()


def _always_agrees() -> contextlib.AbstractContextManager[None]:
    def nothing(*compared: object) -> list[differences.Difference]:
        return []

    return _replaced(differences, 'between', nothing)


def _begins_beside_another() -> contextlib.AbstractContextManager[None]:
    def at_once(schedule: schedules.Schedule, *more: Any) -> tuple[schedules.Schedule, bool]:
        return schedule, True

    return _replaced(due, 'waiting', at_once)


def _forgets_what_was_due() -> contextlib.AbstractContextManager[None]:
    def newest(schedule: schedules.Schedule, past: Sequence[Any], now: Any) -> schedules.Schedule:
        pending = schedules.Pending(times.stamp(past[-1]))
        return dataclasses.replace(schedule, pending=pending)

    return _replaced(due, '_arrived', newest)


def _answers_with_an_older_set() -> contextlib.AbstractContextManager[None]:
    def same(before: requests.Asked, now: requests.Asked) -> bool:
        # Of the relation it remembers that it has requested something, and not what.
        return bool(before.id) == bool(now.id)

    return _replaced(asked, '_same', same)


def _forgets_whom_it_answers() -> contextlib.AbstractContextManager[None]:
    def without(
        kept: requests.Requests, op: operation.Operation, now: datetime.datetime
    ) -> tuple[requests.Requests, operation.Operation]:
        return kept, op

    return _replaced(asked, 'joined', without)


def _signs_with_a_key_that_may_be_lost() -> contextlib.AbstractContextManager[None]:
    def at_once(document: Any, world: ports.World) -> Any:
        key = world.signer.create()
        return document.signed(key, world.signer.sign(document.purpose, document.digest))

    return _replaced(vouching, 'signed', at_once)


def _signs_other_bytes() -> contextlib.AbstractContextManager[None]:
    @property
    def of_a_copy(document: documents.Signed) -> str:
        return documents.checksum({'backup-id': str(document)})

    return _replaced(documents.Signed, 'digest', of_a_copy)


def _checks_no_signature() -> contextlib.AbstractContextManager[None]:
    def whatever(document: documents.Signed, accepted: object) -> str:
        return signing.SIGNED

    return _replaced(documents.Signed, 'standing', whatever)


def _rehearses_anywhere() -> contextlib.AbstractContextManager[None]:
    def none(*given: object) -> tuple[()]:
        return ()

    return _replaced(throwaway, 'rehearsal_checks', none)


def _stays_on_the_path_of_the_set() -> contextlib.AbstractContextManager[None]:
    def stay(op: operation.Operation, world: ports.World) -> step.Outcome:
        return step.Done()

    return _replaced(new_path, 'renew_postgresql', stay)


def _moves_within_the_bucket_of_the_set() -> contextlib.AbstractContextManager[None]:
    def move(op: operation.Operation, path: str) -> Mapping[str, str]:
        return {'path': path}

    return _replaced(new_path, '_aim', move)


def _rehearses_as_it_restores() -> contextlib.AbstractContextManager[None]:
    def named(kind: str, parameters: Mapping[str, str]) -> str:
        return kind

    return _replaced(plans, 'named', named)


@dataclasses.dataclass(frozen=True)
class Mutant:
    """An engine with a fault, and where that must show."""

    name: str
    patch: Patch
    faults: list[faults.Fault]
    scenario: str = 'backup-all'


MUTANTS = (
    Mutant('acts without looking', _acts_without_looking, faults.LOSSES_THAT_COUNT),
    Mutant('merges intent and effect', _merges_intent_and_effect, faults.LOSSES_THAT_COUNT),
    Mutant('publishes first', _publishes_first, []),
    Mutant('skips the undo', _skips_the_undo, faults.ABORTS),
    Mutant('forgets lost answers', _forgets_lost_answers, faults.LOST_ANSWERS),
    Mutant(
        'forgets what was in flight',
        _forgets_what_was_in_flight,
        [faults.LostAnswer(20, killed=True)],
    ),
    Mutant('awaits no unit', _awaits_no_unit, []),
    Mutant(
        'undoes a restore',
        _undoes_a_restore,
        faults.ACTIONS,
        'restore-all, fresh model, 1 region',
    ),
    Mutant('keeps a password', _keeps_a_password, []),
    Mutant('fails every backup', _fails_every_backup, []),
    Mutant('takes files of the mark', _takes_files_of_the_mark, faults.ACTIONS),
    Mutant('takes the label of the mark', _takes_the_label_of_the_mark, []),
    Mutant('ignores the watermark', _ignores_the_watermark, []),
    Mutant('compares no passwords', _compares_no_passwords, [meddling.NEW_PASSWORDS]),
    Mutant(
        'takes a dying relation',
        _takes_a_dying_relation,
        faults.ABORTS,
        'restore-all, same model, shared machines, slow',
    ),
    Mutant(
        'leaves system-users',
        _leaves_system_users,
        faults.ABORTS,
        'restore-all, same model, 1 region',
    ),
    Mutant('removes any storage', _removes_any_storage, faults.ABORTS),
    Mutant('keeps the lowest unit', _keeps_the_lowest_unit, []),
    Mutant('begins beside another', _begins_beside_another, faults.LOSSES),
    Mutant('forgets what was due', _forgets_what_was_due, faults.LOSSES),
    Mutant('answers with an older set', _answers_with_an_older_set, []),
    Mutant('forgets whom it answers', _forgets_whom_it_answers, []),
    Mutant('removes the fence', _removes_the_fence, [meddling.UPLOAD]),
    Mutant('reads the images no second time', _reads_no_second_time, [meddling.DELETE_IMAGE]),
    Mutant('signs with a key that may be lost', _signs_with_a_key_that_may_be_lost, []),
    Mutant('signs other bytes', _signs_other_bytes, []),
    Mutant(
        'checks no signature',
        _checks_no_signature,
        [meddling.FORGE],
        'restore-all, fresh model, 1 region',
    ),
    Mutant(
        'always agrees',
        _always_agrees,
        [meddling.REMOVE_MACHINE],
        'restore-all, fresh model, 1 region',
    ),
    Mutant('always agrees, once more', _always_agrees, [meddling.REMOVE_MACHINE], 'prove-restore'),
    Mutant('rehearses anywhere', _rehearses_anywhere, [], 'rehearsal, in the model of the set'),
    Mutant('stays on the path of the set', _stays_on_the_path_of_the_set, [], 'rehearsal'),
    Mutant('moves within the bucket', _moves_within_the_bucket_of_the_set, [], 'rehearsal'),
    Mutant('rehearses as it restores', _rehearses_as_it_restores, [], 'rehearsal'),
)
