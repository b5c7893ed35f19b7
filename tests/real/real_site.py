"""A charmed MAAS on a real PostgreSQL, for tests that share it and leave it as it was."""

from __future__ import annotations

import json
import pathlib
from typing import Any, Self

from coordinator import ports
from coordinator.sets import catalogue, manifest
from rehearsal import embedded, model, site
from rehearsal.real import machines, server
from rehearsal.standins import behaviour

LEADER = f'{embedded.APP}/leader'
POSTGRESQL = f'{site.POSTGRESQL}/leader'
_SECONDS = 120.0


class RealSite:
    """An embedded model with real servers. As a context manager it runs within."""

    def __init__(self, root: pathlib.Path, layout: embedded.Layout):
        self.running = embedded.Embedded(
            root,
            layout,
            behaviour.MaasBehaviour(hook=0.01, install=0.0, initialise=0.1, backup=0.1),
            behaviour.PostgresqlBehaviour(
                hook=0.01, install=0.0, join=0.0, remove=0.0, failover=0.0, stanza=0.0,
                backup=0.0, restore=0.0,
            ),
        )  # fmt: skip

    def __enter__(self) -> Self:
        self.running.__enter__()
        try:
            self.running.model.idle_after = 0.1
            self.running.settle(_SECONDS)
        except BaseException:
            self.running.stop()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.running.stop()

    @property
    def machines(self) -> machines.Machines:
        assert self.running.machines is not None
        return self.running.machines

    @property
    def statuses(self) -> dict[str, str]:
        """Return the units of postgresql with what they say."""
        units = self.running.site.postgresql.application.units.values()
        return {unit.name: f'{unit.workload.current} {unit.workload.message}' for unit in units}

    @property
    def store(self) -> ports.ObjectStore:
        """The repository of pgBackRest."""
        fields = self.running.s3.connection(embedded.BUCKETS['postgresql'], 'postgresql')
        return self.running.store_for(fields)

    def server(self, unit: str) -> server.Server:
        """Return the server of a unit."""
        return self.machines.clusters.server(self.running.model.uuid, unit)

    def act(self, unit: str, action: str, **parameters: Any) -> model.Task:
        """Run an action to its end, whatever that is."""
        return self.running.run_action(unit, action, _SECONDS, **parameters)

    def refusal(self, unit: str, action: str, **parameters: Any) -> str:
        """Run an action that must fail; return what it says."""
        task = self.act(unit, action, **parameters)
        assert task.status == 'failed', task.output
        return task.message

    def done(self, unit: str, action: str, **parameters: Any) -> dict[str, Any]:
        """Run an action that must end well; return its results."""
        task = self.act(unit, action, **parameters)
        assert task.status == 'completed', task.message
        return dict(task.output)

    def listed(self) -> list[list[str]]:
        """Return the rows of list-backups of postgresql."""
        table: str = self.done(POSTGRESQL, 'list-backups')['backups']
        return [[cell.strip() for cell in line.split('|')] for line in table.splitlines()[5:]]

    def back_up(self) -> manifest.Manifest:
        """Run backup-all to its end; return the manifest of the set."""
        assert self.operate('backup-all') == ''
        # What create-backup does to the primary's message, only its next hook puts right.
        self.running.call(self.running.site.postgresql.poke)
        self.rest()
        store = self.running.maas_store
        return catalogue.opened(store, catalogue.ids(store)[-1])

    def operate(self, action: str, **parameters: Any) -> str:
        """Run an operation to its end; return what went wrong first, or must be known."""
        self.done(LEADER, action, **parameters)
        self.running.until(self._over, _SECONDS)
        self.rest('active', 'blocked')
        record = self.running.operation()
        # What it tells of may be no failure.
        assert record['error'] or record['status'] == 'complete', record
        return record['error']

    def _over(self) -> bool:
        record = self.running.peers.app_data[embedded.APP].get('operation', '')
        return bool(record) and json.loads(record)['status'] != 'open'

    def rest(self, *workloads: str) -> None:
        """Wait until nothing happens any more."""
        wanted = workloads or ('active',)
        self.running.until(lambda: not site.unsettled(self.running.model, wanted), _SECONDS)

    def aim(self, path: str) -> None:
        """Give PostgreSQL's backups another path, and wait for what it makes of that."""

        def change() -> None:
            self.running.model.set_config(site.S3_POSTGRESQL, {'path': path})

        self.running.call(change)
        self.rest('active', 'blocked')
