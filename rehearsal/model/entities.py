"""What is in a model: units and what they run, relations, secrets, storage, tasks, users."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from rehearsal import clock as clocks
from rehearsal.model.declared import CharmSpec, Endpoint


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
    controller: bool = False
    """Whether the controller itself runs on it."""

    @property
    def host(self) -> str:
        """Id of the machine that this one is a container on; '' for one that is none."""
        return self.id.rpartition('/')[0].rpartition('/')[0]


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
        return self._folds == other._folds and self.task is None and self.kind is not Kind.EXEC

    @property
    def _folds(self) -> tuple[object, ...]:
        return (
            self.kind,
            self.name,
            self.relation,
            self.remote_app,
            self.remote_unit,
            self.secret,
            self.storage_id,
        )


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
    principal: Unit | None = None
    """The unit that a subordinate one lives beside."""

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
    persistent_storage: bool = True
    """Whether its storage outlives its units; it does not in the root file system."""

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
    unseen: dict[str, set[str]] = dataclasses.field(default_factory=dict)
    """By unit: those that have left without its agent noticing. `relation-list` names them."""
    life: str = 'alive'
    created: datetime.datetime | None = None

    @property
    def peer(self) -> bool:
        return len(self.endpoints) == 1

    @property
    def hides_departures(self) -> bool:
        """Whether agents of Juju 4.0 miss departures: seen on peer and juju-info relations."""
        return self.peer or any(e.interface == 'juju-info' for e in self.endpoints.values())

    @property
    def key(self) -> str:
        """Key as in status: requirer first."""
        ends = requirer_first(self.endpoints)
        return ' '.join(f'{app}:{endpoint.name}' for app, endpoint in ends)

    def other(self, application: str) -> str:
        """Return the application at the other end; a peer relation's other end is itself."""
        return next((app for app in self.endpoints if app != application), application)


@dataclasses.dataclass(frozen=True)
class Consumed:
    """An application of another model, as this one sees it."""

    url: str
    """Of its offer: `user/model.offer`."""
    endpoints: tuple[Endpoint, ...]


@dataclasses.dataclass(frozen=True)
class Offer:
    """What other models may relate to. Their relations are in the list of no client."""

    name: str
    application: str
    endpoints: tuple[str, ...]
    connections: int = 0


def requirer_first(endpoints: Mapping[str, Endpoint]) -> list[tuple[str, Endpoint]]:
    """Return a relation's ends in the order in which Juju writes them."""
    return sorted(endpoints.items(), key=lambda end: end[1].role != 'requirer')


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
    persistent: bool = True
    """Whether it can be detached. Storage in the root file system is deleted with its unit."""
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


@dataclasses.dataclass
class JujuOperation:
    """What one EnqueueOperation call made. It may have no tasks: then nothing could be run."""

    id: int
    action: str
    """Name of the action; empty when there are several."""
    summary: str
    enqueued: datetime.datetime
    fail: str = ''
    """Why some of the tasks, or all, were not made; 3.6 keeps that."""
    tasks: list[Task] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True)
class LogLine:
    """One line of the model's log, as `juju debug-log` shows it."""

    tag: str
    when: datetime.datetime
    level: str
    module: str
    text: str


@dataclasses.dataclass
class User:
    """A Juju user. Access: '', read, write, admin; controller access: login or superuser."""

    name: str
    password: str
    model_access: str
    controller_access: str = 'login'
