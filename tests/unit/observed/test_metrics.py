"""Metrics follow Prometheus' conventions, and say what a note says."""

from __future__ import annotations

from coordinator import times
from coordinator.observed import metrics, note, sets

ID = '2026-08-22T10:15:00Z'
BEGAN = int(times.parse_stamp(ID).timestamp())
FULL = note.Note(
    '0.1.0',
    since=BEGAN,
    leads=True,
    generation=7,
    progress=BEGAN + 5,
    under_way=note.UnderWay(ID, 'backup-all', 'verify', note.WAITING),
    last={'restore-all': note.Last(ID, 'failed', BEGAN + 60, 60, left=False, steps={'check': 3})},
    last_complete=ID,
    sets=sets.Sets(
        {'complete': 2, 'failed': 1}, {'complete': ID, 'verified': ID}, 10, 20, {'proven': ID}
    ).to_json(),
    missing_units=2,
    degraded=note.Period(BEGAN, BEGAN + 30),
    down=note.Period(BEGAN),
    failures={'s3-unanswered': 4},
    max_age=3600,
    schedules={'backup-all': note.Scheduled(BEGAN + 9, 3, missed_last=True)},
)


def samples(of: note.Note, now: float = BEGAN + 100) -> dict[str, float]:
    """Return what is said by name and labels, as `name{label="value"}`."""
    found: dict[str, float] = {}
    for metric in metrics.METRICS:
        for values, value in metric.samples(of, now):
            pairs = zip(metric.labels, values, strict=True)
            labels = ','.join(f'{name}="{text}"' for name, text in pairs)
            found[f'{metrics.PREFIX}{metric.name}{{{labels}}}'.removesuffix('{}')] = value
    return found


def test_it_says_what_the_note_says():
    said = samples(FULL)
    expected = {
        'maas_backup_build_info{version="0.1.0"}': 1,
        'maas_backup_leader': 1,
        'maas_backup_max_age_seconds': 3600,
        'maas_backup_newest_set_timestamp_seconds{kind="complete"}': BEGAN,
        'maas_backup_newest_set_timestamp_seconds{kind="verified"}': BEGAN,
        f'maas_backup_newest_set_info{{kind="complete",backup_id="{ID}"}}': 1,
        'maas_backup_newest_set_bytes{part="database"}': 10,
        'maas_backup_newest_set_bytes{part="files"}': 20,
        'maas_backup_sets{status="complete"}': 2,
        'maas_backup_sets{status="failed"}': 1,
        'maas_backup_last_rehearsal_timestamp_seconds{proof="proven"}': BEGAN,
        'maas_backup_operation_state{state="waiting"}': 1,
        'maas_backup_operation_state{state="held"}': 0,
        f'maas_backup_operation_info{{kind="backup-all",operation_id="{ID}",step="verify"}}': 1,
        'maas_backup_operation_progress_timestamp_seconds': BEGAN + 5,
        'maas_backup_last_operation_status{kind="restore-all",status="failed"}': 1,
        'maas_backup_last_operation_status{kind="restore-all",status="complete"}': 0,
        'maas_backup_last_operation_left_to_do{kind="restore-all"}': 0,
        'maas_backup_last_operation_end_timestamp_seconds{kind="restore-all"}': BEGAN + 60,
        'maas_backup_last_operation_duration_seconds{kind="restore-all"}': 60,
        'maas_backup_last_operation_step_duration_seconds{kind="restore-all",step="check"}': 3,
        'maas_backup_schedule_next_due_timestamp_seconds{kind="backup-all"}': BEGAN + 9,
        'maas_backup_schedule_missed_runs_total{kind="backup-all"}': 3,
        'maas_backup_schedule_last_run_missed{kind="backup-all"}': 1,
        'maas_backup_postgresql_missing_units': 2,
        'maas_backup_postgresql_degraded_seconds': 30,
        'maas_backup_maas_downtime_seconds': 100,
        'maas_backup_failed_requests_total{server="s3",failure="unanswered"}': 4,
        'maas_backup_failed_requests_total{server="controller",failure="refused"}': 0,
    }
    assert {name: said.get(name) for name in expected} == expected


def test_what_is_not_known_is_not_said():
    said = samples(note.Note('0.1.0', since=BEGAN, leads=False))
    names = {name.partition('{')[0] for name in said}
    assert names == {
        'maas_backup_build_info',
        'maas_backup_leader',
        'maas_backup_observed_since_timestamp_seconds',
        'maas_backup_operation_state',
        'maas_backup_postgresql_missing_units',
        'maas_backup_failed_requests_total',
    }


def test_the_application_knows_its_newest_set_before_anybody_lists_the_repository():
    said = samples(note.Note('0.1.0', since=BEGAN, leads=True, last_complete=ID))
    assert said['maas_backup_newest_set_timestamp_seconds{kind="complete"}'] == BEGAN


def test_sets_that_were_stored_otherwise_are_not_said():
    said = samples(note.Note('0.1.0', since=BEGAN, leads=True, sets='{"states": 7}'))
    assert not [name for name in said if name.startswith('maas_backup_sets')]


def test_the_example_has_every_metric():
    said = {name.partition('{')[0].removeprefix(metrics.PREFIX) for name in samples(FULL)}
    assert said == {metric.name for metric in metrics.METRICS}
