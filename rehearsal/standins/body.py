"""What a unit of the stand-in postgresql has below its charm: servers and pgBackRest, or a model.

The charm's rules, refusals and messages are in `postgresql` and its neighbours, whatever is below.
A method may block, so it is called beside the model: it may use what `here` is, `shared` and
`own`, and nothing of `here` that looks into the model.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Protocol

from rehearsal.standins import host

Fields = Mapping[str, str]
"""An s3 relation's fields, cleaned (see `s3_parameters.connection`)."""


CANNOT_PITR = 'cannot restore PITR, juju debug-log for details'
RESTORE_FAILED = 'Failed to restore backup'
"""What a unit is blocked with when a restore has failed."""


class Failed(host.HookError):
    """A server or pgBackRest failed; the message is its output."""

    def __init__(self, stderr: str, stdout: str = ''):
        super().__init__(stderr)
        self.stderr = stderr
        self.stdout = stdout


@dataclasses.dataclass(frozen=True)
class Backup:
    """One backup of a repository, as pgBackRest lists it."""

    label: str
    start: datetime.datetime
    stop: datetime.datetime
    failed: bool
    references: Sequence[str]
    """The backups that it builds upon."""
    lsn: tuple[str, str]
    first_segment: str


@dataclasses.dataclass(frozen=True)
class Listing:
    """What the first stanza of a repository holds, oldest first."""

    stanza: str
    backups: Sequence[Backup]
    timelines: Sequence[tuple[int, datetime.datetime]]
    """Those that were begun after the first, and when."""


@dataclasses.dataclass(frozen=True)
class Made:
    """What came of a backup."""

    label: str
    stdout: str
    stderr: str


@dataclasses.dataclass(frozen=True)
class Source:
    """What is restored."""

    stanza: str
    backup: Backup
    target: str
    """A point in time, `latest`, or '' for the end of the backup."""


class Body(Protocol):
    """The clusters of the units of one application."""

    def endpoint(self, here: host.Host, /) -> str:
        """Return where clients reach this unit's server. Does not block."""
        ...

    def bootstrap(self, here: host.Host, /, passwords: Mapping[str, str]) -> None:
        """Make a new cluster with these users."""
        ...

    def join(self, here: host.Host, /, passwords: Mapping[str, str]) -> None:
        """Copy the primary's cluster, and return when the replica streams from it."""
        ...

    def follow(self, here: host.Host, /, fields: Fields, passwords: Mapping[str, str]) -> None:
        """Take over who is the primary, and where WAL is archived: `shared` says both."""
        ...

    def promote(self, here: host.Host, /, unit: str) -> None:
        """Make a replica the primary: a new timeline begins."""
        ...

    def primary(self, here: host.Host, /) -> str:
        """Return the unit whose server takes writes; '' when there is none."""
        ...

    def leave(self, here: host.Host, /) -> None:
        """Stop this unit's server: the unit is going to be removed."""
        ...

    def removed(self, model_uuid: str, unit: str) -> None:
        """Delete what a removed unit has left. Does not block."""
        ...

    # --- Users ------------------------------------------------------------------------------

    def may_log_in(self, here: host.Host, /, passwords: Mapping[str, str]) -> bool:
        """Whether the database knows each of these users that it has by this password."""
        ...

    def set_passwords(self, here: host.Host, /, passwords: Mapping[str, str]) -> None:
        """Change passwords."""
        ...

    def admit(self, here: host.Host, /, clients: Mapping[str, Mapping[str, str]]) -> None:
        """Let these users of databases in, and no other client.

        Args:
            here: the unit that runs the hook.
            clients: by the name of the user: `database` and `password`.
        """
        ...

    def published(self, here: host.Host, /) -> Mapping[str, str]:
        """Return what the model alone needs in the database's relation. Does not block."""
        ...

    # --- The repository -----------------------------------------------------------------------

    def system_id(self, here: host.Host, /) -> int:
        """Return the identifier of this cluster."""
        ...

    def stanzas(self, here: host.Host, /, fields: Fields) -> Mapping[str, int | None]:
        """Return the stanzas of a repository, and the cluster that each was made for."""
        ...

    def create_stanza(self, here: host.Host, /, fields: Fields) -> None:
        """Make a repository this cluster's own."""
        ...

    def begin_timeline(self, here: host.Host, /, fields: Fields) -> None:
        """Archive the history of a timeline that the cluster has begun."""
        ...

    def listing(self, here: host.Host, /, fields: Fields) -> Listing:
        """Return what is in a repository.

        Raises:
            NotFound: there is no stanza in it.
        """
        ...

    def back_up(
        self, here: host.Host, /, fields: Fields, kind: str, begun: datetime.datetime
    ) -> Made:
        """Make a backup: full, diff or incr.

        Raises:
            Failed: pgBackRest could not.
        """
        ...

    def begin_restore(self, here: host.Host, /, fields: Fields, source: Source) -> str:
        """Begin to replace this cluster; return why that will fail, '' if nothing speaks of it."""
        ...

    def restored(self, here: host.Host, /) -> str | None:
        """Say how the restore has ended: '' when well; None while it goes on.

        When it has ended well, `shared` says on which timeline the cluster is.
        """
        ...


def stanza(here: host.Host) -> str:
    """Return the name of an application's stanza."""
    return f'{here.model_name}.{here.application}'


def point_in_time(text: str) -> datetime.datetime:
    """Read a time as psql writes it; one without an offset is UTC."""
    at = datetime.datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=datetime.UTC)
