"""The status of MAAS, as MAAS reports it.

A region is `active` as soon as it has a database: before it initialises, and even if that failed.
Its action `get-maas-status` reports the services; revisions before 337 lack it.
"""

from __future__ import annotations

from collections.abc import Mapping

from coordinator import errors, ports
from coordinator.engine import facts, operation, settings, step
from coordinator.steps import checking, relations, site, tasks
from coordinator.steps.backup_set import chosen_set

ASK = 'get-maas-status'
_REJECTED = 'maas-status-rejected'
"""Fact: the newest task whose answer was not good enough."""
_DOUBTED = 'maas-status-doubted'
"""Fact: since when the answers are not good enough."""
_PAUSE_SECONDS = 30


def check(config: settings.Settings, world: ports.World) -> str | checking.Warned:
    """Check that the regions can report the status of MAAS; warn if they cannot."""
    without = _cannot_tell(world, config.maas)
    if without:
        return checking.Warned(without)
    return f'the regions of {config.maas} can report the status of MAAS'


def _cannot_tell(world: ports.World, application: str) -> str:
    if ASK in world.juju.actions(application):
        return ''
    return (
        f'{application} has no action {ASK}, which revision 337 added: '
        'a restore cannot check the services of MAAS. '
        f'To add the action: juju refresh {application}'
    )


def mark(op: operation.Operation, world: ports.World) -> step.Mark:
    """Remember the newest task."""
    return step.Mark(tasks.newest(world, ASK))


def ask(op: operation.Operation, world: ports.World, app: ports.Application) -> step.Outcome:
    """Ask every region for its services until all that are enabled run."""
    without = _cannot_tell(world, app.name)
    if without:
        return step.Done(warnings=(without,))
    oldest = max(op.watermark, int(op.fact(_REJECTED) or 0))
    asked = {task.unit: task for task in world.juju.tasks(ASK) if task.id > oldest}
    for unit in app.units:
        if unit not in asked:
            asked[unit] = world.juju.run_action(unit, ASK, {})
        if not asked[unit].ended:
            why = f'{unit} is reporting the status of MAAS (task {asked[unit].id})'
            return tasks.awaiting(op, world, [asked[unit]], why, _asking_another(app.name))
    for unit in app.units:
        task = world.juju.task(asked[unit].id)
        why = unwell(task)
        if why:
            facts = tasks.patience(op, _DOUBTED, _PAUSE_SECONDS)
            again = {_REJECTED: str(max(task.id for task in asked.values())), _DOUBTED: ''}
            hint = f'juju debug-log --include {unit} shows more'
            # The reason names no task, as each question has a new one.
            return step.Wait(f'{unit}: {why}. {hint}', None, facts or again)
    return step.Done()


def _asking_another(application: str) -> str:
    return (
        'MAAS and its database are restored. If the machine does not come back: '
        f'juju remove-unit --force {{unit}}, juju add-unit {application}. '
        'Then run resume-operation'
    )


def unwell(task: ports.Task) -> str:
    """Return what an answer says is wrong with MAAS on a region; '' if nothing is."""
    if task.status != 'completed':
        return f'{ASK} {task.status}: {task.message.rstrip(".") or "no reason given"}'
    found = _services(task.results)
    down = [
        f'{name} is {service.get("current", "in an unknown state")}'
        for name, service in sorted(found.items())
        if service.get('startup') == 'enabled' and service.get('current') != 'active'
    ]
    return f'not all services of MAAS run: {", ".join(down)}' if down else ''


def _services(results: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return what is said of each service, such as `current` and `startup`, by its name."""
    found: dict[str, dict[str, str]] = {}
    for key, value in results.items():
        kind, _, rest = key.partition('.')
        name, _, field = rest.rpartition('.')
        if kind == 'services' and name:
            found.setdefault(name, {})[field] = value
    return found


def check_site(op: operation.Operation, world: ports.World) -> step.Outcome:
    """Ask every region how MAAS is, and compare the site with the set."""
    status = world.juju.status(op.settings.maas, op.settings.postgresql)
    if relations.database(status, op.settings) is None:
        endpoints = ' '.join(facts.ENDPOINTS.of(op))
        raise errors.StepError(f'MAAS lost its database again: juju integrate {endpoints}')
    maas = site.application(status, op.settings.maas)
    wanted = len(chosen_set.of(op).maas.controllers)
    alive = sum(unit.alive for unit in maas.units.values())
    if alive != wanted:
        raise errors.StepError(
            f'{maas.name} has {alive} units, but the set has {wanted} controllers: '
            'MAAS is restored and attached. Add or remove units until the numbers are equal '
            '(juju add-unit, juju remove-unit), then run resume-operation'
        )
    if len(maas.units) != wanted:
        return step.Wait(f'{len(maas.units) - wanted} unit(s) of {maas.name} are being removed')
    told = ask(op, world, maas)
    if isinstance(told, step.Wait):
        return told
    settling = site.settling(op, maas)
    # Units that did not come back have been reported, and waited for long enough.
    if not settling and op.entry('restore-postgresql-scale').state == operation.DONE:
        settling = site.settling(op, site.application(status, op.settings.postgresql))
    return settling or told
