"""Which machines leave the model with their units, as Juju decides it.

Source: `destroyHostOps` of Juju 3.6 (state/unit.go); 4.x decides in the same way.
"""

from __future__ import annotations

from collections.abc import Collection

from coordinator import ports


def kept(status: ports.ModelStatus, leaving: Collection[str] = ()) -> set[str]:
    """Return the ids of the machines that stay when these units have left.

    Another principal unit keeps a machine, and so do containers on it. A machine of the controller
    stays in any case. Subordinate units keep none: they leave with their principal.
    """
    hosts = {machine.rpartition('/')[0].rpartition('/')[0] for machine in status.machines}
    controllers = {machine.id for machine in status.machines.values() if machine.controller}
    used = {
        unit.machine
        for application in status.applications.values()
        for unit in application.units.values()
        if not unit.subordinate and unit.name not in leaving
    }
    return (used | hosts | controllers) - {''}
