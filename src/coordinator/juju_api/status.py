"""A FullStatus answer as the port's plain data."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from coordinator import ports
from coordinator.juju_api import facades

# `ch:amd64/jammy/postgresql-553` and `local:postgresql-0`: the name may hold hyphens itself.
_CHARM_URL = re.compile(r'(?:.*[:/])?(?P<name>.+?)(?:-(?P<revision>\d+))?')

# 3.6 leaves the life of what is alive empty, 4.0 spells it out.
_MANAGES = 'JobManageModel'
"""Job of a machine that the controller itself runs on."""
_ALIVE = frozenset({'', 'alive'})


def is_alive(life: str) -> bool:
    """Whether something is neither dying nor dead."""
    return life in _ALIVE


def model_status(answer: facades.client.FullStatus) -> ports.ModelStatus:
    """Return what is in the model."""
    units: dict[str, dict[str, ports.Unit]] = {name: {} for name in answer.applications}
    for unit in _units(answer.applications):
        units.setdefault(unit.name.partition('/')[0], {})[unit.name] = unit
    return ports.ModelStatus(
        name=answer.model.name,
        juju_version=answer.model.version,
        applications={
            name: _application(name, application, units[name])
            for name, application in answer.applications.items()
        },
        machines={machine.id: machine for machine in _machines(answer.machines)},
        relations=[
            ports.Relation(
                relation.id, tuple(f'{end.application}:{end.name}' for end in relation.endpoints)
            )
            for relation in answer.relations
        ],
        time=answer.controller_timestamp,
        consumed={name: remote.offer_url for name, remote in answer.remote_applications.items()},
        offers=[
            ports.Offer(
                name, offer.application_name, tuple(offer.endpoints), offer.total_connected_count
            )
            for name, offer in answer.offers.items()
        ],
    )


def _application(
    name: str, answer: facades.client.ApplicationStatus, units: Mapping[str, ports.Unit]
) -> ports.Application:
    url = _CHARM_URL.fullmatch(answer.charm)
    in_url = int(url['revision'] or 0) if url else 0
    return ports.Application(
        name=name,
        charm=url['name'] if url else answer.charm,
        channel=answer.charm_channel,
        revision=in_url if answer.charm_rev is None else answer.charm_rev,
        workload=answer.status.status,
        message=answer.status.info,
        workload_version=answer.workload_version,
        units=units,
    )


def _units(applications: Mapping[str, facades.client.ApplicationStatus]) -> Iterator[ports.Unit]:
    """Return all units; subordinate ones hang below their principals, on the same machine."""
    for application in applications.values():
        for name, principal in application.units.items():
            yield _unit(name, principal, principal.machine)
            for beside, subordinate in principal.subordinates.items():
                yield _unit(beside, subordinate, principal.machine, subordinate=True)


def _unit(
    name: str, answer: facades.client.UnitStatus, machine: str, *, subordinate: bool = False
) -> ports.Unit:
    return ports.Unit(
        name=name,
        machine=machine,
        # The status of the workload has a life as well, which is never filled.
        alive=is_alive(answer.agent_status.life),
        leader=answer.leader,
        workload=answer.workload_status.status,
        message=answer.workload_status.info,
        agent=answer.agent_status.status,
        workload_version=answer.workload_version,
        subordinate=subordinate,
    )


def _machines(machines: Mapping[str, facades.client.MachineStatus]) -> Iterator[ports.Machine]:
    for machine in machines.values():
        yield ports.Machine(machine.id, machine.instance_id, _MANAGES in machine.jobs)
        yield from _machines(machine.containers)
