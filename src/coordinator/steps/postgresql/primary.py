"""Which unit of PostgreSQL is the primary: as the units show it, and as the cluster says it."""

from __future__ import annotations

import dataclasses

from coordinator import ports
from coordinator.engine import operation, step
from coordinator.steps import site, tasks

_ASKED = 'get-primary-asked'
"""Fact: the last get-primary task whose answer was doubted."""
_DOUBTED = 'get-primary-doubted'
"""Fact: since when the last answer is doubted."""
_AMONG = 'get-primary-among'
"""Fact: the units that were there when get-primary was asked last."""
_FAILOVER_SECONDS = 30
_AGREEMENT_SECONDS = 400
"""Status lines follow a failover on the next update-status, five minutes apart by default."""


def shown_by(app: ports.Application) -> list[ports.Unit]:
    """Return the units whose status says that they are the primary, in whatever health.

    After its own backup a unit says nothing until its next hook, minutes later. The only
    member of a cluster is its primary all the same.
    """
    units = list(app.units.values())
    if len(units) == 1 and units[0].workload == 'active' and not units[0].message:
        return units
    return [unit for unit in units if unit.message.startswith('Primary')]


def ask(op: operation.Operation, world: ports.World, app: ports.Application) -> str | step.Wait:
    """Return the primary, as Patroni says it by way of get-primary.

    The units' status lines tell it too, but may be minutes old. Both must agree before a unit
    goes: a failover that happens now is waited for, and get-primary asked again.
    """
    asked = int(op.fact(_ASKED) or 0)
    task = tasks.find(op, world, app.name, 'get-primary', {}, after=asked)
    among = ' '.join(sorted(app.units))
    if task is None or op.fact(_AMONG) != among:
        # After the removal of a unit the primary may be another unit, even if the record of the
        # removal was lost.
        task = world.juju.run_action(min(app.units, key=site.number), 'get-primary', {})
    if not task.ended:
        why = f'{task.unit} is reporting the primary (task {task.id})'
        waiting = tasks.awaiting(op, world, [task], why, tasks.replacing(app.name))
        return dataclasses.replace(waiting, facts={**waiting.facts, _AMONG: among})
    if task.status != 'completed':
        tasks.judge(task)
    primary = task.results.get('primary', '')
    if primary not in app.units:
        why = f'get-primary on {task.unit} (task {task.id}) named {primary or "no primary"}'
        return _asking_again(op, task, why, _FAILOVER_SECONDS)
    shown = [unit.name for unit in shown_by(app)]
    # The status of a blocked unit does not show whether it is the primary.
    told = app.units[primary].message != site.ANOTHER_CLUSTER
    if told and shown != [primary]:
        why = (
            f'get-primary (task {task.id}) says {primary}, juju status shows '
            f'{" and ".join(shown) or "none"} as the primary'
        )
        return _asking_again(op, task, why, _AGREEMENT_SECONDS)
    return primary


def _asking_again(op: operation.Operation, task: ports.Task, why: str, seconds: int) -> step.Wait:
    """Wait for a while, then have the question put again."""
    noted = tasks.patience(op, _DOUBTED, seconds)
    # One fact for all answers: Patroni may be silent for hours, and the record is small.
    used_up = {_ASKED: str(task.id), _DOUBTED: ''}
    return step.Wait(f'{why}: asking again', task.id, noted or used_up)
