"""What steps ask of the model, and of its controller."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence, Set
from typing import Protocol

from coordinator.ports.effects import effect
from coordinator.ports.status import ModelStatus


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
    """The Juju user of the coordinator, and its access."""

    user: str
    model_access: str
    """read, write or admin; empty when there is none."""
    superuser: bool

    @property
    def admin(self) -> bool:
        """Whether the user may read secrets of other owners, which only some steps need."""
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
        """Return the model: all of it, or the part about the named applications.

        A large model has hundreds of KiB, so a step that waits names its applications.
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
        """Cancel a task, if Juju can (4.0 cannot). Effect."""
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
        """Destroy storage that no unit owns. Missing storage is not an error. Effect."""
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
        """Return the present values, including defaults; options without a value are absent."""
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
        """Remove a user secret with all revisions. A missing secret is not an error. Effect."""
        ...
