"""Deploys charmed MAAS out of stand-ins, with the coordinator, by way of jubilant."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Mapping

import jubilant
import pyrage

from tests.integration import charms, looking, s3_on_host, sites


@dataclasses.dataclass(frozen=True)
class Pace:
    """How quick a site is. Backups take long enough for something to go wrong meanwhile."""

    update_status: str
    """PostgreSQL notices the end of a restore in this hook."""
    switches: Mapping[str, str]
    """Of the stand-ins, by application."""


REAL = Pace('1m', {sites.MAAS: 'backup=20', sites.POSTGRESQL: 'backup=20'})
EMBEDDED = Pace(
    '8s',
    {
        sites.MAAS: 'hook=0.01 action=0.01 install=0.1 initialise=0.1 backup=2 restore=1',
        sites.POSTGRESQL: 'hook=0.01 action=0.01 install=0.1 join=0.3 remove=0.2 failover=0.2 '
        'stanza=0.1 backup=8 restore=1',
    },
)


@dataclasses.dataclass(frozen=True)
class Layout:
    """What is deployed."""

    postgresql_units: int = 3
    coordinators: int = 1
    strategy: str = 'scale-down'


Deploy = Callable[..., sites.Site]
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
) -> sites.Site:
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
    units = {sites.MAAS: 1, sites.POSTGRESQL: layout.postgresql_units}
    for app, number in units.items():
        switches = {'stand-in-switches': pace.switches[app]}
        juju.deploy(charm_files.stand_in(app), app, num_units=number, config=switches)
    for name, app in sites.INTEGRATORS.items():
        moved = {'path': postgresql_path} if name == 'postgresql' and postgresql_path else {}
        _deploy_integrator(juju, charm_files, app, s3.options(name) | moved)
    juju.integrate(f'{sites.MAAS}:maas-db', f'{sites.POSTGRESQL}:database')
    juju.integrate(f'{sites.MAAS}:s3-parameters', sites.INTEGRATORS['maas'])
    juju.integrate(f'{sites.POSTGRESQL}:s3-parameters', sites.INTEGRATORS['postgresql'])
    made = sites.Site(juju, s3, identity or pyrage.x25519.Identity.generate(), _add_user(juju))
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
    looking.until(lambda: jubilant.all_blocked(juju.status(), app), sites.DEPLOYED_SECONDS)
    juju.run(f'{app}/leader', 'sync-s3-credentials', s3_on_host.KEYS, wait=sites.ACTION_SECONDS)


def _add_user(juju: jubilant.Juju) -> str:
    """Add the Juju user that drives the other applications, an admin of this model alone."""
    name = f'backup-bot-{secrets.token_hex(4)}'
    model = juju.show_model().short_name
    juju.cli('add-user', name, include_model=False)
    juju.cli('grant', name, 'admin', model, include_model=False)
    return name


def _deploy_coordinator(site: sites.Site, charm_files: charms.CharmFiles, layout: Layout) -> None:
    juju, password = site.juju, secrets.token_urlsafe(24)
    # Juju reads a line: without its end it says EOF.
    words = ('change-user-password', site.login, '--no-prompt')
    juju.cli(*words, include_model=False, stdin=f'{password}\n')
    login = juju.add_secret('coordinator-login', {'username': site.login, 'password': password})
    juju.deploy(
        charm_files.coordinator,
        sites.APP,
        num_units=layout.coordinators,
        config={
            'juju-credentials': login,
            'recipients': str(site.identity.to_public()),
            'postgresql-backup-strategy': layout.strategy,
        },
    )
    juju.grant_secret(login, sites.APP)
    juju.integrate(f'{sites.APP}:maas-region', f'{sites.MAAS}:juju-info')
    juju.integrate(f'{sites.APP}:postgresql', f'{sites.POSTGRESQL}:juju-info')
    for name, app in sites.INTEGRATORS.items():
        juju.integrate(f'{sites.APP}:s3-{name}', app)
    others = (sites.MAAS, *sites.INTEGRATORS.values(), sites.APP)

    def up(status: jubilant.Status) -> bool:
        # In a fresh model PostgreSQL finds another cluster's repository, and says so.
        settled = jubilant.all_active(status, sites.POSTGRESQL) or jubilant.any_blocked(
            status, sites.POSTGRESQL
        )
        return (
            settled
            and jubilant.all_active(status, *others)
            and jubilant.all_agents_idle(status, sites.POSTGRESQL, *others)
        )

    site.until(up, sites.DEPLOYED_SECONDS)
