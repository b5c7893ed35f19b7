"""Whether the s3-integrators can be configured from here, which a restore may have to do."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from coordinator import errors, integrators, ports
from coordinator.engine import settings
from coordinator.sets import manifest
from coordinator.steps import checking, site
from coordinator.steps.backup_set import set_objects

AIMED = ('bucket', 'path')
"""Options that a restore sets."""


def check(
    wanted: manifest.Manifest,
    status: ports.ModelStatus,
    config: settings.Settings,
    world: ports.World,
) -> str | checking.Warned:
    """Make sure that the integrators can be configured, as far as the restore will do so.

    Raises:
        StepError: one must be, and cannot be from here.
    """
    files = set_objects.maas_store(wanted, world).place
    database = set_objects.postgresql_store(wanted, world).place
    name = config.s3_postgresql
    stuck = unconfigurable(name, status, world)
    if stuck and _renewed(wanted, status, config, world, database):
        raise errors.StepError(
            f'{stuck}, but {config.postgresql} needs a new path after this restore: '
            'juju deploy s3-integrator, '
            f'and relate {config.postgresql} and this charm to that instead of {name}'
        )
    maas = unconfigurable(config.s3_maas, status, world)
    if maas and not integrators.same_place(world.maas_store.place, files):
        raise errors.StepError(
            f'{maas}, but needs the bucket and path of the set: '
            f'{by_hand(config.s3_maas, status, files)}, then restore again'
        )
    if stuck:
        return checking.Warned(
            f'{stuck}: if {config.postgresql} '
            'is blocked by the backups of another cluster after the restore, '
            'it needs an empty path there'
        )
    return 'the options of the integrators can be set where the restore needs it'


def _renewed(
    wanted: manifest.Manifest,
    status: ports.ModelStatus,
    config: settings.Settings,
    world: ports.World,
    database: Mapping[str, str],
) -> bool:
    """Whether PostgreSQL cannot go on where it is: as far as that is known before the restore."""
    units = site.application(status, config.postgresql).units.values()
    return (
        wanted.model.uuid != world.model_uuid
        or not integrators.same_place(world.postgresql_store.place, database)
        or any(unit.message == site.ANOTHER_CLUSTER for unit in units)
    )


def unconfigurable(name: str, status: ports.ModelStatus, world: ports.World) -> str:
    """Return why an integrator cannot be aimed from here, or ''."""
    if name in status.consumed:
        return (
            f'{name} is an application of another model, offered as {status.consumed[name]}, '
            'and cannot be configured from here'
        )
    missing = sorted(set(AIMED) - world.juju.options(name))
    return f'{name} has no option {" and no ".join(missing)}' if missing else ''


def by_hand(name: str, status: ports.ModelStatus, place: Mapping[str, str]) -> str:
    """Return the command that aims an integrator of another model, to be typed by a person."""
    model, _, offer = status.consumed.get(name, '').rpartition('.')
    where = f'-m {model} <application of offer {offer}>' if model else name
    given = (shlex.quote(f'{key}={place[key]}') for key in AIMED if key in place)
    return f'juju config {where} {" ".join(given)}'
