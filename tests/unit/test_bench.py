"""What `make bench` makes of a timeline: the charms' own work, and how soon it goes on."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from coordinator.engine import operation, settings
from coordinator.operations import plans
from rehearsal import model
from tests.bench import critical_path, reactions, recording

BEGUN = datetime.datetime(2026, 8, 22, 10, 0, tzinfo=datetime.UTC)
OPERATION = operation.Operation.new(
    '2026-08-22T10:00:00Z',
    'backup-all',
    plans.BACKUP_ALL.names,
    settings.Settings('maas-region', 'postgresql'),
    BEGUN,
)
HERE = recording.UnitState(alive=True, settled=True)
BUSY = recording.UnitState(alive=True, settled=False)
GOING = recording.UnitState(alive=False, settled=False)


def after(seconds: float) -> datetime.datetime:
    return BEGUN + datetime.timedelta(seconds=seconds)


def task(number: int, unit: str, name: str, enqueued: float, completed: float) -> model.Task:
    return model.Task(number, 1, unit, name, {}, after(enqueued), completed=after(completed))


def moment(seconds: float, step: str, **units: recording.UnitState) -> recording.Moment:
    named = {f'postgresql/{name.lstrip("u")}': state for name, state in units.items()}
    return recording.Moment(after(seconds), OPERATION.moving_to(step), named)


@pytest.fixture
def run() -> recording.Run:
    """A backup that takes one of two units away, in which the units' return takes longest."""
    end = moment(100, 'publish', u0=HERE, u2=HERE)
    return recording.Run(
        request=task(1, 'coordinator/0', 'backup-all', 0, 0.5),
        moments=[
            moment(-5, 'check', u0=HERE, u1=HERE),
            moment(4, 'scale-down-postgresql', u0=BUSY, u1=HERE),
            moment(6, 'scale-down-postgresql', u0=HERE, u1=HERE),
            moment(7, 'scale-down-postgresql', u0=HERE, u1=GOING),
            moment(15, 'scale-down-postgresql', u0=BUSY),
            moment(17, 'scale-down-postgresql', u0=HERE),
            moment(18, 'back-up-postgresql', u0=HERE),
            moment(51, 'request-postgresql-units', u0=HERE),
            moment(52, 'back-up-maas', u0=HERE, u2=BUSY),
            moment(85, 'restore-postgresql-scale', u0=HERE, u2=BUSY),
            moment(95, 'restore-postgresql-scale', u0=HERE, u2=HERE),
            dataclasses.replace(end, operation=OPERATION.ending(operation.COMPLETE, end.at)),
        ],
        tasks=[
            task(2, 'postgresql/0', 'get-primary', 3, 4),
            task(3, 'postgresql/0', 'create-backup', 19, 49),
            task(4, 'maas-region/0', 'create-backup', 53, 83),
        ],
        dispatches=[],
    )


def test_the_charms_own_work_is_one_piece_after_the_other(run: recording.Run):
    assert [(piece.name, piece.seconds) for piece in critical_path.pieces(run)] == [
        ('get-primary on postgresql/0', 3.0),
        ('removal of postgresql/1', 10.0),
        ('create-backup on postgresql/0', 30.0),
        ('return of the units of postgresql', 43.0),
    ]
    assert critical_path.ratio(run) == pytest.approx(100 / 86)


def test_of_the_two_that_go_side_by_side_the_longer_one_counts(run: recording.Run):
    database, files = critical_path.backups(run)
    slow = dataclasses.replace(files, completed=after(84.5 + 15))
    pieces = critical_path.pieces(dataclasses.replace(run, tasks=[database, slow]))
    assert [piece.name for piece in pieces][-1] == 'create-backup on maas-region/0'


def test_what_follows_a_sub_action_is_the_next_step_or_the_removal_it_decides(run: recording.Run):
    assert reactions.seconds(run) == [3.0, 2.0, 2.0]
