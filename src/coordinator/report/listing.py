"""What list-backups prints: which sets of those that there are, and how they are laid out."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
from collections.abc import Iterable, Sequence, Set
from typing import Any

import yaml

from coordinator import errors, figures, object_keys, plain, ports, times
from coordinator.report import tables
from coordinator.sets import catalogue, index, marks, retention
from coordinator.steps.backup_set import expiry

_ROOM = 100 << 10
"""Bytes of a list: Juju takes it as one argument of a program, which has 128 KiB at most."""
_WIDEST = 60
"""Bytes of a cell with foreign text."""
_NOT_CHECKED = '?'
"""In place of a signature."""
_HEAD = (
    'backup-id', 'status', 'maas', 'files', 'controllers', 'postgresql', 'database', 'label',
    'verified', 'signature', 'rehearsed', 'model', 'pinned',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Wanted:
    """Which sets are asked for, and in which form."""

    limit: int = 100
    since: str = ''
    """A backup id, or the beginning of one, such as a date."""
    all_models: bool = False
    form: str = 'table'

    @classmethod
    def checked(cls, limit: int, since: str, all_models: bool, form: str) -> Wanted:
        """Return what an action asks for.

        Raises:
            PreconditionError: `since` is neither a date nor a backup id.
        """
        since = since.strip()
        if since and not object_keys.ID.fullmatch(since):
            try:
                since = datetime.date.fromisoformat(since).isoformat()
            except ValueError:
                raise errors.PreconditionError(
                    f'since={since[:40]!r} is neither a date such as 2026-08-22 nor a backup id'
                ) from None
        return cls(limit, since, all_models, form)


@dataclasses.dataclass(frozen=True)
class Choice:
    """The sets that are shown, newest last, and how many are not."""

    shown: Sequence[catalogue.Entry]
    older: int = 0
    of_others: int = 0
    """Sets of other models."""

    @property
    def note(self) -> str:
        """What is not shown, and which option shows it; '' if everything is."""
        notes: list[str] = []
        if self.older:
            first = self.shown[0].backup_id if self.shown else ''
            notes.append(
                f'{self.older} backup set(s) older than {first} are not shown: '
                'list-backups limit=...'
            )
        if self.of_others:
            notes.append(
                f'{self.of_others} backup set(s) of other models are not shown: '
                'list-backups all-models=true'
            )
        return '\n'.join(notes)


def listed(world: ports.World, running: str = '', *, heal: bool = False) -> list[catalogue.Entry]:
    """Return all sets of the repository, oldest first, with what only this site knows of them.

    Args:
        world: the world.
        running: id of the set that an operation is still making, if one is.
        heal: store an index that was stale, as only the leader may.
    """
    found = without_running(catalogue.with_failed(world.maas_store, heal=heal), running)
    found = with_marks(with_ahead(found, world.now()), world.now())
    # A site whose database is not there yet can list all the same.
    with contextlib.suppress(errors.CoordinatorError):
        found = with_expired(found, expiry.database_expired(found, world))
    return found


def without_running(entries: Iterable[catalogue.Entry], running: str) -> list[catalogue.Entry]:
    """Leave out the set that an operation, by its id, is still making: it has not failed."""
    return [
        entry for entry in entries if entry.backup_id != running or entry.state != retention.FAILED
    ]


def with_ahead(
    entries: Iterable[catalogue.Entry], now: datetime.datetime
) -> list[catalogue.Entry]:
    """Add a problem to each set whose id is in the future."""
    return [
        dataclasses.replace(entry, problem=entry.problem or _AHEAD)
        if times.is_ahead(entry.backup_id, now)
        else entry
        for entry in entries
    ]


def with_marks(
    entries: Iterable[catalogue.Entry], now: datetime.datetime
) -> list[catalogue.Entry]:
    """Add a problem to each set that a restore uses, or has left its mark on."""
    return [
        dataclasses.replace(entry, problem='; '.join(filter(None, (entry.problem, *notes))))
        if (notes := [_use(use, now) for use in entry.uses])
        else entry
        for entry in entries
    ]


def _use(use: marks.Mark, now: datetime.datetime) -> str:
    if use.counts(now):
        return f'{use} uses it, so it cannot be deleted until that ends'
    return f'{use} marked it as in use more than a week ago: the mark no longer protects it'


_AHEAD = (
    'it is dated in the future, because a clock was wrong: '
    'retention and backup-id=latest ignore it, '
    'and delete-backup can delete it once there is a newer set'
)
_EXPIRED = 'pgBackRest has expired its database part: it cannot be restored any more'


def with_expired(entries: Iterable[catalogue.Entry], expired: Set[str]) -> list[catalogue.Entry]:
    """Mark the sets, by their ids, that have lost their database part."""
    return [
        dataclasses.replace(entry, state=retention.DATABASE_EXPIRED, problem=_EXPIRED)
        if entry.backup_id in expired
        else entry
        for entry in entries
    ]


def missing(entries: Iterable[catalogue.Entry], newest_made: str) -> str:
    """Return that the newest set that this application has made is not there; '' if it is."""
    there = {entry.backup_id for entry in entries if entry.state != retention.FAILED}
    if not newest_made or newest_made in there:
        return ''
    return (
        f'{newest_made}, the newest backup set that this coordinator has made, '
        'is not in the repository. Unless the repository was moved, somebody has deleted it'
    )


def choose(entries: Sequence[catalogue.Entry], wanted: Wanted, model_uuid: str) -> Choice:
    """Choose the sets that are asked for, of entries that come oldest first.

    What has no manifest that can be read is of any model.
    """
    recent = [entry for entry in entries if entry.backup_id >= wanted.since]
    own = [entry for entry in recent if wanted.all_models or entry.model_uuid in ('', model_uuid)]
    shown = own[-wanted.limit :]
    return Choice(shown, len(own) - len(shown), len(recent) - len(own))


def results(choice: Choice, wanted: Wanted, place: str) -> dict[str, str]:
    """Return an action's results: as many of the chosen sets as there is room for."""
    while True:
        found = _laid_out(choice, wanted.form, place)
        size = len(found['backups'].encode())
        if size <= _ROOM or len(choice.shown) <= 1:
            # A result must show at least one set: searching for a smaller number would never end.
            return found
        fewer = choice.shown[-max(1, len(choice.shown) * _ROOM * 9 // (size * 10)) :]
        choice = dataclasses.replace(
            choice, shown=fewer, older=choice.older + len(choice.shown) - len(fewer)
        )


def _laid_out(choice: Choice, form: str, place: str) -> dict[str, str]:
    if form == 'table':
        return {'backups': _table(choice, place)}
    objects = [_object(entry) for entry in choice.shown]
    text = json.dumps(objects) if form == 'json' else yaml.safe_dump(objects, sort_keys=False)
    # Apart from the list, which programs read.
    return {'backups': text, **({'note': choice.note} if choice.note else {})}


def _table(choice: Choice, place: str) -> str:
    rows = [_row(entry) for entry in choice.shown]
    problems = [
        f'{entry.backup_id}: {plain.one_line(entry.problem)}'
        for entry in choice.shown
        if entry.problem
    ]
    blocks = [f'Backup sets in {place}:', tables.table(_HEAD, rows)]
    blocks += filter(None, ['\n'.join(problems), choice.note])
    return '\n\n'.join(blocks)


def _row(entry: catalogue.Entry) -> Sequence[str]:
    pinned = 'yes' if entry.pinned else ''
    found = entry.summary
    if found is None:
        return (entry.backup_id, entry.state, *[''] * (len(_HEAD) - 3), pinned)
    cells = (
        entry.backup_id,
        entry.state,
        found.maas_version,
        figures.size(found.maas_bytes),
        str(len(found.controllers)),
        found.postgresql_version,
        figures.size(found.postgresql_bytes),
        found.label,
        str(entry.verified or found.verified),
        entry.signature or _NOT_CHECKED,
        str(entry.rehearsed or ''),
        found.model,
        pinned,
    )
    return tuple(plain.one_line(cell, _WIDEST) for cell in cells)


def _object(entry: catalogue.Entry) -> dict[str, Any]:
    told: dict[str, Any] = {
        'backup-id': entry.backup_id,
        'status': entry.state,
        'pinned': entry.pinned,
    }
    if entry.verified:
        told['verified-again'] = entry.verified.at
        told['read-whole'] = entry.verified.whole
    if entry.proven:
        told['proven'] = entry.proven
    if entry.rehearsed:
        told['rehearsed'] = entry.rehearsed.for_programs()
    if entry.signature:
        told['signature'] = entry.signature
    if entry.problem:
        told['problem'] = plain.one_line(entry.problem)
    return told | (_summary(entry.summary) if entry.summary else {})


def _summary(found: index.Summary) -> dict[str, Any]:
    """Return what an index or a manifest says: others may write to either."""
    told = {
        'started': found.started,
        'verified': found.verified,
        'model': found.model,
        'model-uuid': found.model_uuid,
        'maas-version': found.maas_version,
        'maas-backup-id': found.maas_backup_id,
        'maas-bytes': found.maas_bytes,
        'controllers': [plain.one_line(name, _WIDEST) for name in found.controllers],
        'postgresql-version': found.postgresql_version,
        'postgresql-backup-id': found.postgresql_backup_id,
        'postgresql-label': found.label,
        'postgresql-bytes': found.postgresql_bytes,
    }
    return {
        name: plain.one_line(value) if isinstance(value, str) else value
        for name, value in told.items()
    }
