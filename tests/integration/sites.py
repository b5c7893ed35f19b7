"""A deployed site, and what the tests do with it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
from collections.abc import Callable
from typing import Any

import jubilant
import pyrage

from tests.integration import looking, s3_on_host

APP = 'maas-backup-coordinator'
LEADER = f'{APP}/leader'
MAAS, POSTGRESQL = 'maas-region', 'postgresql'
INTEGRATORS = {'maas': 's3-integrator-maas', 'postgresql': 's3-integrator-postgresql'}
DEPLOYED_SECONDS = 1800.0
OPERATION_SECONDS = 1800.0
ACTION_SECONDS = 300.0
"""An action waits for the hooks that its unit runs, and the CLI only for a minute by itself."""
Operation = dict[str, Any]
_UNENDED = ('open', 'held')


@dataclasses.dataclass(frozen=True)
class Site:
    """A deployed site."""

    juju: jubilant.Juju
    s3: s3_on_host.S3OnHost
    identity: pyrage.x25519.Identity
    login: str
    """Name of the Juju user that drives the other applications."""

    def run(self, action: str, unit: str = LEADER, **parameters: Any) -> jubilant.Task:
        """Run an action of the coordinator; parameters have underscores for hyphens."""
        given = {name.replace('_', '-'): value for name, value in parameters.items()}
        return self.juju.run(unit, action, given, wait=ACTION_SECONDS)

    def operation(self) -> Operation:
        """Return the running operation, or the last one; {} before the first."""
        return looking.look(self._operation)

    def _operation(self) -> Operation:
        try:
            shown = self.run('show-operation', format='json')
        except jubilant.TaskError as error:
            if 'no operation yet' in error.task.message:
                return {}
            raise
        return json.loads(shown.results['operation'])

    def until(self, reached: Callable[[jubilant.Status], bool], seconds: float) -> None:
        """Wait until the model is in a state."""
        looking.until(lambda: reached(self.juju.status()), seconds)

    def until_step(self, step: str) -> Operation:
        """Wait until a step is being done."""

        def reached() -> bool:
            op = self._operation()
            assert op['status'] == 'open', f'it ended before {step}: {op}'
            entry = next(entry for entry in op['steps'] if entry['name'] == op['step'])
            return op['step'] == step and entry['state'] == 'doing'

        looking.until(reached, OPERATION_SECONDS)
        return self.operation()

    def until_ended(self) -> Operation:
        """Wait until the operation is over and all agents are idle."""
        looking.until(lambda: self._operation()['status'] != 'open', OPERATION_SECONDS)
        self.until(jubilant.all_agents_idle, OPERATION_SECONDS)
        return self.operation()

    def tidy(self) -> None:
        """Remove what a test has left behind: storage, and an operation that is not over yet."""
        self._end_operation()
        for name in self.unattached_storage():
            self.juju.cli('remove-storage', name)

    def _end_operation(self) -> None:
        if self.operation().get('status', 'complete') not in _UNENDED:
            return
        # Behind the pivot a restore cannot be aborted: it goes on to its end.
        with contextlib.suppress(jubilant.TaskError):
            self.run('abort-operation')
        op = self.until_ended()
        assert op['status'] not in _UNENDED, f'the next test cannot begin an operation: {op}'

    def back_up(self) -> str:
        """Make a backup set to its end, and return its backup id."""
        backup_id = str(self.run('backup-all').results['backup-id'])
        op = self.until_ended()
        assert op['status'] == 'complete', op
        return backup_id

    def units(self, app: str) -> dict[str, jubilant.statustypes.UnitStatus]:
        """Return an application's units."""
        return looking.look(self.juju.status).apps[app].units

    def leader(self, app: str = APP) -> str:
        """Return the name of an application's leading unit."""
        return next(name for name, unit in self.units(app).items() if unit.leader)

    def unattached_storage(self) -> list[str]:
        """Return the storage of the model that no unit has."""
        text = looking.look(lambda: self.juju.cli('list-storage', '--format', 'json'))
        listed = json.loads(text or '{}')
        found: dict[str, Any] = listed.get('storage') or {}
        return [name for name, entry in found.items() if not entry.get('attachments')]

    def sets(self) -> list[str]:
        """Return the ids of the complete backup sets in the repository."""
        folder = 'coordinator/backup-sets/'
        store = self.s3.store('maas')
        keys = [item.key for item in store.list(folder) if item.key.endswith('/manifest.json')]
        return sorted(key.removeprefix(folder).partition('/')[0] for key in keys)

    def restore(self, backup_id: str) -> Operation:
        """Restore from a backup set, with the identity, to the end."""
        secret = self.juju.add_secret(
            f'identity-{secrets.token_hex(4)}', {'identity': str(self.identity)}
        )
        self.juju.grant_secret(secret, APP)
        # The parameters go through YAML, which knows no subclass of str.
        self.run('restore-all', backup_id=backup_id, identity=str(secret), confirm=True)
        return self.until_ended()
