"""Whether every object of a backup set is still there, as it was when the set was published.

What restore-all checks before it begins, and what verify-backup looks at. Each look raises
StepError with what is wrong; nothing but small objects is read.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Sequence

from coordinator import checksums, errors, integrators, ports, times
from coordinator.parts import pgbackrest, pgbackrest_pairs
from coordinator.sets import catalogue, manifest, verification


@dataclasses.dataclass(frozen=True)
class Findings:
    """The findings about a set, in sentences."""

    wrong: Sequence[str]
    """Why it cannot be restored; empty if it can."""
    weak: Sequence[str]
    """Files of which only one of two copies is sound."""


def findings(
    wanted: manifest.Manifest,
    repository: ports.ObjectStore,
    world: ports.World,
    vouched: Sequence[manifest.Object] | None = None,
    *,
    contents_follow: bool = False,
) -> Findings:
    """Return what is wrong with a set.

    Args:
        wanted: the set's manifest.
        repository: where that lies.
        world: for the stores that hold both parts.
        vouched: of a signed set, as for `maas_objects`.
        contents_follow: whether every object is read next, so that a different ETag alone is not
            reported.

    Raises:
        TransientError: S3 does not answer.
        StoreRefused: S3 refuses access, so nothing is known about the set.
    """
    weak: list[str] = []
    looks: tuple[Callable[[], object], ...] = (
        lambda: sealed(wanted, repository),
        lambda: maas_objects(
            wanted,
            world,
            catalogue.standing(repository, wanted.backup_id),
            vouched,
            etags=not contents_follow,
        ),
        lambda: weak.extend(postgresql_objects(wanted, world).weaknesses),
    )
    wrong: list[str] = []
    for look in looks:
        try:
            look()
        except errors.StoreRefused:
            raise
        except errors.StepError as error:
            wrong.append(str(error))
    return Findings(wrong, weak)


def sealed(wanted: manifest.Manifest, store: ports.ObjectStore) -> None:
    """Check that the sealed passwords in the repository are those of the set."""
    expected = wanted.passwords.sealed
    content = store.get(catalogue.sealed_key(wanted.backup_id))
    if hashlib.sha256(content).hexdigest() != expected.sha256:
        raise errors.StepError(
            f'{expected.key} is not what was sealed for this set: '
            'it was changed or swapped with another, so do not restore from it'
        )


def maas_store(wanted: manifest.Manifest, world: ports.World) -> ports.ObjectStore:
    """Return the store that holds the files backup: here, or where the manifest says."""
    here = world.maas_store
    if _holds(here, wanted.maas.objects[0]):
        return here
    place = wanted.maas.place
    there = world.maas_store_at(place.bucket, place.path)
    return _on_that_server(there, place, wanted.maas.objects[0])


def postgresql_store(wanted: manifest.Manifest, world: ports.World) -> ports.ObjectStore:
    """Return the store that holds the database backup: here, or where the manifest says.

    An earlier restore has given PostgreSQL a new path; the set stays where it was.
    """
    here = world.postgresql_store
    item = wanted.postgresql.manifest
    # Either is enough for pgBackRest.
    pair = (item, item.model_copy(update={'key': pgbackrest_pairs.copy_of(item.key)}))
    if _holds(here, *pair):
        return here
    place = wanted.postgresql.place
    there = world.postgresql_store_at(place.bucket, place.path)
    return _on_that_server(there, place, *pair)


def _on_that_server(
    store: ports.ObjectStore, place: manifest.Place, *items: manifest.Object
) -> ports.ObjectStore:
    """Return a store, unless it seems to be of the same name on another server.

    Raises:
        StoreRefused: nothing can be known of what lies elsewhere.
    """
    elsewhere = place.endpoint and not integrators.same_server(
        place.endpoint, store.place['endpoint']
    )
    if elsewhere and not _holds(store, *items):
        raise errors.StoreRefused(
            f'{items[0].key} is in {place.bucket}/{place.path} at {place.endpoint}, '
            f'but only {store.place["endpoint"] or "AWS"} can be reached: '
            'set the endpoint of the s3-integrator'
        )
    return store


def _holds(store: ports.ObjectStore, *items: manifest.Object) -> bool:
    """Whether one of several objects is there, in its size."""
    return any(_size(store, item.key) == item.size for item in items)


def _size(store: ports.ObjectStore, key: str) -> int | None:
    try:
        return store.head(key).size
    except errors.NotFound:
        return None


def maas_objects(
    wanted: manifest.Manifest,
    world: ports.World,
    read_whole: verification.Result | None = None,
    vouched: Sequence[manifest.Object] | None = None,
    *,
    etags: bool = True,
) -> str:
    """Check that the files backup is there as it was verified; say where.

    Args:
        wanted: the set's manifest.
        world: for the store.
        read_whole: what counts of the set's verifications: objects that were found to be right
            when they were read need not have the ETag that they had.
        vouched: of a signed set, the objects as they were when they were read, if that is signed.
            Then no unsigned verification counts, nor a checksum that somebody can imitate.
        etags: whether those that were not must.
    """
    store = maas_store(wanted, world)
    where = integrators.where(store.place)
    trusted = ''
    if read_whole is not None and read_whole.whole and read_whole.good:
        trusted = read_whole.at
    for expected in wanted.maas.objects:
        try:
            found = store.head(expected.key)
        except errors.NotFound:
            raise errors.StepError(
                f'{expected.key} of the files backup is missing from {where}'
            ) from None
        if found.size != expected.size:
            raise errors.StepError(
                f'{expected.key} in {where} has {found.size} bytes instead of {expected.size}'
            )
        same = checksums.compare(expected.checksum, found.checksum)
        if same is False:
            raise errors.StepError(
                f'{expected.key} in {where} is not the object that was verified: S3 reports '
                f'{found.checksum} instead of {expected.checksum}, do not restore from it'
            )
        # A copy of the same content, or one encrypted anew, has another ETag.
        if vouched is None:
            known = bool(same) or times.stamp(found.modified) <= trusted
        else:
            known = _is_vouched(found, expected, vouched)
        if etags and not known and found.etag != expected.etag:
            raise errors.StepError(
                f'{expected.key} in {where} is not the object that was verified: '
                f'it was written again (verify-backup backup-id={wanted.backup_id} '
                'deep=true checks its content)'
            )
    return f'the files backup in {where} is complete'


def _is_vouched(
    found: ports.StoredObject, expected: manifest.Object, vouched: Sequence[manifest.Object]
) -> bool:
    """Whether an object is what a signed document says, by what nobody can imitate."""
    if checksums.is_strong(found.checksum) and found.checksum == expected.checksum:
        return True
    return any(
        item.key == expected.key
        and (found.etag == item.etag or found.checksum == f'sha256:{item.sha256}')
        for item in vouched
    )


@dataclasses.dataclass(frozen=True)
class Database:
    """A database backup that can be restored."""

    sentence: str
    """Says where it is."""
    weaknesses: Sequence[str]
    """Which files it needs that are there only once."""


def postgresql_objects(wanted: manifest.Manifest, world: ports.World) -> Database:
    """Check that the database backup is there as it was verified."""
    part, store = wanted.postgresql, postgresql_store(wanted, world)
    where = integrators.where(store.place)
    try:
        listed = {backup.label: backup for backup in pgbackrest.backups(store, part.stanza)}
    except errors.NotFound:
        raise errors.StepError(f'there is no stanza {part.stanza} in {where} any more') from None
    if part.label not in listed:
        raise errors.StepError(
            f'the database backup {part.label} has expired: pgBackRest only keeps newer ones in '
            f'{where}; this set cannot be restored any more'
        )
    if listed[part.label].error:
        raise errors.StepError(
            f'pgBackRest lists {part.label} in {where} with an error: do not restore from it'
        )
    contents = pgbackrest.contents(store, part.stanza, listed[part.label])
    if contents.manifest_sha256 != part.manifest.sha256:
        raise errors.StepError(
            f'{part.manifest.key} in {where} is not the one that was verified: '
            'it was changed, do not restore from it'
        )
    return Database(
        f'the database backup {part.label} in {where} is complete',
        contents.weaknesses,
    )
