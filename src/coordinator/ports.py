"""What steps may ask of the outside, and the plain data that comes back.

Adapters answer: `juju_api` for `JujuModel`, `s3` for `ObjectStore`; the rehearsal's in-memory
model answers for both in tests. `tests/contract/` holds every adapter to the same behaviour.
All names are Juju names (`postgresql/0`, never tags) and all times are aware UTC datetimes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any, Protocol, Self, TypeVar

from coordinator.ports import maas_port

_Call = TypeVar('_Call', bound=Callable[..., Any])
_effects: set[Callable[..., Any]] = set()


def effect(call: _Call) -> _Call:
    """Mark a call of a port that changes something outside; all others only look."""
    _effects.add(call)
    return call


def effects_of(port: type) -> frozenset[str]:
    """Return the names of the calls of a port that have an effect."""
    return frozenset(name for name, call in vars(port).items() if call in _effects)


def looks_of(port: type) -> frozenset[str]:
    """Return the names of the calls of a port that only look."""
    calls = {name for name, call in vars(port).items() if callable(call) and name[0] != '_'}
    return frozenset(calls) - effects_of(port)


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
    """Whether it lives beside another unit, and leaves with that."""


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
    """An application's endpoints that other models may relate theirs to."""

    name: str
    application: str
    endpoints: tuple[str, ...]
    connections: int
    """How many relations of other models there are: none of them is among this model's."""


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
        """Return what of it is about these applications, and relates them to each other."""
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


@dataclasses.dataclass(frozen=True)
class Task:
    """A Juju task: one action on one unit. Ids rise in one sequence for the whole model."""

    id: int
    unit: str
    action: str
    parameters: Mapping[str, object]
    status: str
    """pending, running, completed, failed, cancelled, aborting, aborted or error."""
    message: str
    results: Mapping[str, str]
    """What the action set, flat (`a.b` for nested keys); empty in answers of `tasks`."""
    enqueued: datetime.datetime | None
    started: datetime.datetime | None
    completed: datetime.datetime | None
    """Always missing with Juju 4.0, which reports no end time; `status` shows whether it has
    ended."""

    @property
    def ended(self) -> bool:
        """Whether Juju will not change this task any more."""
        return self.status in {'completed', 'failed', 'cancelled', 'aborted', 'error'}


@dataclasses.dataclass(frozen=True)
class Storage:
    """One storage instance, such as `pgdata/3`."""

    id: str
    owner: str
    """Owning unit; empty once it has survived its unit."""
    attached_to: tuple[str, ...]
    alive: bool


@dataclasses.dataclass(frozen=True)
class Secret:
    """A Juju secret without its content."""

    id: str
    """The 20 characters after `secret:`."""
    owner: str
    """`application-<name>`, `unit-<name>-<n>` or `model-<uuid>`, as Juju tags it."""
    label: str
    updated: datetime.datetime | None = None
    """When its content changed last; None if Juju does not say."""


@dataclasses.dataclass(frozen=True)
class Access:
    """Who the coordinator is to the controller, and what that user may do."""

    user: str
    model_access: str
    """read, write or admin; empty when there is none."""
    superuser: bool

    @property
    def admin(self) -> bool:
        """Whether secrets of other owners may be read: the most that any step needs."""
        return self.superuser or self.model_access == 'admin'


class JujuModel(Protocol):
    """The model that the coordinator works on.

    Every method makes one to a few calls with timeouts. Calls that only look are repeated by
    the adapter a bounded number of times; calls with an effect are sent once, and
    `ConnectionFailed` from one of them says nothing about whether it took effect: look before
    doing it again. Raises the errors of `errors` only.
    """

    def access(self) -> Access:
        """Return what the logged-in user may do."""
        ...

    def status(self, *applications: str) -> ModelStatus:
        """Return applications, units, machines and relations: all, or `only` of those named.

        All of a large model are hundreds of KiB: whoever waits names what it waits for.
        """
        ...

    def leader(self, application: str) -> str:
        """Return the name of the leading unit; `NotFound` when there is none just now."""
        ...

    def actions(self, application: str) -> Set[str]:
        """Return the names of an application's actions, which its charm's revision defines."""
        ...

    def tasks(self, action: str) -> Sequence[Task]:
        """Return the known tasks of this action on any unit, lowest id first.

        Juju forgets tasks after two weeks, and those of removed units at once (4.0).
        """
        ...

    def task(self, task_id: int) -> Task:
        """Return one task with its results; `NotFound` when Juju no longer knows it."""
        ...

    @effect
    def run_action(
        self, unit: str, action: str, parameters: Mapping[str, str | bool | int]
    ) -> Task:
        """Enqueue an action. Effect.

        `StepError` when the unit does not define it, `NotFound` when there is no such unit. A unit
        that is allocating or dying accepts the task as well, which then waits.
        """
        ...

    @effect
    def cancel_task(self, task_id: int) -> None:
        """Ask for a task's end, as best Juju can (4.0 cannot). Effect."""
        ...

    @effect
    def add_units(
        self, application: str, count: int, machines: Sequence[str] = ()
    ) -> Sequence[str]:
        """Request units, the first ones placed on `machines`; return their names. Effect.

        `NotFound` when a machine is gone. Then Juju 3.6 has added the units before that one, and
        one without a machine.
        """
        ...

    @effect
    def remove_unit(self, unit: str) -> None:
        """Begin removing a unit; its detachable storage is kept. Effect.

        A unit that no longer exists is no error.
        """
        ...

    def storage(self) -> Sequence[Storage]:
        """Return all storage instances of the model."""
        ...

    @effect
    def remove_storage(self, ids: Sequence[str]) -> None:
        """Destroy storage that no unit owns; what is gone already is no error. Effect."""
        ...

    @effect
    def integrate(self, endpoint: str, other: str) -> None:
        """Relate two endpoints (`app:endpoint`). `AlreadyExists` when they are. Effect."""
        ...

    @effect
    def remove_relation(self, endpoint: str, other: str) -> None:
        """Begin removing the relation of two endpoints; `NotFound` if there is none. Effect."""
        ...

    def config(self, application: str) -> Mapping[str, str | int | float | bool]:
        """Return the values in force, defaults included; options without a value are absent."""
        ...

    def options(self, application: str) -> Set[str]:
        """Return the names of an application's options, which its charm's revision defines."""
        ...

    @effect
    def set_config(self, application: str, values: Mapping[str, str]) -> None:
        """Set options (an empty string sets the empty string, it does not unset). Effect."""
        ...

    @effect
    def reset_config(self, application: str, options: Sequence[str]) -> None:
        """Give options their defaults again. Effect."""
        ...

    def secrets(self, label: str = '') -> Sequence[Secret]:
        """Return the secrets with exactly this label, of any owner; all without a label."""
        ...

    def reveal_secret(self, secret_id: str) -> Mapping[str, str]:
        """Return the newest content of a secret, decoded. Needs model admin."""
        ...

    @effect
    def create_secret(self, label: str, content: Mapping[str, str], description: str = '') -> str:
        """Make a user secret and return its id. Effect. `AlreadyExists` on a label clash."""
        ...

    @effect
    def grant_secret(self, secret_id: str, application: str) -> None:
        """Let an application read a user secret; granting twice is no error. Effect."""
        ...

    @effect
    def remove_secret(self, secret_id: str) -> None:
        """Remove a user secret with all revisions; one that is gone is no error. Effect."""
        ...


@dataclasses.dataclass(frozen=True)
class StoredObject:
    """One object of an object store, as a listing or a HEAD request tells it."""

    key: str
    """Relative to the store's path, without a leading slash."""
    size: int
    etag: str
    """Without quotes."""
    modified: datetime.datetime
    versioned: bool = False
    """Whether it is a version among others, so that deleting it hides it. Only HEAD tells."""
    lock: str = ''
    """How long an object lock protects it, for people: `until ...`. Only HEAD tells."""
    checksum: str = ''
    """What the server itself computed of its content, as `checksums` writes it; '' where it keeps
    nothing. Only HEAD tells."""
    storage_class: str = ''
    """As the server names it; '' for its standard one."""
    archive: str = ''
    """Storage class and tier of the archive that it must be thawed from before it can be read; ''
    if it can be read. Only HEAD tells."""


@dataclasses.dataclass(frozen=True)
class Upload:
    """An object that is being uploaded in parts, and is not there yet."""

    key: str
    id: str
    """The server's, as the same object may be uploaded twice at once."""


@dataclasses.dataclass(frozen=True)
class UploadedPart:
    """A part of such an object that is stored."""

    size: int
    modified: datetime.datetime


class Calendars(Protocol):
    """Works out the times of calendar expressions."""

    def normal(self, text: str) -> str:
        """Return an expression as systemd writes it, with its time zone.

        Raises:
            PreconditionError: systemd does not understand it.
            TransientError: systemd does not answer.
        """
        ...

    def after(
        self, calendar: str, moment: datetime.datetime, count: int = 1
    ) -> list[datetime.datetime]:
        """Return the next times after a moment; fewer if there are no more.

        Raises:
            TransientError: systemd does not answer.
        """
        ...


class ObjectStore(Protocol):
    """One bucket and path. Keys are relative to the path.

    Transient failures are repeated by the adapter a bounded number of times; then
    `StoreUnavailable`. What S3 refuses is `StoreRefused`, with what to do about it.
    """

    @property
    def place(self) -> Mapping[str, str]:
        """`endpoint`, `bucket`, `path` and `region`: where this store lies, for people."""
        ...

    @effect
    def put(self, key: str, content: bytes) -> StoredObject:
        """Store an object whole, replacing any other of that key."""
        ...

    def get(self, key: str, limit: int = 1 << 20) -> bytes:
        """Return an object of at most `limit` bytes.

        `NotFound` when absent; `UnexpectedAnswer` when larger: nothing is read without a bound.
        """
        ...

    def open(self, key: str) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        """Lend an object of any size, to be read whole; `NotFound` when absent.

        Its chunks have a MiB at most. An answer that breaks off is taken up where it was;
        `UnexpectedAnswer` when the object was replaced meanwhile.
        """
        ...

    def head(self, key: str) -> StoredObject:
        """Return what is known of an object; `NotFound` when absent."""
        ...

    def list(self, prefix: str) -> Iterable[StoredObject]:
        """Return all objects whose key begins with `prefix`, in key order."""
        ...

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names directly below `prefix` (it ends in `/`) that hold objects deeper."""
        ...

    def uploads(self, prefix: str) -> Iterable[Upload]:
        """Return what is being uploaded in parts, of keys that begin with `prefix`.

        Some servers list none, or those of a whole key only; others refuse.
        """
        ...

    def parts(self, upload: Upload) -> Iterable[UploadedPart]:
        """Return the parts that are stored; `NotFound` when the upload is over."""
        ...

    @effect
    def delete(self, key: str) -> None:
        """Delete an object; one that is not there is no error."""
        ...


@dataclasses.dataclass(frozen=True)
class Reading:
    """How the reading of a backup set stands."""

    tally: str
    """What was found so far, as the reader stores it: another one may go on from there."""
    read: int
    """Bytes of the objects that were read to their end."""
    done: int
    """Bytes that were read."""
    total: int
    """Bytes that there are to read."""
    rate: float
    """Bytes per second, of late."""
    running: bool
    ended: bool
    """Whether every object was read."""
    objects: int = 0
    """How many there are."""
    findings: tuple[str, ...] = ()
    """What is wrong with the objects that were read: the first ones."""
    damaged: int = 0
    """How many objects something is wrong with."""
    error: str = ''
    """Why it ended before its end, if that is known."""
    refused: bool = False
    """Whether S3 refused something for good, so that a retry would fail in the same way."""


class Reader(Protocol):
    """Reads backup sets whole, one at a time, by itself: it goes on while no dispatch runs.

    It may be gone at any time, with its machine or its agent: `look` tells, and `start` goes on.
    """

    def look(self, name: str) -> Reading | None:
        """Return how the reading of this name stands; None if there is none.

        One that nobody looks at for a quarter of an hour ends by itself.
        """
        ...

    def start(
        self,
        name: str,
        backup_set: str,
        repository: ObjectStore,
        maas: ObjectStore,
        postgresql: ObjectStore,
        tally: str = '',
    ) -> None:
        """Begin a reading, or continue one; nothing if one is under way.

        Args:
            name: of the reading.
            backup_set: the set's manifest, as JSON.
            repository: the store that holds the manifest and the sealed passwords.
            maas: the store that holds the files backup.
            postgresql: the store that holds the database backup.
            tally: of an earlier `Reading` of this set.

        Raises:
            TransientError: it does not start, or that of another name has to end first.
        """
        ...

    def stop(self) -> None:
        """End the reading that is under way, if one is."""
        ...


class World(Protocol):
    """Everything outside the operation record that a step may look at or change.

    Reaching for a part that is not configured raises `TransientError` with the command that
    configures it: an operation under way waits for the operator, within its deadline.
    """

    @property
    def juju(self) -> JujuModel:
        """The controller, logged in to this model."""
        ...

    @property
    def maas_store(self) -> ObjectStore:
        """The repository: bucket and path of `s3-maas`."""
        ...

    @property
    def postgresql_store(self) -> ObjectStore:
        """Bucket and path of `s3-postgresql`."""
        ...

    def maas_store_at(self, bucket: str, path: str) -> ObjectStore:
        """Another bucket and path of the same S3, with the keys of `s3-maas`."""
        ...

    def postgresql_store_at(self, bucket: str, path: str) -> ObjectStore:
        """Another bucket and path of the same S3, with the keys of `s3-postgresql`."""
        ...

    @property
    def reader(self) -> Reader:
        """What reads backup sets whole."""
        ...

    def maas(self, found: str = '', *, fresh: bool = False) -> maas_port.Maas | None:
        """Return the site's MAAS; None while the option `maas-api-key` is not set.

        Args:
            found: URL that maas-region's `get-api-endpoint` has answered. It counts if the secret
                has no `endpoint`.
            fresh: with the key of the MAAS that is there before a rehearsal, if the secret has
                one: a restore replaces MAAS' users and their keys.

        Raises:
            MaasNotFound: the secret has no `endpoint`, and none was found.
            Lacking: the secret cannot be read, or is malformed; says which of its keys.
        """
        ...

    def secret(self, reference: str) -> Mapping[str, str]:
        """Return the newest content of a user secret (`secret:<id>`) granted to this charm."""
        ...

    @property
    def model_name(self) -> str:
        """Name of this Juju model: the first half of a stanza's name."""
        ...

    @property
    def model_uuid(self) -> str:
        """UUID of this Juju model."""
        ...

    def now(self) -> datetime.datetime:
        """Return the time, aware and in UTC."""
        ...

    def leads(self) -> bool:
        """Whether this unit has led without a break since the dispatch began."""
        ...

    def elapsed(self, operation_id: str, age: int) -> int:
        """Return the age of an operation in seconds, and note this look at it.

        Args:
            operation_id: of the operation.
            age: as in its record, which may be minutes old.
        """
        ...

    def look_is_due(self, age: int) -> bool:
        """Whether to look at more than a task, at this age of the operation in seconds.

        It is in a part of each minute, or once if no dispatch fell into that part. The status of a
        large model is costly.
        """
        ...

    def take_up(self) -> datetime.datetime | None:
        """Remember from now on, on the unit's own disk, that something was sent.

        Returns:
            when a dispatch of this unit sent something last that nothing was heard of; mostly
            None.
        """
        ...

    def settle(self) -> None:
        """Forget what was sent: all of it was answered."""
        ...
