"""Charmed MAAS out of stand-ins, with the coordinator, in a model that jubilant drives."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

import jubilant
import pyrage

from tests.integration import charms, looking, s3_on_host

APP = 'maas-backup-coordinator'
LEADER = f'{APP}/leader'
MAAS, POSTGRESQL = 'maas-region', 'postgresql'
INTEGRATORS = {'maas': 's3-integrator-maas', 'postgresql': 's3-integrator-postgresql'}
DEPLOYED_SECONDS = 1800.0
OPERATION_SECONDS = 1800.0
ACTION_SECONDS = 300.0
"""An action waits for the hooks that its unit runs, and the CLI only for a minute by itself."""
Operation = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Pace:
    """How quick a site is. Backups take long enough for something to go wrong meanwhile."""

    update_status: str
    """PostgreSQL notices the end of a restore in this hook."""
    switches: Mapping[str, str]
    """Of the stand-ins, by application."""


REAL = Pace('1m', {MAAS: 'backup=20', POSTGRESQL: 'backup=20'})
EMBEDDED = Pace(
    '8s',
    {
        MAAS: 'hook=0.01 action=0.01 install=0.1 initialise=0.1 backup=2 restore=1',
        POSTGRESQL: 'hook=0.01 action=0.01 install=0.1 join=0.3 remove=0.2 failover=0.2 '
        'stanza=0.1 backup=8 restore=1',
    },
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is deployed."""

    postgresql_units: int = 3
    coordinators: int = 1
    strategy: str = 'scale-down'


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


_UNENDED = ('open', 'held')
Deploy = Callable[..., Site]
"""Deploys a site: takes a suffix for the model's name, and what `deploy` takes by name."""


def deploy(
    juju: jubilant.Juju,
    charm_files: charms.CharmFiles,
    s3: s3_on_host.S3OnHost,
    pace: Pace,
    *,
    layout: Layout | None = None,
    identity: pyrage.x25519.Identity | None = None,
    postgresql_path: str = '',
) -> Site:
    """Deploy a site, and wait until it is up.

    Args:
        juju: the model.
        charm_files: the charms.
        s3: where the buckets are.
        pace: how quick it is.
        layout: what is deployed.
        identity: the one that opens sets of another site; by default a new one.
        postgresql_path: where PostgreSQL's repository lies, if not where it does by default.
    """
    layout = layout or Layout()
    juju.model_config({'update-status-hook-interval': pace.update_status})
    units = {MAAS: 1, POSTGRESQL: layout.postgresql_units}
    for app, number in units.items():
        switches = {'stand-in-switches': pace.switches[app]}
        juju.deploy(charm_files.stand_in(app), app, num_units=number, config=switches)
    for name, app in INTEGRATORS.items():
        moved = {'path': postgresql_path} if name == 'postgresql' and postgresql_path else {}
        _deploy_integrator(juju, charm_files, app, s3.options(name) | moved)
    juju.integrate(f'{MAAS}:maas-db', f'{POSTGRESQL}:database')
    juju.integrate(f'{MAAS}:s3-parameters', INTEGRATORS['maas'])
    juju.integrate(f'{POSTGRESQL}:s3-parameters', INTEGRATORS['postgresql'])
    made = Site(juju, s3, identity or pyrage.x25519.Identity.generate(), _add_user(juju))
    _deploy_coordinator(made, charm_files, layout)
    return made


def _deploy_integrator(
    juju: jubilant.Juju, charm_files: charms.CharmFiles, app: str, options: dict[str, str]
) -> None:
    """Deploy the real s3-integrator, or its stand-in where Charmhub is out of reach."""
    try:
        juju.deploy('s3-integrator', app, channel='1/stable', config=options)
    except jubilant.CLIError:
        juju.deploy(charm_files.stand_in('s3-integrator'), app, config=options)
    looking.until(lambda: jubilant.all_blocked(juju.status(), app), DEPLOYED_SECONDS)
    juju.run(f'{app}/leader', 'sync-s3-credentials', s3_on_host.KEYS, wait=ACTION_SECONDS)


def _add_user(juju: jubilant.Juju) -> str:
    """Add the Juju user that drives the other applications, an admin of this model alone."""
    name = f'backup-bot-{secrets.token_hex(4)}'
    model = juju.show_model().short_name
    juju.cli('add-user', name, include_model=False)
    juju.cli('grant', name, 'admin', model, include_model=False)
    return name


def _deploy_coordinator(site: Site, charm_files: charms.CharmFiles, layout: Layout) -> None:
    juju, password = site.juju, secrets.token_urlsafe(24)
    # Juju reads a line: without its end it says EOF.
    words = ('change-user-password', site.login, '--no-prompt')
    juju.cli(*words, include_model=False, stdin=f'{password}\n')
    login = juju.add_secret('coordinator-login', {'username': site.login, 'password': password})
    juju.deploy(
        charm_files.coordinator,
        APP,
        num_units=layout.coordinators,
        config={
            'juju-credentials': login,
            'recipients': str(site.identity.to_public()),
            'postgresql-backup-strategy': layout.strategy,
        },
    )
    juju.grant_secret(login, APP)
    juju.integrate(f'{APP}:maas-region', f'{MAAS}:juju-info')
    juju.integrate(f'{APP}:postgresql', f'{POSTGRESQL}:juju-info')
    for name, app in INTEGRATORS.items():
        juju.integrate(f'{APP}:s3-{name}', app)
    others = (MAAS, *INTEGRATORS.values(), APP)

    def up(status: jubilant.Status) -> bool:
        # In a fresh model PostgreSQL finds another cluster's repository, and says so.
        settled = jubilant.all_active(status, POSTGRESQL) or jubilant.any_blocked(
            status, POSTGRESQL
        )
        return (
            settled
            and jubilant.all_active(status, *others)
            and jubilant.all_agents_idle(status, POSTGRESQL, *others)
        )

    site.until(up, DEPLOYED_SECONDS)
