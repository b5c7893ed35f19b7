"""The name of this application, for commands: people deploy it under whatever name they like."""

from __future__ import annotations

import os

CHARM = 'maas-backup-coordinator'
"""Name of the charm, and of an application that was deployed without another name."""


def application() -> str:
    """Return the name that this application was deployed under.

    Juju sets JUJU_UNIT_NAME in each hook and action; what runs outside of one gives no command
    to a person.
    """
    return os.environ.get('JUJU_UNIT_NAME', '').partition('/')[0] or CHARM


def command(action: str) -> str:
    """Return the command that runs an action of this application."""
    return f'juju run {application()}/leader {action}'
