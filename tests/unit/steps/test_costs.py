"""What waiting asks of the controller, beat after beat: a task, and no more than is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from coordinator import ports
from coordinator.engine import operation
from rehearsal import site
from tests import restores, simulation

Asked = list[tuple[str, str, tuple[Any, ...]]]
"""Step, call and what it was given."""


class Counted:
    """A model that notes what it is asked, and in which step."""

    def __init__(self, sim: simulation.Simulation):
        self._juju, self._sim = sim.world.juju, sim
        self.asked: Asked = []
        sim.world.juju = cast(ports.JujuModel, self)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._juju, name)

        def noted(*args: Any, **kwargs: Any) -> Any:
            self.asked.append((self._sim.op.step, name, args))
            return call(*args, **kwargs)

        return noted

    def pop(self, *names: str) -> list[str]:
        """Return which of these calls there were since this was asked last."""
        found = [name for _, name, _ in self.asked if name in names]
        self.asked = []
        return found


LOOKS = ('task', 'tasks', 'status', 'storage')


def beats(sim: simulation.Simulation, count: int) -> None:
    """Let an operation wait for a while, and for the same all the time."""
    waiting = sim.op.current
    for _ in range(count):
        sim.dispatch()
        assert sim.op.current == waiting
        sim.clock.advance(simulation.BEAT_SECONDS)


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
def test_waiting_for_the_database_backup_asks_for_its_task_and_for_its_agent_once_a_minute(
    version: str,
):
    sim = simulation.Simulation(regions=1, postgresql_units=1, version=version)
    sim.database.backup = 3600
    sim.begin('backup-all')
    sim.until(lambda: sim.op.step == 'back-up-postgresql' and sim.op.current.task)
    juju = Counted(sim)
    beats(sim, 150)
    statuses = [given for _, name, given in juju.asked if name == 'status']
    # Five minutes; for twenty seconds of each the agents are looked at.
    assert statuses == [(site.POSTGRESQL,)] * 50
    assert juju.pop(*LOOKS).count('task') == 150
    assert sim.run().status == operation.COMPLETE


def test_waiting_for_the_regions_looks_at_more_than_a_task_once_a_minute():
    lost = restores.backed_up(regions=2, postgresql_units=1)
    fresh = restores.simulate(regions=2, postgresql_units=1, after=lost)
    fresh.maas.restore = 1200
    restores.restore(fresh, lost)
    fresh.until(lambda: fresh.op.fact('postgresql-ready'))
    fresh.dispatch()
    juju = Counted(fresh)
    beats(fresh, 300)
    # Ten minutes; for twenty seconds of each all is looked at.
    found = juju.pop(*LOOKS)
    assert (found.count('tasks'), found.count('status')) == (100, 200)
    assert found.count('task') == 200
    assert fresh.run().status == operation.COMPLETE
    restores.assert_restored(fresh, 1)


def test_a_relation_that_is_put_back_is_taken_away_within_a_minute():
    lost = restores.backed_up(regions=2, postgresql_units=1)
    fresh = restores.simulate(regions=2, postgresql_units=1, after=lost)
    fresh.maas.restore = 1200
    restores.restore(fresh, lost)
    fresh.until(lambda: fresh.op.current.reason.startswith('restoring: '))
    endpoints = fresh.fact('database-endpoints').split()
    fresh.model.integrate(*endpoints)
    put_back = fresh.clock.now()
    fresh.until(lambda: 'is being removed' in fresh.op.current.reason)
    assert (fresh.clock.now() - put_back).total_seconds() < 60


@pytest.mark.parametrize('version', ['3.6.26', '4.0.15'])
def test_only_steps_that_are_soon_over_ask_for_the_whole_status(version: str):
    lost = restores.simulate(version=version)
    backup = Counted(lost)
    assert lost.run().status == operation.COMPLETE
    fresh = restores.simulate(after=lost, version=version)
    restore = Counted(fresh)
    restores.restore(fresh, lost)
    assert fresh.run().status == operation.COMPLETE
    everything = {
        step
        for step, name, given in backup.asked + restore.asked
        if (name, given) == ('status', ())
    }
    assert everything <= {
        'check',
        # Where a unit may go depends on who else is on its machine.
        'request-postgresql-units',
        'restore-postgresql-scale',
        # Whether an integrator can be configured, by who else uses it; asked once for each change.
        'aim-repositories',
        'renew-repository',
        # Who else uses the database, right before it is detached.
        'apply-passwords',
    }
    named = {given for _, name, given in backup.asked if name == 'status' and given}
    assert named <= {(site.POSTGRESQL,), (site.MAAS,), (site.MAAS, site.POSTGRESQL)}
