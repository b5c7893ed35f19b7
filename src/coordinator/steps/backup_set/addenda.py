"""What was read of a signed set's objects: recorded beside it, signed, and compared later.

Only what a key that counts has signed is used here: whoever can write to the bucket can write the
results of verifications as well, and can give an object the size and the CRC of another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coordinator import errors, ports, times
from coordinator.engine import operation, settings, step
from coordinator.sets import addendum, catalogue, manifest, signing
from coordinator.steps.backup_set import set_objects, vouching


def vouched(
    found: manifest.Manifest,
    store: ports.ObjectStore,
    config: settings.Settings,
    world: ports.World,
) -> Sequence[manifest.Object] | None:
    """Return what was read of a signed set's objects, if it was; None of a set that is not signed.

    Args:
        found: the set's manifest.
        store: the repository that it was read from.
        config: says whose signatures count.
        world: to ask for the keys.
    """
    keys = vouching.accepted(config, world)
    if found.signature is None or found.standing(keys) != signing.SIGNED:
        return None
    key = catalogue.addendum_key(found.backup_id)
    try:
        there = addendum.parse(store.get(key), key)
    except (errors.NotFound, errors.UnexpectedAnswer, errors.ForeignRecordError):
        return ()
    of_this = (there.backup_id, there.of_manifest) == (found.backup_id, found.signature.covers)
    return there.objects if of_this and there.standing(keys) == signing.SIGNED else ()


def completed(
    found: manifest.Manifest, known: Sequence[manifest.Object] | None
) -> manifest.Manifest:
    """Return a manifest with the SHA-256 that were recorded of its objects: to be read by it."""
    digests = {item.key: item.sha256 for item in known or ()}
    objects = tuple(
        item.model_copy(update={'sha256': item.sha256 or digests.get(item.key, '')})
        for item in found.maas.objects
    )
    return found.model_copy(update={'maas': found.maas.model_copy(update={'objects': objects})})


def record(
    op: operation.Operation,
    found: manifest.Manifest,
    known: Sequence[manifest.Object] | None,
    digests: Mapping[str, str],
    store: ports.ObjectStore,
    world: ports.World,
) -> step.Wait | None:
    """Record the SHA-256 of the objects of a signed set that was read and is right.

    Nothing is recorded if an object was written since the verification began: what was read may
    have been another one, and its ETag would be vouched for.

    Args:
        op: the verification.
        found: the set's manifest.
        known: what `vouched` has returned.
        digests: SHA-256 by key, of objects of which none was known.
        store: the repository.
        world: the world.

    Returns:
        What to wait for; None if nothing is left to record.
    """
    if known is None or found.signature is None:
        return None
    maas = set_objects.maas_store(found, world)
    wanted = completed(found, known).maas.objects
    stored = [maas.head(item.key) for item in wanted]
    if any(times.stamp(there.modified) >= op.started for there in stored):
        return None
    objects = tuple(
        manifest.Object(
            key=item.key,
            size=item.size,
            etag=there.etag,
            checksum=there.checksum,
            sha256=item.sha256 or digests.get(item.key, ''),
        )
        for item, there in zip(wanted, stored, strict=True)
    )
    if objects == tuple(known) or not all(item.sha256 for item in objects):
        return None
    signed = vouching.signed(
        addendum.Addendum(
            backup_id=found.backup_id,
            of_manifest=found.signature.covers,
            read=times.stamp(world.now()),
            objects=objects,
        ),
        world,
    )
    if isinstance(signed, step.Wait):
        return signed
    catalogue.note_addendum(store, found.backup_id, signed.to_json())
    return step.Wait(f'the SHA-256 of the objects of {found.backup_id} were recorded')
