"""How PostgreSQL is backed up: on a replica or scaled down, and what forbids which."""

from __future__ import annotations

import dataclasses

from coordinator import errors, ports
from coordinator.engine import settings
from coordinator.steps import site
from coordinator.steps.postgresql import machines, primary

_WITHOUT_TLS = '14'
"""Track whose charm backs up a replica only if TLS relates its units: the others always can."""
_CERTIFICATES = 'certificates'


@dataclasses.dataclass(frozen=True)
class Choice:
    """How a backup is made in this model."""

    strategy: str
    """`replica` or `scale-down`."""
    why: str
    """A sentence."""


def chosen(status: ports.ModelStatus, config: settings.Settings) -> Choice:
    """Return how a backup is made now, as it is configured or as the site allows.

    Raises:
        StepError: it cannot be made so; says why, and what to do about it.
    """
    if config.strategy == settings.AUTO:
        return _automatic(status, config.postgresql)
    refused = _no_replica(status, config.postgresql)
    if config.strategy == settings.REPLICA and refused:
        raise errors.StepError(
            f'{refused}: '
            f'{_certificates(config.postgresql)}, or set postgresql-backup-strategy=scale-down'
        )
    if config.strategy == settings.REPLICA:
        return Choice(settings.REPLICA, f'all units of {config.postgresql} are kept')
    return Choice(
        settings.SCALE_DOWN,
        f'{config.postgresql} can be scaled down on Juju {status.juju_version}',
    )


def _automatic(status: ports.ModelStatus, name: str) -> Choice:
    """Keep all units if the charm can, else scale down if nothing can be lost by it."""
    if len(site.application(status, name).units) == 1:
        return Choice(settings.REPLICA, f'auto: {name} has one unit, which is backed up')
    refused = _no_replica(status, name)
    if not refused:
        return Choice(
            settings.REPLICA, f'auto: a replica of {name} is backed up, all units are kept'
        )
    risk = unnoticed(status, name)
    if risk:
        raise errors.StepError(f'auto: {refused}, and {risk}: {_certificates(name)}')
    try:
        leaving_machines(status, name, _certificates(name))
    except errors.StepError as error:
        raise errors.StepError(f'auto: {refused}, and {error}') from None
    return Choice(settings.SCALE_DOWN, f'auto: {name} is scaled down, because {refused}')


def _no_replica(status: ports.ModelStatus, name: str) -> str:
    """Return why the charm backs up no replica; '' if it does.

    The charm of track 14 needs TLS between its units for that (its `create-backup` refuses
    without); later ones set it up themselves.
    """
    app = site.application(status, name)
    tracks = app.channel.partition('/')[0], app.workload_version.partition('.')[0]
    here = f'{name}:{_CERTIFICATES}'
    related = any(here in relation.endpoints for relation in status.relations)
    if len(app.units) == 1 or _WITHOUT_TLS not in tracks or related:
        return ''
    return f'the charm of {name}, track {_WITHOUT_TLS}, does not back up a replica without TLS'


def _certificates(name: str) -> str:
    return f'juju integrate {name}:{_CERTIFICATES} self-signed-certificates'


def unnoticed(status: ports.ModelStatus, name: str) -> str:
    """Return a risk: that PostgreSQL's units are not notified that one of them was removed.

    The charm removes a unit from the Raft cluster when the others handle its departure. Juju 4
    drops that event if the unit's row is deleted before the event is handled.
    """
    units = len(site.application(status, name).units)
    if units == 1 or int(status.juju_version.partition('.')[0]) < 4:
        return ''
    return (
        f'Juju {status.juju_version} may not report to the units of {name} '
        'that a unit was removed: '
        'the removed unit then stays a Raft member, and the cluster can lose its quorum'
    )


def leaving_machines(
    status: ports.ModelStatus,
    name: str,
    advice: str = 'set postgresql-backup-strategy=replica',
) -> str:
    """Make sure that scaling down gives no machine away that Juju cannot replace."""
    app = site.application(status, name)
    primaries = {unit.name for unit in primary.shown_by(app)}
    stays = primaries or set(app.units if len(app.units) == 1 else ())
    leaving = [unit for unit in app.units.values() if unit.name not in stays]
    kept = machines.kept(status, {unit.name for unit in leaving})
    going = [unit for unit in leaving if unit.machine not in kept]
    irreplaceable = [
        f'{unit.machine} ({unit.name})'
        for unit in going
        if _is_manual(status, unit.machine) or '/' in unit.machine
    ]
    if irreplaceable:
        raise errors.StepError(
            f'machine(s) {", ".join(irreplaceable)} were added by hand, or are containers, '
            f'and would be removed from the model with their unit: {advice}'
        )
    if not going:
        return 'no machine will be removed'
    names = ', '.join(f'{unit.machine} ({unit.name})' for unit in going)
    # As long as PostgreSQL is blocked, none of its units shows that it is the primary.
    all_but_one = 'all but one of ' if len(going) == len(app.units) else ''
    return (
        f'{all_but_one}machine(s) {names} will be removed with their units, '
        'and new units get new machines'
    )


def _is_manual(status: ports.ModelStatus, machine: str) -> bool:
    found = status.machines.get(machine)
    return found is not None and found.instance_id.startswith('manual:')
