"""Backup sets in the repository: their keys; how to list, publish, withdraw and pin them.

A set exists while its manifest does. So the manifest is written after everything else, and deleted
before everything else.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import functools
import logging
from collections.abc import Collection, Iterable, Mapping, Sequence

from coordinator import errors, object_keys, ports
from coordinator.sets import index, manifest, marks, rehearsal, retention, verification

logger = logging.getLogger(__name__)

_SETS = 'coordinator/backup-sets/'
_MANIFEST, _SEALED, _KEEP = 'manifest.json', 'secrets.age', 'keep'
_IMAGES, _LATER_IMAGES = 'images.json', 'images-2.json'
_INVENTORY = 'inventory.jsonl'
_ADDENDUM = 'addendum.json'
_READERS = 8
"""Manifests read at the same time: S3 answers slowly, but many at once."""


@dataclasses.dataclass(frozen=True)
class Entry:
    """A backup set as listed: what its manifest says, or why that cannot be read."""

    backup_id: str
    state: str
    """COMPLETE, INCONSISTENT, DAMAGED, ARCHIVED, UNREADABLE, NEWER or FAILED of `retention`."""
    summary: index.Summary | None = None
    """Of a set whose manifest can be read."""
    problem: str = ''
    pinned: bool = False
    """Whether `pin` keeps it from retention."""
    verified: verification.Result | None = None
    """What verify-backup has found last."""
    claim: marks.Mark | None = None
    """Whose set it is, if the operation that made it or is making it has left a claim."""
    uses: tuple[marks.Mark, ...] = ()
    """Restores that have marked it as in use, however long ago."""
    proven: str = ''
    """Id of the last operation that found in MAAS exactly what the set has."""
    rehearsed: rehearsal.Outcome | None = None
    """The last rehearsal of its restore."""
    signature: str = ''
    """SIGNED, OTHER_KEY, UNSIGNED or BAD of `signing`; '' if nobody has asked, or nobody knows."""

    @property
    def model_uuid(self) -> str:
        """The model that the set belongs to; '' if unknown."""
        if self.summary is not None:
            return self.summary.model_uuid
        return self.claim.model_uuid if self.claim is not None else ''


_NO_MANIFEST = 'it has no manifest: its backup failed or is still running'


def check_id(backup_id: str) -> str:
    """Return the id if it is one: only such ids ever become part of a key.

    Raises:
        PreconditionError: it does not have the form 2026-08-22T10:15:00Z.
    """
    if not object_keys.ID.fullmatch(backup_id):
        raise errors.PreconditionError(
            f'{backup_id[:40]!r} is not a backup id: ids look like 2026-08-22T10:15:00Z, '
            'list-backups shows them'
        )
    return backup_id


def folder(backup_id: str) -> str:
    """Beginning of the keys of all that the coordinator stores of a set."""
    return f'{_SETS}{check_id(backup_id)}/'


def manifest_key(backup_id: str) -> str:
    """Key of a set's manifest."""
    return folder(backup_id) + _MANIFEST


def sealed_key(backup_id: str) -> str:
    """Key of a set's sealed passwords."""
    return folder(backup_id) + _SEALED


def images_keys(backup_id: str) -> tuple[str, str]:
    """Keys of what MAAS said of its images when the set was made: the manifest names one."""
    return folder(backup_id) + _IMAGES, folder(backup_id) + _LATER_IMAGES


def inventory_key(backup_id: str) -> str:
    """Key of what MAAS held when the set was made."""
    return folder(backup_id) + _INVENTORY


def addendum_key(backup_id: str) -> str:
    """Key of what was found out about a set's objects after it was published."""
    return folder(backup_id) + _ADDENDUM


def differences_key(backup_id: str, operation_id: str) -> str:
    """Key of what an operation found other on a site than in the set."""
    return f'{folder(backup_id)}differences-{operation_id}.json'


def keep_key(backup_id: str) -> str:
    """Key of the marker that pins a set. The manifest never changes, so it is beside it."""
    return folder(backup_id) + _KEEP


def ids(store: ports.ObjectStore) -> list[str]:
    """Return the ids of all sets, oldest first."""
    return [backup_id for backup_id, found in _folders(store).items() if _MANIFEST in found]


def entries(store: ports.ObjectStore, heal: bool = False) -> list[Entry]:
    """Return all sets, oldest first; a damaged manifest is an entry with its problem.

    Args:
        store: the repository.
        heal: store an index that was stale, as only the leader may.
    """
    return [entry for entry in with_failed(store, heal) if entry.state != retention.FAILED]


def with_failed(store: ports.ObjectStore, heal: bool = False) -> list[Entry]:
    """Return all sets, and what is left of those that never became complete; oldest first.

    The backup that is under way is among the latter: only its operation knows better.
    """
    folders = _folders(store)
    manifests = {name: found[_MANIFEST] for name, found in folders.items() if _MANIFEST in found}
    summed = _summed(store, manifests, heal)
    listed: list[Entry] = []
    for name, found in folders.items():
        if name not in manifests:
            listed.append(_marked(Entry(name, retention.FAILED, problem=_NO_MANIFEST), found))
        elif name in summed:
            entry = _marked(summed[name], found)
            listed.append(_with_outcome(entry, verification.standing(_outcomes(found))))
    return listed


def _marked(entry: Entry, found: Mapping[str, ports.StoredObject]) -> Entry:
    """Return an entry with the pin, the claim and the marks found beside its manifest."""
    claims = marks.claims(found)
    return dataclasses.replace(
        entry,
        pinned=_KEEP in found,
        claim=claims[0] if claims else None,
        uses=tuple(marks.uses(found)),
        proven=marks.proven(found),
        rehearsed=rehearsal.newest(found),
    )


def _outcomes(found: Iterable[str]) -> list[verification.Result]:
    """Return the outcomes that the names of a set's objects say."""
    return [outcome for name in found if (outcome := verification.outcome(name)) is not None]


def _with_outcome(entry: Entry, outcome: verification.Result | None) -> Entry:
    if outcome is None or outcome.good or entry.state not in retention.WHOLE:
        return dataclasses.replace(entry, verified=outcome)
    state = retention.ARCHIVED if outcome.archived else retention.DAMAGED
    problem = (
        f'verify-backup found it {state} at {outcome.at}: show-backup backup-id={entry.backup_id}'
    )
    return dataclasses.replace(entry, state=state, problem=problem, verified=outcome)


def _folders(store: ports.ObjectStore) -> dict[str, dict[str, ports.StoredObject]]:
    """Return the objects of each set by their names in its folder, in one listing."""
    folders: dict[str, dict[str, ports.StoredObject]] = {}
    for item in store.list(_SETS):
        name, _, rest = item.key.removeprefix(_SETS).partition('/')
        if rest and object_keys.ID.fullmatch(name):
            folders.setdefault(name, {})[rest] = item
    return folders


def _summed(
    store: ports.ObjectStore, manifests: Mapping[str, ports.StoredObject], heal: bool
) -> dict[str, Entry]:
    """Return an entry for each manifest, out of the index as far as that is right."""
    known = index.load(store) if manifests else {}
    found = {
        name: known[name]
        for name, item in manifests.items()
        if name in known and known[name].is_of(item)
    }
    judged = _read(store, {name: item for name, item in manifests.items() if name not in found})
    found |= {name: row for name, row in judged.items() if not isinstance(row, Entry)}
    if heal and found != known:
        index.save(store, found)
    return {
        name: row if isinstance(row, Entry) else _entry(name, row)
        for name, row in (judged | found).items()
    }


def _entry(backup_id: str, row: index.Row | index.Damage) -> Entry:
    if isinstance(row, index.Row):
        why = row.summary.inconsistent
        state = retention.INCONSISTENT if why else retention.COMPLETE
        return Entry(backup_id, state, row.summary, why)
    state = retention.NEWER if row.newer else retention.UNREADABLE
    return Entry(backup_id, state, problem=row.problem)


_Judged = index.Row | index.Damage | Entry
"""An entry is of a manifest that S3 did not give, and so may give the next time."""


def _read(
    store: ports.ObjectStore, wanted: Mapping[str, ports.StoredObject]
) -> dict[str, _Judged]:
    """Return what these manifests say; nothing of those that are gone."""
    read_one = functools.partial(_judged, store)
    if len(wanted) < 2:
        # Mostly it is the newest alone.
        read = [read_one(*each) for each in wanted.items()]
    else:
        with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
            read = list(pool.map(read_one, wanted, wanted.values()))
    return {name: row for name, row in zip(wanted, read, strict=True) if row is not None}


def _judged(
    store: ports.ObjectStore, backup_id: str, listed: ports.StoredObject
) -> _Judged | None:
    try:
        content = store.get(manifest_key(backup_id))
    except errors.NotFound:
        # Deleted since it was listed.
        return None
    except errors.StepError as error:
        return Entry(backup_id, retention.UNREADABLE, problem=str(error))
    try:
        found = _parsed(content, backup_id)
    except (errors.ForeignRecordError, errors.UnexpectedAnswer) as error:
        newer = isinstance(error, errors.ForeignRecordError)
        return index.Damage(listed.etag, listed.size, newer, str(error))
    return index.Row(listed.etag, listed.size, index.Summary.of(found))


def vouched(
    store: ports.ObjectStore, entries: Sequence[Entry], accepted: Collection[str]
) -> list[Entry]:
    """Return entries with their signatures, and with what their manifests say.

    The index is not asked: whoever can write to the bucket can write that as well.

    Args:
        store: the repository.
        entries: of it.
        accepted: the public keys that count.
    """

    def look(entry: Entry) -> Entry:
        if entry.summary is None:
            return entry
        try:
            found = opened(store, entry.backup_id)
        except (errors.CoordinatorError, errors.ForeignRecordError):
            return entry
        summary = index.Summary.of(found)
        return dataclasses.replace(entry, summary=summary, signature=found.standing(accepted))

    with concurrent.futures.ThreadPoolExecutor(_READERS) as pool:
        return list(pool.map(look, entries))


def opened(store: ports.ObjectStore, backup_id: str) -> manifest.Manifest:
    """Return the manifest of a set.

    Raises:
        NotFound: there is no such set.
        ForeignRecordError: its manifest is of a newer version.
        UnexpectedAnswer: its manifest is damaged, or belongs to another set.
    """
    return _parsed(store.get(manifest_key(backup_id)), backup_id)


def _parsed(content: bytes, backup_id: str) -> manifest.Manifest:
    key = manifest_key(backup_id)
    found = manifest.parse(content, key)
    if found.backup_id != backup_id:
        raise errors.UnexpectedAnswer(
            f'{key} is the manifest of {found.backup_id}: it was swapped with another, '
            'so do not restore from it'
        )
    return found


def exists(store: ports.ObjectStore, backup_id: str) -> bool:
    """Whether there is a set of this id, readable or not."""
    return _MANIFEST in names(store, backup_id)


def commit(store: ports.ObjectStore, contents: manifest.Manifest) -> None:
    """Make a set exist: one PUT, equal however often it is repeated."""
    store.put(manifest_key(contents.backup_id), contents.to_json())


def withdraw(store: ports.ObjectStore, backup_id: str) -> None:
    """Make a set not exist."""
    store.delete(manifest_key(backup_id))


def pinned(store: ports.ObjectStore, backup_id: str) -> bool:
    """Whether a set is kept from retention."""
    try:
        store.head(keep_key(backup_id))
    except errors.NotFound:
        return False
    return True


def pin(store: ports.ObjectStore, backup_id: str) -> None:
    """Keep a set from retention; equal however often it is repeated.

    Raises:
        NotFound: there is no such set.
    """
    store.head(manifest_key(backup_id))
    store.put(keep_key(backup_id), b'')


def unpin(store: ports.ObjectStore, backup_id: str) -> None:
    """Unpin a set; a set that is not pinned is not an error."""
    store.delete(keep_key(backup_id))


def note_verification(
    store: ports.ObjectStore, backup_id: str, found: verification.Verification
) -> None:
    """Keep beside a set what was found out about it; nothing is kept of a set that is gone."""
    present = names(store, backup_id)
    if _MANIFEST not in present:
        return
    store.put(folder(backup_id) + found.outcome.name, found.to_json())
    for outcome in verification.outdated(_outcomes(present), found.outcome):
        store.delete(folder(backup_id) + outcome.name)


def note_proof(
    store: ports.ObjectStore, backup_id: str, model_uuid: str, operation_id: str
) -> None:
    """Keep beside a set that an operation has proven it; nothing is kept of a set that is gone."""
    _keep_beside(store, backup_id, marks.proof_name(model_uuid, operation_id), b'')


def standing(store: ports.ObjectStore, backup_id: str) -> verification.Result | None:
    """Return the outcome that counts of a set's verifications; None if there was none."""
    return verification.standing(_outcomes(names(store, backup_id)))


def last_verification(
    store: ports.ObjectStore, backup_id: str
) -> verification.Verification | None:
    """Return what was found out last about a set; None if it was never verified.

    Raises:
        UnexpectedAnswer: what is kept of that is damaged.
    """
    outcome = standing(store, backup_id)
    if outcome is None:
        return None
    key = folder(backup_id) + outcome.name
    found = verification.Verification.from_json(store.get(key), key)
    # Lists tell what the name says, and so must this.
    return dataclasses.replace(found, outcome=outcome)


def note_rehearsal(store: ports.ObjectStore, found: rehearsal.Result) -> bool:
    """Keep the result of a rehearsal beside its set; return whether the set is still there."""
    return _keep_beside(store, found.backup_id, found.outcome.name, found.to_json())


def note_addendum(store: ports.ObjectStore, backup_id: str, content: bytes) -> None:
    """Keep beside a set what was found out about its objects; nothing of a set that is gone."""
    _keep_beside(store, backup_id, _ADDENDUM, content)


def _keep_beside(store: ports.ObjectStore, backup_id: str, name: str, content: bytes) -> bool:
    """Store an object beside a set; return whether the set is still there, as nothing else stays.

    A deletion deletes the manifest before it lists the rest. So either it finds the object, or the
    manifest is gone afterwards.
    """
    key = folder(backup_id) + name
    if not exists(store, backup_id):
        return False
    store.put(key, content)
    if exists(store, backup_id):
        return True
    store.delete(key)
    return False


def last_rehearsal(store: ports.ObjectStore, backup_id: str) -> rehearsal.Result | None:
    """Return the result of the last rehearsal of a set; None if none can be read.

    Nothing is decided by it, so one that somebody has damaged stops nothing.
    """
    try:
        outcome = rehearsal.newest(names(store, backup_id))
        if outcome is None:
            return None
        key = folder(backup_id) + outcome.name
        found = rehearsal.parse(store.get(key), key)
    except errors.CoordinatorError as error:
        logger.warning('the last rehearsal of backup set %s is unknown: %s', backup_id, error)
        return None
    return found if (found.backup_id, found.outcome) == (backup_id, outcome) else None


def names(store: ports.ObjectStore, backup_id: str) -> set[str]:
    """Return the names of the objects in a set's folder."""
    return set(_found(store, backup_id))


def in_use(store: ports.ObjectStore, backup_id: str, now: datetime.datetime) -> list[marks.Mark]:
    """Return the restores that use a set, or what is left of it, now."""
    return [use for use in marks.uses(_found(store, backup_id)) if use.counts(now)]


def _found(store: ports.ObjectStore, backup_id: str) -> dict[str, ports.StoredObject]:
    path = folder(backup_id)
    return {item.key.removeprefix(path): item for item in store.list(path)}
