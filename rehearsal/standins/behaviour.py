"""How long things take in a stand-in, and what goes wrong: switches, to be set at any time.

All durations are seconds of the model's clock. The defaults suit a rehearsal that somebody
watches; a test winds its virtual clock and does not care.
"""

from __future__ import annotations

import dataclasses

from rehearsal import clock
from rehearsal.standins import host

FOREVER = 365 * 86400.0


@dataclasses.dataclass(frozen=True)
class Fault:
    """What goes wrong in one run of an action."""

    kind: str = ''
    """fail, die (its agent is restarted), hang or nothing (it ends well, but has made nothing);
    empty: all goes well."""
    message: str = ''
    at: str = ''
    """start, middle (something is left behind), or end (all was done). A restore of postgresql may
    also fail while it stops the server, or when it empties the data directory."""

    def strike(self, at: str) -> clock.Work:
        """Go wrong, if this is the moment."""
        if self.at == at and self.kind == 'hang':
            yield FOREVER
        if self.at == at and self.kind == 'die':
            raise host.Died
        if self.at == at and self.kind == 'fail':
            raise host.ActionError(self.message)


@dataclasses.dataclass
class Behaviour:
    """Switches that every stand-in has."""

    hook: float = 0.05
    """How long any hook takes, beside what it does."""
    action: float = 0.05
    """How long any action takes, beside what it does."""
    leave: float = 0.0
    """How long letting go takes: of a unit's place in the cluster, or of the database."""
    blocked: str = ''
    """Units are blocked with this message from their next hook on."""
    faults: dict[str, list[Fault]] = dataclasses.field(default_factory=dict)
    """By action: what goes wrong in its next runs, in this order."""

    def fail_next(self, action: str, message: str = 'it failed', at: str = 'start') -> None:
        """Let the next run of an action fail, at its start, middle or end."""
        self.faults.setdefault(action, []).append(Fault('fail', message, at))

    def hang_next(self, action: str, at: str = 'middle') -> None:
        """Let the next run of an action never end."""
        self.faults.setdefault(action, []).append(Fault('hang', at=at))

    def die_next(self, action: str, at: str = 'middle') -> None:
        """Let the agent restart in the next run of an action: its status stays as it is."""
        self.faults.setdefault(action, []).append(Fault('die', at=at))

    def make_nothing_next(self, action: str) -> None:
        """Let the next run of an action end well without having done anything."""
        self.faults.setdefault(action, []).append(Fault('nothing'))

    def take(self, action: str) -> Fault:
        """Return what goes wrong in the run that begins now."""
        waiting = self.faults.get(action)
        return waiting.pop(0) if waiting else Fault()

    def set(self, name: str, value: str) -> None:
        """Set a switch by its name, as the command line does.

        Raises:
            ValueError: there is no such switch, or this is no value for it.
        """
        kinds = {field.name for field in dataclasses.fields(self)} - {'faults'}
        if name not in kinds:
            raise ValueError(f'no switch {name!r}; there are {", ".join(sorted(kinds))}')
        old = getattr(self, name)
        if isinstance(old, bool):
            new: object = {'true': True, 'false': False}.get(value.lower())
            if new is None:
                raise ValueError(f'{name} is true or false, not {value!r}')
        else:
            new = type(old)(value)
        setattr(self, name, new)


@dataclasses.dataclass
class PostgresqlBehaviour(Behaviour):
    """Switches of postgresql."""

    install: float = 1.0
    join: float = 3.0
    """A new replica's copying of the database."""
    remove: float = 1.0
    """The leader's taking of a departed member out of the cluster."""
    failover: float = 2.0
    stanza: float = 1.0
    """Initialising the stanza after S3 was related, or has changed."""
    backup: float = 4.0
    restore: float = 4.0
    """A restore, which goes on after its action and ends unnoticed until the charm looks."""
    version: str = '16.9'
    track: str = '16'
    """Set before deploying; the option `system-users` is not there in track 14."""
    stuck_replica: bool = False
    """New replicas never catch up, until this is false again."""
    no_primary: bool = False
    """Patroni does not answer."""
    standby: bool = False
    """It is a standby cluster of another one."""
    replicates: bool = False
    """It has a relation of asynchronous replication."""
    bundle: bool = False
    """pgBackRest puts small files into bundles."""


@dataclasses.dataclass
class MaasBehaviour(Behaviour):
    """Switches of maas-region."""

    gone: tuple[str, ...] = ()
    """System ids of regions that are gone, and that nobody has deleted in MAAS."""

    install: float = 1.0
    initialise: float = 1.0
    """A region's (re-)initialisation, in which MAAS restarts."""
    backup: float = 4.0
    restore: float = 4.0
    """One region's restore."""
    listing: float = 0.1
    """What reading one backup of the list takes, which a restore does with every one."""
    version: str = '3.6.1'
    api_url: str = ''
    """Where MAAS' API is served; empty where nobody serves it."""
    strips_ids: bool = False
    """A revision before 333, which strips from an id whatever letters and digits the path has."""
    revision: int = 337
    """Set before deploying; `get-maas-status` is there from 337 on."""
