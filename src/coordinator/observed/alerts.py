"""The alert rules: when a person must do something, and where our pages say what.

Units of one application report the same, so rules aggregate over them. Expressions name the
application that they are about: several coordinators may report to one Prometheus.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

PAGE = 'https://github.com/canonical/maas-backup-coordinator/blob/main/docs/how-to/alerts.md'
CRITICAL, WARNING = 'critical', 'warning'
_APPLICATION = 'juju_model, juju_model_uuid, juju_application'
_QUIET_SECONDS = 20 * 60
"""A leader stores at least every five minutes that it is still there."""
_UNVERIFIED_SECONDS = 7 * 24 * 3600
_OPEN = 'state=~"running|waiting|undoing"'


@dataclasses.dataclass(frozen=True)
class Alert:
    """One rule."""

    name: str
    expression: str
    """PromQL in which `[...]` stands for a metric of ours: its name, and what else selects it."""
    lasts: str
    """For how long the expression must hold."""
    severity: str
    summary: str
    description: str

    @property
    def runbook(self) -> str:
        """Address of what our pages say to do."""
        return f'{PAGE}#{self.name.lower()}'

    def rule(self, selector: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """Return the rule as Prometheus reads it.

        Args:
            selector: label matchers, separated by commas, that choose the application.
            labels: more labels of the alert.
        """
        return {
            'alert': self.name,
            'expr': _selecting(self.expression, selector),
            'for': self.lasts,
            'labels': {'severity': self.severity, **labels},
            'annotations': {
                'summary': self.summary,
                'description': self.description,
                'runbook_url': self.runbook,
            },
        }


def _selecting(expression: str, selector: str) -> str:
    """Put names and selectors in: `[sets status="failed"]` selects `maas_backup_sets{...}`."""
    begin, *rest = expression.split('[')
    made = [begin]
    for part in rest:
        inside, _, after = part.partition(']')
        name, _, matchers = inside.partition(' ')
        full = name if name == 'up' else f'maas_backup_{name}'
        made.append(f'{full}{{{",".join(filter(None, (selector, matchers)))}}}{after}')
    return ''.join(made)


def groups(selector: str, group: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return all rules as one group, in the form of a rules file.

    Args:
        selector: label matchers that choose the application.
        group: name of the group.
        labels: more labels of each alert.
    """
    rules = [alert.rule(selector, labels) for alert in ALERTS]
    return {'groups': [{'name': group, 'rules': rules}]}


def _max(selected: str, by: str = _APPLICATION) -> str:
    return f'max by ({by}) ([{selected}])'


_OLDEST_NOTE = f'min by ({_APPLICATION}) ([observed_since_timestamp_seconds])'
_NEWEST = _max('newest_set_timestamp_seconds kind="complete"')
_LIMIT = _max('max_age_seconds')

ALERTS = (
    Alert(
        'MaasBackupTooOld',
        f'time() - {_NEWEST} > {_LIMIT} or (time() - {_OLDEST_NOTE} > {_LIMIT} unless {_NEWEST})',
        '5m',
        CRITICAL,
        'The newest complete backup set of MAAS is too old.',
        'The newest complete backup set of {{ $labels.juju_application }} in model '
        '{{ $labels.juju_model }} is older than backup-max-age.',
    ),
    Alert(
        'MaasBackupFailed',
        _max(
            'last_operation_status kind=~"backup-all|restore-all",status="failed"',
            'kind, ' + _APPLICATION,
        )
        + ' == 1',
        '1m',
        CRITICAL,
        'The last {{ $labels.kind }} failed.',
        'The last {{ $labels.kind }} of {{ $labels.juju_application }} in model '
        '{{ $labels.juju_model }} failed. Find the cause: juju run '
        '{{ $labels.juju_application }}/leader show-operation',
    ),
    Alert(
        'MaasBackupOperationHeld',
        _max('operation_state state="held"') + ' == 1',
        '5m',
        CRITICAL,
        'An operation is held and needs you.',
        'An operation of {{ $labels.juju_application }} in model {{ $labels.juju_model }} is '
        'held. No other operation can start, and PostgreSQL or MAAS may be down. Find the '
        'cause: juju run '
        '{{ $labels.juju_application }}/leader show-operation',
    ),
    Alert(
        'MaasBackupNoProgress',
        f'(time() - {_max("operation_progress_timestamp_seconds")} > {_QUIET_SECONDS}) '
        f'and {_max(f"operation_state {_OPEN}")} == 1',
        '5m',
        CRITICAL,
        'No unit continues the running operation.',
        'No unit of {{ $labels.juju_application }} in model {{ $labels.juju_model }} '
        'has continued its operation for {{ $value | humanizeDuration }}.',
    ),
    Alert(
        'MaasBackupVerificationFailed',
        _max('last_operation_status kind="verify-backup",status="failed"')
        + ' == 1 or '
        + _max('sets status="damaged"')
        + ' > 0',
        '1m',
        CRITICAL,
        'A backup set is damaged, or could not be verified.',
        'verify-backup of {{ $labels.juju_application }} in model {{ $labels.juju_model }} '
        'failed, or found a damaged backup set. List the sets: juju run '
        '{{ $labels.juju_application }}/leader list-backups',
    ),
    Alert(
        'MaasBackupNeverVerified',
        f'(time() - {_OLDEST_NOTE} > {_UNVERIFIED_SECONDS}) and '
        + _max('sets status="complete"')
        + ' > 0 unless '
        + _max('newest_set_timestamp_seconds kind="verified"'),
        '1h',
        WARNING,
        'No backup set has been verified.',
        'verify-backup has found no complete backup set of {{ $labels.juju_application }} in '
        'model {{ $labels.juju_model }} good. Verify the newest set: juju run '
        '{{ $labels.juju_application }}/leader verify-backup backup-id=latest',
    ),
    Alert(
        'MaasBackupDatabaseExpired',
        _max('sets status="database-expired"') + ' > 0',
        '1h',
        WARNING,
        'PostgreSQL has deleted the database backup of {{ $value }} backup set(s).',
        'The retention of PostgreSQL in model {{ $labels.juju_model }} is shorter than that of '
        '{{ $labels.juju_application }}: {{ $value }} backup set(s) can no longer be restored.',
    ),
    Alert(
        'MaasBackupPostgresqlUnitsMissing',
        _max('postgresql_missing_units') + f' > 0 unless {_max(f"operation_state {_OPEN}")} == 1',
        '15m',
        CRITICAL,
        'PostgreSQL has fewer units than before an operation.',
        'An operation of {{ $labels.juju_application }} in model {{ $labels.juju_model }} has '
        'removed units of PostgreSQL, and {{ $value }} of them are still missing.',
    ),
    Alert(
        'MaasBackupRunMissed',
        _max('schedule_last_run_missed', f'kind, {_APPLICATION}') + ' == 1',
        '1m',
        CRITICAL,
        'A scheduled {{ $labels.kind }} did not run.',
        'The last scheduled {{ $labels.kind }} of {{ $labels.juju_application }} in model '
        '{{ $labels.juju_model }} was due but did not start. Find the cause: juju run '
        '{{ $labels.juju_application }}/leader show-schedule',
    ),
    Alert(
        'MaasBackupExporterDown',
        f'min by (juju_unit, {_APPLICATION}) ([up]) == 0 or absent([build_info])',
        '15m',
        WARNING,
        'The metrics of the coordinator cannot be scraped.',
        'The metrics of {{ $labels.juju_application }} in model {{ $labels.juju_model }} are '
        'missing, so no other alert about it can fire.',
    ),
)
