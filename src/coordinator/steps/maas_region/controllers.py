"""Compares the region controllers in MAAS with the units in Juju: a restore needs the same number.

A removed region remains in MAAS until somebody deletes it there, and each files backup names it.
"""

from __future__ import annotations

from collections.abc import Sequence

from coordinator import errors, ports
from coordinator.parts import maas_backup
from coordinator.sets import catalogue

_IDS = '/var/snap/maas/common/maas/maas_id'
"""Where a region keeps its system id, as maas-region reads and writes it."""


def mismatch(application: str, controllers: Sequence[str], units: int) -> str:
    """Return why a backup of these controllers cannot be restored, and what helps.

    Args:
        application: name of the maas-region application.
        controllers: system ids that MAAS gave, more or fewer than there are units.
        units: of the application.
    """
    told = f'MAAS knows {len(controllers)} region controllers ({", ".join(controllers)}), '
    told += f'{application} has {units} units'
    if len(controllers) < units:
        return (
            f'{told}: a restore of such a backup would fail. '
            'Run backup-all again when juju status shows every region active'
        )
    more = len(controllers) - units
    gone = f'{more} of them {"is" if more == 1 else "are"} gone'
    return (
        f'{told}: a restore of such a backup would fail. {gone}: in MAAS, under Controllers, '
        f'delete each one that is not printed by juju exec --application {application} '
        f'-- cat {_IDS}; then run backup-all'
    )


def surplus(application: ports.Application, world: ports.World) -> str:
    """Return `mismatch` if the newest files backup names more controllers than there are units.

    A files backup does not name its model. One that shares no controller with any set of this
    model is treated as another model's.
    """
    backup = _newest(world.maas_store)
    if backup is None or len(backup.controllers) <= len(application.units):
        return ''
    known = {
        name
        for entry in catalogue.entries(world.maas_store)
        if entry.summary is not None and entry.summary.model_uuid == world.model_uuid
        for name in entry.summary.controllers
    }
    if known and known.isdisjoint(backup.controllers):
        return ''
    why = mismatch(application.name, backup.controllers, len(application.units))
    return f'at files backup {backup.id}: {why}'


def _newest(store: ports.ObjectStore) -> maas_backup.Backup | None:
    """Return the finished backup of the highest id; None if there is none."""
    for backup_id in sorted(maas_backup.ids(store), reverse=True):
        try:
            return maas_backup.read(store, backup_id)
        except (maas_backup.UnfinishedError, errors.NotFound):
            continue
    return None
