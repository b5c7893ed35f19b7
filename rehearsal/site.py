"""Charmed MAAS as its Terraform modules deploy it, out of stand-ins, in a model."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal import clock, contents, memory_store, model
from rehearsal.deployed import S3, Below, Deployed, Site
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
    below: Below | None = None,
    detachable_storage: bool = True,
) -> Site:
    """Deploy charmed MAAS with its two S3 integrators. `settle` waits until it is up.

    Without `store_for`, S3 is in memory; without `below`, databases and files are modelled.
    Without `detachable_storage` it lies in the root file systems, and is deleted with its units.
    """
    stores = store_for or memory_store.MemoryS3(juju.clock.now).store_for
    maas = maas_region.MaasRegion(maas_switches, below.maas if below else None)
    database = postgresql.Postgresql(postgresql_switches, below.postgresql if below else None)
    places = _machines(juju, regions, postgresql_units)

    def deploy(name: str, charm: stand_in.StandIn, units: int) -> Deployed:
        hosted = agent.StandInAgent(juju, charm, stores)
        juju.deploy(
            name,
            charm.charm,
            hosted,
            units,
            machines=places[name],
            persistent_storage=detachable_storage,
        )
        return Deployed(juju, name, charm.peers, charm.behaviour)

    site = Site(
        juju,
        deploy(MAAS, maas, regions),
        deploy(POSTGRESQL, database, postgresql_units),
        deploy(S3_MAAS, s3_integrator.S3Integrator(s3_track), 1),
        deploy(S3_POSTGRESQL, s3_integrator.S3Integrator(s3_track), 1),
        maas.behaviour,
        database.behaviour,
        S3(
            stores,
            s3_track,
            maas_connection or connection('maas'),
            postgresql_connection or connection('postgresql'),
        ),
        below.contents if below else contents.Modelled(),
        below,
    )
    _connect(site.s3_maas, s3_track, site.s3.maas)
    _connect(site.s3_postgresql, s3_track, site.s3.postgresql)
    juju.integrate(f'{MAAS}:{maas_region.DATABASE}', f'{POSTGRESQL}:{postgresql.DATABASE}')
    for name, integrator in ((MAAS, S3_MAAS), (POSTGRESQL, S3_POSTGRESQL)):
        juju.integrate(
            f'{name}:{s3_parameters.ENDPOINT}', f'{integrator}:{s3_integrator.ENDPOINT}'
        )
    site.contents.begin(site)
    return site


def deploy_afresh(
    juju: model.Model,
    lost: Site,
    *,
    regions: int = 0,
    postgresql_units: int = 0,
    postgresql_connection: Mapping[str, str] | None = None,
) -> Site:
    """Deploy in a new model what another one had: with its S3, its switches, and as many units.

    Args:
        juju: the new model.
        lost: what was in the other one.
        regions: another number of units of maas-region.
        postgresql_units: another number of units of postgresql.
        postgresql_connection: another bucket and path of postgresql.
    """
    return deploy_site(
        juju,
        regions=regions or len(lost.maas.application.units),
        postgresql_units=postgresql_units or len(lost.postgresql.application.units),
        s3_track=lost.s3.track,
        store_for=lost.s3.stores,
        maas_connection=lost.s3.maas,
        postgresql_connection=postgresql_connection or lost.s3.postgresql,
        maas_switches=lost.maas_switches,
        postgresql_switches=lost.postgresql_switches,
        below=lost.below,
        detachable_storage=lost.postgresql.application.persistent_storage,
    )


def lose(juju: model.Model) -> None:
    """Let all machines of a model go at once: nothing in it runs any more. S3 stays."""
    for unit in juju.units.values():
        if unit.work is not None:
            unit.work.stop()
        juju.set_agent_status(unit, 'lost')


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
    options = {key: value for key, value in fields.items() if key not in _KEYS}
    if 'tls-ca-chain' in options:
        options['tls-ca-chain'] = base64.b64encode(options['tls-ca-chain'].encode()).decode()
    juju.set_config(name, options)
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
