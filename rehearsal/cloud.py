"""A controller whose models come and go: what the `juju` command of a rehearsal speaks to."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

from coordinator import ports
from coordinator.s3 import object_store
from rehearsal import clock, model, tls
from rehearsal.agent import charm_agent, charm_files, home
from rehearsal.controller import faults, server
from rehearsal.standins import agent, s3_parameters
from rehearsal.thin_charm import charm

OPERATOR = 'admin'
"""The user whom the `juju` command is logged in as."""


class Stores:
    """S3 clients by the fields of the s3 relation that they were made for."""

    def __init__(self) -> None:
        self._made: dict[str, object_store.S3Store] = {}

    def __call__(self, fields: Mapping[str, str]) -> ports.ObjectStore:
        """Return the store that the fields of an s3 relation lead to."""
        key = json.dumps(fields, sort_keys=True)
        if key not in self._made:
            info = {**fields, 'tls-ca-chain': s3_parameters.chain(fields)}
            self._made[key] = object_store.S3Store(
                object_store.Connection.from_relation('rehearsal', info)
            )
        return self._made[key]

    def close(self) -> None:
        """Close all connections."""
        for store in self._made.values():
            store.close()


class SwitchedAgent(agent.StandInAgent):
    """Hosts a stand-in in this process; its switches are an option, as those of its charm."""

    def run(self, unit: model.Unit, event: model.Event) -> clock.Work:
        charm.set_switches(self._charm, unit.application.settings)
        yield from super().run(unit, event)


@dataclasses.dataclass(eq=False)
class Hosted:
    """A model, its controller's door, and the folder of its units."""

    juju: model.Model
    controller: server.Controller
    place: pathlib.Path
    ca_pem: str
    stores: Stores
    agents: list[charm_agent.CharmAgent] = dataclasses.field(
        default_factory=list[charm_agent.CharmAgent]
    )

    async def new_agent(
        self, charm_dir: pathlib.Path, place: pathlib.Path | None = None
    ) -> charm_agent.CharmAgent:
        """Return the agent of an application that is about to be deployed."""
        reached = home.Controller(self.ca_pem, tuple(self.controller.addresses))
        made = charm_agent.CharmAgent(self.juju, charm_dir, place or self.place, reached)
        await made.start()
        self.agents.append(made)
        return made

    async def deploy(
        self, charm_file: pathlib.Path, name: str, units: int, config: Mapping[str, Any]
    ) -> None:
        """Deploy a packed charm. A stand-in runs in this process, any other charm as itself."""
        if name in self.juju.applications:
            raise model.ModelError(f'application "{name}": already exists', 'already exists')
        source = self._unpacked(charm_file, name)
        spec = charm_files.read_charm(source)
        if charm.SWITCHES in spec.options:
            stood_in = charm.stand_in_of(spec.name, 'credentials' in spec.options)
            self.juju.deploy(name, spec, SwitchedAgent(self.juju, stood_in, self.stores), 0)
        else:
            made = await self.new_agent(source, self.place / name)
            self.juju.deploy(name, made.charm, made, 0)
        try:
            self.juju.set_config(name, config)
        except model.ModelError:
            self.juju.remove_application(name)
            raise
        self.juju.add_units(name, units)

    def refresh(self, name: str, charm_file: pathlib.Path) -> None:
        """Give an application another revision of its charm."""
        runs = self.juju.application(name).agent
        if not isinstance(runs, charm_agent.CharmAgent):
            raise model.ModelError(f'{name} is a stand-in: it has no other revision')
        is_folder = charm_file.is_dir()
        runs.refresh(charm_file if is_folder else self._unpacked(charm_file, name))

    def _unpacked(self, charm_file: pathlib.Path, name: str) -> pathlib.Path:
        number = len(list(self.place.glob(f'charms/{name}-*')))
        source = self.place / 'charms' / f'{name}-{number}'
        with zipfile.ZipFile(charm_file) as archive:
            archive.extractall(source)
        # It would start the charm with packages for another system: the rehearsal has them, too.
        (source / 'dispatch').unlink(missing_ok=True)
        return source

    def logs(self) -> str:
        """Return what the units have logged, one unit after the other."""
        found = sorted({*self.place.glob('logs/*.log'), *self.place.glob('*/logs/*.log')})
        return ''.join(path.read_text() for path in found)

    async def stop(self) -> None:
        """End everything that runs; the folder stays."""
        for running in self.agents:
            await running.stop()
        await self.controller.stop()
        for unit in self.juju.units.values():
            if unit.work is not None:
                unit.work.stop()
            # The model gives nothing more to run to a unit whose agent is lost.
            self.juju.set_agent_status(unit, 'lost')


class Cloud:
    """The controller. It lives on one event loop, and so do its models."""

    def __init__(
        self,
        root: pathlib.Path,
        version: str,
        *,
        authority: tls.Authority | None = None,
        switches: faults.Faults | None = None,
    ):
        self.root = root
        self.version = version
        self.authority = authority or tls.Authority()
        self.faults = switches or faults.Faults()
        self.stores = Stores()
        self.models: dict[str, Hosted] = {}
        """By name."""
        self.accounts = {OPERATOR: model.User(OPERATOR, '', 'admin', 'superuser')}
        """Users by name, as every new model has them: nobody else has access to it."""

    async def add_model(self, name: str) -> Hosted:
        """Add an empty model, and return it."""
        if name in self.models:
            raise model.ModelError(
                f'failed to create new model: model "{name}" already exists', 'already exists'
            )
        place = self.root / f'model-{len(list(self.root.glob("model-*"))) + 1}'
        place.mkdir(parents=True)
        juju = model.Model(name, clock.LoopClock(asyncio.get_running_loop()), self.version)
        juju.users = {known: dataclasses.replace(u) for known, u in self.accounts.items()}
        controller = server.Controller(juju, self.authority, faults=self.faults)
        await controller.start()
        made = Hosted(juju, controller, place, self.authority.ca_pem, self.stores)
        self.models[name] = made
        return made

    async def destroy_model(self, name: str) -> None:
        """End a model, with all that runs in it."""
        await self.models.pop(name).stop()

    def model(self, name: str = '') -> Hosted:
        """Return a model by its name, with or without controller and owner; or the first one."""
        short = name.rpartition(':')[2].rpartition('/')[2] or next(iter(self.models), '')
        if short not in self.models:
            raise model.ModelError(f'model {short} not found', 'not found')
        return self.models[short]

    def add_user(self, name: str) -> None:
        """Add a user, who may log in to the controller and nothing more."""
        if name in self.accounts:
            raise model.ModelError(f'user "{name}" already exists', 'already exists')
        self.accounts[name] = model.User(name, '', '')
        for hosted in self.models.values():
            hosted.juju.users[name] = model.User(name, '', '')

    def set_password(self, name: str, password: str) -> None:
        """Change a user's password."""
        if name not in self.accounts:
            raise model.ModelError(f'user "{name}" not found', 'not found')
        for users in (self.accounts, *(hosted.juju.users for hosted in self.models.values())):
            if name in users:
                users[name].password = password

    async def stop(self) -> None:
        """End all models."""
        for name in tuple(self.models):
            with contextlib.suppress(KeyError):
                await self.destroy_model(name)
        self.stores.close()
