"""How far the step under way has come, and how long it may still take: estimates, and marked so.

They come from bytes that are in S3 already, where a step stores something, and otherwise from how
long the same steps took the last time. Nothing is decided by them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from coordinator import errors, figures, object_keys, ports, times
from coordinator.engine import operation
from coordinator.parts import maas_backup
from coordinator.report import status
from coordinator.steps.maas_region import files_backup
from coordinator.steps.postgresql import database_backup

_MOST = 20_000
"""Objects that are counted: whoever asks shall not wait for a large listing."""
_MOST_UPLOADS = 20
"""Objects under way whose parts are counted: a request for each."""
_TOLD_FROM = 5
"""Seconds: a step that took less the last time needs no bar."""
_MOST_SHARE = 0.99
"""A step is not over before it says so."""
_CELLS = 20


@dataclasses.dataclass(frozen=True)
class Before:
    """What is known of the last operation of the same kind, and of the newest set."""

    seconds: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """How long its steps took."""
    bytes: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """What steps stored, by their names."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """Of the step under way."""

    step: str
    seconds: int
    """Since it began."""
    expected_seconds: int | None = None
    """How long it took the last time; None if that is not known."""
    bytes: int | None = None
    """In S3 already; None if the step stores nothing, or that is not known."""
    expected_bytes: int | None = None
    share: float | None = None
    """Of the step, from 0 to 1."""
    seconds_left: int | None = None
    """Of the step."""
    operation_seconds_left: int | None = None
    """Of all steps that are left."""

    def for_programs(self) -> dict[str, Any]:
        """Return it as show-operation prints it in JSON."""
        told = {name.replace('_', '-'): value for name, value in vars(self).items()}
        return {**told, 'estimate': True}

    def __str__(self) -> str:
        """Return it as a line, with a bar."""
        if self.share is None:
            return ''
        done = int(self.share * _CELLS)
        bar = f'[{"#" * done}{"-" * (_CELLS - done)}] about {self.share:.0%}'
        stored = ''
        if self.bytes is not None and self.expected_bytes:
            stored = f', {figures.size(self.bytes)} of about {figures.size(self.expected_bytes)}'
        left = [
            f'{words} about {status.span(datetime.timedelta(seconds=seconds))}'
            for words, seconds in (
                ('this step', self.seconds_left),
                ('all steps', self.operation_seconds_left),
            )
            if seconds is not None
        ]
        return f'{self.step} {bar}{stored}{"; left, estimated: " if left else ""}{", ".join(left)}'


def of(
    op: operation.Operation, before: Before, now: datetime.datetime, world: ports.World | None
) -> Progress | None:
    """Return the progress of an operation that goes forward; None for any other.

    Args:
        op: the operation.
        before: what is known of the last one.
        now: the time.
        world: to count what is in S3; None to ask nobody.
    """
    begun = op.current.started or op.current.since
    if not op.open or op.undoing or not begun:
        return None
    made = Progress(
        op.step,
        max(int((now - times.parse_stamp(begun)).total_seconds()), 0),
        before.seconds.get(op.step),
        _stored(op, world) if world is not None else None,
        before.bytes.get(op.step),
    )
    made = dataclasses.replace(made, share=_share(made))
    made = dataclasses.replace(made, seconds_left=_left(made))
    return dataclasses.replace(made, operation_seconds_left=_left_of_all(op, made, before))


def _share(made: Progress) -> float | None:
    if made.bytes and made.expected_bytes:
        return min(made.bytes / made.expected_bytes, _MOST_SHARE)
    if made.expected_seconds is None or made.expected_seconds < _TOLD_FROM:
        return None
    return min(made.seconds / made.expected_seconds, _MOST_SHARE)


def _left(made: Progress) -> int | None:
    if made.bytes and made.share:
        return int(made.seconds * (1 - made.share) / made.share)
    if made.expected_seconds is None:
        return None
    return max(made.expected_seconds - made.seconds, 0)


def _left_of_all(op: operation.Operation, made: Progress, before: Before) -> int | None:
    if made.seconds_left is None:
        return None
    names = [entry.name for entry in op.steps]
    following = names[names.index(op.step) + 1 :]
    return made.seconds_left + sum(before.seconds.get(name, 0) for name in following)


def _stored(op: operation.Operation, world: ports.World) -> int | None:
    """Return the bytes that the step under way has stored so far."""
    counting = {'back-up-postgresql': _database, 'back-up-maas': _files}.get(op.step)
    try:
        return counting(op, world) if counting is not None else None
    except errors.CoordinatorError:
        # The time is still shown.
        return None


def _database(op: operation.Operation, world: ports.World) -> int:
    """PgBackRest stores each file below the label of the new backup when it has read it."""
    store, stanza = world.postgresql_store, database_backup.stanza(op, world)
    folder, before = f'backup/{stanza}/', op.fact(database_backup.NEWEST_LABEL)
    labels = [name for name in store.folders(folder) if object_keys.LABEL.fullmatch(name)]
    newest = max(labels, default='')
    stored = _size(store.list(f'{folder}{newest}/')) if newest > before else 0

    def is_new(key: str) -> bool:
        label = key.removeprefix(folder).partition('/')[0]
        return bool(object_keys.LABEL.fullmatch(label)) and label > before

    return stored + _under_way(store, folder, is_new)


def _files(op: operation.Operation, world: ports.World) -> int:
    """maas-region uploads an archive in parts, which are no object before it is complete."""
    store, since = world.maas_store, op.fact(files_backup.CHANGED)
    changed = maas_backup.changed_since(store, since)
    stored = sum(_size(store.list(maas_backup.folder(name))) for name in changed)
    # An upload that was given up long ago may be listed for ever.
    return stored + _under_way(store, 'backup/', lambda key: True, since)


def _size(objects: Iterable[ports.StoredObject]) -> int:
    return sum(item.size for item in itertools.islice(objects, _MOST))


def _under_way(
    store: ports.ObjectStore, folder: str, counts: Callable[[str], bool], since: str = ''
) -> int:
    """Return the bytes of the parts of what is being uploaded, where the server tells of it.

    Args:
        store: the repository.
        folder: where objects are uploaded.
        counts: whether an object does, by its key.
        since: parts that are older do not count: a time, by the server's clock.
    """
    size = 0
    # Not every server lists uploads, or lets everybody see them; and some end meanwhile.
    with contextlib.suppress(errors.CoordinatorError):
        found = (upload for upload in store.uploads(folder) if counts(upload.key))
        for upload in itertools.islice(found, _MOST_UPLOADS):
            with contextlib.suppress(errors.NotFound):
                size += sum(
                    part.size
                    for part in itertools.islice(store.parts(upload), _MOST)
                    if part.modified.isoformat(timespec='seconds') > since
                )
    return size
