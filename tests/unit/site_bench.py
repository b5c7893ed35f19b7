"""A site with everything in memory, and what tests of the stand-ins do with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from rehearsal import clock, memory_store, model, site
from rehearsal.standins import system_users

POSTGRESQL = site.POSTGRESQL
MAAS = site.MAAS
DATABASE_RELATION = (f'{site.MAAS}:maas-db', f'{site.POSTGRESQL}:database')
ANY = ('active', 'blocked', 'waiting', 'maintenance')


@dataclasses.dataclass
class Bench:
    """A settled site, its S3, and what the tests do with them."""

    juju: model.Model
    s3: memory_store.MemoryS3
    site: site.Site

    @property
    def store(self) -> memory_store.MemoryStore:
        return self.s3.store_for(site.connection('postgresql'))

    @property
    def statuses(self) -> dict[str, str]:
        units = self.site.postgresql.application.units.values()
        return {unit.name: f'{unit.workload.current} {unit.workload.message}' for unit in units}

    def run(
        self, unit: int, action: str, parameters: Mapping[str, Any] | None = None
    ) -> model.Task:
        return site.run_action(self.juju, f'{POSTGRESQL}/{unit}', action, parameters)

    def remove(self, *units: int) -> None:
        for unit in units:
            self.juju.remove_unit(f'{POSTGRESQL}/{unit}')
        site.settle(self.juju)

    def switch(self, **switches: object) -> None:
        """Set switches, and let every unit see them."""
        for name, value in switches.items():
            setattr(self.site.postgresql_switches, name, value)
        self.site.postgresql.poke()
        site.settle(self.juju, ('active', 'blocked', 'waiting'))

    def backups(self) -> list[list[str]]:
        """Return the rows of list-backups."""
        table = self.run(0, 'list-backups').output['backups']
        return [[cell.strip() for cell in line.split('|')] for line in table.splitlines()[5:]]

    def back_up(self) -> str:
        """Back PostgreSQL up, which has one unit, and return the backup's id."""
        task = self.run(0, 'create-backup')
        assert task.status == 'completed', task.message
        # The leader's next hook puts the message `Primary` back.
        self.switch()
        return self.backups()[-1][0]

    def back_up_maas(self) -> str:
        """Back MAAS up and return the backup's id."""
        task = site.run_action(self.juju, self.site.maas.leader, 'create-backup')
        assert task.status == 'completed', task.message
        return task.output['backups'].rpartition(' ')[2]

    def detach(self) -> None:
        """Take MAAS's database away."""
        self.juju.remove_relation(*DATABASE_RELATION)
        self.settle()

    def attach(self) -> None:
        """Give MAAS its database back."""
        self.juju.integrate(*DATABASE_RELATION)
        self.settle()

    def settle(self) -> None:
        """Wait until every unit is idle, whatever its workload is."""
        site.settle(self.juju, ANY)

    def restore(self, backup_id: str) -> None:
        """Restore PostgreSQL, and wait until the charm has noticed that."""
        task = self.run(0, 'restore', {'backup-id': backup_id})
        assert task.status == 'completed', task.message
        self.await_restore()

    def refusal(self, unit: int = 0, **parameters: str) -> str:
        """Return the message with which PostgreSQL refuses a restore."""
        given = {key.replace('_', '-'): value for key, value in parameters.items()}
        task = self.run(unit, 'restore', given)
        assert task.status == 'failed'
        return task.message

    def await_restore(self) -> None:
        """Let the time pass that a restore takes, and the charm look."""
        self.advance(self.site.postgresql_switches.restore + 1)
        self.site.postgresql.poke()
        self.settle()

    def restore_regions(self, backup_id: str, controllers: list[str]) -> list[model.Task]:
        """Restore every region with a controller id of its own."""
        units = sorted(self.site.maas.application.units)
        return [
            site.run_action(
                self.juju,
                unit,
                'restore-backup',
                {'backup-id': backup_id, 'controller-id': controller},
            )
            for unit, controller in zip(units, controllers, strict=True)
        ]

    def give_passwords(self, content: Mapping[str, str], *, granted: bool = True) -> model.Secret:
        """Let PostgreSQL take over passwords, by user, out of a user secret."""
        name = f'passwords-{len(self.juju.secrets)}'
        secret = self.juju.add_secret(f'model-{self.juju.uuid}', content, name)
        if granted:
            secret.grants.add(POSTGRESQL)
        self.juju.set_config(POSTGRESQL, {'system-users': secret.uri})
        self.settle()
        return secret

    def system_passwords(self) -> dict[str, str]:
        """Return the system users' passwords by user, as a secret for `system-users` has them."""
        passwords = self.site.passwords
        return {user: passwords[f'{user}-password'] for user in system_users.USERS}

    def start_afresh(self, units: int = 1) -> Bench:
        """Lose the model, and return a new one that settled against the same S3."""
        site.lose(self.juju)
        juju = model.Model('maas', self.juju.clock, self.juju.version)
        afresh = Bench(juju, self.s3, site.deploy_afresh(juju, self.site, postgresql_units=units))
        afresh.settle()
        return afresh

    def advance(self, seconds: float) -> None:
        """Wind the clock on."""
        assert isinstance(self.juju.clock, clock.VirtualClock)
        self.juju.clock.advance(seconds)


def deploy(units: int = 3, settle: bool = True, regions: int = 3, track: int = 1) -> Bench:
    """Deploy a site with so many units of postgresql; settled unless told otherwise."""
    virtual = clock.VirtualClock()
    juju = model.Model('maas', virtual)
    s3 = memory_store.MemoryS3(virtual.now)
    deployed = site.deploy_site(
        juju, regions=regions, postgresql_units=units, s3_track=track, store_for=s3.store_for
    )
    if settle:
        site.settle(juju)
    return Bench(juju, s3, deployed)
