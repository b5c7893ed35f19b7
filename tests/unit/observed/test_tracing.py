"""One operation is one trace, whoever sends it and however often; a receiver decodes it."""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
from collections.abc import Iterator

import pytest

from coordinator import times
from coordinator.engine import operation
from coordinator.observed import trace, tracing
from coordinator.operations import plans
from tests import otlp, simulation, worlds

SOURCE = trace.Source(
    'maas-backup-coordinator',
    'maas-backup-coordinator/0',
    'maas',
    worlds.EmptyWorld.model_uuid,
    '0.1.0',
)
START = int(worlds.START.timestamp())


def later(seconds: int) -> datetime.datetime:
    return worlds.START + datetime.timedelta(seconds=seconds)


def failed() -> operation.Operation:
    """Return a backup that failed in its second step, with a task, and was undone."""
    names = plans.BACKUP_ALL.names
    op = operation.Operation.new(worlds.BEGAN, 'backup-all', names, worlds.CONFIG, worlds.START)
    op = op.beginning(0, {}, worlds.START).step_ended(operation.DONE, later(2))
    op = op.moving_to('capture-secrets').beginning(0, {}, later(2)).waiting('x', later(2), 7)
    op = op.step_ended(operation.BROKEN, later(9), 'S3 refuses').turning_back('S3 refuses')
    return op.ending(operation.FAILED, later(10))


@pytest.fixture
def receiver() -> Iterator[otlp.Receiver]:
    with otlp.receiving() as receiver:
        yield receiver


def offered(receiver: otlp.Receiver) -> str:
    """Return what the relation says, as the interface's published schema asks for."""
    protocols = (('otlp_grpc', 'grpc', 'tempo:4317'), ('otlp_http', 'http', receiver.url))
    return json.dumps(
        [{'protocol': {'name': name, 'type': kind}, 'url': url} for name, kind, url in protocols]
    )


@pytest.fixture
def aimed(receiver: otlp.Receiver, tmp_path: pathlib.Path) -> tracing.Tracing:
    made = tracing.Tracing(tmp_path / '.tracing')
    made.aim(offered(receiver))
    return made


def test_an_operation_is_one_trace_with_a_span_for_each_step(
    receiver: otlp.Receiver, aimed: tracing.Tracing
):
    assert aimed.send(failed(), SOURCE)
    root, check, capture = receiver.spans
    assert len(receiver.traces) == 1
    assert (root.name, root.parent, check.parent, capture.parent) == (
        'backup-all',
        '',
        root.id,
        root.id,
    )
    assert (root.start, root.end) == (START, START + 10)
    assert (check.name, check.start, check.end) == ('check', START, START + 2)
    assert root.attributes['operation.id'] == worlds.BEGAN
    assert root.attributes['operation.status'] == 'failed'
    (resource,) = receiver.resources
    assert resource['juju_unit'] == 'maas-backup-coordinator/0'
    assert resource['service.name'] == 'maas-backup-coordinator'


def test_tasks_and_requests_are_attributes_and_errors_are_events(
    receiver: otlp.Receiver, aimed: tracing.Tracing
):
    op = failed()
    aimed.count(op.moving_to('capture-secrets'), {'requests': 3, 'PutObject.2xx': 3})
    aimed.count(op.moving_to('capture-secrets'), {'requests': 2, 'PutObject.5xx': 2})
    aimed.send(op, SOURCE)
    root, check, capture = receiver.spans
    assert capture.attributes['juju.task.id'] == 7
    assert capture.attributes['s3.requests'] == 5
    assert capture.attributes['s3.PutObject.2xx'] == 3
    assert capture.attributes['s3.PutObject.5xx'] == 2
    assert 's3.requests' not in check.attributes
    assert capture.events == ('S3 refuses',)
    assert (root.failed, check.failed, capture.failed) == (True, False, True)
    assert root.events == ('S3 refuses',)


def test_whoever_sends_it_again_sends_the_same_trace(
    receiver: otlp.Receiver, aimed: tracing.Tracing
):
    aimed.send(failed(), SOURCE)
    another = dataclasses.replace(SOURCE, unit='maas-backup-coordinator/1')
    aimed.send(failed(), another)
    assert receiver.requests == 2
    assert len(receiver.traces) == 1
    assert len(receiver.distinct) == 3


def test_an_operation_of_the_same_second_in_another_model_is_another_trace():
    other = 'cafebabe-0bad-400d-8000-4b1d0d06f00d'
    assert trace.trace_id(failed(), SOURCE.model_uuid) != trace.trace_id(failed(), other)


def test_a_clock_that_was_set_back_makes_no_span_that_ends_before_it_began(
    receiver: otlp.Receiver, aimed: tracing.Tracing
):
    aimed.send(dataclasses.replace(failed(), ended=times.stamp(later(-60))), SOURCE)
    assert all(span.end >= span.start for span in receiver.spans)


def test_a_receiver_that_does_not_take_it_is_no_error(
    receiver: otlp.Receiver, aimed: tracing.Tracing
):
    receiver.refuses = True
    assert not aimed.send(failed(), SOURCE)
    receiver.refuses = False
    assert aimed.send(failed(), SOURCE)


def test_nobody_listens(tmp_path: pathlib.Path):
    made = tracing.Tracing(tmp_path / '.tracing')
    made.aim('[{"protocol": {"name": "otlp_http", "type": "http"}, "url": "http://127.0.0.1:9"}]')
    assert made.wanted
    assert not made.send(failed(), SOURCE)


@pytest.mark.parametrize(
    'receivers',
    [
        '',
        '[]',
        '{}',
        'null',
        '[7]',
        '[{"protocol": {"name": "otlp_grpc", "type": "grpc"}, "url": "tempo:4317"}]',
        '[{"protocol": {"name": "otlp_http", "type": "http"}, "url": "file:///etc/passwd"}]',
    ],
)
def test_what_is_no_receiver_is_none(tmp_path: pathlib.Path, receivers: str):
    made = tracing.Tracing(tmp_path / '.tracing')
    made.aim(receivers)
    assert not made.wanted
    assert not made.send(failed(), SOURCE)


def test_no_receiver_any_more_leaves_nothing(aimed: tracing.Tracing):
    assert aimed.wanted
    aimed.aim('')
    assert not aimed.wanted


def test_requests_of_an_earlier_operation_are_not_counted(
    receiver: otlp.Receiver, aimed: tracing.Tracing
):
    aimed.count(dataclasses.replace(failed(), id='2026-08-21T10:15:00Z'), {'requests': 9})
    aimed.count(failed().moving_to('check'), {'requests': 1})
    aimed.send(failed(), SOURCE)
    assert [span.attributes.get('s3.requests') for span in receiver.spans] == [None, 1, None]


def test_what_an_older_revision_has_counted_keeps_the_receiver(
    receiver: otlp.Receiver, aimed: tracing.Tracing, tmp_path: pathlib.Path
):
    old = {'url': receiver.url, 'operation': worlds.BEGAN, 'requests': {'check': 7}}
    (tmp_path / '.tracing').write_text(json.dumps(old))
    aimed.count(failed().moving_to('check'), {'requests': 1})
    assert aimed.send(failed(), SOURCE)
    assert receiver.spans[1].attributes['s3.requests'] == 1


def test_no_secret_is_in_it(receiver: otlp.Receiver, aimed: tracing.Tracing):
    op = failed().remembering({'password-hashes': 'hunter2'})
    op = dataclasses.replace(op, parameters={'identity': 'secret:hunter2'})
    aimed.send(op, SOURCE)
    assert b'hunter2' not in receiver.raw


class Killed(simulation.Simulation):
    """A site on which dispatches are killed: what they did stays, what they stored is lost."""

    every = 0
    checkpoints = 0

    def dispatch(self) -> bool:
        before = self.op
        changed = super().dispatch()
        self.checkpoints += changed
        if changed and self.checkpoints % self.every == 0:
            self.op = before
        return changed


@pytest.mark.parametrize('every', [2, 3, 5])
def test_a_backup_whose_dispatches_are_killed_is_one_trace(
    receiver: otlp.Receiver, aimed: tracing.Tracing, every: int
):
    sim = Killed(regions=1)
    sim.every = every
    op = sim.run()
    assert op.status == operation.COMPLETE
    # Each unit may have led at the end, and been killed after it had sent the trace.
    for unit in ('maas-backup-coordinator/0', 'maas-backup-coordinator/1'):
        assert aimed.send(op, dataclasses.replace(SOURCE, unit=unit))
    spans = list(receiver.distinct.values())
    assert len(receiver.traces) == 1
    assert [span.name for span in spans] == ['backup-all', *plans.BACKUP_ALL.names]
    root, *steps = spans
    assert {span.parent for span in steps} == {root.id}
    tasks = {span.name: span.attributes.get('juju.task.id') for span in spans}
    assert tasks['back-up-postgresql'] == op.entry('back-up-postgresql').task
