"""kill -9 of the charm's process at any moment: the operation goes on, and does nothing twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rehearsal import model, site, story
from rehearsal.agent import child
from tests.embedded import charmed_maas, killers

Maas = charmed_maas.CharmedMaas


def backed_up_once(running: Maas, kill: Callable[[], object]) -> int:
    """Back up while dispatches are killed, and see that nothing was done twice.

    Returns:
        How many dispatches were killed.
    """
    sets, tasks, before = running.sets(), len(running.backup_tasks()), killers.killed(running)
    added = running.model.application(site.POSTGRESQL).next_unit
    running.begin()

    kill()
    op = running.until_ended()

    assert (op['status'], op['error'], op['problems']) == ('complete', '', [])
    new = [running.model.tasks[number] for number in running.backup_tasks()[tasks:]]
    assert [task.unit.partition('/')[0] for task in new] == [site.POSTGRESQL, site.MAAS]
    assert running.sets() == [*sets, op['id']]
    assert running.model.application(site.POSTGRESQL).next_unit == added + 2
    assert story.units_back(running.running) == ''
    assert story.no_storage_left(running.running) == ''
    assert running.pacemakers() == []
    return killers.killed(running) - before


def test_a_charm_that_is_killed_at_random_moments_backs_up_once(maas36: Maas):
    assert backed_up_once(maas36, lambda: killers.RandomKiller(maas36, seed=1)) > 10


@pytest.mark.long
def test_a_charm_that_loses_every_checkpoint_once_backs_up_once(maas40: Maas):
    assert backed_up_once(maas40, lambda: killers.CheckpointKiller(maas40)) > 10


def test_a_request_that_is_killed_has_begun_nothing(maas36: Maas):
    def kill(unit: model.Unit, event: model.Event, process: child.Child) -> None:
        if event.name == 'backup-all':
            maas36.running.agent.on_tool = lambda run, call: (
                maas36.running.agent.kill_running(unit) if call.name == 'relation-set' else None
            )

    maas36.running.agent.on_dispatch = kill
    task = maas36.running.run_action(charmed_maas.LEADER, 'backup-all')

    assert (task.status, task.message) == ('failed', 'terminated')
    maas36.settle()
    assert maas36.running.operation() == {}
    assert maas36.pacemakers() == []
