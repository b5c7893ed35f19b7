"""Checks of the site and its surroundings that a backup and a restore have in common."""

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
            f'{integrator} has no path, '
            'but without a path maas-region can neither list nor restore its backups: '
            f'juju config {integrator} path=maas. '
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
            'remove one of them with juju remove-application'
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
            f"this unit's clock shows {now:%Y-%m-%dT%H:%M:%SZ}, but that of {whose} "
            f'shows {theirs.astimezone(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}: correct the wrong clock '
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
                f'{unit.name} is {unit.message}: {name} is a standby of another cluster. '
                'Back up and restore that one, or remove their relation first: '
                'juju status --relations'
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
            f'{related} are related for replication, '
            f'and {config.postgresql} refuses to restore until they are not: '
            f'juju remove-relation {first} {second}'.rstrip()
        )
    return f'{config.postgresql} replicates to no other cluster'


def access(world: ports.World) -> str:
    """Make sure that the Juju user may do all that an operation needs."""
    user = world.juju.access()
    if not user.admin:
        raise errors.NotAuthorised(
            f'Juju user {user.user} has {user.model_access or "no"} access to model '
            f'{world.model_name}, but reading the passwords needs admin: run juju grant '
            f'{user.user} admin {world.model_name}'
        )
    return f'Juju user {user.user} is admin of model {world.model_name}'


def units_settled(status: ports.ModelStatus, name: str, allowed: str = '') -> str:
    """Make sure that every unit is settled; `allowed` may block one all the same."""
    app = site.application(status, name)
    if not app.units:
        raise errors.StepError(f'{name} has no units: juju status {name}')
    unsettled = [(unit, site.unsettled(unit, allowed)) for unit in app.units.values()]
    reasons = [reason for _, reason in unsettled if reason]
    if not reasons:
        return f'{len(app.units)} unit(s) of {name} are active and idle'
    text = f'{", ".join(reasons)}: every unit of {name} must be active and idle'
    if any(site.needs_a_person(unit, allowed) for unit, reason in unsettled if reason):
        raise errors.BlockedUnit(f'{text}; fix it: juju status {name} shows all units')
    raise errors.TransientError(text)


def same_integrators(status: ports.ModelStatus, config: settings.Settings) -> str:
    """Make sure that the backups go where this charm looks for them."""
    for app, integrator, endpoint in (
        (config.maas, config.s3_maas, 's3-maas'),
        (config.postgresql, config.s3_postgresql, 's3-postgresql'),
    ):
        here = f'{app}:s3-parameters'
        leads_to = {
            end.partition(':')[0]
            for relation in status.relations
            if here in relation.endpoints
            for end in relation.endpoints
        }
        if integrator not in leads_to:
            raise errors.StepError(
                f'{app} does not use {integrator}, the integrator that is related to {endpoint}: '
                'juju integrate '
                f'{here} {integrator}, or relate {endpoint} to the integrator that it uses'
            )
    return (
        f'{config.maas} and {config.postgresql} '
        'use the integrators that are related to the coordinator'
    )


def no_other_task(config: settings.Settings, world: ports.World) -> str:
    """Make sure that nobody backs up or restores by hand."""
    for action in ('create-backup', 'restore', 'restore-backup'):
        for task in world.juju.tasks(action):
            ours = task.unit.partition('/')[0] in (config.maas, config.postgresql)
            if ours and task.status in ('pending', 'running'):
                raise errors.StepError(
                    f'{action} is running on {task.unit}: wait until it ends (juju show-task '
                    f'{task.id}), or end it with juju cancel-task {task.id}'
                )
    return 'no backup or restore is running'
