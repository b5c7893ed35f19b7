"""Applications, units, machines and storage: how they come and go."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.model.acting import Acting
from rehearsal.model.declared import CharmSpec
from rehearsal.model.entities import (
    Agent,
    Application,
    Consumed,
    Event,
    Kind,
    Machine,
    Offer,
    Status,
    Storage,
    Task,
    Unit,
)
from rehearsal.model.refusals import ModelError, differing


class Model(Acting):
    """The model: deploy, relate, configure, run actions, remove."""

    def add_machine(self, instance_id: str = '') -> Machine:
        """Add an empty machine; `manual:<host>` as instance id makes it a manual one."""
        number = self._next_machine
        self._next_machine += 1
        machine = Machine(
            str(number),
            instance_id or f'juju-{self.uuid[:6]}-{number}',
            f'host-{number}',
            f'10.8.0.{number + 10}',
        )
        self.machines[machine.id] = machine
        self.changed()
        return machine

    def add_container(self, host: str) -> Machine:
        """Add an empty container to a machine, by that one's id."""
        number = sum(machine.host == host for machine in self.machines.values())
        machine = Machine(
            f'{host}/lxd/{number}',
            f'juju-{self.uuid[:6]}-{host}-lxd-{number}',
            f'host-{host}-lxd-{number}',
            f'10.9.{host}.{number + 10}',
        )
        self.machines[machine.id] = machine
        self.changed()
        return machine

    def add_subordinate(self, application: str, principal: str) -> str:
        """Let a unit of a subordinate application live beside a unit; return its name."""
        beside = self.unit(principal)
        (name,) = self.add_units(application, 1, [beside.machine.id])
        self.unit(name).principal = beside
        return name

    def deploy(
        self,
        name: str,
        charm: CharmSpec,
        agent: Agent,
        units: int = 1,
        config: Mapping[str, Any] | None = None,
        machines: Sequence[str] = (),
        *,
        persistent_storage: bool = True,
    ) -> Application:
        """Deploy a charm; its peer relations come with it."""
        now = self.clock.now()
        app = Application(
            name, charm, agent, Status('waiting', 'waiting for machine', now), dict(config or {})
        )
        app.persistent_storage = persistent_storage
        self.applications[name] = app
        for endpoint in charm.endpoints:
            if endpoint.role == 'peer':
                self._new_relation({name: endpoint})
        if units:
            self.add_units(name, units, machines)
        return app

    def move_away(self, application: str, url: str) -> None:
        """Let an application be one of another model, consumed here: its relations stay."""
        gone = self.applications.pop(application)
        for unit in gone.units.values():
            if unit.work is not None:
                unit.work.stop()
        self.relations = {
            number: relation
            for number, relation in self.relations.items()
            if not relation.peer or application not in relation.endpoints
        }
        self.consumed[application] = Consumed(url, gone.charm.endpoints)
        self.changed()

    def offer(self, name: str, application: str, *endpoints: str, connections: int = 0) -> None:
        """Offer endpoints of an application to other models, some of which relate to them."""
        self.application(application)
        self.offers[name] = Offer(name, application, endpoints, connections)
        self.changed()

    def add_units(
        self,
        application: str,
        count: int,
        machines: Sequence[str] = (),
        attach: Sequence[str] = (),
    ) -> list[str]:
        """Request units, the first ones on the named machines; they start allocating.

        `attach` names storage without an owner for the first one to take over.
        """
        app = self.application(application)
        if count < 1:
            raise ModelError('must add at least one unit', 'not valid' if self.juju4 else '')
        if self.juju4:
            for machine_id in machines[:count]:
                self._host(machine_id, app, count)
        taken_over = {self._free_storage(storage_id).name: storage_id for storage_id in attach}
        names: list[str] = []
        try:
            for index in range(count):
                unit = self._new_unit(app, taken_over)
                names.append(unit.name)
                # 3.6 adds them one by one: the first that cannot be placed is left unplaced.
                unit.machine = (
                    self._host(machines[index], app, count)
                    if index < len(machines)
                    else self._machine_for_a_unit()
                )
                self._start(unit)
        finally:
            self.changed()
        return names

    def _new_unit(self, app: Application, taken_over: dict[str, str]) -> Unit:
        """Add a unit that has no machine yet; the first one takes over storage, by its name."""
        now = self.clock.now()
        unit = Unit(
            f'{app.name}/{app.next_unit}',
            app,
            Machine('', '', '', ''),
            Status('waiting', 'waiting for machine', now),
            Status('allocating', '', now),
        )
        app.next_unit += 1
        app.units[unit.name] = unit
        for storage_name in app.charm.storage:
            if storage_name in taken_over:
                self.storage[taken_over.pop(storage_name)].owner = unit.name
                continue
            storage_id = f'{storage_name}/{self._next_storage}'
            self._next_storage += 1
            self.storage[storage_id] = Storage(storage_id, unit.name, now, app.persistent_storage)
        if app.leader is None:
            app.leader = unit.name
        return unit

    def _host(self, machine_id: str, app: Application, count: int) -> Machine:
        """Return the machine that a unit is to be placed on, or refuse."""
        machine = self.machines.get(machine_id)
        newest = f'{app.name}/{app.next_unit - 1}'
        if machine is None:
            raise differing(
                self.juju4,
                (f'adding new machine to host unit "{newest}": machine {machine_id} not found',
                 'not found'),
                (f'adding {count} units to application "{app.name}": making unit args: getting '
                 f'machine "{machine_id}" for unit placement directive: machine with name '
                 f'"{machine_id}" does not exist', ''),
            )  # fmt: skip
        if machine.life != 'alive':
            raise ModelError(
                f'cannot assign unit "{newest}" to machine {machine.id}: machine is not found '
                'or not alive'
            )
        return machine

    def _machine_for_a_unit(self) -> Machine:
        if not self.juju4:
            used = {unit.machine.id for unit in self.units.values()}
            for machine in self.machines.values():
                if machine.id not in used and machine.life == 'alive':
                    return machine
        return self.add_machine()

    def _start(self, unit: Unit) -> None:
        app = unit.application
        for storage in self.storage.values():
            if storage.owner == unit.name:
                self._storage_event(unit, storage, 'attached')
        self.queue(unit, Event(Kind.RELATION_CREATED, 'install'))
        for relation in self.relations.values():
            if app.name in relation.endpoints and relation.life == 'alive':
                self._created(relation, unit)
        self.queue(
            unit,
            Event(Kind.LEADERSHIP, 'leader-elected' if unit.leader else 'leader-settings-changed'),
        )
        self.queue(unit, Event(Kind.HOOK, 'config-changed'))
        self.queue(
            unit,
            Event(
                Kind.HOOK,
                'start',
                done=lambda error: self._started(unit) if error is None else None,
            ),
        )

    def _storage_event(self, unit: Unit, storage: Storage, what: str) -> None:
        name = f'{storage.name}-storage-{what}'
        self.queue(unit, Event(Kind.STORAGE, name, storage_id=storage.id))

    def _started(self, unit: Unit) -> None:
        """Enter the relations' scopes, which others see; update-status runs from now on."""
        unit.installed = True
        for relation in tuple(self.relations.values()):
            if unit.application.name in relation.endpoints and relation.life == 'alive':
                self._enter(relation, unit)
        self._schedule_update_status(unit)

    def _schedule_update_status(self, unit: Unit) -> None:
        def due() -> None:
            if unit.name in unit.application.units:
                self.queue(unit, Event(Kind.UPDATE_STATUS, 'update-status'))
                self._schedule_update_status(unit)

        self.clock.later(self.update_status_interval, due)

    def remove_unit(
        self, unit_name: str, *, destroy_storage: bool = False, force: bool = False
    ) -> None:
        """Begin a unit's removal: it runs its last hooks, then leaves; storage stays behind.

        With `force` a unit that cannot run its last hooks leaves without them.
        """
        unit = self.unit(unit_name)
        if force and (unit.agent.current == 'lost' or unit.failed_hook is not None):
            self.remove_unit(unit_name, destroy_storage=destroy_storage)
            self._gone(unit)
            return
        if unit.life != 'alive':
            return
        unit.life = 'dying'
        if not unit.machine.id:
            self._gone(unit)
            return
        for other in list(self.units.values()):
            if other.principal is unit:
                self.remove_unit(other.name, destroy_storage=destroy_storage)
        self._detach(unit, destroy_storage)
        for relation in self.relations.values():
            if unit.application.name in relation.endpoints:
                self._leave(relation, unit)
        self.queue(unit, Event(Kind.HOOK, 'stop'))
        self.queue(
            unit,
            Event(
                Kind.HOOK, 'remove', done=lambda error: self._gone(unit) if error is None else None
            ),
        )
        self.changed()

    def _detach(self, unit: Unit, destroy: bool) -> None:
        for storage in self.storage.values():
            if storage.owner == unit.name:
                if destroy:
                    storage.life = 'dying'
                self._storage_event(unit, storage, 'detaching')

    def remove_application(
        self, name: str, *, destroy_storage: bool = False, force: bool = False
    ) -> None:
        """Begin an application's removal, with its relations and units.

        With `force` its units go at once, as those of a machine that has died: no last hook runs.
        """
        app = self.application(name)
        for unit in tuple(app.units.values()) if force else ():
            unit.life = 'dead'
            unit.queue.clear()
            self._gone(unit)
        app.life = 'dying'
        for relation in tuple(self.relations.values()):
            if name in relation.endpoints and not relation.peer:
                ends = [f'{other}:{end.name}' for other, end in relation.endpoints.items()]
                self.remove_relation(*ends)
        for unit in tuple(app.units):
            self.remove_unit(unit, destroy_storage=destroy_storage)
        self._end_application(app)
        self.changed()

    def _end_application(self, app: Application) -> None:
        """Let an application that is being removed go, once its last unit has."""
        if app.units or app.life == 'alive':
            return
        del self.applications[app.name]
        self.relations = {i: r for i, r in self.relations.items() if app.name not in r.endpoints}
        owner = f'application-{app.name}'
        self.secrets = {i: s for i, s in self.secrets.items() if s.owner != owner}

    def _gone(self, unit: Unit) -> None:
        app = unit.application
        del app.units[unit.name]
        for storage in list(self.storage.values()):
            if storage.owner == unit.name:
                storage.owner = ''
                if storage.life == 'dying' or not storage.persistent:
                    del self.storage[storage.id]
        for relation in self.relations.values():
            if relation.peer and self.silent_departures:
                # Peers go on seeing it.
                continue
            relation.unit_data.pop(unit.name, None)
            relation.scope.discard(unit.name)
            relation.unseen.pop(unit.name, None)
        self.secrets = {i: s for i, s in self.secrets.items() if s.owner != unit.tag}
        for task in list(self.tasks.values()):
            if task.unit == unit.name:
                self._task_of_a_removed_unit(task)
        if unit.machine.id and unit.principal is None and not self._keeps(unit.machine):
            self._release(unit.machine)
        if app.leader == unit.name:
            self._elect(app)
        app.agent.removed(unit)
        self._end_application(app)
        self.changed()

    def _keeps(self, machine: Machine) -> bool:
        """Whether a machine stays: for another principal unit, containers or the controller."""
        return (
            machine.controller
            or any(other.host == machine.id for other in self.machines.values())
            or any(
                other.machine is machine and other.principal is None
                for other in self.units.values()
            )
        )

    def _release(self, machine: Machine) -> None:
        """Let a machine go with its last unit: it is listed until the provider has it back."""
        machine.life = 'dying'

        def released() -> None:
            del self.machines[machine.id]
            self.changed()

        self.clock.later(self.release_after, released)

    def _task_of_a_removed_unit(self, task: Task) -> None:
        if self.juju4:
            operation = self.operations[task.operation_id]
            operation.tasks.remove(task)
            del self.tasks[task.id]
            if not operation.tasks:
                del self.operations[operation.id]
        elif not task.ended:
            task.status, task.message, task.completed = (
                'cancelled',
                'unit removed',
                self.clock.now(),
            )

    def remove_storage(self, storage_id: str) -> None:
        """Destroy storage that no unit owns."""
        del self.storage[self._free_storage(storage_id).id]
        self.changed()

    def detach_storage(self, storage_id: str) -> None:
        """Take storage away from its unit, which hears of it; it stays in the model."""
        storage = self.storage[storage_id]
        if not storage.persistent:
            raise ModelError(f'storage "{storage_id}" is not detachable')
        if storage.owner:
            self._storage_event(self.unit(storage.owner), storage, 'detaching')
            storage.owner = ''
            self.changed()

    def _free_storage(self, storage_id: str) -> Storage:
        storage = self.storage.get(storage_id)
        if storage is None:
            raise self.no_storage(storage_id)
        if storage.owner:
            raise differing(
                self.juju4,
                (f'cannot destroy storage "{storage_id}": storage is attached',
                 'storage is attached'),
                (f'removing storage "{storage_id}": ensuring storage instance '
                 f'"{uuid.uuid5(uuid.NAMESPACE_OID, storage_id)}" is not alive: storage instance '
                 'still attached', ''),
            )  # fmt: skip
        return storage

    def no_storage(self, storage_id: str) -> ModelError:
        """Return the refusal of storage that is not there."""
        return differing(
            self.juju4,
            (f'storage instance "{storage_id}" not found', 'not found'),
            (f'storage "{storage_id}" does not exist', 'not found'),
        )
