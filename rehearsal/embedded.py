"""The embedded model: charmed MAAS, the coordinator, the controller and S3, on one machine.

Everything but the charm's own processes and the S3 server runs in this process, on one event
loop in a thread of its own. From outside it looks like a controller: `operator` speaks to it as
any client would.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import os
import pathlib
import queue
import secrets
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any, Self, TypeVar

import pyrage

from coordinator import ports
from coordinator.juju_api import connection
from coordinator.juju_api import model as juju_model
from rehearsal import (
    client_data,
    cloud,
    contents,
    deployed,
    hosted,
    model,
    private,
    records,
    s3_server,
    site,
    tls,
)
from rehearsal.agent import charm_agent
from rehearsal.controller import faults, server
from rehearsal.maas import server as maas_server
from rehearsal.real import machines
from rehearsal.standins import behaviour

APP = 'maas-backup-coordinator'
SOURCE = pathlib.Path(__file__).resolve().parents[1]
BUCKETS = {'maas': 'maas-backups', 'postgresql': 'postgresql-backups'}
THROWAWAY = 'maas-rehearsal'
"""The throw-away model, and the path and bucket of its PostgreSQL."""
VERSIONS = {'3.6': '3.6.26', '4.0': '4.0.15'}
_OPERATOR = cloud.OPERATOR
_ROBOT = 'backup-bot'
_MODEL = 'maas'
_T = TypeVar('_T')
_Turned = tuple[model.Model, server.Controller, deployed.Site, charm_agent.CharmAgent]
"""What of an embedded model is of one Juju model."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is deployed, and on which Juju."""

    version: str = '3.6.26'
    regions: int = 3
    postgresql_units: int = 3
    coordinators: int = 1
    strategy: str = 'scale-down'
    s3_track: int = 1
    detachable_storage: bool = True
    """Whether PostgreSQL's storage outlives its units; in the root file system it does not."""
    update_status_seconds: float = 300.0
    maas_key: bool = False
    """Whether the coordinator has an API key of MAAS."""
    real_postgresql: bool = False
    """PostgreSQL and pgBackRest of this machine below the stand-ins, and S3 over TLS."""


class Embedded:
    """A running embedded model. As a context manager it runs within.

    `model`, `site`, `agent` and `controller` live on the loop: touch them through `call`.
    """

    def __init__(
        self,
        root: pathlib.Path,
        layout: Layout | None = None,
        maas: behaviour.MaasBehaviour | None = None,
        postgresql: behaviour.PostgresqlBehaviour | None = None,
    ):
        self.root = root
        self.layout = layout or Layout()
        self.maas = maas or behaviour.MaasBehaviour()
        self.postgresql = postgresql or behaviour.PostgresqlBehaviour()
        self.machines = self._real_machines()
        self.s3 = s3_server.S3Server(secure=self.layout.real_postgresql)
        self.identity = pyrage.x25519.Identity.generate()
        """The age identity whose recipient the coordinator is configured with."""
        self.authority = tls.Authority()
        self.faults = faults.Faults()
        self.cloud = cloud.Cloud(
            root, self.layout.version, authority=self.authority, switches=self.faults
        )
        self.passwords = {name: secrets.token_urlsafe(16) for name in (_OPERATOR, _ROBOT)}
        self.maas_key = ':'.join(secrets.token_hex(9) for _ in range(3))
        """An API key of MAAS' first user."""
        self.fresh_key = ':'.join(secrets.token_hex(9) for _ in range(3))
        """An API key of the empty MAAS of a throw-away model."""
        self.api = maas_server.MaasServer(self._served)
        self._fresh_api = maas_server.MaasServer(self._served_beside)
        self._beside: _Turned
        self.thread = hosted.LoopThread()
        self.model: model.Model
        self.site: deployed.Site
        self.agent: charm_agent.CharmAgent
        self.controller: server.Controller
        self._connection_file: pathlib.Path | None = None

    def _real_machines(self) -> machines.Machines | None:
        if not self.layout.real_postgresql:
            return None
        found = machines.Machines(self.root)
        self.postgresql.version = found.programs.version
        return found

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()

    # --- Up and down -----------------------------------------------------------------------

    def start(self) -> None:
        """Bring everything up; `settle` waits until it has come to rest."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.thread.start()
        self.cloud.add_user(_ROBOT)
        for name, password in self.passwords.items():
            self.cloud.set_password(name, password)
        self.api.start()
        self.maas.api_url = self.api.url
        self.s3.start()
        for bucket in BUCKETS.values():
            self.s3.create_bucket(bucket)
        self.thread.run(self._deploy())
        if self.layout.maas_key:
            # A model that is deployed afresh has a MAAS that does not know it.
            self.call(self.model.on_change.append, self._let_in)

    def deploy_afresh(self) -> None:
        """Lose the model with all its machines, and deploy another one: S3 is what is left."""
        self.thread.run(self.lose_and_deploy_afresh())

    async def lose_and_deploy_afresh(self) -> None:
        """Do so, on the model's thread."""
        await self.cloud.destroy_model(_MODEL)
        lost = self.site
        if self.machines is not None:
            await asyncio.to_thread(self.machines.lose, self.model.uuid)
        await self._deploy(lost)
        if self._connection_file is not None:
            self.write_connection_file(self._connection_file)

    # --- A throw-away model beside the site ----------------------------------------------------

    def deploy_throwaway(self) -> None:
        """Deploy a throw-away model beside the site; `in_throwaway` turns to it.

        Its MAAS will be empty, PostgreSQL has one unit and a bucket of its own.
        """
        self.s3.create_bucket(THROWAWAY)
        self._fresh_api.start()
        lives = self._turned_to
        try:
            self.thread.run(self._deploy_throwaway(self.site))
        finally:
            self._beside, self._turned_to = self._turned_to, lives

    async def _deploy_throwaway(self, lives: deployed.Site) -> None:
        made = await self._host(THROWAWAY)
        own = {**lives.s3.postgresql, 'bucket': THROWAWAY, 'path': THROWAWAY}
        self.site = site.deploy_afresh(
            self.model, lives, postgresql_units=1, postgresql_connection=own
        )
        self.agent = await made.new_agent(SOURCE)
        self._deploy_coordinator()

    @contextlib.contextmanager
    def in_throwaway(self) -> Generator[None]:
        """Turn to the throw-away model: within, all that this offers is of it. Both run on."""
        lives, self._turned_to = self._turned_to, self._beside
        try:
            yield
        finally:
            self._turned_to = lives

    @property
    def _turned_to(self) -> _Turned:
        return self.model, self.controller, self.site, self.agent

    @_turned_to.setter
    def _turned_to(self, turned: _Turned) -> None:
        self.model, self.controller, self.site, self.agent = turned

    def empty_maas(self) -> None:
        """Have MAAS have no machines, and know the key of a fresh one. On the model's thread."""
        for machine in contents.MACHINES:
            self.site.api.remove_machine(machine)
        self.site.api.add_key(self.fresh_key)

    def destroy_throwaway(self) -> None:
        """End the throw-away model."""
        self.thread.run(self.cloud.destroy_model(THROWAWAY))

    def _served_beside(self) -> records.Records:
        return self.call(lambda: self._beside[2].api.served())()

    def stop(self) -> None:
        """Take everything down; logs stay."""
        try:
            self.thread.run(self.cloud.stop())
        finally:
            self.thread.stop()
            self.api.stop()
            self._fresh_api.stop()
            if self.machines is not None:
                self.machines.close()
            self.s3.stop()

    def _served(self) -> records.Records:
        """Return what MAAS' database says now: on a thread of the server's."""
        return self.call(lambda: self.site.api.served())()

    def _let_in(self) -> None:
        """Have MAAS know the coordinator's API key as soon as it is up."""
        try:
            self.site.api.served()
        except (records.Initialising, records.Silent):
            return
        self.model.on_change.remove(self._let_in)
        self.site.api.add_key(self.maas_key)

    async def _deploy(self, lost: deployed.Site | None = None) -> None:
        made = await self._host(_MODEL)
        self.site = site.deploy_afresh(self.model, lost) if lost else self._deploy_site()
        self.agent = await made.new_agent(SOURCE)
        self._deploy_coordinator()

    async def _host(self, name: str) -> cloud.Hosted:
        """Add a model, and turn to it."""
        made = await self.cloud.add_model(name)
        self.model, self.controller = made.juju, made.controller
        self.model.users[_ROBOT].model_access = 'admin'
        self.model.update_status_interval = self.layout.update_status_seconds
        return made

    def _deploy_site(self) -> deployed.Site:
        return site.deploy_site(
            self.model,
            regions=self.layout.regions,
            postgresql_units=self.layout.postgresql_units,
            s3_track=self.layout.s3_track,
            store_for=self.store_for,
            maas_connection=self.s3.connection(BUCKETS['maas'], 'maas'),
            postgresql_connection=self.s3.connection(BUCKETS['postgresql'], 'postgresql'),
            maas_switches=self.maas,
            postgresql_switches=self.postgresql,
            below=self.machines.below if self.machines else None,
            detachable_storage=self.layout.detachable_storage,
        )

    def _deploy_coordinator(self) -> None:
        juju = self.model
        login = {'username': _ROBOT, 'password': self.passwords[_ROBOT]}
        secret = juju.add_secret(f'model-{juju.uuid}', login, 'coordinator-login')
        self.deploy_coordinator(secret)

    def deploy_coordinator(self, secret: model.Secret) -> None:
        """Deploy the coordinator and relate it; `secret` has its login. On the model's thread."""
        juju = self.model
        secret.grants.add(APP)
        config = {
            'juju-credentials': secret.uri,
            'recipients': str(self.identity.to_public()),
            'postgresql-backup-strategy': self.layout.strategy,
        }
        if self.layout.maas_key:
            content = {'api-key': self.maas_key}
            if juju.name == THROWAWAY:
                content |= {'fresh-api-key': self.fresh_key, 'endpoint': self._fresh_api.url}
            key = juju.add_secret(f'model-{juju.uuid}', content, 'maas-key')
            key.grants.add(APP)
            config['maas-api-key'] = key.uri
        juju.deploy(APP, self.agent.charm, self.agent, self.layout.coordinators, config)
        juju.integrate(f'{APP}:maas-region', f'{site.MAAS}:juju-info')
        juju.integrate(f'{APP}:postgresql', f'{site.POSTGRESQL}:juju-info')
        juju.integrate(f'{APP}:s3-maas', f'{site.S3_MAAS}:s3-credentials')
        juju.integrate(f'{APP}:s3-postgresql', f'{site.S3_POSTGRESQL}:s3-credentials')

    @property
    def logs(self) -> pathlib.Path:
        """Folder with the logs of this model's units."""
        return self.cloud.models[self.model.name].place / 'logs'

    # --- From other threads ------------------------------------------------------------------

    def call(self, function: Callable[..., _T], *args: Any) -> _T:
        """Call a function on the model's thread."""
        return self.thread.call(function, *args)

    def until(self, reached: Callable[[], _T], seconds: float = 60.0) -> _T:
        """Wait until something on the model is so; return what `reached` returned.

        It is looked at on the model's thread, whenever the model changes.

        Raises:
            TimeoutError: it did not come to that; says how the units are.
        """
        changes: queue.SimpleQueue[None] = queue.SimpleQueue()

        def listen() -> None:
            changes.put(None)

        end = time.monotonic() + seconds
        self.call(self.model.on_change.append, listen)
        try:
            while not (found := self.call(reached)):
                try:
                    changes.get(timeout=max(min(end - time.monotonic(), 1.0), 0.01))
                except queue.Empty:
                    if time.monotonic() > end:
                        raise TimeoutError(
                            f'not so after {seconds} s; units: {self.call(self._units)}'
                        ) from None
        finally:
            self.call(self.model.on_change.remove, listen)
        return found

    def _units(self) -> str:
        return '; '.join(
            f'{unit.name} {unit.workload.current} ({unit.workload.message}) {unit.agent.current}'
            for unit in self.model.units.values()
        )

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until every unit is active and idle."""
        self.until(lambda: not site.unsettled(self.model), seconds)

    def run_action(
        self, unit: str, action: str, seconds: float = 60.0, **parameters: Any
    ) -> model.Task:
        """Run an action as `juju run` does, and wait for its end.

        Args:
            unit: `app/0`, or `app/leader`.
            action: its name.
            seconds: how long to wait.
            parameters: with underscores for hyphens.
        """
        given = {key.replace('_', '-'): value for key, value in parameters.items()}

        def enqueue() -> model.Task:
            name = unit
            if unit.endswith('/leader'):
                name = self.model.application(unit.removesuffix('/leader')).leader or ''
            spec = self.model.unit(name).application.charm.actions[action]
            defaults = {k: p['default'] for k, p in spec.params.items() if 'default' in p}
            call = (name, action, defaults | given, spec.parallel, spec.execution_group)
            return self.model.enqueue([call]).tasks[0]

        task = self.call(enqueue)
        self.until(lambda: task.ended, seconds)
        return task

    def operation(self) -> dict[str, Any]:
        """Return the coordinator's record as it stands in the peer databag; {} without one."""
        return json.loads(self.call(lambda: self.peers.app_data[APP].get('operation', '{}')))

    @property
    def peers(self) -> model.Relation:
        """The coordinator's peer relation."""
        return next(r for r in self.model.relations.values() if r.peer and APP in r.endpoints)

    # --- Outside doors -------------------------------------------------------------------------

    def store_for(self, fields: Mapping[str, str]) -> ports.ObjectStore:
        """Return the store that the fields of an s3 relation lead to."""
        return self.cloud.stores(fields)

    @property
    def maas_store(self) -> ports.ObjectStore:
        """The repository."""
        return self.store_for(self.s3.connection(BUCKETS['maas'], 'maas'))

    def endpoint(self, user: str = _OPERATOR) -> connection.Endpoint:
        """Return how a client reaches the controller as a user."""
        return connection.Endpoint(
            addresses=tuple(self.controller.addresses),
            ca_cert=self.authority.ca_pem,
            model_uuid=self.model.uuid,
            username=user,
            password=self.passwords[user],
        )

    def operator(self) -> juju_model.JujuApi:
        """Return a client of the controller, logged in as the operator."""
        return juju_model.JujuApi(self.endpoint())

    def write_connection_file(self, path: pathlib.Path) -> None:
        """Write what any client needs to connect, for its owner's eyes only.

        Beside it, `juju-client` becomes a data directory for a real `juju` client.
        """
        content = {
            'pid': os.getpid(),
            'juju': self.layout.version,
            'endpoint': self.controller.addresses[0],
            'ca-cert': self.authority.ca_pem,
            'model': self.model.name,
            'model-uuid': self.model.uuid,
            'user': _OPERATOR,
            'password': self.passwords[_OPERATOR],
            's3': {name: self.s3.connection(bucket, name) for name, bucket in BUCKETS.items()},
            'age-identity': str(self.identity),
            'logs': str(self.logs),
            'control': str(self.root / 'control.sock'),
            'juju-data': str(self._write_client_data(path.with_name('juju-client'))),
        }
        self._connection_file = path
        private.write(path, json.dumps(content, indent=2) + '\n')

    def _write_client_data(self, folder: pathlib.Path) -> pathlib.Path:
        client_data.write(
            folder,
            client_data.Known(
                addresses=tuple(self.controller.addresses),
                ca_pem=self.authority.ca_pem,
                controller_uuid=self.controller.uuid,
                version=self.layout.version,
                model=self.model.name,
                model_uuid=self.model.uuid,
                user=_OPERATOR,
                password=self.passwords[_OPERATOR],
            ),
        )
        return folder
