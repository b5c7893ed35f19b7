"""A Juju model in memory: what is deployed, and the rules by which it changes.

The rules are those of Juju 3.6 and 4.0 (`facts` in each docstring's words): a unit runs one
event at a time, a machine lock keeps its units apart, removal is asynchronous, tasks and
operations draw ids from one sequence, a change of relation data wakes the units that can see
it. What differs between the two versions *on the wire* is the controller's business; what
differs in behaviour asks `Model.juju4`.

Nothing here is thread-safe: everything happens on the clock's thread.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime
import enum
import logging
import secrets as random_source
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from rehearsal import clock as clocks
from rehearsal import parameters as action_parameters

logger = logging.getLogger(__name__)


class ModelError(Exception):
    """A refusal, in Juju's words. `code` is the API's error code; empty where Juju gives none."""

    def __init__(self, message: str, code: str = ''):
        super().__init__(message)
        self.code = code


class HookFailed(Exception):
    """Raised by an agent: the hook ended with an error and will be retried."""


class HookTerminated(Exception):
    """Raised by an agent: the hook's process was killed; it is run again at once."""


class ActionFailed(Exception):
    """Raised by an agent: the action ends failed with this message."""


@dataclasses.dataclass
class Status:
    """One status value with the time it was set."""

    current: str
    message: str
    since: datetime.datetime


@dataclasses.dataclass
class Machine:
    """A machine; `busy_with` is the unit that holds the machine lock."""

    id: str
    instance_id: str
    hostname: str
    address: str
    life: str = 'alive'
    busy_with: str | None = None


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A relation endpoint as a charm declares it; role is provider, requirer or peer."""

    name: str
    role: str
    interface: str
    limit: int = 0


@dataclasses.dataclass(frozen=True)
class Option:
    """A config option as a charm declares it; type is string, int, float, boolean or secret."""

    type: str
    default: Any = None
    description: str = ''


@dataclasses.dataclass(frozen=True)
class ActionSpec:
    """An action as a charm declares it; `params` is the JSON schema of its properties."""

    name: str
    description: str = ''
    params: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=dict)
    required: tuple[str, ...] = ()
    additional_properties: bool = True
    parallel: bool = False
    execution_group: str = ''


@dataclasses.dataclass(frozen=True)
class CharmSpec:
    """What a charm declares, and where it came from."""

    name: str
    endpoints: tuple[Endpoint, ...] = ()
    options: Mapping[str, Option] = dataclasses.field(default_factory=dict)
    actions: Mapping[str, ActionSpec] = dataclasses.field(default_factory=dict)
    storage: tuple[str, ...] = ()
    channel: str = ''
    revision: int = 0

    @property
    def url(self) -> str:
        """Charm URL: from Charmhub when there is a channel, else local."""
        return f'{"ch:amd64" if self.channel else "local"}/{self.name}-{self.revision}'

    def endpoint(self, name: str) -> Endpoint:
        """Return the endpoint of this name; every application provides `juju-info`."""
        if name == 'juju-info':
            return Endpoint('juju-info', 'provider', 'juju-info')
        for endpoint in self.endpoints:
            if endpoint.name == name:
                return endpoint
        raise ModelError(f'charm "{self.name}" has no endpoint "{name}"', 'not found')


class Kind(enum.IntEnum):
    """Kinds of events, in the order in which an idle unit chooses among those that are due."""

    RELATION_CREATED = 0
    LEADERSHIP = 1
    SECRET = 2
    ACTION = 3
    EXEC = 4
    STORAGE = 5
    HOOK = 6
    UPDATE_STATUS = 7


@dataclasses.dataclass
class Event:
    """One thing for a unit to run: a hook, an action or a command of juju-exec."""

    kind: Kind
    name: str
    """Hook name (`config-changed`, `s3-relation-changed`), action name, or the command line."""
    relation: Relation | None = None
    remote_app: str = ''
    remote_unit: str = ''
    departing_unit: str = ''
    task: Task | None = None
    secret: Secret | None = None
    storage_id: str = ''
    done: Callable[[BaseException | None], object] = lambda error: None
    failures: int = 0

    def same_as(self, other: Event) -> bool:
        """Whether one run serves both: Juju folds equal hooks that wait."""
        return (
            self.task is None
            and self.kind is not Kind.EXEC
            and (self.kind, self.name, self.relation, self.remote_app, self.remote_unit, self.secret)
            == (other.kind, other.name, other.relation, other.remote_app, other.remote_unit, other.secret)
        )  # fmt: skip


class Agent(Protocol):
    """Runs the events of the units of one application: stand-ins, or the real charm."""

    def run(self, unit: Unit, event: Event) -> clocks.Work:
        """Run one event to its end; raise HookFailed or ActionFailed when it fails."""
        ...

    def kill(self, unit: Unit) -> None:
        """Kill what runs now, at once (a cancelled action, or an agent that is restarted)."""
        ...

    def removed(self, unit: Unit) -> None:
        """Clear up after a unit that has left the model."""
        ...


@dataclasses.dataclass
class Unit:
    """A unit. `queue` holds what it still has to run."""

    name: str
    application: Application
    machine: Machine
    workload: Status
    agent: Status
    life: str = 'alive'
    workload_version: str = ''
    queue: list[Event] = dataclasses.field(default_factory=list)
    running: Event | None = None
    work: clocks.Running | None = None
    installed: bool = False
    failed_hook: Event | None = None
    """A hook that waits to be retried; meanwhile only actions and commands run."""
    before_error: Status | None = None
    """Workload status that the error hides."""

    @property
    def number(self) -> int:
        return int(self.name.rpartition('/')[2])

    @property
    def tag(self) -> str:
        return 'unit-' + self.name.replace('/', '-')

    @property
    def leader(self) -> bool:
        return self.application.leader == self.name


@dataclasses.dataclass
class Application:
    """An application; `config` holds only what an operator set."""

    name: str
    charm: CharmSpec
    agent: Agent
    status: Status
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    units: dict[str, Unit] = dataclasses.field(default_factory=dict)
    leader: str | None = None
    leader_status_set: bool = False
    workload_version: str = ''
    life: str = 'alive'
    next_unit: int = 0

    @property
    def settings(self) -> dict[str, Any]:
        """Config in force: what was set over the defaults; options without a value are absent."""
        defaults = {k: o.default for k, o in self.charm.options.items() if o.default is not None}
        return defaults | self.config


@dataclasses.dataclass(eq=False)
class Relation:
    """A relation of one (peer) or two endpoints, with everybody's databags."""

    id: int
    endpoints: dict[str, Endpoint]
    """Application name to its endpoint."""
    app_data: dict[str, dict[str, str]]
    unit_data: dict[str, dict[str, str]] = dataclasses.field(default_factory=dict)
    scope: set[str] = dataclasses.field(default_factory=set)
    """Units that have joined; a unit may write its bag before it does."""
    life: str = 'alive'

    @property
    def peer(self) -> bool:
        return len(self.endpoints) == 1

    @property
    def key(self) -> str:
        """Key as in status: requirer first."""
        ends = sorted(self.endpoints.items(), key=lambda end: end[1].role != 'requirer')
        return ' '.join(f'{app}:{endpoint.name}' for app, endpoint in ends)

    def other(self, application: str) -> str:
        """Return the application at the other end; a peer relation's other end is itself."""
        return next((app for app in self.endpoints if app != application), application)


@dataclasses.dataclass(eq=False)
class Secret:
    """A secret; owner is `application-x`, `unit-x-0` or `model-<uuid>`."""

    id: str
    owner: str
    label: str
    description: str
    revisions: list[dict[str, str]]
    created: datetime.datetime
    updated: datetime.datetime
    grants: set[str] = dataclasses.field(default_factory=set)
    """Applications (or units) that may read it, beside the owner."""
    readers: set[str] = dataclasses.field(default_factory=set)
    """Units that have read it, and so hear of new revisions."""

    @property
    def uri(self) -> str:
        return f'secret:{self.id}'

    @property
    def content(self) -> dict[str, str]:
        return self.revisions[-1]


@dataclasses.dataclass
class Storage:
    """A filesystem of a unit; `owner` empty when it has survived its unit."""

    id: str
    owner: str
    created: datetime.datetime
    life: str = 'alive'

    @property
    def name(self) -> str:
        return self.id.partition('/')[0]

    @property
    def tag(self) -> str:
        return 'storage-' + self.id.replace('/', '-')


@dataclasses.dataclass(eq=False)
class Task:
    """A Juju task: an action on a unit."""

    id: int
    operation_id: int
    unit: str
    name: str
    parameters: dict[str, Any]
    enqueued: datetime.datetime
    parallel: bool = False
    execution_group: str = ''
    status: str = 'pending'
    message: str = ''
    started: datetime.datetime | None = None
    completed: datetime.datetime | None = None
    log: list[tuple[datetime.datetime, str]] = dataclasses.field(default_factory=list)
    output: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.status in {'completed', 'failed', 'cancelled', 'aborted', 'error'}


ActionCall = tuple[str, str, Mapping[str, Any], bool, str]
"""What to enqueue: unit, action, parameters, parallel, execution group."""


@dataclasses.dataclass
class JujuOperation:
    """What one EnqueueOperation call made."""

    id: int
    summary: str
    enqueued: datetime.datetime
    tasks: list[Task] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class User:
    """A Juju user. Access: '', read, write, admin; controller access: login or superuser."""

    name: str
    password: str
    model_access: str
    controller_access: str = 'login'


class Model:
    """The model: deploy, relate, configure, run actions, remove."""

    def __init__(
        self, name: str, clock: clocks.Clock, version: str = '3.6.26', model_uuid: str = ''
    ):
        self.name = name
        self.clock = clock
        self.version = version
        self.uuid = model_uuid or str(uuid.uuid4())
        self.applications: dict[str, Application] = {}
        self.machines: dict[str, Machine] = {}
        self.relations: dict[int, Relation] = {}
        self.secrets: dict[str, Secret] = {}
        self.storage: dict[str, Storage] = {}
        self.operations: dict[int, JujuOperation] = {}
        self.tasks: dict[int, Task] = {}
        self.users: dict[str, User] = {}
        self.annotations: dict[str, dict[str, str]] = {}
        """By entity tag."""
        self.blocked: dict[str, str] = {}
        """`juju disable-command` sets by name (destroy-model, remove-object, all) to messages."""
        self.config: dict[str, Any] = {'name': name, 'uuid': self.uuid, 'agent-version': version}
        self.update_status_interval = 300.0
        self.idle_after = 2.0
        """Seconds that an agent stays `executing` after its last hook, as Juju's does."""
        self.revision = 0
        """Rises with every change; `on_change` hears of it."""
        self.on_change: list[Callable[[], object]] = []
        self._next_task = 1
        self._next_relation = 0
        self._next_machine = 0
        self._next_storage: collections.Counter[str] = collections.Counter()

    @property
    def juju4(self) -> bool:
        return self.version.startswith('4')

    @property
    def units(self) -> dict[str, Unit]:
        """All units by name."""
        return {n: u for app in self.applications.values() for n, u in app.units.items()}

    def application(self, name: str) -> Application:
        try:
            return self.applications[name]
        except KeyError:
            raise ModelError(f'application "{name}" not found', 'not found') from None

    def unit(self, name: str) -> Unit:
        app = self.applications.get(name.partition('/')[0])
        if app is None or name not in app.units:
            raise ModelError(f'unit "{name}" not found', 'not found')
        return app.units[name]

    def changed(self) -> None:
        """Note that something changed and tell those who listen."""
        self.revision += 1
        for listener in tuple(self.on_change):
            listener()

    # --- Deploying -----------------------------------------------------------------------

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
            placed.append(self.machines[machine_id])
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
                self.queue(unit, Event(Kind.STORAGE, f'{storage.id.partition("/")[0]}-storage-attached', storage_id=storage.id))  # fmt: skip
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

    # --- Running events --------------------------------------------------------------------

    def queue(self, unit: Unit, event: Event) -> None:
        """Give a unit something to run; an equal hook that waits already is enough."""
        if not any(event.same_as(waiting) for waiting in unit.queue):
            unit.queue.append(event)
        self.clock.later(0, lambda: self._pump(unit))

    def _pump(self, unit: Unit) -> None:
        """Run the unit's next event, if it and its machine are free."""
        due = [
            event
            for event in unit.queue
            if unit.failed_hook is None or event.kind in (Kind.ACTION, Kind.EXEC)
        ]
        if unit.running is not None or not due or unit.agent.current == 'lost':
            return
        # A unit that is not installed yet runs its first hooks in order; a failed hook goes first.
        event = due[0] if not unit.installed else min(due, key=lambda e: (not e.failures, e.kind))
        takes_lock = event.task is None or not event.task.parallel
        if takes_lock and unit.machine.busy_with not in (None, unit.name):
            return
        unit.queue.remove(event)
        unit.running = event
        if takes_lock:
            unit.machine.busy_with = unit.name
        if event.task is not None:
            event.task.status = 'running'
            event.task.started = self.clock.now()
        if event.kind is not Kind.UPDATE_STATUS:
            self.set_agent_status(unit, 'executing', _executing(event))
        self.changed()
        work = self._work(unit, event)
        # The work may end at once, before the constructor returns: then nothing is kept.
        started = clocks.Running(self.clock, work, lambda error: self._ran(unit, event, error))
        if unit.running is event:
            unit.work = started

    def _work(self, unit: Unit, event: Event) -> clocks.Work:
        """What the unit does with an event; an action's parameters it checks first."""
        task = event.task
        spec = unit.application.charm.actions.get(task.name) if task else None
        if task is not None and spec is not None:
            try:
                task.parameters = action_parameters.checked(spec, task.parameters)
            except action_parameters.BadParameters as error:
                raise ActionFailed(f'cannot run "{task.name}" action: {error}') from None
        yield from unit.application.agent.run(unit, event)

    def _ran(self, unit: Unit, event: Event, error: BaseException | None) -> None:
        if event.task is not None:
            self._task_ended(event.task, error)
        elif isinstance(error, HookFailed) and event.kind is not Kind.EXEC:
            self._hook_failed(unit, event)
        elif isinstance(error, HookTerminated):
            unit.queue.insert(0, event)
        elif error is not None and not isinstance(error, HookFailed):
            logger.error('%s: %s', unit.name, event.name, exc_info=error)
        elif event.failures and unit.workload.current == 'error':
            # The retry succeeded without setting a status: the one before shows again.
            unit.workload = unit.before_error or unit.workload
        self._free(unit)
        event.done(error)
        self.changed()

    def _free(self, unit: Unit) -> None:
        unit.running = None
        unit.work = None
        if unit.machine.busy_with == unit.name:
            unit.machine.busy_with = None
        at = self.clock.now()

        def idle() -> None:
            if (
                unit.running is None
                and not unit.queue
                and unit.agent.since <= at
                and unit.agent.current == 'executing'
            ):
                self.set_agent_status(unit, 'idle')

        if unit.agent.current == 'executing':
            self.clock.later(self.idle_after, idle)
        for other in self.units.values():
            if other.machine is unit.machine and other.queue:
                self.clock.later(0, lambda other=other: self._pump(other))

    def _hook_failed(self, unit: Unit, event: Event) -> None:
        event.failures += 1
        unit.failed_hook = event
        if unit.workload.current != 'error':
            unit.before_error = unit.workload
        self.set_status(unit, 'error', f'hook failed: "{event.name}"')
        delay = min(5 * 2 ** (event.failures - 1), 300)

        def retry() -> None:
            unit.failed_hook = None
            unit.queue.insert(0, event)
            self._pump(unit)

        self.clock.later(delay, retry)

    def restart_agent(self, unit_name: str) -> None:
        """Restart the unit's agent: a running action has failed, a running hook runs again."""
        unit = self.unit(unit_name)
        event = unit.running
        if event is None:
            return
        self._stop_running(unit)
        if event.task is not None:
            event.task.status, event.task.message = 'failed', 'action terminated'
            event.task.completed = self.clock.now()
            event.done(ActionFailed('action terminated'))
        elif event.kind is not Kind.EXEC:
            unit.queue.insert(0, event)
            self.clock.later(0, lambda: self._pump(unit))
        else:
            event.done(HookFailed('command execution aborted'))
        self.changed()

    def _stop_running(self, unit: Unit) -> None:
        unit.application.agent.kill(unit)
        if unit.work is not None:
            unit.work.stop()
        self._free(unit)

    # --- Status ------------------------------------------------------------------------------

    def set_status(self, unit: Unit, current: str, message: str = '') -> None:
        """Set a unit's workload status; `since` changes only with the value, as in Juju."""
        if (unit.workload.current, unit.workload.message) != (current, message):
            unit.workload = Status(current, message, self.clock.now())
            self.changed()

    def set_agent_status(self, unit: Unit, current: str, message: str = '') -> None:
        unit.agent = Status(current, message, self.clock.now())
        self.changed()

    def set_application_status(self, app: Application, current: str, message: str = '') -> None:
        app.leader_status_set = True
        if (app.status.current, app.status.message) != (current, message):
            app.status = Status(current, message, self.clock.now())
            self.changed()

    def application_status(self, app: Application) -> Status:
        """What the leader set, else the worst of the units'."""
        if app.leader_status_set or not app.units:
            return app.status
        order = ('error', 'blocked', 'maintenance', 'waiting', 'active', 'terminated', 'unknown')
        return min((u.workload for u in app.units.values()), key=lambda s: order.index(s.current))

    # --- Leadership ----------------------------------------------------------------------------

    def set_leader(self, unit_name: str) -> None:
        """Make a unit the leader; only the new leader hears of it."""
        unit = self.unit(unit_name)
        if unit.application.leader != unit_name:
            unit.application.leader = unit_name
            if unit.installed:
                self.queue(unit, Event(Kind.LEADERSHIP, 'leader-elected'))
            self.changed()

    def _elect(self, app: Application) -> None:
        """Give leadership away from a unit that has gone."""
        candidates = sorted(
            (u for u in app.units.values() if u.life == 'alive'), key=lambda u: u.number
        )
        app.leader = None
        if candidates:
            self.set_leader(candidates[0].name)

    # --- Removing ----------------------------------------------------------------------------

    def remove_unit(self, unit_name: str, *, destroy_storage: bool = False) -> None:
        """Begin a unit's removal: it runs its last hooks, then leaves; storage stays behind."""
        unit = self.unit(unit_name)
        if unit.life != 'alive':
            return
        unit.life = 'dying'
        app = unit.application
        for storage in self.storage.values():
            if storage.owner == unit.name:
                if destroy_storage:
                    storage.life = 'dying'
                self.queue(unit, Event(Kind.STORAGE, f'{storage.id.partition("/")[0]}-storage-detaching', storage_id=storage.id))  # fmt: skip
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

    def _gone(self, unit: Unit) -> None:
        app = unit.application
        del app.units[unit.name]
        for storage in list(self.storage.values()):
            if storage.owner == unit.name:
                storage.owner = ''
                if storage.life == 'dying':
                    del self.storage[storage.id]
        for relation in self.relations.values():
            relation.unit_data.pop(unit.name, None)
            relation.scope.discard(unit.name)
        self.secrets = {i: s for i, s in self.secrets.items() if s.owner != unit.tag}
        for task in list(self.tasks.values()):
            if task.unit == unit.name:
                self._task_of_a_removed_unit(task)
        if not any(other.machine is unit.machine for other in self.units.values()):
            self.machines.pop(unit.machine.id, None)
        if app.leader == unit.name:
            self._elect(app)
        app.agent.removed(unit)
        self.changed()

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
            hook = f'{storage.name}-storage-detaching'
            self.queue(self.unit(storage.owner), Event(Kind.STORAGE, hook, storage_id=storage.id))
            storage.owner = ''
            self.changed()

    def _free_storage(self, storage_id: str) -> Storage:
        storage = self.storage.get(storage_id)
        if storage is None:
            raise ModelError(f'storage {storage_id} not found', 'not found')
        if storage.owner:
            raise ModelError(f'storage {storage_id} is attached', '')
        return storage

    # --- Relations -----------------------------------------------------------------------------

    def _new_relation(self, endpoints: dict[str, Endpoint]) -> Relation:
        relation = Relation(self._next_relation, endpoints, {app: {} for app in endpoints})
        self._next_relation += 1
        self.relations[relation.id] = relation
        return relation

    def integrate(self, endpoint: str, other: str) -> Relation:
        """Relate two endpoints given as `app:endpoint`."""
        ends: dict[str, Endpoint] = {}
        for end in (endpoint, other):
            app, _, name = end.partition(':')
            ends[app] = self.application(app).charm.endpoint(name)
        wanted = {(app, e.name) for app, e in ends.items()}
        for relation in self.relations.values():
            if {(app, e.name) for app, e in relation.endpoints.items()} == wanted:
                raise ModelError(
                    f'relation {relation.key} already exists',
                    '' if self.juju4 else 'already exists',
                )
        if len({e.interface for e in ends.values()}) != 1 or {e.role for e in ends.values()} != {'provider', 'requirer'}:  # fmt: skip
            raise ModelError('no relations found', 'not found')
        for app, end in ends.items():
            joined = [r for r in self.relations.values() if r.endpoints.get(app) == end]
            if end.limit and len(joined) >= end.limit:
                raise ModelError(
                    f'establishing a new relation for {app}:{end.name} would exceed its maximum relation limit of {end.limit}',
                    'quota limit exceeded',
                )
        relation = self._new_relation(ends)
        for app in ends:
            for unit in self.applications[app].units.values():
                self._created(relation, unit)
        for app in ends:
            for unit in self.applications[app].units.values():
                if unit.installed:
                    self._enter(relation, unit)
        self.changed()
        return relation

    def remove_relation(self, endpoint: str, other: str) -> None:
        """Begin a relation's removal: departed and broken on every unit, then it is gone."""
        wanted = {tuple(endpoint.split(':')), tuple(other.split(':'))}
        for relation in self.relations.values():
            if {(app, e.name) for app, e in relation.endpoints.items()} == wanted:
                break
        else:
            raise ModelError(f'relation "{endpoint} {other}" not found', 'not found')
        if relation.life != 'alive':
            return
        relation.life = 'dying'
        units = [u for app in relation.endpoints for u in self.applications[app].units.values()]
        waiting = {unit.name for unit in units}

        def left(unit: Unit) -> None:
            relation.scope.discard(unit.name)
            waiting.discard(unit.name)
            if not waiting:
                self.relations.pop(relation.id, None)
                self.changed()

        for unit in units:
            self._leave(
                relation,
                unit,
                then=lambda error, unit=unit: left(unit) if error is None else None,
            )
        if not units:
            del self.relations[relation.id]
        self.changed()

    def _created(self, relation: Relation, unit: Unit) -> None:
        name = relation.endpoints[unit.application.name].name
        self.queue(
            unit,
            Event(
                Kind.RELATION_CREATED,
                f'{name}-relation-created',
                relation=relation,
                remote_app=relation.other(unit.application.name),
            ),
        )

    def _enter(self, relation: Relation, unit: Unit) -> None:
        """A unit joins: its bag appears, and both sides see joined and changed."""
        if unit.name in relation.scope:
            return
        relation.scope.add(unit.name)
        bag = {
            'ingress-address': unit.machine.address,
            'egress-subnets': f'{unit.machine.address}/32',
        }
        if not self.juju4:
            bag['private-address'] = unit.machine.address
        relation.unit_data[unit.name] = bag | relation.unit_data.get(unit.name, {})
        for other in self._counterparts(relation, unit.application.name, unit.name):
            if other.name in relation.scope:
                for seer, seen in ((other, unit), (unit, other)):
                    self._relation_event(relation, seer, 'joined', seen.name)
                    self._relation_event(relation, seer, 'changed', seen.name)
        if relation.app_data[relation.other(unit.application.name)]:
            self._relation_event(relation, unit, 'changed')

    def _leave(
        self,
        relation: Relation,
        unit: Unit,
        then: Callable[[BaseException | None], object] = lambda error: None,
    ) -> None:
        """A unit goes: others see it depart; it sees them depart, then the relation broken."""
        others = self._counterparts(relation, unit.application.name, unit.name)
        unit_was_in = unit.name in relation.scope
        for other in others:
            if unit_was_in and other.name in relation.scope:
                self._relation_event(relation, other, 'departed', unit.name, departing=unit.name)
                self._relation_event(relation, unit, 'departed', other.name, departing=unit.name)
        if relation.peer:
            then(None)
            return
        name = relation.endpoints[unit.application.name].name
        self.queue(
            unit,
            Event(
                Kind.HOOK,
                f'{name}-relation-broken',
                relation=relation,
                remote_app=relation.other(unit.application.name),
                done=then,
            ),
        )

    def _counterparts(
        self, relation: Relation, application: str, except_unit: str = ''
    ) -> Iterator[Unit]:
        other = self.applications.get(relation.other(application))
        for unit in list(other.units.values()) if other else []:
            if unit.name != except_unit:
                yield unit

    def _relation_event(
        self, relation: Relation, unit: Unit, what: str, remote_unit: str = '', departing: str = ''
    ) -> None:
        name = relation.endpoints[unit.application.name].name
        self.queue(
            unit,
            Event(
                Kind.HOOK,
                f'{name}-relation-{what}',
                relation=relation,
                remote_app=relation.other(unit.application.name),
                remote_unit=remote_unit,
                departing_unit=departing,
            ),
        )

    def set_unit_data(self, relation: Relation, unit: Unit, values: Mapping[str, str]) -> None:
        """Change a unit's own bag ('' deletes); counterparts hear of a difference."""
        if _update(relation.unit_data.setdefault(unit.name, {}), values):
            for other in self._counterparts(relation, unit.application.name, unit.name):
                if other.name in relation.scope:
                    self._relation_event(relation, other, 'changed', unit.name)
            self.changed()

    def set_app_data(
        self, relation: Relation, application: str, values: Mapping[str, str]
    ) -> None:
        """Change an application's bag ('' deletes).

        A peer relation tells all its units of a difference, the writing leader included.
        """
        if _update(relation.app_data[application], values):
            for other in self._counterparts(relation, application):
                if other.name in relation.scope:
                    self._relation_event(relation, other, 'changed')
            self.changed()

    # --- Config and secrets ------------------------------------------------------------------

    def set_config(self, application: str, values: Mapping[str, Any]) -> None:
        """Set options, parsing strings to the option's type."""
        app = self.application(application)
        parsed: dict[str, Any] = {}
        for key, value in values.items():
            if key not in app.charm.options:
                raise ModelError(f'unknown option "{key}"', 'not found')
            parsed[key] = _parse(key, value, app.charm.options[key].type)
        if all(app.settings.get(key) == value for key, value in parsed.items()):
            return
        app.config.update(parsed)
        self._config_changed(app)

    def reset_config(self, application: str, keys: Sequence[str]) -> None:
        """Go back to the defaults."""
        app = self.application(application)
        if any([app.config.pop(key, None) is not None for key in keys]):
            self._config_changed(app)

    def _config_changed(self, app: Application) -> None:
        for unit in app.units.values():
            self.queue(unit, Event(Kind.HOOK, 'config-changed'))
        self.changed()

    def add_secret(
        self, owner: str, content: Mapping[str, str], label: str = '', description: str = ''
    ) -> Secret:
        """Add a secret; an owner cannot have two of one label."""
        if label and any(s.label == label and s.owner == owner for s in self.secrets.values()):
            raise ModelError(f'secret with label "{label}" already exists', 'already exists')
        secret = self.new_secret(owner, content, label, description)
        self.keep_secret(secret)
        return secret

    def new_secret(
        self, owner: str, content: Mapping[str, str], label: str = '', description: str = ''
    ) -> Secret:
        """Return a secret with an id of its own that is not in the model yet."""
        alphabet = '0123456789abcdefghijklmnopqrstuv'
        secret_id = ''.join(random_source.choice(alphabet) for _ in range(20))
        now = self.clock.now()
        return Secret(secret_id, owner, label, description, [dict(content)], now, now)

    def keep_secret(self, secret: Secret) -> None:
        """Take a new secret into the model."""
        self.secrets[secret.id] = secret
        self.changed()

    def secret(self, reference: str) -> Secret:
        """Return a secret by URI, id, or label of a user secret."""
        secret_id = reference.removeprefix('secret:').rpartition('/')[2]
        if secret_id in self.secrets:
            return self.secrets[secret_id]
        for secret in self.secrets.values():
            if secret.owner == f'model-{self.uuid}' and secret.label == reference:
                return secret
        raise ModelError(
            f'secret "{reference}" not found', 'secret not found' if self.juju4 else 'not found'
        )

    def update_secret(self, secret: Secret, content: Mapping[str, str]) -> None:
        """Give a secret a new revision if the content differs; its readers hear of it."""
        if secret.content != dict(content):
            secret.revisions.append(dict(content))
            secret.updated = self.clock.now()
            for name in secret.readers & self.units.keys():
                self.queue(self.unit(name), Event(Kind.SECRET, 'secret-changed', secret=secret))
            self.changed()

    def remove_secret(self, secret: Secret) -> None:
        self.secrets.pop(secret.id, None)
        self.changed()

    def may_read(self, unit: Unit, secret: Secret) -> bool:
        """Whether the unit or its application owns the secret or was granted it."""
        app = unit.application.name
        return secret.owner in (f'application-{app}', unit.tag) or bool(
            secret.grants & {app, unit.name}
        )

    # --- Actions -----------------------------------------------------------------------------

    def action_call(
        self,
        unit: Unit,
        name: str,
        parameters: Mapping[str, Any],
        parallel: bool | None = None,
        execution_group: str | None = None,
    ) -> ActionCall:
        """Return what to enqueue, or refuse it, as the controller does with a request.

        3.6 checks parameters, fills in their defaults, and takes what is left open from the
        charm. 4.0 leaves parameters to the unit and does not look at what the charm declares.
        """
        spec = unit.application.charm.actions.get(name)
        if spec is None:
            raise ModelError(
                f'action "{name}" not defined on unit "{unit.name}"',
                'not found' if self.juju4 else '',
            )
        if self.juju4:
            stored = {k: action_parameters.stringified(v) for k, v in parameters.items()}
            return unit.name, name, stored, bool(parallel), execution_group or ''
        try:
            checked = action_parameters.checked(spec, parameters)
        except action_parameters.BadParameters as error:
            raise ModelError(str(error)) from None
        parallel = spec.parallel if parallel is None else parallel
        group = spec.execution_group if execution_group is None else execution_group
        return unit.name, name, checked, parallel, group

    def enqueue(self, calls: Sequence[ActionCall]) -> JujuOperation:
        """Enqueue actions as one operation.

        The operation takes one id of the sequence and each task the next.
        """
        now = self.clock.now()
        names = sorted({name for _, name, _, _, _ in calls})
        units = ','.join(self.unit(unit).tag for unit, _, _, _, _ in calls)
        operation = JujuOperation(self._task_id(), f'{"/".join(names)} run on {units}', now)
        self.operations[operation.id] = operation
        for unit_name, name, parameters, parallel, group in calls:
            unit = self.unit(unit_name)
            task = Task(
                self._task_id(),
                operation.id,
                unit_name,
                name,
                dict(parameters),
                now,
                parallel,
                group,
            )
            operation.tasks.append(task)
            self.tasks[task.id] = task
            self.queue(unit, Event(Kind.ACTION, name, task=task))
        self.changed()
        return operation

    def _task_id(self) -> int:
        number = self._next_task
        self._next_task += 1
        return number

    def _task_ended(self, task: Task, error: BaseException | None) -> None:
        task.completed = self.clock.now()
        if task.status == 'aborting':
            task.status, task.message = 'aborted', 'terminated'
            task.output = {'return-code': -1}
            return
        task.output.setdefault('return-code', 0)
        task.status = 'completed' if error is None else 'failed'
        if error is not None:
            task.message = str(error)
            if not isinstance(error, ActionFailed):
                logger.error('task %s: %s', task.id, task.name, exc_info=error)

    def cancel(self, task: Task) -> None:
        """Cancel as 3.6 does: what waits is cancelled, what runs is killed, the rest stays."""
        if task.status == 'pending':
            unit = self.unit(task.unit)
            unit.queue = [event for event in unit.queue if event.task is not task]
            task.status, task.message = 'cancelled', 'action cancelled via the API'
            task.completed = self.clock.now()
        elif task.status == 'running':
            task.status = 'aborting'
            unit = self.unit(task.unit)
            event = unit.running
            self._stop_running(unit)
            self._task_ended(task, None)
            if event is not None:
                event.done(ActionFailed('terminated'))
        self.changed()


def _executing(event: Event) -> str:
    if event.kind is Kind.ACTION:
        return f'running action {event.name}'
    if event.kind is Kind.EXEC:
        return 'running commands'
    return f'running {event.name} hook'


def _update(bag: dict[str, str], values: Mapping[str, str]) -> bool:
    """Apply a relation-set; return whether anything differs."""
    before = dict(bag)
    for key, value in values.items():
        if value == '':
            bag.pop(key, None)
        else:
            bag[key] = value
    return bag != before


def _parse(key: str, value: Any, kind: str) -> Any:
    try:
        if kind == 'int':
            return int(value)
        if kind == 'float':
            return float(value)
        if kind == 'boolean':
            return (
                value
                if isinstance(value, bool)
                else {'true': True, 'false': False}[str(value).lower()]
            )
    except (ValueError, KeyError):
        raise ModelError(f'option "{key}" expected {kind}, got "{value}"', 'bad request') from None
    if kind == 'secret' and value and not str(value).startswith('secret:'):
        raise ModelError(f'option "{key}" expected secret, got "{value}"', 'bad request')
    return str(value)
