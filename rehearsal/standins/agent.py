"""Hosts stand-ins on the model in memory."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from coordinator import errors, ports
from rehearsal import clock, model
from rehearsal.standins import host, stand_in

StoreFor = Callable[[Mapping[str, str]], ports.ObjectStore]


class StandInAgent:
    """Runs the hooks and actions of one application's units through its stand-in."""

    def __init__(self, juju: model.Model, charm: stand_in.StandIn, store_for: StoreFor):
        self._juju = juju
        self._charm = charm
        self._make_store = store_for
        self._stores: dict[tuple[tuple[str, str], ...], ports.ObjectStore] = {}

    def run(self, unit: model.Unit, event: model.Event) -> clock.Work:
        here = ModelHost(self._juju, unit, event, self._charm.peers, self._store_for)
        if event.kind is model.Kind.EXEC:
            raise model.HookFailed(f'{unit.name} runs no commands')
        if event.task is not None:
            yield from self._action(here, event.task)
            return
        try:
            yield from self._charm.hook(here, event.name)
        except (host.HookError, errors.CoordinatorError) as error:
            raise model.HookFailed(str(error)) from error
        here.commit()

    def _action(self, here: ModelHost, task: model.Task) -> clock.Work:
        if task.name in model.COMMANDS:
            task.output = yield lambda: _outcome(here.unit, str(task.parameters['command']))
            return
        if task.name not in self._charm.charm.actions:
            raise model.ActionFailed(f'action not implemented on unit "{here.unit}"')
        try:
            yield from self._charm.action(here, task.name)
        except host.ActionError as error:
            # The charm's process ends well nevertheless: what it wrote is kept.
            self._end(here, task)
            raise model.ActionFailed(str(error)) from error
        except host.Died as error:
            raise model.ActionFailed('action terminated') from error
        except (host.HookError, errors.CoordinatorError) as error:
            raise model.ActionFailed('exit status 1') from error
        self._end(here, task)

    def _end(self, here: ModelHost, task: model.Task) -> None:
        task.output.update(here.results)
        here.commit()

    def _store_for(self, connection: Mapping[str, str]) -> ports.ObjectStore:
        """Return the store of a connection; an S3 client is dear to make, so it is kept."""
        key = tuple(sorted(connection.items()))
        if key not in self._stores:
            self._stores[key] = self._make_store(connection)
        return self._stores[key]

    def kill(self, unit: model.Unit) -> None:
        """Nothing outlives the work itself, which the model stops."""

    def removed(self, unit: model.Unit) -> None:
        self._charm.removed(self._juju.uuid, unit.name)


def _outcome(unit: str, command: str) -> dict[str, Any]:
    """Run what `juju exec` asks for, on this machine: a stand-in has none, and no hook tools."""
    ended = subprocess.run(
        ['/bin/bash', '-c', command],
        env={'PATH': os.environ.get('PATH', ''), 'JUJU_UNIT_NAME': unit},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    said = {'stdout': ended.stdout, 'stderr': ended.stderr}
    return {'return-code': ended.returncode} | {key: text for key, text in said.items() if text}


class ModelHost:
    """One unit of the model in the course of one hook or action: a `host.Host`."""

    def __init__(
        self,
        juju: model.Model,
        unit: model.Unit,
        event: model.Event,
        peers: str,
        store_for: StoreFor,
    ):
        self._juju = juju
        self._unit = unit
        self._event = event
        self._store_for = store_for
        self._relations: dict[int, _Relation] = {}
        self._peer = peer_relation(juju, unit.application.name, peers)
        self.unit = unit.name
        self.application = unit.application.name
        self.address = unit.machine.address
        self.model_name = juju.name
        self.model_uuid = juju.uuid
        self.juju_version = juju.version
        self.departing_unit = event.departing_unit
        self.parameters: Mapping[str, Any] = event.task.parameters if event.task else {}
        self.results: dict[str, Any] = {}
        self.config: Mapping[str, Any] = unit.application.settings
        self.shared = decoded(self._peer.app_data[self.application])
        self.own = decoded(self._peer.unit_data.get(unit.name, {}))
        self._shared_before = dict(self._peer.app_data[self.application])
        self._own_before = dict(self._peer.unit_data.get(unit.name, {}))

    def now(self) -> datetime.datetime:
        return self._juju.clock.now()

    def is_leader(self) -> bool:
        return self._unit.leader

    def units(self) -> Sequence[str]:
        alive = [unit for unit in self._unit.application.units.values() if unit.life == 'alive']
        return [unit.name for unit in sorted(alive, key=lambda unit: unit.number)]

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        others = {name: decoded(bag) for name, bag in self._peer.unit_data.items()}
        return others | {self.unit: self.own}

    @property
    def status(self) -> tuple[str, str]:
        return self._unit.workload.current, self._unit.workload.message

    def set_status(self, current: str, message: str = '') -> None:
        self._juju.set_status(self._unit, current, message)

    def set_workload_version(self, version: str) -> None:
        self._unit.workload_version = self._unit.application.workload_version = version

    def relations(self, endpoint: str) -> Sequence[host.Relation]:
        return [
            self._relations.setdefault(relation.id, _Relation(relation, self.application))
            for relation in self._juju.relations.values()
            if self._sees(relation, endpoint)
        ]

    def _sees(self, relation: model.Relation, endpoint: str) -> bool:
        end = relation.endpoints.get(self.application)
        broken = relation is self._event.relation and self._event.name.endswith('-broken')
        in_scope = relation.life == 'alive' or self.unit in relation.scope
        return end is not None and end.name == endpoint and in_scope and not broken

    def secret(self, label: str) -> Mapping[str, str] | None:
        found = self._secret(f'application-{self.application}', label)
        return found.content if found else None

    def set_secret(self, label: str, content: Mapping[str, str]) -> str:
        return self._set_secret(f'application-{self.application}', label, content)

    def set_unit_secret(self, label: str, content: Mapping[str, str]) -> None:
        self._set_secret(self._unit.tag, label, content)

    def grant_secret(self, label: str, relation: host.Relation) -> None:
        found = self._secret(f'application-{self.application}', label)
        if found is None:
            raise LookupError(label)
        found.grants.add(relation.application)

    def read_secret(self, uri: str) -> Mapping[str, str]:
        try:
            found = self._juju.secret(uri)
        except model.ModelError as error:
            raise LookupError(str(error)) from error
        if not self._juju.may_read(self._unit, found):
            raise PermissionError(f'permission denied: {uri}')
        found.readers.add(self.unit)
        return found.content

    def _secret(self, owner: str, label: str) -> model.Secret | None:
        for secret in self._juju.secrets.values():
            if secret.owner == owner and secret.label == label:
                return secret
        return None

    def _set_secret(self, owner: str, label: str, content: Mapping[str, str]) -> str:
        found = self._secret(owner, label)
        if found is None:
            found = self._juju.add_secret(owner, content, label)
        else:
            self._juju.update_secret(found, content)
        return found.uri

    def log(self, message: str) -> None:
        if self._event.task is not None:
            self._event.task.log.append((self.now(), message))
            self._juju.changed()

    def store(self, connection: Mapping[str, str]) -> ports.ObjectStore:
        return self._store_for(connection)

    def save(self) -> None:
        own = _difference(self._own_before, self.own)
        if own:
            self._juju.set_unit_data(self._peer, self._unit, own)
            self._own_before = dict(self._peer.unit_data[self.unit])

    def commit(self) -> None:
        """Let the others see what was written."""
        shared = _difference(self._shared_before, self.shared)
        self.save()
        if shared or any(relation.written for relation in self._relations.values()):
            if not self.is_leader():
                raise model.HookFailed(f'{self.unit} is not the leader, but wrote {shared}')
            self._juju.set_app_data(self._peer, self.application, shared)
        for relation in self._relations.values():
            if relation.written:
                self._juju.set_app_data(relation.relation, self.application, relation.written)


class _Relation:
    """A relation as a unit sees it; what is written waits for the commit."""

    def __init__(self, relation: model.Relation, application: str):
        self.relation = relation
        self.written: dict[str, str] = {}
        self.application = relation.other(application)
        self._own = application

    @property
    def id(self) -> int:
        return self.relation.id

    @property
    def remote(self) -> Mapping[str, str]:
        return self.relation.app_data[self.application]

    @property
    def local(self) -> Mapping[str, str]:
        return self.relation.app_data[self._own] | self.written

    def update(self, values: Mapping[str, str]) -> None:
        before = self.local
        self.written |= {k: v for k, v in values.items() if before.get(k, '') != v}


def peer_relation(juju: model.Model, application: str, endpoint: str) -> model.Relation:
    """Return an application's peer relation of this name."""
    for relation in juju.relations.values():
        end = relation.endpoints.get(application)
        if relation.peer and end is not None and end.name == endpoint:
            return relation
    raise model.ModelError(f'{application} has no peer relation {endpoint}', 'not found')


def decoded(bag: Mapping[str, str]) -> dict[str, Any]:
    """Return a stand-in's state out of a databag of the peer relation."""
    return {key: json.loads(value) for key, value in bag.items() if key not in _AUTOMATIC}


_AUTOMATIC = {'ingress-address', 'egress-subnets', 'private-address'}


def _difference(before: Mapping[str, str], after: Mapping[str, Any]) -> dict[str, str]:
    """Return what to write so that a databag holds `after`; '' deletes."""
    written = {key: json.dumps(value) for key, value in after.items()}
    gone = {key: '' for key in before if key not in written and key not in _AUTOMATIC}
    return gone | {key: value for key, value in written.items() if before.get(key) != value}
