"""What a dry run of expire prints: every set with its reason, and what to do next."""

from __future__ import annotations

import datetime
import json

from coordinator.report import retention_report
from coordinator.sets import retention, rules

MODEL = 'deadbeef-0bad-400d-8000-4b1d0d06f00d'
NOW = datetime.datetime(2026, 8, 22, 12, 15, tzinfo=datetime.UTC)
SETS = [
    retention.BackupSet('2025-12-31T10:15:00Z', MODEL, retention.DATABASE_EXPIRED),
    retention.BackupSet('2026-01-01T10:15:00Z', MODEL, retention.DATABASE_EXPIRED),
    retention.BackupSet('2026-08-20T10:15:00Z', MODEL, pinned=True),
    retention.BackupSet('2026-08-21T10:15:00Z', MODEL),
    retention.BackupSet('2026-08-22T10:15:00Z', MODEL),
    retention.BackupSet('2026-08-23T10:15:00Z', MODEL),
]


def printed(policy: rules.Policy) -> str:
    verdicts = retention.verdicts(SETS, policy, MODEL, NOW)
    return retention_report.text(verdicts, policy, 'backups', NOW)


def test_each_set_has_its_age_whether_it_stays_and_why():
    assert printed(rules.Policy(last=1, yearly=2)).splitlines() == [
        'backup-id            | status           | age       | outcome | kept by',
        '-' * 116,
        '2025-12-31T10:15:00Z | database-expired | 234 d 2 h | kept    | keep-yearly',
        '2026-01-01T10:15:00Z | database-expired | 233 d 2 h | deleted |',
        '2026-08-20T10:15:00Z | complete         | 2 d 2 h   | kept    | pinned',
        '2026-08-21T10:15:00Z | complete         | 1 d 2 h   | deleted |',
        '2026-08-22T10:15:00Z | complete         | 2 h       | kept    | keep-last, keep-yearly',
        '2026-08-23T10:15:00Z | complete         |           | kept    | '
        'dated in the future, so not deleted before that time',
        '',
        '2 of 6 backup set(s) would be deleted by keep-last=1 keep-yearly=2',
        '',
        'next: juju run backups/leader expire; keep-backup backup-id=... exempts a set from it',
    ]


def test_without_any_rule_it_says_how_to_set_one():
    lines = printed(rules.Policy()).splitlines()
    assert 'no backup set would be deleted: no rule is set' in lines
    assert lines[-1] == (
        'next: juju config backups keep-last=... keep-daily=... keep-weekly=... keep-monthly=... '
        'keep-yearly=...'
    )


def test_when_nothing_goes_it_names_the_rules_that_could_be_changed():
    lines = printed(rules.Policy(last=20)).splitlines()
    assert '0 of 6 backup set(s) would be deleted by keep-last=20' in lines
    assert lines[-1] == 'next: juju config backups keep-last=...'


def test_programs_get_rules_and_reasons_apart():
    policy = rules.Policy(last=1)
    verdicts = retention.verdicts(SETS, policy, MODEL, NOW)
    found = {item['backup-id']: item for item in json.loads(retention_report.as_json(verdicts))}
    assert found['2026-01-01T10:15:00Z'] == {
        'backup-id': '2026-01-01T10:15:00Z',
        'status': 'database-expired',
        'pinned': False,
        'goes': True,
        'rules': [],
        'exempt': '',
    }
    assert found['2026-08-22T10:15:00Z']['rules'] == ['keep-last']
    assert found['2026-08-20T10:15:00Z']['exempt'] == 'pinned'
