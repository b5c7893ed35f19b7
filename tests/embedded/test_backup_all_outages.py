"""What may go away in mid-operation: the leader, the agent, the controller, S3."""

from __future__ import annotations

import pytest

from rehearsal import model, story
from rehearsal.agent import context, tool_server
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas
_ALWAYS = 1_000_000
"""More requests than there will be."""


def assert_one_more_set(running: Maas, op: charmed_maas.Json, sets: list[str]) -> None:
    assert (op['status'], op['error']) == ('complete', '')
    assert running.sets() == [*sets, op['id']]
    assert story.units_back(running.running) == ''
    assert running.pacemakers() == []


def pacemaker(unit: model.Unit) -> str:
    """Return the name of a unit's pacemaker."""
    return f'{unit.name.replace("/", "-")}-pacemaker.service'


# --- The leader ----------------------------------------------------------------------------------


@pytest.mark.long
def test_leaders_that_change_or_go_hand_the_operation_over(trio: Maas):
    first, sets, tasks = trio.leader, trio.sets(), len(trio.backup_tasks())
    second = next(unit for unit in first.application.units.values() if unit is not first)
    started: list[int] = []

    def lose_leadership(run: context.Context, call: tool_server.Call) -> None:
        # The database backup was started, and what says so can no longer be stored.
        new = [t.id for t in trio.model.tasks.values() if t.name == 'create-backup'][tasks:]
        if new and call.name == 'relation-set' and not started:
            started.append(new[0])
            trio.model.set_leader(second.name)

    trio.begin()
    trio.until_step('back-up-postgresql')
    with trio.holding('postgresql/1'):
        trio.running.agent.on_tool = lose_leadership
        trio.running.until(lambda: bool(started))
        trio.running.until(lambda: trio.pacemakers() == [pacemaker(second)])
    trio.until_step('back-up-maas')
    trio.running.call(trio.model.remove_unit, second.name)
    op = trio.until_ended()

    assert second.name not in trio.units(charmed_maas.APP)
    assert len(trio.backup_tasks()) == tasks + 2
    assert trio.backup_tasks()[tasks] == started[0]
    assert_one_more_set(trio, op, sets)


# --- The agent -----------------------------------------------------------------------------------


@pytest.mark.long
def test_a_restart_of_the_agent_costs_a_dispatch_and_no_more(maas40: Maas):
    unit, sets, tasks = maas40.leader, maas40.sets(), len(maas40.backup_tasks())
    restarted: list[str] = []
    kept: list[object] = []

    def restart(run: context.Context, call: tool_server.Call) -> None:
        # Once in each step, in the middle of a dispatch.
        step = maas40.record()['step']
        if step not in restarted and run.event.task is None and call.name == 'relation-set':
            restarted.append(step)
            before = dict(maas40.running.agent.systemd.services)
            maas40.model.clock.later(0, lambda: maas40.model.restart_agent(unit.name))
            maas40.model.clock.later(
                0, lambda: kept.append(maas40.running.agent.systemd.services == before)
            )

    maas40.begin()
    maas40.running.agent.on_tool = restart
    op = maas40.until_ended()

    assert len(restarted) > 5
    assert all(kept)
    assert len(maas40.backup_tasks()) == tasks + 2
    assert_one_more_set(maas40, op, sets)


# --- The controller ------------------------------------------------------------------------------


@pytest.mark.long
def test_a_controller_that_restarts_or_is_away_is_waited_for(maas40: Maas):
    running, sets, tasks = maas40.running, maas40.sets(), len(maas40.backup_tasks())
    maas40.begin()
    for step in ('capture-secrets', 'scale-down-postgresql'):
        maas40.until_step(step)
        running.thread.run(running.controller.stop())
        running.thread.run(running.controller.start())
    maas40.until_step('back-up-postgresql')
    with maas40.holding('postgresql/0'):
        maas40.until_step('back-up-postgresql', 'is backing up the database')
        running.thread.run(running.controller.stop())
        waiting = maas40.until_step('back-up-postgresql', 'trying again: ')
        dispatches = len(running.agent.dispatches)
        running.until(lambda: len(running.agent.dispatches) >= dispatches + 3)
        still = running.operation()
        running.thread.run(running.controller.start())
    op = maas40.until_ended()

    (reason,) = (s['reason'] for s in waiting['steps'] if s['name'] == 'back-up-postgresql')
    assert 'controller' in reason
    # Looking in vain is no checkpoint, or each look would bring the next one at once.
    assert still == waiting
    assert len(maas40.backup_tasks()) == tasks + 2
    assert_one_more_set(maas40, op, sets)


# --- S3 ------------------------------------------------------------------------------------------


def test_s3_that_cannot_answer_for_a_while_is_waited_for(maas36: Maas):
    running, sets = maas36.running, maas36.sets()
    place = '/maas-backups/maas/coordinator/backup-sets/'
    maas36.use_replicas()
    running.s3.fault('503', _ALWAYS, 'PUT', place)
    maas36.begin()
    before = maas36.until_step('capture-secrets', 'trying again: ')
    running.s3.clear_faults()
    maas36.until_step('back-up-maas')
    running.s3.fault('503', _ALWAYS, 'PUT', place)
    at_the_end = maas36.until_step('publish', 'trying again: ')
    published = maas36.sets()
    running.s3.clear_faults()
    op = maas36.until_ended()

    for record in (before, at_the_end):
        reasons = [entry['reason'] for entry in record['steps']]
        assert any('cannot answer now (ServiceUnavailable)' in reason for reason in reasons)
    assert published == sets
    assert_one_more_set(maas36, op, sets)
