"""Which machines leave the model with their units, as Juju decides it.

Source: `destroyHostOps` of Juju 3.6 (state/unit.go); 4.x decides in the same way.
"""

from __future__ import annotations

from collections.abc import Collection

from coordinator import ports


def kept(status: ports.ModelStatus, leaving: Collection[str] = ()) -> set[str]:
    """Return the ids of the machines that Juju keeps when these units are removed.

    A machine is kept for another principal unit or a container on it, and always if it is the
    controller's. Subordinate units do not keep a machine: they are removed with their principal.
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
