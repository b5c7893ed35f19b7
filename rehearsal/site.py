"""Charmed MAAS as its Terraform modules deploy it, out of stand-ins, in a model."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal import clock, memory_store, model
from rehearsal.standins import (
    agent,
    behaviour,
    maas_region,
    postgresql,
    s3_integrator,
    s3_parameters,
    stand_in,
)

MAAS = 'maas-region'
POSTGRESQL = 'postgresql'
S3_MAAS = 's3-integrator-maas'
S3_POSTGRESQL = 's3-integrator-postgresql'
MACHINES = ('able-ant', 'brave-bee', 'calm-cat')
_KEYS = s3_integrator.KEYS


def connection(name: str) -> dict[str, str]:
    """Return the fields of a connection to a bucket of an S3 server in memory."""
    return {
        'endpoint': 'http://memory.invalid',
        'bucket': f'{name}-backups',
        'region': 'us-east-1',
        'path': name,
        's3-uri-style': 'path',
        'access-key': 'rehearsal-access-key',
        'secret-key': 'rehearsal-secret-key',
    }


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

    @property
    def maas_restarts(self) -> int:
        """How often regions were (re-)initialised so far: once each in a deployment."""
        return sum(state.get('restarts', 0) for state in self.maas.states.values())

    @property
    def passwords(self) -> Mapping[str, str]:
        """PostgreSQL's passwords, for those who look for them where they must not be."""
        label = f'{postgresql.PEERS}.{POSTGRESQL}.app'
        return next(s.content for s in self.juju.secrets.values() if s.label == label)

    @property
    def database(self) -> dict[str, Any]:
        """What MAAS's database holds."""
        return self.postgresql.state.get('database', {})

    def add_machine(self, name: str) -> None:
        """Let MAAS commission one more machine."""
        self.postgresql.update(
            database={**self.database, 'machines': [*self.database['machines'], name]}
        )

    def add_image(self, name: str) -> None:
        """Upload an image: into the database, and to the files of every region."""
        self.postgresql.update(
            database={**self.database, 'images': [*self.database['images'], name]}
        )
        for unit, state in self.maas.states.items():
            self.maas.update_unit(unit, images=[*state['images'], name])


def deploy_site(
    juju: model.Model,
    *,
    regions: int = 3,
    postgresql_units: int = 3,
    s3_track: int = 1,
    store_for: agent.StoreFor | None = None,
    maas_connection: Mapping[str, str] | None = None,
    postgresql_connection: Mapping[str, str] | None = None,
    maas_switches: behaviour.MaasBehaviour | None = None,
    postgresql_switches: behaviour.PostgresqlBehaviour | None = None,
) -> Site:
    """Deploy charmed MAAS with its two S3 integrators. `settle` waits until it is up.

    Without `store_for`, S3 is in memory.
    """
    stores = store_for or memory_store.MemoryS3(juju.clock.now).store_for
    maas = maas_region.MaasRegion(maas_switches)
    database = postgresql.Postgresql(postgresql_switches)
    places = _machines(juju, regions, postgresql_units)

    def deploy(name: str, charm: stand_in.StandIn, units: int) -> Deployed:
        hosted = agent.StandInAgent(juju, charm, stores)
        juju.deploy(name, charm.charm, hosted, units, machines=places[name])
        return Deployed(juju, name, charm.peers, charm.behaviour)

    site = Site(
        juju,
        deploy(MAAS, maas, regions),
        deploy(POSTGRESQL, database, postgresql_units),
        deploy(S3_MAAS, s3_integrator.S3Integrator(s3_track), 1),
        deploy(S3_POSTGRESQL, s3_integrator.S3Integrator(s3_track), 1),
        maas.behaviour,
        database.behaviour,
    )
    _connect(site.s3_maas, s3_track, maas_connection or connection('maas'))
    _connect(site.s3_postgresql, s3_track, postgresql_connection or connection('postgresql'))
    juju.integrate(f'{MAAS}:{maas_region.DATABASE}', f'{POSTGRESQL}:{postgresql.DATABASE}')
    for name, integrator in ((MAAS, S3_MAAS), (POSTGRESQL, S3_POSTGRESQL)):
        juju.integrate(
            f'{name}:{s3_parameters.ENDPOINT}', f'{integrator}:{s3_integrator.ENDPOINT}'
        )
    site.postgresql.update(
        database={
            'machines': list(MACHINES),
            'images': list(maas_region.IMAGES),
            'controllers': [
                maas_region.system_id(juju.uuid, unit) for unit in site.maas.application.units
            ],
        }
    )
    return site


def _machines(juju: model.Model, regions: int, databases: int) -> dict[str, list[str]]:
    """Add machines in Terraform's order: the first of each kind, then those for scale."""
    first, second, third = (juju.add_machine().id for _ in range(3))
    return {
        MAAS: [first, *(juju.add_machine().id for _ in range(regions - 1))],
        POSTGRESQL: [second, *(juju.add_machine().id for _ in range(databases - 1))],
        S3_MAAS: [third],
        S3_POSTGRESQL: [third],
    }


def _connect(integrator: Deployed, track: int, fields: Mapping[str, str]) -> None:
    """Configure an integrator, and give it the keys in the way of its track."""
    juju, name = integrator.juju, integrator.name
    juju.set_config(name, {key: value for key, value in fields.items() if key not in _KEYS})
    keys = {key: fields[key] for key in _KEYS}
    if track == 1:
        juju.enqueue([(integrator.leader, 'sync-s3-credentials', keys, False, '')])
    else:
        secret = juju.add_secret(f'model-{juju.uuid}', keys, f'{name}-keys')
        secret.grants.add(name)
        juju.set_config(name, {'credentials': secret.uri})


def unsettled(juju: model.Model, workloads: Sequence[str] = ('active',)) -> list[str]:
    """Return what each unit still does, or is, that a settled one does not, or is not."""
    busy: list[str] = []
    for unit in juju.units.values():
        if unit.queue or unit.running or unit.agent.current != 'idle' or unit.life != 'alive':
            busy.append(f'{unit.name}: {unit.agent.current} {unit.agent.message}')
        elif unit.workload.current not in workloads:
            busy.append(f'{unit.name}: {unit.workload.current} {unit.workload.message}')
    return busy


def settle(
    juju: model.Model, workloads: Sequence[str] = ('active',), limit: float = 3600.0
) -> None:
    """Wind the virtual clock on until every unit is idle and its workload one of `workloads`.

    Raises:
        TimeoutError: that took longer than `limit` seconds of the model's time.
    """
    virtual = _virtual(juju)
    end = virtual.now().timestamp() + limit
    virtual.advance(0)
    while busy := unsettled(juju, workloads):
        if virtual.now().timestamp() > end:
            raise TimeoutError(f'not settled after {limit} s: {"; ".join(busy)}')
        virtual.advance(1)


def run_action(
    juju: model.Model,
    unit: str,
    action: str,
    parameters: Mapping[str, Any] | None = None,
    limit: float = 3600.0,
) -> model.Task:
    """Run an action and wind the virtual clock on until it has ended.

    Raises:
        TimeoutError: that took longer than `limit` seconds of the model's time.
    """
    virtual = _virtual(juju)
    task = juju.enqueue([(unit, action, parameters or {}, False, '')]).tasks[0]
    end = virtual.now().timestamp() + limit
    while not task.ended:
        if virtual.now().timestamp() > end:
            raise TimeoutError(f'{action} on {unit} is {task.status} after {limit} s')
        virtual.advance(1)
    return task


def _virtual(juju: model.Model) -> clock.VirtualClock:
    if not isinstance(juju.clock, clock.VirtualClock):
        raise TypeError('only a virtual clock can be wound on')
    return juju.clock
