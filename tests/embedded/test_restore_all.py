"""restore-all from end to end, by real processes: on another model and on the same, disturbed."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import pathlib
from collections.abc import Generator, Iterator
from typing import Any

import pytest

from coordinator.operations import plans
from rehearsal import embedded, model, s3_gate, site, story
from rehearsal.agent import child, context, tool_server
from tests.embedded import (
    charmed_maas,
    killers,
    onlooker,
    test_backup_all_variants,
)

Maas = charmed_maas.CharmedMaas
Json = charmed_maas.Json

pytestmark = pytest.mark.long

_SETS = '/maas-backups/maas/coordinator/backup-sets/'
_ALWAYS = 1_000_000
"""More requests than there will be."""
_AWAY_SECONDS = 6
"""Beyond the seconds that the coordinator takes to note that the controller is away."""
_WELL = ('active', 'blocked')
"""In a fresh model PostgreSQL is blocked until a restore has given it a path of its own."""


@contextlib.contextmanager
def backed_up(root: pathlib.Path, layout: embedded.Layout) -> Generator[Maas]:
    """Deploy a site and back it up."""
    maas = Maas(root, layout)
    maas.running.maas.restore = maas.running.postgresql.restore = 1.0
    with maas:
        change(maas, 'before-the-backup')
        op = maas.back_up()
        assert (op['status'], op['error']) == ('complete', '')
        yield maas


def change(maas: Maas, name: str) -> None:
    """Let MAAS go on: a machine and an image more."""
    maas.running.call(maas.site.add_machine, name)
    maas.running.call(maas.site.add_image, f'custom/{name}')
    settle(maas)


def settle(maas: Maas) -> None:
    maas.running.until(lambda: not site.unsettled(maas.model, _WELL))


def fingerprint(maas: Maas) -> dict[str, Any]:
    return maas.running.call(lambda: maas.site.fingerprint())


def restore(maas: Maas, **parameters: Any) -> model.Task:
    """Run restore-all from the newest set."""
    given: dict[str, Any] = {'backup_id': 'latest', **parameters}
    task = maas.running.run_action(charmed_maas.LEADER, 'restore-all', **given)
    assert task.status == 'completed', task.message
    return task


def tasks(maas: Maas, action: str) -> list[model.Task]:
    """Return all tasks of an action that there ever were."""
    return maas.running.call(lambda: [t for t in maas.model.tasks.values() if t.name == action])


def assert_nothing_is_left(maas: Maas) -> None:
    """Check that no saved password is left, and that the pacemaker has ended."""
    labels = maas.running.call(lambda: [s.label for s in maas.model.secrets.values()])
    assert [label for label in labels if 'before restore' in label] == []
    assert maas.pacemakers() == []


# --- In a fresh model ----------------------------------------------------------------------------


@dataclasses.dataclass
class Fresh:
    """A site in a fresh model, after the one that was backed up was lost."""

    maas: Maas
    at_backup: dict[str, Any]
    """What the lost site was at the backup."""
    identity: str
    """URI of the user secret with the age identity."""
    secrets: list[str]
    """What nobody may read, of this site before the restore and of the lost one."""


in_fresh_model = pytest.mark.xdist_group('restore-in-fresh-model')


@pytest.fixture(scope='module')
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    layout = embedded.Layout(
        version='3.6.26', s3_track=1, regions=2, postgresql_units=1, update_status_seconds=5
    )
    with backed_up(tmp_path_factory.mktemp('fresh'), layout) as maas:
        at_backup, secrets = fingerprint(maas), story.secrets(maas.running)
        change(maas, 'after-the-backup')
        maas.running.deploy_afresh()
        maas.model.idle_after = 0.1
        settle(maas)
        identity = story.give_identity(maas.running)
        yield Fresh(maas, at_backup, identity, [*secrets, *story.secrets(maas.running)])


@in_fresh_model
def test_without_confirm_it_prints_what_would_happen_and_changes_nothing(fresh: Fresh):
    before = test_backup_all_variants.state(fresh.maas)

    task = restore(fresh.maas, identity=fresh.identity)

    after = test_backup_all_variants.state(fresh.maas)
    after['model']['tasks'].remove(task.id)
    assert after == before
    assert fresh.maas.running.operation() == {}
    plan, checks, replaces = (task.output[key] for key in ('plan', 'checks', 'replaces'))
    for name in plans.RESTORE_ALL.names:
        assert f'| {name} ' in plan
    assert 'restore all 2 region(s) of maas-region at the same time' in plan
    assert '2 controllers, MAAS 3.6.1 and PostgreSQL 16.9 fit' in checks
    assert 'the identity decrypts the passwords of the set' in checks
    assert 'the backups of PostgreSQL move to postgresql-restored-1, if they must move' in checks
    assert 'the database of postgresql' in replaces
    assert 'images, preseeds and controller ids of 2 region(s) of maas-region' in replaces
    assert f'with those of {task.output["backup-id"]} from model maas' in replaces
    assert 'MAAS will be down for about 5 min' in replaces
    assert task.output['verdict'] == 'ready, with warnings (signature). Nothing has been changed'
    assert task.output['next'].endswith(
        f'/leader restore-all backup-id={task.output["backup-id"]} '
        f'identity={fresh.identity} confirm=true'
    )


@in_fresh_model
def test_an_abort_before_data_is_replaced_puts_everything_back(fresh: Fresh):
    maas, before = fresh.maas, fingerprint(fresh.maas)
    restores = len(tasks(maas, 'restore'))

    restore(maas, identity=fresh.identity, confirm=True)
    # Until then it has listed its backups.
    maas.until_step('apply-passwords')
    with maas.holding('maas-region/0'):
        maas.until_step('detach-maas', 'postgresql:database is being removed')
        task = maas.running.run_action(charmed_maas.LEADER, 'abort-operation')
    op = maas.until_ended()

    assert (task.status, task.output['status']) == ('completed', 'aborting')
    assert (op['status'], op['error'], op['problems']) == (
        'aborted',
        'aborted by the operator',
        [],
    )
    settle(maas)
    assert fingerprint(maas) == before
    assert 'system-users' not in maas.model.application(site.POSTGRESQL).config
    assert len(tasks(maas, 'restore')) == restores
    assert_nothing_is_left(maas)


class EachStepKiller(killers.RandomKiller):
    """Kills at random moments, and once in each step as its checkpoint is being stored."""

    def __init__(self, running: Maas, seed: int):
        self._running = running
        self.processes = onlooker.Onlooker(running.running)
        self.steps: set[str] = set()
        """Those that have lost a checkpoint."""
        super().__init__(running, seed)

    def dispatch(self, unit: model.Unit, event: model.Event, process: child.Child) -> None:
        self.processes._dispatch(unit, event, process)
        super().dispatch(unit, event, process)

    def tool(self, run: context.Context, call: tool_server.Call) -> None:
        self.processes._tool(run, call)
        super().tool(run, call)
        step = self._running.record()['step']
        if call.name == 'relation-set' and run.event.task is None and step not in self.steps:
            self.steps.add(step)
            self._running.running.agent.kill_running(run.unit)


@dataclasses.dataclass
class Restored:
    """A restore in the fresh model, whose charm was killed again and again."""

    fresh: Fresh
    record: Json
    killer: EachStepKiller
    killed: int
    """How many dispatches were killed."""

    @property
    def maas(self) -> Maas:
        return self.fresh.maas


@pytest.fixture(scope='module')
def restored(fresh: Fresh) -> Restored:
    maas = fresh.maas
    killed = killers.killed(maas)
    restore(maas, identity=fresh.identity, confirm=True)
    killer = EachStepKiller(maas, seed=3)
    record = maas.until_ended()
    maas.settle()
    return Restored(fresh, record, killer, killers.killed(maas) - killed)


@in_fresh_model
def test_a_charm_that_is_killed_in_every_step_restores_all(restored: Restored):
    record = restored.record
    assert (record['status'], record['error'], record['problems']) == ('complete', '', [])
    assert restored.killer.steps == set(plans.RESTORE_ALL.names)
    assert restored.killed > len(plans.RESTORE_ALL.names)


@in_fresh_model
def test_what_was_lost_is_back_as_it_was_at_the_backup(restored: Restored):
    assert fingerprint(restored.maas) == restored.fresh.at_backup
    assert story.units_back(restored.maas.running) == ''
    assert restored.maas.model.application(site.S3_POSTGRESQL).config['path'] == (
        'postgresql-restored-1'
    )


@in_fresh_model
def test_each_part_is_restored_once(restored: Restored):
    database, regions = (tasks(restored.maas, name) for name in ('restore', 'restore-backup'))
    assert [task.unit for task in database] == ['postgresql/0']
    assert sorted(task.unit for task in regions) == ['maas-region/0', 'maas-region/1']
    assert {task.status for task in (*database, *regions)} == {'completed'}
    given = sorted(task.parameters['controller-id'] for task in regions)
    assert given == restored.fresh.at_backup['controllers']


@in_fresh_model
def test_no_password_is_put_aside_and_no_pacemaker_left(restored: Restored):
    assert_nothing_is_left(restored.maas)


@in_fresh_model
def test_no_secret_is_in_s3_logs_databags_or_results(restored: Restored):
    assert story.no_secret(restored.maas.running, restored.fresh.secrets) == ''


@in_fresh_model
def test_no_secret_is_in_the_arguments_or_environment_of_a_process(restored: Restored):
    seen = restored.killer.processes.seen
    words = (*restored.fresh.secrets, *story.secrets(restored.maas.running), s3_gate.WRITER[1])
    assert restored.killer.processes.dispatches > len(plans.RESTORE_ALL.names)
    assert b'src/charm.py' in seen
    assert [word for word in words if word.encode() in seen] == []


# --- In the same model ---------------------------------------------------------------------------


in_same_model = pytest.mark.xdist_group('restore-in-same-model')


@dataclasses.dataclass
class Same:
    """A site that was backed up and has gone on since."""

    maas: Maas
    at_backup: dict[str, Any]


@pytest.fixture(scope='module')
def deployed_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Same]:
    layout = embedded.Layout(
        version='4.0.15', s3_track=2, regions=1, postgresql_units=1, update_status_seconds=5
    )
    with backed_up(tmp_path_factory.mktemp('same'), layout) as maas:
        yield Same(maas, fingerprint(maas))


@pytest.fixture
def same(deployed_once: Same, request: pytest.FixtureRequest) -> Same:
    change(deployed_once.maas, request.node.name.replace('_', '-'))
    assert fingerprint(deployed_once.maas) != deployed_once.at_backup
    return deployed_once


def assert_rolled_back(same: Same, op: Json) -> None:
    assert (op['kind'], op['status'], op['error']) == ('restore-all', 'complete', '')
    settle(same.maas)
    assert fingerprint(same.maas) == same.at_backup
    assert story.units_back(same.maas.running) == ''
    assert_nothing_is_left(same.maas)


@in_same_model
def test_a_restore_that_is_held_cannot_be_aborted_and_goes_on_with_another_identity(same: Same):
    maas, run = same.maas, same.maas.running.run_action
    maas.running.postgresql.fail_next('restore', 'no space left')

    restore(maas, identity=story.give_identity(maas.running, 'lost-identity'), confirm=True)
    maas.running.until(lambda: maas.record()['status'] == 'held')
    held = maas.running.operation()
    abort = run(charmed_maas.LEADER, 'abort-operation')
    other = run(charmed_maas.LEADER, 'restore-all', backup_id='latest', confirm=True)
    refused = maas.running.operation()
    maas.running.call(lambda: maas.model.secret('lost-identity').grants.clear())
    identity = story.give_identity(maas.running, 'new-identity')
    resumed = run(charmed_maas.LEADER, 'resume-operation', identity=identity)
    op = maas.until_ended()

    assert (held['status'], held['step']) == ('held', 'restore-postgresql')
    assert 'no space left' in held['error']
    assert refused == held
    assert abort.status == other.status == 'failed'
    assert 'may have begun to replace data, so it cannot be undone' in abort.message
    assert f'restore-all {held["id"]} is held, one operation at a time' in other.message
    assert (resumed.output['status'], resumed.output['step']) == ('resumed', held['step'])
    assert (op['id'], op['parameters']['identity']) == (held['id'], identity)
    assert_rolled_back(same, op)


@in_same_model
def test_a_leader_that_goes_and_a_controller_and_s3_that_are_away_delay_a_restore(same: Same):
    maas, running = same.maas, same.maas.running
    first = maas.leader
    # Only this restore needs them: each unit runs a dispatch for each checkpoint.
    running.call(maas.model.add_units, charmed_maas.APP, 2)
    settle(maas)
    databases, regions = (len(tasks(maas, name)) for name in ('restore', 'restore-backup'))

    running.s3.fault('503', _ALWAYS, 'GET', _SETS)
    restore(maas, confirm=True)
    without_s3 = maas.until_step('check', 'trying again: ')
    running.s3.clear_faults()
    maas.until_step('restore-postgresql')
    with maas.holding('maas-region/0'):
        maas.until_step('restore-maas', 'restoring: maas-region/0')
        running.call(maas.model.remove_unit, first.name)
        running.until(lambda: maas.leader is not first)
    maas.until_step('attach-maas')
    running.thread.run(running.controller.stop())
    without_controller = maas.until_step('attach-maas', 'trying again: ')
    running.s3.fault('503', 5)
    back_at = maas.model.clock.now() + datetime.timedelta(seconds=_AWAY_SECONDS)
    running.until(lambda: maas.model.clock.now() >= back_at)
    running.thread.run(running.controller.start())
    op = maas.until_ended()

    assert 'cannot answer now (ServiceUnavailable)' in str(without_s3['steps'])
    assert 'controller' in str(without_controller['steps'])
    assert first.name not in maas.units(charmed_maas.APP)
    assert len(tasks(maas, 'restore')) == databases + 1
    assert len(tasks(maas, 'restore-backup')) == regions + 1
    assert_rolled_back(same, op)
