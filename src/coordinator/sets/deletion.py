"""Deletes one backup set, its manifest first: after a crash, what is left is not a set.

PostgreSQL's part is kept: only pgBackRest may delete from its repository.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Sequence

from coordinator import errors, ports
from coordinator.parts import maas_backup
from coordinator.sets import catalogue, index


@dataclasses.dataclass(frozen=True)
class Target:
    """A set that is to be deleted: all that must be known once its manifest is gone."""

    backup_id: str
    maas_backup_id: str = ''
    """Of its files; '' when no manifest says it, so that they stay."""

    @classmethod
    def of(cls, store: ports.ObjectStore, entry: catalogue.Entry) -> Target:
        """Return the target that a set is, after its own manifest.

        Raises:
            StepError: the catalogue's index says something else.
            NotFound: it is gone.
        """
        if entry.summary is None:
            return cls(entry.backup_id)
        found = catalogue.opened(store, entry.backup_id)
        if index.Summary.of(found) != entry.summary:
            raise errors.StepError(
                f'{index.KEY} has wrong data about backup set {entry.backup_id}: '
                'somebody changed it. Delete this object; list-backups creates it again'
            )
        return cls(entry.backup_id, found.maas.backup_id)

    @property
    def folders(self) -> tuple[str, ...]:
        """Where its objects lie."""
        files = (maas_backup.folder(self.maas_backup_id),) if self.maas_backup_id else ()
        return (catalogue.folder(self.backup_id), *files)

    def to_json(self) -> str:
        """Return it as a fact."""
        return json.dumps(dataclasses.asdict(self), separators=(',', ':'))

    @classmethod
    def from_json(cls, text: str) -> Target:
        """Read what `to_json` made."""
        return cls(**json.loads(text))


def objects(
    store: ports.ObjectStore, target: Target, listed: Iterable[catalogue.Entry]
) -> list[ports.StoredObject]:
    """Return what of a set would be deleted, in that order: its manifest comes first.

    Args:
        store: the repository.
        target: the set.
        listed: all sets; files that another one names as well stay.
    """
    own = list(store.list(catalogue.folder(target.backup_id)))
    own.sort(key=lambda item: item.key != catalogue.manifest_key(target.backup_id))
    others = {
        entry.summary.maas_backup_id
        for entry in listed
        if entry.summary and entry.backup_id != target.backup_id
    }
    if not target.maas_backup_id or target.maas_backup_id in others:
        return own
    # Only what a files backup consists of: whatever else lies there is not ours to delete.
    folder = maas_backup.folder(target.maas_backup_id)
    names = {folder + name for name in maas_backup.OBJECTS}
    files = [item for item in store.list(folder) if item.key in names]
    return [*own[:1], *files, *own[1:]]


class InUseError(errors.StepError):
    """A restore uses the set: its objects are kept until the restore has ended."""


def delete(
    store: ports.ObjectStore,
    target: Target,
    listed: Sequence[catalogue.Entry],
    now: datetime.datetime,
) -> None:
    """Delete a set, or what is left of it. Running it again does no harm.

    Raises:
        InUseError: a restore has marked it since it was chosen. If its manifest is already
            deleted then, the restore either has everything it needs or has noticed the deletion.
        StepError: an object lock forbids it; says until when. If that can be foreseen, nothing
            is deleted and the set remains listed.
    """
    found, looked = objects(store, target, listed), False
    for item in found:
        # Where there are versions, a DELETE leaves a marker, which no lock forbids.
        lock, versioned = _lock(store, item.key)
        if lock and not versioned:
            raise _locked(item.key, lock)
    for item in found:
        if item.key != catalogue.manifest_key(target.backup_id) and not looked:
            looked = True
            _refuse_if_used(store, target, now)
        try:
            store.delete(item.key)
        except errors.StoreRefused as error:
            lock, _ = _lock(store, item.key)
            if lock:
                raise _locked(item.key, lock) from error
            raise


def _refuse_if_used(store: ports.ObjectStore, target: Target, now: datetime.datetime) -> None:
    uses = catalogue.in_use(store, target.backup_id, now)
    if uses:
        raise InUseError(
            f'{uses[0]} uses backup set {target.backup_id}, so its objects were kept. '
            'When the restore has ended, '
            f'delete them with delete-backup backup-id={target.backup_id}'
        )


def _lock(store: ports.ObjectStore, key: str) -> tuple[str, bool]:
    """Return how long an object is locked, and whether it is a version among others."""
    try:
        found = store.head(key)
    except errors.NotFound:
        # A listing may show what is gone.
        return '', False
    return found.lock, found.versioned


def _locked(key: str, lock: str) -> errors.StepError:
    return errors.StepError(
        f'an object lock protects {key} {lock}: run it again then, '
        'or keep the set until then with keep-backup'
    )
