"""What a stand-in may ask of the place that hosts it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from coordinator import ports


class ActionError(Exception):
    """The action ends failed with this message; results that were set already stay."""


class Died(Exception):
    """The agent was restarted under an action: what it wrote to databags is lost."""


class HookError(Exception):
    """The hook ends in error and will be retried."""


class Relation(Protocol):
    """One relation, as a unit sees it."""

    @property
    def id(self) -> int: ...

    @property
    def application(self) -> str:
        """Name of the application at the other end."""
        ...

    @property
    def remote(self) -> Mapping[str, str]:
        """The other application's databag."""
        ...

    @property
    def local(self) -> Mapping[str, str]:
        """The own application's databag; only the leader reads it."""
        ...

    def update(self, values: Mapping[str, str]) -> None:
        """Write to the own application's databag ('' deletes); only the leader does."""
        ...


class Host(Protocol):
    """One unit in the course of one hook or action.

    What is written to `shared`, `own` and relations reaches the others when the hook or action
    has ended well; status and action log at once, and `own` when it is saved.
    """

    unit: str
    application: str
    address: str
    model_name: str
    model_uuid: str
    juju_version: str
    departing_unit: str
    """Who leaves, in a relation-departed hook."""
    parameters: Mapping[str, Any]
    """Of the action."""
    results: dict[str, Any]
    """Of the action."""
    config: Mapping[str, Any]
    shared: dict[str, Any]
    """The application's state: the peer relation's application databag. The leader writes it."""
    own: dict[str, Any]
    """The unit's state: its databag of the peer relation."""

    def now(self) -> datetime.datetime: ...

    def is_leader(self) -> bool: ...

    def units(self) -> Sequence[str]:
        """Return the units that are not being removed, this one included, lowest number first."""
        ...

    def states(self) -> Mapping[str, Mapping[str, Any]]:
        """Return every unit's `own`, also of units that are leaving but not gone yet."""
        ...

    @property
    def status(self) -> tuple[str, str]:
        """The unit's workload status and message."""
        ...

    def set_status(self, current: str, message: str = '') -> None: ...

    def set_workload_version(self, version: str) -> None: ...

    def save(self) -> None:
        """Keep `own` as it is now: what lies on the machine outlives a hook that is killed."""
        ...

    def relations(self, endpoint: str) -> Sequence[Relation]:
        """Return the relations of an endpoint, without one that is broken in this hook."""
        ...

    def secret(self, label: str) -> Mapping[str, str] | None:
        """Return the application's own secret of this label."""
        ...

    def set_secret(self, label: str, content: Mapping[str, str]) -> str:
        """Make or change the application's own secret and return its URI."""
        ...

    def set_unit_secret(self, label: str, content: Mapping[str, str]) -> None:
        """Make or change the unit's own secret."""
        ...

    def grant_secret(self, label: str, relation: Relation) -> None:
        """Let the application at the other end of a relation read an own secret."""
        ...

    def read_secret(self, uri: str) -> Mapping[str, str]:
        """Return a secret of somebody else.

        Raises:
            LookupError: there is no such secret.
            PermissionError: it was not granted.
        """
        ...

    def log(self, message: str) -> None:
        """Write to the action's log."""
        ...

    def store(self, connection: Mapping[str, str]) -> ports.ObjectStore:
        """Return the object store that an s3 relation's fields describe."""
        ...
