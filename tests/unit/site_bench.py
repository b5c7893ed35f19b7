"""A site with everything in memory, and what tests of the stand-ins do with it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from rehearsal import clock, memory_store, model, site

POSTGRESQL = site.POSTGRESQL


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
        self, unit: int, action: str, parameters: Mapping[str, str] | None = None
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

    def advance(self, seconds: float) -> None:
        """Wind the clock on."""
        assert isinstance(self.juju.clock, clock.VirtualClock)
        self.juju.clock.advance(seconds)


def deploy(units: int = 3, settle: bool = True) -> Bench:
    """Deploy a site with so many units of postgresql; settled unless told otherwise."""
    virtual = clock.VirtualClock()
    juju = model.Model('maas', virtual)
    s3 = memory_store.MemoryS3(virtual.now)
    deployed = site.deploy_site(juju, postgresql_units=units, store_for=s3.store_for)
    if settle:
        site.settle(juju)
    return Bench(juju, s3, deployed)
