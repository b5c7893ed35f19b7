"""The status of a model: its applications, units, machines and relations."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Collection, Mapping, Sequence
from typing import Self


@dataclasses.dataclass(frozen=True)
class Unit:
    """One unit as `juju status` shows it."""

    name: str
    machine: str
    """Machine id, such as `3` or `0/lxd/2`; empty while none is assigned."""
    alive: bool
    """False once the unit is dying or dead; a removed unit is not listed at all."""
    leader: bool
    workload: str
    """Workload status: active, blocked, maintenance, waiting, error, unknown, terminated."""
    message: str
    agent: str
    """Agent status: idle, executing, allocating, lost, ..."""
    workload_version: str
    subordinate: bool = False
    """Whether it is a subordinate unit, which is removed with its principal."""


@dataclasses.dataclass(frozen=True)
class Application:
    """One application as `juju status` shows it."""

    name: str
    charm: str
    """Charm name, such as `postgresql`."""
    channel: str
    """Charmhub channel; empty for a local charm."""
    revision: int
    workload: str
    message: str
    workload_version: str
    units: Mapping[str, Unit]


@dataclasses.dataclass(frozen=True)
class Machine:
    """One machine of the model."""

    id: str
    instance_id: str
    """The cloud's id; `manual:<host>` for one that was added by hand."""
    controller: bool = False
    """Whether the controller itself runs on it."""


@dataclasses.dataclass(frozen=True)
class Relation:
    """One relation; endpoints are `application:endpoint`, a peer relation has one."""

    id: int
    endpoints: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Offer:
    """An application's endpoints that other models can integrate with."""

    name: str
    application: str
    endpoints: tuple[str, ...]
    connections: int
    """Number of relations of other models, which are not among this model's relations."""


@dataclasses.dataclass(frozen=True)
class ModelStatus:
    """What is in the model now."""

    name: str
    juju_version: str
    applications: Mapping[str, Application]
    machines: Mapping[str, Machine]
    relations: Sequence[Relation]
    time: datetime.datetime | None = None
    """By the controller's clock."""
    consumed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """URL of the offer, `[controller:]user/model.offer`, of each application of another model that
    is consumed here: it is none of `applications`, but has relations."""
    offers: Sequence[Offer] = ()

    def only(self, applications: Collection[str]) -> Self:
        """Return the part about these applications and the relations between them."""
        shown = {name: app for name, app in self.applications.items() if name in applications}
        used = {unit.machine for app in shown.values() for unit in app.units.values()}
        return dataclasses.replace(
            self,
            applications=shown,
            machines={name: machine for name, machine in self.machines.items() if name in used},
            relations=[
                relation
                for relation in self.relations
                if all(end.partition(':')[0] in applications for end in relation.endpoints)
            ],
        )
