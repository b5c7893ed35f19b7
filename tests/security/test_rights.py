"""A Juju user who lacks a permission is refused before an operation changes anything."""

from __future__ import annotations

import pytest

from coordinator.engine import operation
from coordinator.sets import catalogue
from tests import charm_states, restores, simulation

each_level = pytest.mark.parametrize('level', ['read', 'write'])
each_kind = pytest.mark.parametrize('kind', ['backup-all', 'restore-all'])


@pytest.fixture
def sim() -> simulation.Simulation:
    """Return a small site with a backup set."""
    return restores.backed_up(regions=1, postgresql_units=2)


def everything(sim: simulation.Simulation) -> object:
    """Return all that an operation could change."""
    juju = sim.model
    return (
        {name: dict(app.config) for name, app in juju.applications.items()},
        sorted((unit.name, unit.life) for unit in juju.units.values()),
        sorted(juju.relations),
        sorted(juju.tasks),
        {secret.id: secret.content for secret in juju.secrets.values()},
        sorted(juju.storage),
        {name: dict(bucket.objects) for name, bucket in sim.s3.buckets.items()},
    )


def told(level: str) -> str:
    """Return the message for a user with this access."""
    return (
        f'Juju user backup-bot has {level} access to model maas, but reading the passwords needs '
        'admin: run juju grant backup-bot admin maas'
    )


@each_level
@each_kind
def test_an_operation_fails_at_its_first_step(sim: simulation.Simulation, kind: str, level: str):
    sim.user.model_access = level
    if kind == 'backup-all':
        sim.begin(kind)
    else:
        restores.restore(sim, sim)
    before = everything(sim)

    op = sim.run()

    assert (op.status, op.step) == (operation.FAILED, 'check')
    assert told(level) in op.error
    assert everything(sim) == before


@each_level
@each_kind
def test_a_dry_run_says_so(
    sim: simulation.Simulation, monkeypatch: pytest.MonkeyPatch, kind: str, level: str
):
    sim.user.model_access = level
    charm_states.reach(sim.world, monkeypatch)
    (backup_id,) = catalogue.ids(sim.world.maas_store)
    before = everything(sim)

    given = {'dry_run': True} if kind == 'backup-all' else {'backup_id': backup_id}
    results, out = charm_states.act(kind, charm_states.state(), **given)

    assert told(level) in results['checks']
    assert results['verdict'].startswith('not ready: juju-user')
    assert everything(sim) == before
    assert 'operation' not in charm_states.databag(out)


def test_an_administrator_may_do_all(sim: simulation.Simulation, monkeypatch: pytest.MonkeyPatch):
    charm_states.reach(sim.world, monkeypatch)
    results, _ = charm_states.act('backup-all', charm_states.state(), dry_run=True)
    assert results['verdict'] == 'ready. Nothing has been changed'
