"""Takes over what a coordinator that is gone has left unfinished, out of the history in S3.

Whoever may write to the bucket may have written that history. So it is held for a person, works on
nothing but the applications that this coordinator is related to, seals for nobody but the
recipients that are configured now, deletes no storage, and signs nothing that it says. Where
signers are trusted, it restores only what one of them has signed.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Iterable

from coordinator import errors, ports, this
from coordinator.engine import facts, operation, settings
from coordinator.sets import catalogue, signing
from coordinator.steps.backup_set import chosen_set, reading_whole, vouching

REASON = 'the coordinator that ran it was removed'
_APPLICATIONS = ('maas', 'postgresql', 's3_maas', 's3_postgresql')


def taken_over(found: operation.Operation, config: settings.Settings) -> operation.Operation:
    """Return an operation of the history such that it is held for a person.

    Args:
        found: an operation that has not ended.
        config: the settings of this coordinator.

    Raises:
        ForeignRecordError: it works on other applications than those.
    """
    for name in _APPLICATIONS:
        theirs, ours = getattr(found.settings, name), getattr(config, name)
        if theirs != ours:
            _refuse(found, f'works on {theirs}, this coordinator on {ours}')
    try:
        units = _units(found, config)
        storage = _storage(found)
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise errors.ForeignRecordError(
            f'{found.kind} {found.id} of the history cannot be read ({type(error).__name__}): '
            'it was changed'
        ) from None
    strategy = found.settings.strategy
    if not {strategy, found.strategy} <= set(settings.STRATEGIES):
        _refuse(found, 'has a strategy that this revision of the charm does not know')
    accepted = (vouching.ACCEPT_UNSIGNED,)
    op = dataclasses.replace(
        found,
        settings=dataclasses.replace(config, strategy=strategy),
        parameters={name: text for name, text in found.parameters.items() if name not in accepted},
    )
    # What it says that was read would be signed, as would what it says that was backed up.
    read = {name: '' for name in reading_whole.UNREAD if name in found.facts}
    op = op.remembering({operation.TAKEN_OVER: 'true', **read})
    if storage:
        op = op.remembering(facts.STORAGE.put(dict.fromkeys(units, ())))
        op = op.warned(
            f'storage that removed units of {config.postgresql} left behind is not deleted: '
            f'juju storage, juju remove-storage; it was {" ".join(storage)}'
        )
    return op.held(f'{REASON}: {_ways()}') if op.open else op


def with_signed_set(
    found: operation.Operation, config: settings.Settings, world: ports.World
) -> operation.Operation:
    """Return a restore of the history with its set as a trusted key has signed it.

    Its checks do not run again, so what it says of the set would be restored.

    Raises:
        ForeignRecordError: no key that counts has signed the set.
    """
    fact = found.fact(chosen_set.BACKUP_SET)
    if found.kind != 'restore-all' or not config.trusted_signers or not fact:
        return found
    try:
        backup_id = chosen_set.of(found).backup_id
        there = catalogue.opened(world.maas_store, backup_id)
    except (errors.NotFound, errors.UnexpectedAnswer, ValueError):
        there, backup_id = None, 'that cannot be read'
    if there is None or there.standing(vouching.accepted(config, world)) != signing.SIGNED:
        _refuse(
            found,
            f'restores backup set {backup_id}, which trusted-signers does not accept (to take it '
            f'over nevertheless: juju config {this.application()} --reset trusted-signers)',
        )
    return found.remembering({chosen_set.BACKUP_SET: chosen_set.essence(there)})


def _ways() -> str:
    return (
        'resume-operation continues it from its last state in the history in S3, '
        f'{this.command("abort-operation")} undoes it if no data was replaced'
    )


def _units(found: operation.Operation, config: settings.Settings) -> list[str]:
    """Check the facts that name what is to be changed; return the units there were."""
    units = facts.UNITS.of(found)
    aimed = facts.AIMED_BEFORE.of(found)
    ends = facts.ENDPOINTS.of(found)
    _only(found, (unit.partition('/')[0] for unit in units), {config.postgresql})
    _only(found, (end.partition(':')[0] for end in ends), {config.maas, config.postgresql})
    _only(found, aimed, {config.s3_maas, config.s3_postgresql})
    return list(units)


def _storage(found: operation.Operation) -> list[str]:
    """Return the storage that removed units have left behind."""
    storage = facts.STORAGE.of(found)
    return sorted(str(item) for items in storage.values() for item in items)


def _only(found: operation.Operation, named: Iterable[str], allowed: set[str]) -> None:
    for name in set(named) - allowed:
        _refuse(found, f'names {name}, which this coordinator does not work on')


def _refuse(found: operation.Operation, why: str) -> typing.NoReturn:
    raise errors.ForeignRecordError(
        f'{found.kind} {found.id} of the history has not ended and is not taken over, '
        f'because it {why}: '
        'see juju status, and repair the site manually'
    )
