"""The backup set that an operation works on, as its record holds it."""

from __future__ import annotations

from coordinator import errors, integrators, ports
from coordinator.engine import operation
from coordinator.sets import catalogue, manifest

BACKUP_SET = 'backup-set'
"""Fact: the manifest of the set."""
LATEST = 'latest'


def of(op: operation.Operation) -> manifest.Manifest:
    """Return the set that is restored from, with the first of MAAS's objects only."""
    return manifest.Manifest.model_validate_json(op.fact(BACKUP_SET))


def essence(wanted: manifest.Manifest) -> str:
    """Return a manifest as a fact, without what no step of a restore asks for.

    A record is small. It has a copy, as the one in S3 may go or change while the restore runs.
    """
    essential = wanted.model_copy(
        update={
            'images': None,
            'maas': wanted.maas.model_copy(update={'objects': wanted.maas.objects[:1]}),
            'passwords': wanted.passwords.model_copy(update={'recipients': ()}),
            'seconds': {},
            'signature': None,
        }
    )
    return essential.model_dump_json(by_alias=True, exclude_none=True)


def named(backup_id: str, world: ports.World) -> manifest.Manifest:
    """Return the set of this id; raises what `fitting.chosen` does."""
    try:
        return catalogue.opened(world.maas_store, backup_id)
    except errors.NotFound:
        raise errors.StepError(
            f'there is no complete backup set {backup_id} in '
            f'{integrators.where(world.maas_store.place)}: list-backups shows the sets'
        ) from None
