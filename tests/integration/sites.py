"""Charmed MAAS out of stand-ins, with the packed coordinator, in a model of a real Juju."""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import Callable
from typing import Any

import jubilant
import pyrage

from tests.integration import charms, s3_on_host

APP = 'maas-backup-coordinator'
LEADER = f'{APP}/leader'
MAAS, POSTGRESQL = 'maas-region', 'postgresql'
INTEGRATORS = {'maas': 's3-integrator-maas', 'postgresql': 's3-integrator-postgresql'}
DEPLOYED_SECONDS = 1800.0
OPERATION_SECONDS = 1800.0
Operation = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is deployed."""

    postgresql_units: int = 3
    coordinators: int = 1
    strategy: str = 'scale-down'
    switches: str = 'backup=20'
    """Of postgresql and maas-region: long enough for something to go wrong meanwhile."""


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
        return self.juju.run(unit, action, given)

    def operation(self) -> Operation:
        """Return the running operation, or the last one."""
        shown = self.run('show-operation', format='json').results['operation']
        return json.loads(shown)

    def until_step(self, step: str) -> Operation:
        """Wait until a step is being done."""

        def reached(_: jubilant.Status) -> bool:
            op = self.operation()
            assert op['status'] == 'open', f'it ended before {step}: {op}'
            entry = next(entry for entry in op['steps'] if entry['name'] == op['step'])
            return op['step'] == step and entry['state'] == 'doing'

        self.juju.wait(reached, timeout=OPERATION_SECONDS, successes=1)
        return self.operation()

    def until_ended(self) -> Operation:
        """Wait until the operation is over and all agents are idle."""

        def over(_: jubilant.Status) -> bool:
            return self.operation()['status'] != 'open'

        self.juju.wait(over, timeout=OPERATION_SECONDS, delay=5, successes=1)
        self.juju.wait(jubilant.all_agents_idle, timeout=OPERATION_SECONDS)
        return self.operation()

    def back_up(self) -> str:
        """Make a backup set to its end, and return its backup id."""
        backup_id = str(self.run('backup-all').results['backup-id'])
        op = self.until_ended()
        assert op['status'] == 'complete', op
        return backup_id

    def units(self, app: str) -> dict[str, jubilant.statustypes.UnitStatus]:
        """Return an application's units."""
        return self.juju.status().apps[app].units

    def leader(self, app: str = APP) -> str:
        """Return the name of an application's leading unit."""
        return next(name for name, unit in self.units(app).items() if unit.leader)

    def unattached_storage(self) -> list[str]:
        """Return the storage of the model that no unit has."""
        listed = json.loads(self.juju.cli('list-storage', '--format', 'json') or '{}')
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
        self.run('restore-all', backup_id=backup_id, identity=secret, confirm=True)
        return self.until_ended()


Deploy = Callable[..., Site]
"""Deploys a site: takes a suffix for the model's name, and what `deploy` takes by name."""


def deploy(
    juju: jubilant.Juju,
    charm_files: charms.CharmFiles,
    s3: s3_on_host.S3OnHost,
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
        layout: what is deployed.
        identity: the one that opens sets of another site; by default a new one.
        postgresql_path: where PostgreSQL's repository lies, if not where it does by default.
    """
    layout = layout or Layout()
    # PostgreSQL notices the end of a restore in this hook.
    juju.model_config({'update-status-hook-interval': '1m'})
    switches = {'stand-in-switches': layout.switches}
    juju.deploy(charm_files.stand_in(MAAS), MAAS, config=switches)
    juju.deploy(
        charm_files.stand_in(POSTGRESQL),
        POSTGRESQL,
        num_units=layout.postgresql_units,
        config=switches,
    )
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
    juju.wait(lambda status: jubilant.all_blocked(status, app), timeout=DEPLOYED_SECONDS)
    juju.run(f'{app}/leader', 'sync-s3-credentials', s3_on_host.KEYS)


def _add_user(juju: jubilant.Juju) -> str:
    """Add the Juju user that drives the other applications, an admin of this model alone."""
    name = f'backup-bot-{secrets.token_hex(4)}'
    model = juju.show_model().short_name
    juju.cli('add-user', name, include_model=False)
    juju.cli('grant', name, 'admin', model, include_model=False)
    return name


def _deploy_coordinator(site: Site, charm_files: charms.CharmFiles, layout: Layout) -> None:
    juju, password = site.juju, secrets.token_urlsafe(24)
    juju.cli(
        'change-user-password', site.login, '--no-prompt', include_model=False, stdin=password
    )
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

    juju.wait(up, timeout=DEPLOYED_SECONDS)
