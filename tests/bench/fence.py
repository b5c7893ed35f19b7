"""What the fence adds to a whole backup while no image is in motion.

The same embedded model is backed up with an API key of MAAS and without one. What counts is the
time that the fence holds the backup up: the step `await-images`, and `back-up-maas` before its
task is enqueued and after it has completed.
"""

from __future__ import annotations

import pathlib
import statistics
import tempfile
from collections.abc import Iterator

from rehearsal import embedded
from rehearsal.standins import behaviour
from tests.bench import critical_path, figures, recording

_RUNS = 3
_SETTLE_SECONDS = 120.0


def measure() -> Iterator[figures.Figure]:
    """Make backups, and yield what to print."""
    without = _backups(has_key=False)
    yield figures.Figure('around the images, without a key', 's', without)
    with_key = _backups(has_key=True)
    yield figures.Figure('around the images, with a key', 's', with_key)
    added = statistics.median(with_key) - statistics.median(without)
    yield figures.Figure('the fence adds to a whole backup', 's', [added], 'under 3 s')


def _backups(*, has_key: bool) -> list[float]:
    maas = behaviour.MaasBehaviour(install=0.1, initialise=0.1, backup=2.0)
    postgresql = behaviour.PostgresqlBehaviour(install=0.1, stanza=0.1, backup=2.0)
    layout = embedded.Layout(regions=2, postgresql_units=1, maas_key=has_key)
    with (
        tempfile.TemporaryDirectory(prefix='bench-') as root,
        embedded.Embedded(pathlib.Path(root), layout, maas, postgresql) as running,
    ):
        running.settle(_SETTLE_SECONDS)
        recorder = recording.Recorder(running)
        return [seconds(recorder.back_up()) for _ in range(_RUNS)]


def seconds(run: recording.Run) -> float:
    """Return how long a backup was held up around the images."""
    _, files = critical_path.backups(run)
    assert files.completed is not None
    steps = [(moment.at, moment.operation) for moment in run.moments if moment.operation]
    entered = {
        name: next(at for at, op in steps if op.step == name)
        for name in ('await-images', 'scale-down-postgresql', 'back-up-maas')
    }
    left = next(at for at, op in steps if at > files.completed and op.step != 'back-up-maas')
    parts = (
        entered['scale-down-postgresql'] - entered['await-images'],
        files.enqueued - entered['back-up-maas'],
        left - files.completed,
    )
    return sum(part.total_seconds() for part in parts)
