"""The metrics: what they are called, and what they say of a note.

Names follow Prometheus' conventions: base units, `_total` for what only grows, times as seconds
since 1970, so that an age is `time() - ...` and no metric changes merely because time passes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from coordinator import errors, times
from coordinator.engine import operation
from coordinator.observed import note as notes
from coordinator.observed import sets

PREFIX = 'maas_backup_'
_STATES = (notes.RUNNING, notes.WAITING, notes.UNDOING, notes.HELD)
_OUTCOMES = (operation.COMPLETE, operation.FAILED, operation.ABORTED)
_FAILURES = {
    errors.S3_UNANSWERED: ('s3', 'unanswered'),
    errors.S3_REFUSED: ('s3', 'refused'),
    errors.CONTROLLER_UNANSWERED: ('controller', 'unanswered'),
    errors.CONTROLLER_REFUSED: ('controller', 'refused'),
}

Sample = tuple[tuple[str, ...], float]
"""The values of the labels, and the value."""


@dataclasses.dataclass(frozen=True)
class Metric:
    """One metric."""

    name: str
    """Without the prefix."""
    help: str
    samples: Callable[[notes.Note, float], Iterable[Sample]]
    """What it says of a note at a time, in seconds since 1970."""
    labels: tuple[str, ...] = ()
    kind: Literal['gauge', 'counter'] = 'gauge'


def _lasted(period: notes.Period | None, now: float) -> Iterator[Sample]:
    if period is not None:
        yield (), max((period.until or now) - period.since, 0.0)


def _one(value: float, said: bool = True) -> list[Sample]:
    return [((), value)] if said else []


def _build(note: notes.Note, now: float) -> Iterator[Sample]:
    yield (note.version,), 1.0


def _newest(note: notes.Note) -> Iterator[tuple[str, str]]:
    """Yield each kind of set with the backup id of the newest one."""
    found = sets.Sets.from_json(note.sets)
    newest = dict(found.newest) if found is not None else {}
    # The application knows of its own newest set before anybody lists the repository.
    if found is None and note.last_complete:
        newest[sets.COMPLETE] = note.last_complete
    yield from sorted(newest.items())


def _newest_time(note: notes.Note, now: float) -> Iterator[Sample]:
    for kind, backup_id in _newest(note):
        yield (kind,), times.parse_stamp(backup_id).timestamp()


def _newest_info(note: notes.Note, now: float) -> Iterator[Sample]:
    for kind, backup_id in _newest(note):
        yield (kind, backup_id), 1.0


def _rehearsed(note: notes.Note, now: float) -> Iterator[Sample]:
    found = sets.Sets.from_json(note.sets)
    for proof, at in sorted(found.rehearsed.items()) if found is not None else ():
        yield (proof,), times.parse_stamp(at).timestamp()


def _states(note: notes.Note, now: float) -> Iterator[Sample]:
    found = sets.Sets.from_json(note.sets)
    for state, count in sorted(found.states.items()) if found is not None else ():
        yield (state,), count


def _bytes(note: notes.Note, now: float) -> Iterator[Sample]:
    found = sets.Sets.from_json(note.sets)
    if found is not None and sets.COMPLETE in found.newest:
        yield ('database',), found.database_bytes
        yield ('files',), found.files_bytes


def _state(note: notes.Note, now: float) -> Iterator[Sample]:
    current = note.under_way.state if note.under_way is not None else ''
    for state in _STATES:
        yield (state,), float(state == current)


def _operation(note: notes.Note, now: float) -> Iterator[Sample]:
    if note.under_way is not None:
        yield (note.under_way.kind, note.under_way.id, note.under_way.step), 1.0


def _outcome(note: notes.Note, now: float) -> Iterator[Sample]:
    for kind, last in sorted(note.last.items()):
        for outcome in _OUTCOMES:
            yield (kind, outcome), float(outcome == last.status)


def _step_seconds(note: notes.Note, now: float) -> Iterator[Sample]:
    for kind, last in sorted(note.last.items()):
        for step, seconds in last.steps.items():
            yield (kind, step), seconds


def _of_last(value: Callable[[notes.Last], float]) -> Callable[[notes.Note, float], list[Sample]]:
    """Return what gives a value of the last operation of each kind."""
    return lambda note, now: [((kind,), value(last)) for kind, last in sorted(note.last.items())]


def _next_due(note: notes.Note, now: float) -> Iterator[Sample]:
    for kind, kept in sorted(note.schedules.items()):
        if kept.due:
            yield (kind,), kept.due


def _of_schedule(
    value: Callable[[notes.Scheduled], float],
) -> Callable[[notes.Note, float], list[Sample]]:
    """Return what gives a value of each schedule."""
    return lambda note, now: [
        ((kind,), value(kept)) for kind, kept in sorted(note.schedules.items())
    ]


def _failures(note: notes.Note, now: float) -> Iterator[Sample]:
    for kind, labels in _FAILURES.items():
        yield labels, note.failures.get(kind, 0)


METRICS = (
    Metric('build_info', 'Version of the coordinator. Always 1.', _build, ('version',)),
    Metric(
        'leader',
        '1 on the unit that considers itself the leader, 0 on the others.',
        lambda note, now: _one(float(note.leads)),
    ),
    Metric(
        'observed_since_timestamp_seconds',
        'When this unit first wrote a note for the exporter.',
        lambda note, now: _one(note.since),
    ),
    Metric(
        'max_age_seconds',
        'Age from which the newest complete backup set is too old: option backup-max-age. '
        'Missing if there is no limit.',
        lambda note, now: _one(note.max_age, bool(note.max_age)),
    ),
    Metric(
        'newest_set_timestamp_seconds',
        'When the newest backup set of a kind was started. Kinds: complete; '
        'verified, if verify-backup found it good; read-whole, if it did with deep=true; '
        'proven, if MAAS held exactly what the set does after a restore of it. '
        'A kind without a set is missing.',
        _newest_time,
        ('kind',),
    ),
    Metric(
        'newest_set_info',
        'Backup id of the newest backup set of a kind. Always 1.',
        _newest_info,
        ('kind', 'backup_id'),
    ),
    Metric(
        'newest_set_bytes',
        'Size in S3 of the parts of the newest complete backup set: database and files.',
        _bytes,
        ('part',),
    ),
    Metric(
        'sets',
        'Backup sets of this model by their status, as list-backups shows them. '
        'The leader counts them when an operation ends, and when it runs list-backups.',
        _states,
        ('status',),
    ),
    Metric(
        'last_rehearsal_timestamp_seconds',
        'When the last rehearsal of a backup set of this model began, by what MAAS said after it: '
        'proven, different or unproven. Missing if there was none.',
        _rehearsed,
        ('proof',),
    ),
    Metric(
        'operation_state',
        '1 for the state of the current operation: running, waiting, undoing or held.',
        _state,
        ('state',),
    ),
    Metric(
        'operation_info',
        'The current operation, and its current step. Always 1.',
        _operation,
        ('kind', 'operation_id', 'step'),
    ),
    Metric(
        'operation_progress_timestamp_seconds',
        'When this unit first read the newest record of an operation. '
        'The leader stores one at least every five minutes while an operation is open.',
        lambda note, now: _one(note.progress, note.under_way is not None),
    ),
    Metric(
        'last_operation_status',
        '1 for the status of the last operation of a kind: complete, failed or aborted.',
        _outcome,
        ('kind', 'status'),
    ),
    Metric(
        'last_operation_left_to_do',
        '1 if the last operation of a kind is complete and left something to do.',
        _of_last(lambda last: float(last.left)),
        ('kind',),
    ),
    Metric(
        'last_operation_end_timestamp_seconds',
        'When the last operation of a kind ended.',
        _of_last(lambda last: last.ended),
        ('kind',),
    ),
    Metric(
        'last_operation_duration_seconds',
        'How long the last operation of a kind took.',
        _of_last(lambda last: last.seconds),
        ('kind',),
    ),
    Metric(
        'last_operation_step_duration_seconds',
        'How long each step of the last operation of a kind took, its undo included.',
        _step_seconds,
        ('kind', 'step'),
    ),
    Metric(
        'schedule_next_due_timestamp_seconds',
        'When the next run of a schedule is due. Missing if no run is.',
        _next_due,
        ('kind',),
    ),
    Metric(
        'schedule_missed_runs_total',
        'Runs of a schedule that were due but did not start.',
        _of_schedule(lambda kept: kept.missed),
        ('kind',),
        'counter',
    ),
    Metric(
        'schedule_last_run_missed',
        '1 if the last run of a schedule was missed, '
        'and no operation of its kind has been completed since.',
        _of_schedule(lambda kept: float(kept.missed_last)),
        ('kind',),
    ),
    Metric(
        'postgresql_missing_units',
        'Units of PostgreSQL that an operation has removed and that are still missing.',
        lambda note, now: _one(note.missing_units),
    ),
    Metric(
        'postgresql_degraded_seconds',
        'How long PostgreSQL had fewer units than before, '
        'in the newest operation that scaled it down.',
        lambda note, now: _lasted(note.degraded, now),
    ),
    Metric(
        'maas_downtime_seconds',
        'How long MAAS was down in the newest restore, or has been down in the current one.',
        lambda note, now: _lasted(note.down, now),
    ),
    Metric(
        'failed_requests_total',
        'Requests of this unit that S3 or the controller refused, or did not answer, '
        'so that the unit repeats them.',
        _failures,
        ('server', 'failure'),
        'counter',
    ),
)
