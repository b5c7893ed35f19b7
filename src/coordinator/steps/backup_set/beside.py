"""Objects that an operation stores beside the manifest of the set that it makes."""

from __future__ import annotations

import hashlib

from coordinator import ports
from coordinator.engine import operation
from coordinator.record import repository
from coordinator.sets import catalogue, manifest
from coordinator.steps.backup_set import claiming


def put(op: operation.Operation, world: ports.World, key: str, content: bytes) -> manifest.Object:
    """Store an object, and return what the manifest says of it."""
    stored = repository.of(op, world).put(key, content)
    return manifest.Object(
        key=stored.key,
        size=len(content),
        etag=stored.etag,
        sha256=hashlib.sha256(content).hexdigest(),
    )


def delete(op: operation.Operation, world: ports.World, key: str) -> None:
    """Delete an object, if it is there and this operation's own."""
    store = repository.of(op, world)
    there = key.rpartition('/')[2] in catalogue.names(store, op.backup_id)
    if there and claiming.owns(op, store):
        store.delete(key)
