"""The repository of an operation: the bucket and path that s3-maas led to when it began."""

from __future__ import annotations

from coordinator import errors, integrators, ports
from coordinator.engine import facts, operation


def remembered(world: ports.World) -> dict[str, str]:
    """Return the fact that says where the repository is."""
    return facts.REPOSITORY.put(dict(world.maas_store.place))


def of(op: operation.Operation, world: ports.World) -> ports.ObjectStore:
    """Return the repository of an operation, wherever s3-maas leads by now.

    Raises:
        StepError: it is on another server than the one that can be reached.
    """
    place = facts.REPOSITORY.of(op)
    if not place:
        # An older revision began this backup, and never looked elsewhere.
        return world.maas_store
    here = world.maas_store.place
    if not integrators.same_server(here['endpoint'], place['endpoint']):
        raise errors.StepError(
            f'{op.settings.s3_maas} has the endpoint {here["endpoint"]}, '
            f'but the operation started with {place["endpoint"]}: '
            f'juju config {op.settings.s3_maas} endpoint={place["endpoint"]}'
        )
    return world.maas_store_at(place['bucket'], place['path'])
