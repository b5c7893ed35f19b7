"""Two live models that back up into one repository, by a coordinator each."""

from __future__ import annotations

from collections.abc import Iterable

from rehearsal import site
from tests import simulation


def deployed() -> tuple[simulation.Simulation, simulation.Simulation]:
    """Return two settled sites at the beginning of a backup, in the same second."""
    one = simulation.Simulation(regions=1, postgresql_units=1)
    two = simulation.Simulation(regions=1, postgresql_units=1, name='other', after=one)
    two.model.set_config(site.S3_POSTGRESQL, {'path': 'postgresql-other'})
    site.settle(two.model)
    for sim in (one, two):
        sim.begin('backup-all')
    assert one.op.id == two.op.id
    return one, two


def take_turns(
    sims: tuple[simulation.Simulation, simulation.Simulation], turns: Iterable[int]
) -> None:
    """Let both dispatch, in this order as long as it says one, until both are over."""
    order = iter(turns)
    clock, both = sims[0].clock, (0, 1)
    end = clock.now().timestamp() + 48 * 3600
    while any(sim.op.open for sim in sims):
        assert clock.now().timestamp() < end, [sim.op.to_json() for sim in sims]
        turn = next(order, None)
        moved = False
        for who in both if turn is None else (turn,):
            if sims[who].op.open:
                moved = sims[who].dispatch() or moved
        clock.advance(0.1 if moved else simulation.BEAT_SECONDS)


def take_turns_for(
    sims: tuple[simulation.Simulation, simulation.Simulation], dispatches: int
) -> None:
    """Let both dispatch a number of times, in turn."""
    for _ in range(dispatches):
        for sim in sims:
            sim.dispatch()
        sims[0].clock.advance(simulation.BEAT_SECONDS)
