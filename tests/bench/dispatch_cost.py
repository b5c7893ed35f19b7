"""What dispatches cost: those with nothing to do, and those of an operation.

CPU-seconds are of the charm's process and of the hook tools that it has called, user and system.
Peak memory is that of the charm's process; the hook tool that runs beside it takes 4 MiB.
"""

from __future__ import annotations

from rehearsal import embedded, model
from rehearsal.agent import charm_agent

_MIB = 2**20


def idle(running: embedded.Embedded, count: int) -> list[charm_agent.Dispatch]:
    """Run update-status that often, one after the other, while no operation is open."""
    return [_update_status(running) for _ in range(count)]


def _update_status(running: embedded.Embedded) -> charm_agent.Dispatch:
    dispatches = running.agent.dispatches
    before = len(dispatches)
    unit = running.model.unit(f'{embedded.APP}/0')
    event = model.Event(model.Kind.UPDATE_STATUS, 'update-status')
    running.call(running.model.queue, unit, event)
    running.until(lambda: len(dispatches) > before and unit.running is None)
    return dispatches[-1]


def mebibytes(dispatch: charm_agent.Dispatch) -> float:
    """Return the peak memory of a dispatch."""
    return dispatch.max_rss_bytes / _MIB
