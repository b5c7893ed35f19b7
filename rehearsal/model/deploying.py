"""Applications, units, machines and storage: how they come and go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.model.acting import Acting
from rehearsal.model.declared import CharmSpec
from rehearsal.model.entities import (
    Agent,
    Application,
    Event,
    Kind,
    Machine,
    Status,
    Storage,
    Task,
    Unit,
)
from rehearsal.model.refusals import ModelError


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

    def deploy(
        self,
        name: str,
        charm: CharmSpec,
        agent: Agent,
        units: int = 1,
        config: Mapping[str, Any] | None = None,
        machines: Sequence[str] = (),
    ) -> Application:
        """Deploy a charm; its peer relations come with it."""
        now = self.clock.now()
        app = Application(
            name, charm, agent, Status('waiting', 'waiting for machine', now), dict(config or {})
        )
        self.applications[name] = app
        for endpoint in charm.endpoints:
            if endpoint.role == 'peer':
                self._new_relation({name: endpoint})
        if units:
            self.add_units(name, units, machines)
        return app

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
            raise ModelError('must add at least one unit', 'bad request')
        placed: list[Machine] = []
        for machine_id in machines[:count]:
            if machine_id not in self.machines:
                raise ModelError(
                    f'machine {machine_id} not found',
                    'machine not found' if self.juju4 else 'not found',
                )
            placed.append(self._alive(self.machines[machine_id], f'{application}/{app.next_unit}'))
        taken_over = {self._free_storage(storage_id).name: storage_id for storage_id in attach}
        names: list[str] = []
        for index in range(count):
            machine = placed[index] if index < len(placed) else self._machine_for_a_unit()
            now = self.clock.now()
            unit = Unit(
                f'{application}/{app.next_unit}',
                app,
                machine,
                Status('waiting', 'waiting for machine', now),
                Status('allocating', '', now),
            )
            app.next_unit += 1
            app.units[unit.name] = unit
            names.append(unit.name)
            for storage_name in app.charm.storage:
                if storage_name in taken_over:
                    self.storage[taken_over.pop(storage_name)].owner = unit.name
                    continue
                number = self._next_storage[storage_name]
                self._next_storage[storage_name] += 1
                storage = Storage(f'{storage_name}/{number}', unit.name, now)
                self.storage[storage.id] = storage
            if app.leader is None:
                app.leader = unit.name
            self._start(unit)
        self.changed()
        return names

    def _alive(self, machine: Machine, unit_name: str) -> Machine:
        if machine.life != 'alive':
            raise ModelError(
                f'cannot assign unit "{unit_name}" to machine {machine.id}: machine is not found '
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
        app = unit.application
        for storage in self.storage.values():
            if storage.owner == unit.name:
                if destroy_storage:
                    storage.life = 'dying'
                self._storage_event(unit, storage, 'detaching')
        for relation in self.relations.values():
            if app.name in relation.endpoints:
                self._leave(relation, unit)
        self.queue(unit, Event(Kind.HOOK, 'stop'))
        self.queue(
            unit,
            Event(
                Kind.HOOK, 'remove', done=lambda error: self._gone(unit) if error is None else None
            ),
        )
        self.changed()

    def remove_application(self, name: str, *, destroy_storage: bool = False) -> None:
        """Begin an application's removal, with its relations and units."""
        app = self.application(name)
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
                if storage.life == 'dying':
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
        if not any(other.machine is unit.machine for other in self.units.values()):
            self._release(unit.machine)
        if app.leader == unit.name:
            self._elect(app)
        app.agent.removed(unit)
        self._end_application(app)
        self.changed()

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
        if storage.owner:
            self._storage_event(self.unit(storage.owner), storage, 'detaching')
            storage.owner = ''
            self.changed()

    def _free_storage(self, storage_id: str) -> Storage:
        storage = self.storage.get(storage_id)
        if storage is None:
            raise ModelError(f'storage {storage_id} not found', 'not found')
        if storage.owner:
            raise ModelError(f'storage {storage_id} is attached', '')
        return storage
