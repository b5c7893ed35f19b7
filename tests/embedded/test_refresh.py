"""The charm is refreshed in the middle of an operation: it goes on, or is left alone, whole."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
from collections.abc import Generator, Iterator

import pytest

from coordinator.engine import formats
from rehearsal import embedded, story
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas

pytestmark = pytest.mark.long

_OLDER_PLAN = """

import dataclasses

BACKUP_ALL = dataclasses.replace(
    BACKUP_ALL, steps=tuple(step for step in BACKUP_ALL.steps if step.name != 'verify')
)
PLANS = {plan.kind: plan for plan in (BACKUP_ALL, RESTORE_ALL)}
"""


@pytest.fixture(scope='module')
def older(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """A revision of the charm that knows one format less, and whose backup verifies nothing."""
    directory = tmp_path_factory.mktemp('older-charm')
    for name in ('charmcraft.yaml', 'actions.yaml', 'config.yaml'):
        shutil.copy(embedded.SOURCE / name, directory)
    for name in ('lib', 'src'):
        shutil.copytree(embedded.SOURCE / name, directory / name)
    source = directory / 'src/coordinator/engine/formats.py'
    text = source.read_text()
    today = f'\nFORMAT = {formats.FORMAT}\n'
    assert today in text
    source.write_text(text.replace(today, f'\nFORMAT = {formats.FORMAT - 1}\n'))
    with (directory / 'src/coordinator/operations/plans.py').open('a') as plans:
        plans.write(_OLDER_PLAN)
    return directory


def refresh(maas: Maas, charm_dir: pathlib.Path) -> None:
    """Refresh the charm, and wait until every unit has taken it."""
    agent = maas.running.agent
    units = maas.units(charmed_maas.APP)
    before = len(agent.dispatches)
    maas.running.call(agent.refresh, charm_dir)

    def taken() -> bool:
        hooks = [(run.unit, run.event) for run in agent.dispatches[before:]]
        return all((unit, 'config-changed') in hooks for unit in units)

    maas.running.until(taken)
    hooks = [run for run in agent.dispatches[before:] if run.event == 'upgrade-charm']
    assert {run.unit: run.exit_code for run in hooks} == dict.fromkeys(units, 0)


@pytest.fixture
def maas(trio: Maas) -> Iterator[Maas]:
    """A site that has the charm of today again when the test is over."""
    yield trio
    refresh(trio, embedded.SOURCE)


@contextlib.contextmanager
def backing_up_the_files(maas: Maas) -> Generator[charmed_maas.Json]:
    """Begin a backup, and keep it where it waits for its second part; lend the record."""
    maas.begin()
    maas.until_step('back-up-postgresql')
    with maas.holding(maas.site.maas.leader):
        yield maas.until_step('back-up-maas', 'is backing up its files')


def names(record: charmed_maas.Json) -> list[str]:
    return [entry['name'] for entry in record['steps']]


def assert_backed_up_once(maas: Maas, sets: list[str], tasks: int) -> None:
    record = maas.until_ended()
    assert (record['status'], record['error'], record['problems']) == ('complete', '', [])
    assert maas.sets() == [*sets, record['id']]
    assert len(maas.backup_tasks()) == tasks + 2
    assert story.units_back(maas.running) == ''
    assert story.no_storage_left(maas.running) == ''


def test_a_refresh_in_the_middle_of_a_backup_carries_it_on(maas: Maas, older: pathlib.Path):
    refresh(maas, older)
    sets, tasks = maas.sets(), len(maas.backup_tasks())
    with backing_up_the_files(maas) as record:
        assert record['format'] == formats.FORMAT - 1
        assert 'verify' not in names(record)
        refresh(maas, embedded.SOURCE)
        maas.until_step('back-up-maas', 'is backing up its files')
    assert_backed_up_once(maas, sets, tasks)
    record = maas.record()
    assert record['format'] == formats.FORMAT
    assert names(record)[-3:] == ['verify', 'publish', 'expire-backups']
    assert [entry['state'] for entry in record['steps'][-3:]] == ['done'] * 3


def test_an_older_charm_leaves_the_operation_alone_until_it_is_refreshed_again(
    maas: Maas, older: pathlib.Path
):
    sets, tasks = maas.sets(), len(maas.backup_tasks())
    with backing_up_the_files(maas) as record:
        refresh(maas, older)
        kept = maas.running.peers.app_data[charmed_maas.APP]['operation']
        unit = maas.leader
        assert unit.workload.current == 'blocked'
        assert f'has format {formats.FORMAT}' in unit.workload.message
        assert 'refresh the charm to the newer revision again' in unit.workload.message
        maas.running.until(lambda: not maas.pacemakers())
        for action in ('backup-all', 'resume-operation', 'abort-operation', 'show-operation'):
            task = maas.running.run_action(charmed_maas.LEADER, action)
            assert (task.status, task.message) == ('failed', unit.workload.message)
    (files,) = (entry['task'] for entry in record['steps'] if entry['name'] == 'back-up-maas')
    maas.running.until(lambda: maas.model.tasks[files].ended)
    assert maas.running.peers.app_data[charmed_maas.APP]['operation'] == kept
    refresh(maas, embedded.SOURCE)
    assert_backed_up_once(maas, sets, tasks)
