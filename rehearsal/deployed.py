"""A deployed charmed MAAS: what its stand-ins remember, and what befalls it from outside."""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from rehearsal import model, records
from rehearsal.standins import agent, behaviour, body, installation, system_users

_SYNCS = 'syncs'
"""What of a modelled database says which region has which image."""


@dataclasses.dataclass
class Deployed:
    """One application of the site. `state` and `states` are copies; `update` changes them."""

    juju: model.Model
    name: str
    peers: str
    switches: behaviour.Behaviour

    @property
    def application(self) -> model.Application:
        return self.juju.application(self.name)

    @property
    def leader(self) -> str:
        """Name of the leading unit."""
        return self.application.leader or ''

    @property
    def state(self) -> dict[str, Any]:
        """What the application's stand-ins share."""
        return agent.decoded(self._peer.app_data[self.name])

    @property
    def states(self) -> dict[str, dict[str, Any]]:
        """What each unit keeps of itself."""
        return {name: agent.decoded(bag) for name, bag in self._peer.unit_data.items()}

    @property
    def _peer(self) -> model.Relation:
        return agent.peer_relation(self.juju, self.name, self.peers)

    def update(self, **values: Any) -> None:
        """Change what the stand-ins share."""
        written = {key: json.dumps(value) for key, value in values.items()}
        self.juju.set_app_data(self._peer, self.name, written)

    def update_unit(self, unit: str, **values: Any) -> None:
        """Change what one unit keeps of itself."""
        written = {key: json.dumps(value) for key, value in values.items()}
        self.juju.set_unit_data(self._peer, self.juju.unit(unit), written)

    def poke(self) -> None:
        """Have every unit run update-status soon: a switch shows at a unit's next hook."""
        for unit in self.application.units.values():
            self.juju.queue(unit, model.Event(model.Kind.UPDATE_STATUS, 'update-status'))

    def block(self, message: str) -> None:
        """Block every unit with this message; an empty one ends that."""
        self.switches.blocked = message
        self.poke()


@dataclasses.dataclass(frozen=True)
class S3:
    """How a site reaches S3."""

    stores: agent.StoreFor
    track: int
    maas: Mapping[str, str]
    postgresql: Mapping[str, str]


class Contents(Protocol):
    """What MAAS holds, in its database and in files, modelled or real."""

    def begin(self, site: Site) -> None:
        """Give a site that was just deployed what it has from the start."""
        ...

    def database(self, site: Site) -> dict[str, Any]:
        """Return what the database holds, as plain data."""
        ...

    def files(self, site: Site, unit: str) -> dict[str, Any]:
        """Return what files a region has, as plain data by kind."""
        ...

    def add_machine(self, site: Site, name: str) -> None:
        """Let MAAS commission one more machine."""
        ...

    def add_image(self, site: Site, name: str) -> None:
        """Upload an image: into the database, and to the files of every region."""
        ...

    def api(self, site: Site) -> records.Api:
        """Return what MAAS' API tells of the site."""
        ...


@dataclasses.dataclass(frozen=True)
class Below:
    """What the stand-ins stand upon, when that is not modelled in their own state."""

    postgresql: body.Body
    maas: installation.Installation
    contents: Contents


@dataclasses.dataclass
class Site:
    """A deployed charmed MAAS."""

    juju: model.Model
    maas: Deployed
    postgresql: Deployed
    s3_maas: Deployed
    s3_postgresql: Deployed
    maas_switches: behaviour.MaasBehaviour
    postgresql_switches: behaviour.PostgresqlBehaviour
    s3: S3
    contents: Contents
    below: Below | None = None

    @property
    def maas_restarts(self) -> int:
        """How often regions were (re-)initialised so far: once each in a deployment."""
        return sum(state.get('restarts', 0) for state in self.maas.states.values())

    @property
    def passwords(self) -> Mapping[str, str]:
        """PostgreSQL's passwords, for those who look for them where they must not be."""
        label = f'{system_users.PEERS}.{self.postgresql.name}.app'
        return next(s.content for s in self.juju.secrets.values() if s.label == label)

    @property
    def database(self) -> dict[str, Any]:
        """What MAAS's database holds."""
        return self.contents.database(self)

    def fingerprint(self) -> dict[str, Any]:
        """Return everything that a restore must bring back, as plain data to compare.

        Which unit has which controller id does not matter, so regions go by that.
        """
        regions = {
            state['system-id']: self.contents.files(self, unit)
            for unit, state in self.maas.states.items()
        }
        names = [f'{user}-password' for user in (*system_users.USERS, 'backup')]
        passwords = {
            name: hashlib.sha256(self.passwords[name].encode()).hexdigest()
            for name in names
            if name in self.passwords
        }
        return {
            # Regions find out by themselves which images they have.
            'database': {k: v for k, v in self.database.items() if k != _SYNCS},
            'controllers': sorted(regions),
            'regions': regions,
            'passwords': passwords,
        }

    @property
    def maas_downtime(self) -> dict[str, float]:
        """How many seconds each region was down since it first was up, until now."""
        now = self.juju.clock.now()
        seconds: dict[str, float] = {}
        for unit, state in self.maas.states.items():
            seconds[unit] = state.get('downtime', 0.0)
            if 'down-since' in state:
                since = datetime.datetime.fromisoformat(state['down-since'])
                seconds[unit] += (now - since).total_seconds()
        return seconds

    def add_machine(self, name: str) -> None:
        """Let MAAS commission one more machine."""
        self.contents.add_machine(self, name)

    def add_image(self, name: str) -> None:
        """Upload an image: into the database, and to the files of every region."""
        self.contents.add_image(self, name)

    @property
    def api(self) -> records.Api:
        """MAAS, as its API tells of it."""
        return self.contents.api(self)
