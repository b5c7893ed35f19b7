"""Each line of the log names the operation, its step, and the Juju task where there is one."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable

import pytest

from coordinator.engine import log, operation
from tests import restores, simulation, worlds

LINE = re.compile(r'(?P<id>[0-9-]+T[0-9:]+Z): (?P<step>[a-z-]+)( \(task (?P<task>\d+)\))?: \S')


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """What returns the lines that the coordinator has logged so far."""
    caplog.set_level(logging.INFO)
    return lambda: [
        record.getMessage() for record in caplog.records if record.name.startswith('coordinator')
    ]


def assert_named(lines: list[str], op: operation.Operation) -> None:
    """See that each line names the operation and a step, and each step that worked is told."""
    told: dict[str, set[str]] = {}
    for line in lines:
        found = LINE.match(line)
        assert found, f'this line does not say where the operation is: {line}'
        assert found['id'] == op.id
        told.setdefault(found['step'], set()).add(found['task'] or '')
    for entry in op.steps:
        if entry.attempts:
            assert entry.name in told
        if entry.task is not None:
            assert str(entry.task) in told[entry.name], f'no line of {entry.name} names its task'


def test_the_log_of_a_backup_names_its_steps_and_tasks(lines: Callable[[], list[str]]):
    sim = simulation.Simulation()
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert op.entry('back-up-maas').task is not None
    assert_named(lines(), op)
    assert lines()[-1] == f'{op.id}: expire-backups: backup-all ends complete'


def test_the_log_of_a_restore_names_its_steps_and_tasks(lines: Callable[[], list[str]]):
    op = restores.under_way('aim-repositories').run()
    assert op.status == operation.COMPLETE
    assert_named([line for line in lines() if line.startswith(op.id)], op)


def test_a_backup_that_fails_tells_why_at_which_task_and_what_is_undone(
    lines: Callable[[], list[str]],
):
    sim = simulation.Simulation()
    sim.maas.fail_next('create-backup')
    op = sim.run()
    assert op.status == operation.FAILED
    assert_named(lines(), op)
    at = f'{op.id}: back-up-maas (task {op.entry("back-up-maas").task}): '
    assert any(line.startswith(f'{at}failed: create-backup on') for line in lines())
    undone = [line for line in lines() if line.endswith(': undone')]
    assert [line.split(': ')[1].split()[0] for line in undone] == [
        'back-up-maas',
        'take-inventory',
        'back-up-postgresql',
        'scale-down-postgresql',
        'await-images',
        'capture-secrets',
    ]


def test_trouble_with_the_controller_and_what_is_held_are_told(lines: Callable[[], list[str]]):
    fresh = restores.under_way('restore-maas')
    fresh.user.model_access = 'read'
    op = fresh.run()
    assert op.status == operation.HELD
    assert_named([line for line in lines() if line.startswith(op.id)], op)
    assert lines()[-1].startswith(f'{op.id}: restore-maas: held: The Juju user')


def test_nothing_is_logged_while_nothing_new_is_waited_for(lines: Callable[[], list[str]]):
    sim = simulation.Simulation()
    sim.until(lambda: sim.op.step == 'back-up-maas' and sim.op.current.task)
    # Since when the task runs is noted once.
    assert sim.dispatch()
    before = len(lines())
    for _ in range(3):
        assert not sim.dispatch()
    assert len(lines()) == before


# --- What adapters log ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('name', 'text', 'line'),
    [
        ('coordinator.s3.object_store', 'one %s', '2026-08-22T10:15:00Z: a (task 7): one more'),
        (
            'coordinator.engine.advance',
            '2026-08-22T10:15:00Z: b: %s',
            '2026-08-22T10:15:00Z: b: more',
        ),
        ('somelibrary', 'one %s', 'one more'),
    ],
    ids=['an-adapters', 'the-engines', 'a-librarys'],
)
def test_during_a_dispatch_the_operation_is_named_before_what_does_not_name_it(
    caplog: pytest.LogCaptureFixture, name: str, text: str, line: str
):
    caplog.set_level(logging.INFO)
    with log.naming(worlds.new_operation('a').waiting('it runs', worlds.START, 7)):
        logging.getLogger(name).info(text, 'more')
    assert caplog.messages == [line]
    logging.getLogger('coordinator.s3.object_store').info('after it')
    assert caplog.messages[1:] == ['after it']
