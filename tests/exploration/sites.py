"""Sites as they are found: with a past, and furnished in ways that are awkward for a backup."""

from __future__ import annotations

import hashlib

from rehearsal import clock, model, site
from rehearsal.standins import system_users
from tests import simulation

_NEIGHBOUR = 'ubuntu'
_MINUTES = 150.0
"""Seconds that a removal takes on a slow site."""
_REACTION = 30.0
"""Seconds for which its agents look idle when there is something to do: others hold the locks of
their machines."""


class _Neighbour:
    """An agent whose charm does nothing but hold its machine."""

    def __init__(self, juju: model.Model):
        self._juju = juju

    def run(self, unit: model.Unit, event: model.Event) -> clock.Work:
        self._juju.set_status(unit, 'active')
        yield 0.01

    def kill(self, unit: model.Unit) -> None:
        """It holds nothing outside the model."""

    def removed(self, unit: model.Unit) -> None:
        """It leaves nothing behind."""


def age(sim: simulation.Simulation) -> None:
    """Give a site a past: a complete backup set, its tasks, and passwords that changed since.

    Storage that an administrator has kept is there, too.
    """
    sim.run()
    sim.saved.clear()
    kept = model.Storage('data/99', '', sim.clock.now())
    sim.model.storage[kept.id] = kept
    sim.clock.advance(60)
    set_passwords(sim, 'administrator')


def set_passwords(sim: simulation.Simulation, label: str) -> None:
    """Have an administrator give PostgreSQL new passwords, and wait until it has them."""
    give_passwords(sim, label)
    site.settle(sim.model, ('active', 'blocked'))


def give_passwords(sim: simulation.Simulation, label: str) -> None:
    """Have an administrator give PostgreSQL new passwords by way of `system-users`."""
    content = {
        user: hashlib.sha256(f'{sim.model.uuid} {label} {user}'.encode()).hexdigest()[:32]
        for user in system_users.USERS
    }
    secret = sim.model.add_secret(f'model-{sim.model.uuid}', content, label)
    secret.grants.add(site.POSTGRESQL)
    point_to(sim, label)


def point_to(sim: simulation.Simulation, label: str) -> None:
    """Have `system-users` name the user secret of a label."""
    sim.model.set_config(site.POSTGRESQL, {system_users.OPTION: sim.model.secret(label).uri})


def fail_over(sim: simulation.Simulation) -> None:
    """Let another unit than the lowest be the primary, and everybody know it."""
    sim.site.postgresql.update(primary=sim.postgresql_units()[-1])
    sim.site.postgresql.poke()
    site.settle(sim.model, ('active', 'blocked'))


def share_machines(sim: simulation.Simulation) -> None:
    """Let another application have a unit on each of PostgreSQL's machines."""
    units = sim.model.application(site.POSTGRESQL).units.values()
    machines = [unit.machine.id for unit in units]
    charm = model.CharmSpec(_NEIGHBOUR)
    sim.model.deploy(_NEIGHBOUR, charm, _Neighbour(sim.model), len(machines), machines=machines)
    site.settle(sim.model, ('active', 'blocked'))


def slow_down(sim: simulation.Simulation) -> None:
    """Let removals take minutes, of units, machines and relations, and agents be slow."""
    sim.database.leave = sim.maas.leave = _MINUTES
    sim.model.release_after = _MINUTES
    sim.model.reaction = _REACTION


def accompany(sim: simulation.Simulation) -> None:
    """Let another model back up into the same repository, from the same second on."""
    other = simulation.Simulation(regions=1, postgresql_units=1, after=sim)
    other.model.set_config(site.S3_POSTGRESQL, {'path': 'postgresql-of-the-neighbour'})
    site.settle(other.model)
    other.begin('backup-all')
    sim.neighbour = other

    def dispatch() -> None:
        if other.op.open:
            sim.clock.later(0.1 if other.dispatch() else simulation.BEAT_SECONDS, dispatch)

    sim.clock.later(0.05, dispatch)
