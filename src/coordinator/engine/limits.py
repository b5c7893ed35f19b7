"""Keeps the record of an operation small, because a databag is read and written as a whole.

Messages are cut first. Names cannot be cut, so a check before the operation makes sure that they
fit. If the record still does not fit, the operation is held: the record is never lost.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping

from coordinator import errors, plain, ports, this
from coordinator.engine import operation, settings

LARGEST = 16 << 10
"""Bytes of a record."""
_RESERVED = {operation.OPEN: 1280, operation.HELD: 384}
"""By status: bytes that are left free, so that it can always be held, and held once more."""
_LENGTHS = (plain.LONGEST, 160, 60)
"""Bytes of a message, the next fewer ones where the record has no room for the former."""
_NAMES = 7 << 10
"""Bytes that the names of a site may take: the rest is for steps, times, ids and messages."""
_UNIT = 130
"""Bytes that a record holds of a PostgreSQL unit beside its name: its machine, its storage."""


def fitted(op: operation.Operation, before: operation.Operation | None) -> operation.Operation:
    """Return an operation such that its record is small enough.

    Args:
        op: what is to be stored.
        before: what is stored, of this operation or another one.

    Raises:
        PreconditionError: an operation that has not begun is too large.
    """
    if op == before:
        return op
    allowed = LARGEST - _RESERVED.get(op.status, 0)
    short = op
    for length in _LENGTHS:
        short = _shortened(short, length)
        if _bytes(short) <= allowed:
            return short
    if op.terminal:
        # No step needs the facts any more, and the history keeps them.
        return dataclasses.replace(short, facts={})
    why = (
        f'the record of {op.kind} {op.id} would have {_bytes(short)} bytes, {allowed} are allowed'
    )
    if before is None or before.id != op.id:
        raise errors.PreconditionError(f'{why}: use shorter names and paths')
    # The next dispatch checks what this one has done, as after a crash.
    return before.held(
        f'{why}: {this.command("abort-operation")} ends it, '
        'with force=true if it is held for this again'
    )


def _bytes(op: operation.Operation) -> int:
    return len(op.to_json().encode())


def _shortened(op: operation.Operation, length: int) -> operation.Operation:
    """Cut all messages but the error and the reason of the current step.

    An operation that is being undone needs no reason, and must not be held again for its size.
    """
    whole = '' if op.undoing else op.step
    kept = op
    for step, text in (
        *((entry.name, entry.reason) for entry in op.steps if entry.name != whole),
        *((op.step, line) for line in (*op.problems, *op.warnings)),
    ):
        if plain.one_line(text, length) != text and not plain.is_cut(text):
            kept = kept.putting_aside(step, text)
    return dataclasses.replace(
        kept,
        steps=tuple(
            entry
            if entry.name == whole
            else dataclasses.replace(entry, reason=plain.one_line(entry.reason, length))
            for entry in op.steps
        ),
        error=plain.one_line(op.error, length) if op.undoing else op.error,
        problems=tuple(plain.one_line(problem, length) for problem in op.problems),
        warnings=tuple(plain.one_line(warning, length) for warning in op.warnings),
    )


def names_fit(
    config: settings.Settings,
    status: ports.ModelStatus,
    places: Iterable[Mapping[str, str]],
) -> str:
    """Make sure that a record has room for the names that an operation puts in it.

    Args:
        config: the operation's settings.
        status: the model.
        places: every bucket and path that it will note, as often as it does.

    Raises:
        StepError: it has not.
    """
    needed = _needed(config, status, places)
    if needed > _NAMES:
        raise errors.StepError(
            f'the record of an operation has room for {_NAMES} bytes of names, '
            f'but this site needs {needed}: '
            'use shorter paths in S3, fewer recipients or fewer units'
        )
    return 'the names of this site fit into the record of an operation'


def _needed(
    config: settings.Settings,
    status: ports.ModelStatus,
    places: Iterable[Mapping[str, str]],
) -> int:
    units = {
        name: list(app.units) if (app := status.applications.get(name)) else []
        for name in (config.maas, config.postgresql)
    }
    return (
        sum(len(unit) + _UNIT // 3 for unit in units[config.maas])
        # Of PostgreSQL it notes which units there were, their storage, and who was asked.
        + sum(3 * len(unit) + _UNIT for unit in units[config.postgresql])
        # Both as an application and as a part of other names.
        + 6 * (len(config.maas) + len(config.postgresql))
        + len(config.s3_maas) + len(config.s3_postgresql) + 4 * len(status.name)
        + len(json.dumps(config.recipients))
        + sum(len(json.dumps(json.dumps(dict(place)))) for place in places)
    )  # fmt: skip
