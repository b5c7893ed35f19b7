"""The runbook of a restore, done by a tireless hand: what restore-all is compared with.

One command after the other over the controller's API, none before the end of the last one was
seen; the regions one after the other. The hand knows all ids and passwords by heart, mistypes
nothing and does not stop to think: its commands take no time, and it looks every five seconds.
Whatever can be done before MAAS goes down it does before, which is more than the runbook asks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from coordinator import ports
from coordinator.sets import catalogue
from rehearsal import clock, site
from rehearsal.standins import maas_region, postgresql, system_users
from tests import simulation
from tests.bench import recording

POLL_SECONDS = 5.0
_LIMIT_SECONDS = 7200.0
_RELATION = (f'{site.MAAS}:{maas_region.DATABASE}', f'{site.POSTGRESQL}:{postgresql.DATABASE}')
_FRESH_PATH = 'postgresql-restore-1'


@dataclasses.dataclass(frozen=True)
class Notes:
    """What the operator wrote down at the backup."""

    files_backup: str
    database_backup: str
    controllers: Sequence[str]
    passwords: Mapping[str, str]
    """Of PostgreSQL's system users, by their names."""
    postgresql_units: int

    @classmethod
    def of(cls, backed_up: simulation.Simulation) -> Self:
        """Return the notes of a site's newest backup set."""
        store = backed_up.world.maas_store
        found = catalogue.opened(store, catalogue.ids(store)[-1])
        known = backed_up.site.passwords
        return cls(
            files_backup=found.maas.backup_id,
            database_backup=found.postgresql.backup_id,
            controllers=found.maas.controllers,
            passwords={user: known[f'{user}-password'] for user in system_users.USERS},
            postgresql_units=found.postgresql.charm.units,
        )


class Hand:
    """Restores a freshly deployed site, and notes how long each part took."""

    def __init__(self, juju: ports.JujuModel, time: clock.VirtualClock, notes: Notes):
        self._juju = juju
        self._clock = time
        self._notes = notes
        self.took: dict[str, float] = {}
        """Seconds, by the name of the step of restore-all that does the same."""

    def restore(self) -> None:
        """Follow the runbook from its beginning to its end.

        Raises:
            OperationFailed: a command failed.
            TimeoutError: something that was waited for did not come.
        """
        runbook: Mapping[str, Callable[[], None]] = {
            'scale-down-postgresql': self._scale_down,
            'apply-passwords': self._apply_passwords,
            'detach-maas': self._detach,
            'restore-postgresql': self._restore_database,
            'restore-maas': self._restore_regions,
            'renew-repository': self._renew_path,
            'attach-maas': self._attach,
            'restore-postgresql-scale': self._scale_up,
            'verify': self._ask_for_maas,
        }
        for name, do in runbook.items():
            begun = self._clock.now()
            do()
            self.took[name] = (self._clock.now() - begun).total_seconds()

    # --- The commands, in their order ------------------------------------------------------

    def _scale_down(self) -> None:
        answer = self._run(self._juju.leader(site.POSTGRESQL), 'get-primary')
        primary = answer.results['primary']
        for name in sorted(self._units(site.POSTGRESQL), reverse=True):
            if name != primary:
                self._juju.remove_unit(name)
                self._until(f'{name} is gone', lambda name=name: self._is_gone(name))

    def _is_gone(self, name: str) -> bool:
        others = self._units(site.POSTGRESQL)
        return name not in others and self._rest(site.POSTGRESQL, 'active', 'blocked')

    def _apply_passwords(self) -> None:
        secret = self._juju.create_secret('postgresql-passwords', self._notes.passwords)
        self._juju.grant_secret(secret, site.POSTGRESQL)
        self._juju.set_config(site.POSTGRESQL, {system_users.OPTION: f'secret:{secret}'})
        self._until_rest(site.POSTGRESQL, 'active', 'blocked')

    def _detach(self) -> None:
        self._juju.remove_relation(*_RELATION)
        self._until_rest(site.MAAS, 'waiting')

    def _restore_database(self) -> None:
        given = {'backup-id': self._notes.database_backup}
        self._run(self._juju.leader(site.POSTGRESQL), 'restore', given)
        # That it has begun is all the action tells. In a new model it ends blocked: another path.
        self._until_rest(site.POSTGRESQL, 'active', 'blocked')

    def _restore_regions(self) -> None:
        regions = sorted(self._units(site.MAAS))
        for unit, controller in zip(regions, self._notes.controllers, strict=True):
            given = {'backup-id': self._notes.files_backup, 'controller-id': controller}
            self._run(unit, 'restore-backup', given)

    def _renew_path(self) -> None:
        self._juju.set_config(site.S3_POSTGRESQL, {'path': _FRESH_PATH})
        self._until_rest(site.POSTGRESQL, 'active')

    def _attach(self) -> None:
        self._juju.integrate(*_RELATION)
        self._until_rest(site.MAAS, 'active')

    def _scale_up(self) -> None:
        missing = self._notes.postgresql_units - len(self._units(site.POSTGRESQL))
        if missing:
            self._juju.add_units(site.POSTGRESQL, missing)
            self._until_rest(site.POSTGRESQL, 'active')

    def _ask_for_maas(self) -> None:
        self._run(self._juju.leader(site.MAAS), 'get-api-endpoint')

    # --- Typing and looking ----------------------------------------------------------------

    def _run(self, unit: str, action: str, given: Mapping[str, str] | None = None) -> ports.Task:
        number = self._juju.run_action(unit, action, given or {}).id
        self._until(f'{action} on {unit} has ended', lambda: self._juju.task(number).ended)
        task = self._juju.task(number)
        if task.status != 'completed':
            raise recording.OperationFailed(f'{action} on {unit} {task.status}: {task.message}')
        return task

    def _units(self, application: str) -> Mapping[str, ports.Unit]:
        return self._juju.status().applications[application].units

    def _rest(self, application: str, *workloads: str) -> bool:
        return all(
            unit.agent == 'idle' and unit.workload in workloads
            for unit in self._units(application).values()
        )

    def _until_rest(self, application: str, *workloads: str) -> None:
        wanted = f'{application} is {" or ".join(workloads)}, and idle'
        self._until(wanted, lambda: self._rest(application, *workloads))

    def _until(self, what: str, reached: Callable[[], bool]) -> None:
        """Look every few seconds; not at once, as what was just told has not arrived yet."""
        waited = 0.0
        while waited < _LIMIT_SECONDS:
            self._clock.advance(POLL_SECONDS)
            if reached():
                return
            waited += POLL_SECONDS
        raise TimeoutError(f'not so after {_LIMIT_SECONDS} s: {what}')
