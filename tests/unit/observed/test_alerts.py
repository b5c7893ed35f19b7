"""Each alert fires when it should and is silent when not, by `promtool test rules`."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

import pytest
import yaml

from coordinator.observed import alerts, metrics, note, sets

TOPOLOGY = {
    'juju_model': 'maas',
    'juju_model_uuid': 'deadbeef-0bad-400d-8000-4b1d0d06f00d',
    'juju_application': 'maas-backup-coordinator',
}
SELECTOR = ','.join(f'{name}="{value}"' for name, value in TOPOLOGY.items())
UNIT = 'maas-backup-coordinator/0'
HOUR, DAY = 3600, 24 * 3600
BEGAN = '1970-01-01T00:00:00Z'
PAGES = pathlib.Path(__file__).resolve().parents[3] / 'docs'
WELL = sets.Sets({'complete': 1, 'damaged': 0, 'database-expired': 0}, {'complete': BEGAN})
"""promtool begins in 1970, and so did this backup."""


def noted(**changes: Any) -> note.Note:
    """Return the note of the leader of a site where all is well."""
    well = note.Note('0.1.0', since=0, leads=True, sets=WELL.to_json(), max_age=26 * HOUR)
    return dataclasses.replace(well, **changes)


def with_sets(newest: Mapping[str, str] | None = None, **states: int) -> str:
    counted = {**WELL.states, **{name.replace('_', '-'): n for name, n in states.items()}}
    return sets.Sets(counted, newest if newest is not None else WELL.newest).to_json()


def ended(kind: str, status: str) -> Mapping[str, note.Last]:
    return {kind: note.Last(BEGAN, status, 0, 60, left=False)}


def kept(*, missed_last: bool) -> Mapping[str, note.Scheduled]:
    return {'backup-all': note.Scheduled(due=DAY, missed=1, missed_last=missed_last)}


def under_way(state: str) -> note.UnderWay:
    return note.UnderWay(BEGAN, 'backup-all', 'back-up-postgresql', state)


@dataclasses.dataclass(frozen=True)
class Case:
    alert: str
    note: note.Note | None
    """None if nothing is scraped."""
    hours: float
    """After which it is looked whether the alert fires."""
    fires: bool
    up: int = 1


CASES = [
    Case('MaasBackupTooOld', noted(), 25, fires=False),
    Case('MaasBackupTooOld', noted(), 27, fires=True),
    Case('MaasBackupTooOld', noted(max_age=0), 27, fires=False),
    Case('MaasBackupTooOld', noted(sets=with_sets({}, complete=0)), 25, fires=False),
    Case('MaasBackupTooOld', noted(sets=with_sets({}, complete=0)), 27, fires=True),
    Case(
        'MaasBackupTooOld', noted(sets='', last_complete='1970-01-01T20:00:00Z'), 27, fires=False
    ),
    Case('MaasBackupFailed', noted(last=ended('backup-all', 'complete')), 1, fires=False),
    Case('MaasBackupFailed', noted(last=ended('backup-all', 'failed')), 1, fires=True),
    Case('MaasBackupFailed', noted(last=ended('restore-all', 'failed')), 1, fires=True),
    Case('MaasBackupFailed', noted(last=ended('expire', 'failed')), 1, fires=False),
    Case('MaasBackupFailed', noted(last=ended('backup-all', 'aborted')), 1, fires=False),
    Case('MaasBackupOperationHeld', noted(), 1, fires=False),
    Case('MaasBackupOperationHeld', noted(under_way=under_way('waiting')), 1, fires=False),
    Case('MaasBackupOperationHeld', noted(under_way=under_way('held')), 1, fires=True),
    Case('MaasBackupNoProgress', noted(), 1, fires=False),
    Case('MaasBackupNoProgress', noted(under_way=under_way('waiting')), 0.3, fires=False),
    Case('MaasBackupNoProgress', noted(under_way=under_way('waiting')), 1, fires=True),
    Case('MaasBackupNoProgress', noted(under_way=under_way('held')), 1, fires=False),
    Case('MaasBackupVerificationFailed', noted(last=ended('verify-backup', 'complete')), 1, False),
    Case('MaasBackupVerificationFailed', noted(last=ended('verify-backup', 'failed')), 1, True),
    Case('MaasBackupVerificationFailed', noted(sets=with_sets(damaged=1)), 1, fires=True),
    Case('MaasBackupNeverVerified', noted(), 24 * 6, fires=False),
    Case('MaasBackupNeverVerified', noted(), 24 * 8, fires=True),
    Case('MaasBackupNeverVerified', noted(sets=with_sets({}, complete=0)), 24 * 8, fires=False),
    Case(
        'MaasBackupNeverVerified',
        noted(sets=with_sets({'complete': BEGAN, 'verified': BEGAN})),
        24 * 8,
        fires=False,
    ),
    Case('MaasBackupDatabaseExpired', noted(), 2, fires=False),
    Case('MaasBackupDatabaseExpired', noted(sets=with_sets(database_expired=2)), 2, fires=True),
    Case('MaasBackupPostgresqlUnitsMissing', noted(), 1, fires=False),
    Case('MaasBackupPostgresqlUnitsMissing', noted(missing_units=2), 1, fires=True),
    Case(
        'MaasBackupPostgresqlUnitsMissing',
        noted(missing_units=2, under_way=under_way('running')),
        1,
        fires=False,
    ),
    Case(
        'MaasBackupPostgresqlUnitsMissing',
        noted(missing_units=2, under_way=under_way('held')),
        1,
        fires=True,
    ),
    Case('MaasBackupRunMissed', noted(schedules=kept(missed_last=False)), 1, fires=False),
    Case('MaasBackupRunMissed', noted(schedules=kept(missed_last=True)), 1, fires=True),
    Case('MaasBackupExporterDown', noted(), 1, fires=False),
    Case('MaasBackupExporterDown', noted(), 1, fires=True, up=0),
    Case('MaasBackupExporterDown', None, 1, fires=True),
]


@pytest.fixture(scope='module')
def promtool() -> str:
    found = shutil.which('promtool')
    if found is None:
        pytest.skip('there is no promtool on PATH: make packages installs it')
    return found


def pace(cases: list[Case]) -> int:
    """Return how many minutes are between two scrapes: fewer of them where days pass."""
    return 4 if max(case.hours for case in cases) > 24 else 1


def series(case: Case, minutes: int) -> list[dict[str, str]]:
    """Return what Prometheus has scraped, always the same."""
    labels = ','.join(f'{k}="{v}"' for k, v in {**TOPOLOGY, 'juju_unit': UNIT}.items())
    count = int(case.hours * 60 / minutes)
    made = [{'series': f'up{{{labels}}}', 'values': f'{case.up}x{count}'}]
    if case.note is None:
        return made
    for metric in metrics.METRICS:
        for values, value in metric.samples(case.note, 0.0):
            own = [f'{k}="{v}"' for k, v in zip(metric.labels, values, strict=True)]
            name = f'{metrics.PREFIX}{metric.name}{{{",".join([*own, labels])}}}'
            made.append({'series': name, 'values': f'{value}x{count}'})
    return made


def labels_of(case: Case) -> Mapping[str, str]:
    """Return the labels that the alert has when it fires, of a series and of the rule."""
    found = {**TOPOLOGY, 'severity': rule(case.alert)['labels']['severity']}
    if case.alert == 'MaasBackupFailed' and case.note is not None:
        found['kind'] = next(iter(case.note.last))
    if case.alert == 'MaasBackupRunMissed':
        found['kind'] = 'backup-all'
    if case.alert == 'MaasBackupExporterDown' and case.note is not None:
        found['juju_unit'] = UNIT
    return found


def rule(name: str) -> dict[str, dict[str, str]]:
    (group,) = alerts.groups(SELECTOR, 'maas-backup', TOPOLOGY)['groups']
    (found,) = [each for each in group['rules'] if each['alert'] == name]
    return found


def unit_test(case: Case, minutes: int) -> dict[str, object]:
    """Return the case as promtool reads it."""
    expected = [{'exp_labels': labels_of(case)}] if case.fires else []
    return {
        'interval': f'{minutes}m',
        'input_series': series(case, minutes),
        'alert_rule_test': [
            {
                'eval_time': f'{int(case.hours * 60)}m',
                'alertname': case.alert,
                'exp_alerts': expected,
            }
        ],
    }


def written(folder: pathlib.Path, cases: list[Case]) -> pathlib.Path:
    rules = alerts.groups(SELECTOR, 'maas-backup', TOPOLOGY)
    for each in rules['groups'][0]['rules']:
        # promtool would compare them word by word.
        del each['annotations']
    (folder / 'rules.yaml').write_text(yaml.safe_dump(rules))
    path = folder / 'test.yaml'
    tests = {
        'rule_files': ['rules.yaml'],
        'evaluation_interval': f'{pace(cases)}m',
        'tests': [unit_test(case, pace(cases)) for case in cases],
    }
    path.write_text(yaml.safe_dump(tests))
    return path


@pytest.mark.parametrize('alert', alerts.ALERTS, ids=lambda alert: alert.name)
def test_an_alert_fires_when_it_should_and_only_then(
    alert: alerts.Alert, promtool: str, tmp_path: pathlib.Path
):
    cases = [case for case in CASES if case.alert == alert.name]
    assert {case.fires for case in cases} == {True, False}
    told = subprocess.run(
        [promtool, 'test', 'rules', str(written(tmp_path, cases))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr


def test_the_rules_are_well_formed_in_a_model_and_without_one(
    promtool: str, tmp_path: pathlib.Path
):
    for selector in (SELECTOR, 'job="maas-backup"', ''):
        rules = tmp_path / 'rules.yaml'
        rules.write_text(yaml.safe_dump(alerts.groups(selector, 'maas-backup', {})))
        told = subprocess.run(
            [promtool, 'check', 'rules', str(rules)], capture_output=True, text=True, check=False
        )
        assert told.returncode == 0, told.stdout + told.stderr


def test_rules_ask_only_for_metrics_that_there_are():
    known = {metric.name for metric in metrics.METRICS} | {'up'}
    for alert in alerts.ALERTS:
        asked = set(re.findall(r'\[(\w+)', alert.expression))
        assert asked, alert.name
        assert asked <= known, alert.name


def test_every_alert_has_a_section_that_says_what_to_do():
    page = (PAGES / 'how-to' / 'alerts.md').read_text()
    sections = {line.removeprefix('## ') for line in page.splitlines() if line.startswith('## ')}
    for alert in alerts.ALERTS:
        assert alert.name in sections
        assert alert.runbook.endswith(f'docs/how-to/alerts.md#{alert.name.lower()}')


def test_another_coordinator_in_the_same_prometheus_is_not_meant():
    (group,) = alerts.groups(SELECTOR, 'maas-backup', TOPOLOGY)['groups']
    for each in group['rules']:
        chosen = re.findall(r'(?:maas_backup_\w+|\bup)\{([^}]*)\}', each['expr'])
        assert chosen
        assert all(SELECTOR in matchers for matchers in chosen), each['alert']
