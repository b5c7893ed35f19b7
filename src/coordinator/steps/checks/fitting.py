"""Whether a backup set fits the site, and which is the newest that does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from coordinator import errors, integrators, ports, times
from coordinator.engine import settings
from coordinator.sets import catalogue, index, manifest, retention
from coordinator.steps import site
from coordinator.steps.backup_set import chosen_set


def chosen(
    parameters: Mapping[str, str], config: settings.Settings, world: ports.World
) -> manifest.Manifest:
    """Return the set that the parameters name.

    Raises:
        StepError: there is none of this id, or it cannot be read.
        PreconditionError: the parameter is no backup id.
        ForeignRecordError: its manifest is of a newer version.
    """
    wanted = parameters['backup-id']
    return (
        _latest(config, world) if wanted == chosen_set.LATEST else chosen_set.named(wanted, world)
    )


def _latest(config: settings.Settings, world: ports.World) -> manifest.Manifest:
    status = world.juju.status()
    now = times.stamp(world.now())
    # One of a clock that was ahead is newer than all others for years.
    entries = sorted(
        catalogue.entries(world.maas_store),
        key=lambda entry: (entry.backup_id <= now, entry.backup_id),
    )
    for entry in reversed(entries):
        if entry.state != retention.COMPLETE or entry.summary is None:
            continue
        if any(_misfits(entry.summary, config, status)):
            continue
        # What the index says of a set picks it; what its manifest says is restored.
        return catalogue.opened(world.maas_store, entry.backup_id)
    where = integrators.where(world.maas_store.place)
    raise errors.StepError(
        f'no complete backup set in {where} can be restored here: '
        'list-backups shows the sets. Name one with backup-id to see why'
    )


def check(wanted: manifest.Manifest, config: settings.Settings, status: ports.ModelStatus) -> str:
    """Make sure that a set can be restored on this site."""
    misfits = list(_misfits(index.Summary.of(wanted), config, status))
    if misfits:
        raise errors.StepError('; '.join(misfits))
    return (
        f'{len(wanted.maas.controllers)} controllers, MAAS {wanted.maas.version} and PostgreSQL '
        f'{wanted.postgresql.charm.workload_version} fit'
    )


def _misfits(
    wanted: index.Summary, config: settings.Settings, status: ports.ModelStatus
) -> Iterator[str]:
    """Yield a sentence for each reason why a set cannot be restored on this site."""
    maas = site.application(status, config.maas)
    more = len(wanted.controllers) - len(maas.units)
    if more:
        command = f'juju add-unit {maas.name} -n {more}' if more > 0 else 'juju remove-unit'
        yield (
            f'{maas.name} has {len(maas.units)} units, '
            f'but the set has {len(wanted.controllers)} controllers: '
            f'{"add" if more > 0 else "remove"} {abs(more)} ({command})'
        )
    yield from _maas_misfits(maas, wanted.maas_version)
    database = site.application(status, config.postgresql)
    there, backed_up = database.workload_version, wanted.postgresql_version
    if _numbers(there)[:1] != _numbers(backed_up)[:1]:
        yield (
            f'{database.name} is PostgreSQL {there}, but the set is of {backed_up}: '
            'major versions must be equal, deploy the channel of the set'
        )


def _maas_misfits(maas: ports.Application, backed_up: str) -> Iterator[str]:
    there = maas.workload_version
    here, then = _numbers(there), _numbers(backed_up)
    if here[:2] != then[:2]:
        yield (
            f'{maas.name} is MAAS {there}, the set is of {backed_up}: '
            'major and minor version must be equal'
        )
    elif here < then:
        yield f'{maas.name} is MAAS {there}, older than the {backed_up} of the set: refresh it'
    elif there < backed_up:
        # maas-region compares the versions as text, and would refuse in mid-restore.
        yield (
            f'{maas.name} compares its MAAS {there} with the {backed_up} of the set as text, '
            'and would refuse: refresh it to a revision that compares version numbers'
        )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r'\d+', version.partition('-')[0])]
