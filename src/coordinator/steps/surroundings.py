"""Checks of the surroundings: a path that can be read back, one coordinator, correct clocks."""

from __future__ import annotations

import datetime

from coordinator import errors, ports, this, times
from coordinator.engine import settings
from coordinator.steps import site

_REPLICATION = ('replication', 'replication-offer')
"""Endpoints of postgresql that relate it to another cluster."""


def readable_path(path: str, integrator: str) -> str:
    """Make sure that maas-region can list its backups below a path.

    Without a path it writes its backups below `backup/` and looks for them below `/backup/`.
    """
    if not path.strip('/ '):
        raise errors.StepError(
            f'{integrator} has no path, but without a path maas-region can neither list nor '
            f'restore its backups: juju config {integrator} path=maas. '
            'To restore existing backups, copy backup/ and coordinator/ below that path'
        )
    return f'maas-region can list its backups below {path}'


def only_coordinator(status: ports.ModelStatus) -> str:
    """Make sure that no other application backs this model up: it would adopt our tasks."""
    names = [
        app.name for app in status.applications.values() if app.charm == this.CHARM and app.units
    ]
    if len(names) > 1:
        raise errors.StepError(
            f'{" and ".join(sorted(names))} are both {this.CHARM}, '
            'and would mistake the tasks of the other for their own: '
            'juju remove-application one of them'
        )
    return f'no other {this.CHARM} is in this model'


def controllers_clock(status: ports.ModelStatus, now: datetime.datetime) -> str:
    """Make sure that this unit's clock agrees with the controller's."""
    if status.time is None:
        return 'the controller does not report its time'
    return right_clock('the Juju controller', status.time, now)


def right_clock(whose: str, theirs: datetime.datetime, now: datetime.datetime) -> str:
    """Make sure that this unit's clock agrees with another one."""
    apart = abs(now - theirs)
    if apart > times.CLOCKS_APART:
        raise errors.StepError(
            f"this unit's clock says {now:%Y-%m-%dT%H:%M:%SZ}, that of {whose} "
            f'{theirs.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}: correct the wrong clock '
            '(timedatectl on its machine), because backup ids are times'
        )
    return f'the clock agrees with that of {whose}'


def replication(status: ports.ModelStatus, config: settings.Settings) -> str:
    """Return the cluster that PostgreSQL replicates with; '' if there is none.

    Raises:
        StepError: PostgreSQL is a standby of another cluster, which can be neither backed up nor
            restored.
    """
    name = config.postgresql
    for unit in site.application(status, name).units.values():
        if unit.message.startswith('Standby'):
            raise errors.StepError(
                f'{unit.name} is {unit.message}: {name} is a standby of another cluster. Back up '
                'and restore that one, or remove their relation first: juju status --relations'
            )
    for relation in status.relations:
        here = [f'{name}:{endpoint}' for endpoint in _REPLICATION]
        if any(end in here for end in relation.endpoints):
            return ' and '.join(relation.endpoints)
    return ''


def unreplicated(status: ports.ModelStatus, config: settings.Settings) -> str:
    """Check that PostgreSQL can be restored: its charm refuses while it replicates."""
    related = replication(status, config)
    if related:
        first, _, second = related.partition(' and ')
        raise errors.StepError(
            f'{related} are related for replication, and {config.postgresql} refuses to restore '
            f'until they are not: juju remove-relation {first} {second}'.rstrip()
        )
    return f'{config.postgresql} replicates to no other cluster'
