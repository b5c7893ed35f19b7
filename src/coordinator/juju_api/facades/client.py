"""The facade Client: the status of the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from coordinator.juju_api import answers, shapes
from coordinator.juju_api.connection import Connection


class Status(shapes.Shape):
    """One status value; life is filled for applications' and agents' only."""

    status: str = ''
    info: str = ''
    life: str = ''


class UnitStatus(shapes.Shape):
    """A unit, with the subordinate units that live beside it."""

    machine: str = ''
    leader: bool = False
    workload_version: str = ''
    workload_status: Status = Status()
    agent_status: Status = Status()
    subordinates: Mapping[str, UnitStatus] = shapes.NOTHING


class ApplicationStatus(shapes.Shape):
    """An application; subordinate ones have no units of their own here."""

    charm: str
    charm_channel: str = ''
    charm_rev: int | None = None
    """Left out by local charms and for revision 0."""
    status: Status = Status()
    workload_version: str = ''
    units: Mapping[str, UnitStatus] = shapes.NOTHING


class RemoteApplicationStatus(shapes.Shape):
    """An application of another model that is consumed here."""

    offer_url: str = ''


class OfferStatus(shapes.Shape):
    """An offer of an application of this model; endpoints go by the names of the application."""

    application_name: str = ''
    endpoints: Mapping[str, Any] = shapes.NOTHING
    total_connected_count: int = 0


class MachineStatus(shapes.Shape):
    """A machine with its containers."""

    id: str
    instance_id: str = ''
    jobs: Sequence[str] = ()
    containers: Mapping[str, MachineStatus] = shapes.NOTHING


class EndpointStatus(shapes.Shape):
    """One side of a relation."""

    application: str
    name: str


class RelationStatus(shapes.Shape):
    """A relation."""

    id: int
    endpoints: Sequence[EndpointStatus] = ()


class ModelInfo(shapes.Shape):
    """The model itself."""

    name: str
    version: str = ''


class FullStatus(shapes.Shape):
    """All of a model."""

    model: ModelInfo
    applications: Mapping[str, ApplicationStatus] = shapes.NOTHING
    machines: Mapping[str, MachineStatus] = shapes.NOTHING
    relations: Sequence[RelationStatus] = ()
    remote_applications: Mapping[str, RemoteApplicationStatus] = shapes.NOTHING
    offers: Mapping[str, OfferStatus] = shapes.NOTHING
    controller_timestamp: answers.Time = None


def full_status(connection: Connection, patterns: Sequence[str] = ()) -> FullStatus:
    """Return everything that is in the model; of what matches patterns at least, if there are any.

    What is on the same machines comes with it: applications with some of their units only. Juju
    4 takes no patterns ("patterns are not implemented").
    """
    old = connection.session.server_version.startswith('3.')
    params = {'patterns': list(patterns) if old else [], 'include-storage': False}
    response = connection.call('Client', 'FullStatus', params)
    return answers.read(FullStatus, response, 'Client.FullStatus')
