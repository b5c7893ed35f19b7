"""What later steps rely on, beyond units and access: actions and options of the charms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from coordinator import errors, ports
from coordinator.engine import settings
from coordinator.steps import site
from coordinator.steps.postgresql import password_change


def actions(
    status: ports.ModelStatus, world: ports.World, wanted: Mapping[str, Sequence[str]]
) -> str:
    """Make sure that applications have the actions that an operation runs.

    Args:
        status: of the model.
        world: to ask for the actions.
        wanted: by application.

    Raises:
        StepError: an action is missing; names all that are.
    """
    missing = [
        f'{name} has no action {action}'
        for name, needed in wanted.items()
        for action in needed
        if action not in world.juju.actions(site.application(status, name).name)
    ]
    if missing:
        raise errors.StepError(
            f'{", ".join(missing)}: juju status shows the revision of the charm, '
            'and juju refresh installs one that has the action'
        )
    return f'{" and ".join(wanted)} have all required actions'


def for_backup(config: settings.Settings) -> Mapping[str, Sequence[str]]:
    """Return which actions a backup runs."""
    return {config.maas: ('create-backup',), config.postgresql: ('create-backup', 'get-primary')}


def for_restore(config: settings.Settings) -> Mapping[str, Sequence[str]]:
    """Return which actions a restore runs, but for the one that it can do without."""
    return {
        config.maas: ('list-backups', 'restore-backup'),
        config.postgresql: ('get-primary', 'restore'),
    }


# --- Passwords -------------------------------------------------------------------------------


def takes_passwords(config: settings.Settings, world: ports.World) -> bool:
    """Whether PostgreSQL can be given passwords: that of track 14 cannot."""
    return password_change.OPTION in world.juju.options(config.postgresql)


def check_passwords(
    differing: Sequence[str], config: settings.Settings, world: ports.World
) -> None:
    """Make sure that PostgreSQL can take the passwords of a set that are not in force.

    Raises:
        StepError: it has no option for them.
    """
    if not takes_passwords(config, world):
        raise errors.StepError(
            f'the passwords of {", ".join(differing)} are not those of the set, and '
            f'{config.postgresql} has no option {password_change.OPTION} with which to set them: '
            'decrypt the passwords of the set manually, set each one (juju run '
            f'{config.postgresql}/leader set-password username=... password=...), '
            'then restore again'
        )
