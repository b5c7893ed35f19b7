"""A real unit in the course of one hook or action: a `host.Host` on ops."""

from __future__ import annotations

import datetime
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import ops
from ops import hookcmds

from coordinator import ports
from coordinator.s3 import object_store
from rehearsal.standins import host


class UnitHost:
    """What a stand-in may ask of its unit; what it writes Juju keeps if the dispatch ends well."""

    def __init__(self, charm: ops.CharmBase, event: ops.EventBase, peers: str):
        self._charm = charm
        self._event = event
        self._peer = charm.model.get_relation(peers)
        self._secrets: dict[str, dict[str, str]] = {}
        self.unit = charm.unit.name
        self.application = charm.app.name
        self.address = _address(charm.model, peers)
        self.model_name = charm.model.name
        self.model_uuid = charm.model.uuid
        self.juju_version = str(charm.model.juju_version)
        self.departing_unit = _departing(event)
        self.parameters: Mapping[str, Any] = (
            event.params if isinstance(event, ops.ActionEvent) else {}
        )
        self.results: dict[str, Any] = {}
        self.config: Mapping[str, Any] = charm.config
        self.shared = self._read(charm.app)
        self.own = self._read(charm.unit)

    def now(self) -> datetime.datetime:
        return datetime.datetime.now(datetime.UTC)

    def is_leader(self) -> bool:
        return self._charm.unit.is_leader()

    def units(self) -> Sequence[str]:
        alive = (name for name, goal in self._goals.items() if goal.status != _DYING)
        return sorted(alive, key=lambda name: int(name.rpartition('/')[2]))

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        others = self._peer.units if self._peer else set[ops.Unit]()
        known = (unit for unit in others if unit.name in self._goals)
        return {unit.name: self._read(unit) for unit in known} | {self.unit: self.own}

    @functools.cached_property
    def _goals(self) -> Mapping[str, hookcmds.Goal]:
        """The application's units: on Juju 4.0 the peer relation goes on naming removed ones."""
        return hookcmds.goal_state().units

    @property
    def status(self) -> tuple[str, str]:
        status = self._charm.unit.status
        return status.name, status.message

    def set_status(self, current: str, message: str = '') -> None:
        self._charm.unit.status = ops.StatusBase.from_name(current, message)

    def set_workload_version(self, version: str) -> None:
        self._charm.unit.set_workload_version(version)

    def relations(self, endpoint: str) -> Sequence[host.Relation]:
        found = self._charm.model.relations[endpoint]
        return [UnitRelation(relation, self._charm.app) for relation in found if relation.active]

    def secret(self, label: str) -> Mapping[str, str] | None:
        # What this dispatch has written Juju may show only to the next one.
        if label not in self._secrets:
            try:
                self._secrets[label] = self._charm.model.get_secret(label=label).peek_content()
            except ops.SecretNotFoundError:
                return None
        return self._secrets[label]

    def set_secret(self, label: str, content: Mapping[str, str]) -> str:
        return self._set_secret(self._charm.app, label, dict(content))

    def set_unit_secret(self, label: str, content: Mapping[str, str]) -> None:
        self._set_secret(self._charm.unit, label, dict(content))

    def _set_secret(
        self, owner: ops.Application | ops.Unit, label: str, content: dict[str, str]
    ) -> str:
        before = self.secret(label)
        if before is None:
            secret = owner.add_secret(content, label=label)
        else:
            secret = self._charm.model.get_secret(label=label)
            if before != content:
                secret.set_content(content)
        self._secrets[label] = content
        return secret.id or secret.get_info().id

    def grant_secret(self, label: str, relation: host.Relation) -> None:
        assert isinstance(relation, UnitRelation)
        self._charm.model.get_secret(label=label).grant(relation.relation)

    def read_secret(self, uri: str) -> Mapping[str, str]:
        try:
            return self._charm.model.get_secret(id=uri).get_content(refresh=True)
        except ops.SecretNotFoundError as error:
            raise LookupError(str(error)) from error
        except ops.ModelError as error:
            raise PermissionError(str(error)) from error

    def log(self, message: str) -> None:
        if isinstance(self._event, ops.ActionEvent):
            self._event.log(message)

    def store(self, connection: Mapping[str, str]) -> ports.ObjectStore:
        return object_store.S3Store(
            object_store.Connection.from_relation('s3-integrator', connection)
        )

    def save(self) -> None:
        self._write(self._charm.unit, self.own)

    def commit(self) -> None:
        """Write what the others are to see; Juju shows it to them when the dispatch has ended."""
        self.save()
        if self.is_leader():
            self._write(self._charm.app, self.shared)

    def _read(self, of: ops.Application | ops.Unit) -> dict[str, Any]:
        if self._peer is None:
            return {}
        bag = self._peer.data[of]
        return {key: json.loads(value) for key, value in bag.items() if key not in _AUTOMATIC}

    def _write(self, of: ops.Application | ops.Unit, state: Mapping[str, Any]) -> None:
        if self._peer is None:
            return
        bag = self._peer.data[of]
        written = {key: json.dumps(value) for key, value in state.items()}
        for key in set(bag) - written.keys() - _AUTOMATIC:
            bag[key] = ''
        for key, value in written.items():
            if bag.get(key) != value:
                bag[key] = value


class UnitRelation:
    """One relation, as a unit sees it: a `host.Relation`."""

    def __init__(self, relation: ops.Relation, own: ops.Application):
        self.relation = relation
        self._own = own

    @property
    def id(self) -> int:
        return self.relation.id

    @property
    def application(self) -> str:
        return self.relation.app.name

    @property
    def remote(self) -> Mapping[str, str]:
        return self.relation.data[self.relation.app]

    @property
    def local(self) -> Mapping[str, str]:
        return self.relation.data[self._own]

    def update(self, values: Mapping[str, str]) -> None:
        bag = self.relation.data[self._own]
        for key, value in values.items():
            if bag.get(key, '') != value:
                bag[key] = value


_DYING = 'dying'
_AUTOMATIC = {'ingress-address', 'egress-subnets', 'private-address'}


def _address(model: ops.Model, peers: str) -> str:
    binding = model.get_binding(peers)
    address = binding.network.bind_address if binding else None
    return str(address) if address else ''


def _departing(event: ops.EventBase) -> str:
    if isinstance(event, ops.RelationDepartedEvent) and event.departing_unit is not None:
        return event.departing_unit.name
    return ''
