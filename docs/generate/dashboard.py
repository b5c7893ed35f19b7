"""The Grafana dashboard, for Grafana 11 and later: am I safe, what runs, what grew, what is slow.

It is built with types, and written to a file that the charm gives to COS.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog import encoder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PATH = 'src/coordinator/observed/dashboard.json'
UID = '6d6161732d6261636b75702d636f6f7264696e61'
"""Forty hexadecimal digits, as COS tells dashboards of charms by; it stays, as links have it."""
_SOURCE = dashboard.DataSourceRef(type_val='prometheus', uid='${prometheusds}')
_CHOSEN = 'juju_model=~"$juju_model",juju_application=~"$juju_application"'
_ANY = '.*'
_OPEN, _HELD = 'state=~"running|waiting|undoing"', 'operation_state state="held"'
_GREEN, _YELLOW, _RED = 'green', 'yellow', 'red'
_DAY = 24 * 3600


def text() -> str:
    """Return the dashboard as JSON."""
    made = (
        builders.Dashboard('MAAS backups')
        .uid(UID)
        .tags(['maas', 'backup', 'charm: maas-backup-coordinator'])
        .description('Written by `make reference`.')
        .time('now-7d', 'now')
        .refresh('1m')
        .timezone('browser')
        .with_variable(
            builders.DatasourceVariable('prometheusds').label('Prometheus').type('prometheus')
        )
        .with_variable(_labels('juju_model', 'Model'))
        .with_variable(_labels('juju_application', 'Application'))
    )
    for row, panels in _rows().items():
        made.with_row(builders.Row(row))
        for panel in panels:
            made.with_panel(panel)
    return json.dumps(made.build(), cls=encoder.JSONEncoder, indent=1, sort_keys=True) + '\n'


def _labels(name: str, label: str) -> builders.QueryVariable:
    """Return a choice among the values of a label; a Prometheus without Juju's labels has none."""
    return (
        builders.QueryVariable(name)
        .label(label)
        .datasource(_SOURCE)
        .query(f'label_values(maas_backup_build_info, {name})')
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .include_all(True)
        .all_value(_ANY)
        .multi(True)
    )


def _rows() -> Mapping[str, list[builders.Panel | stat.Panel | table.Panel | timeseries.Panel]]:
    return {
        'Am I safe?': [
            _age('Newest complete set', 'complete', _DAY + 7200, 2 * _DAY),
            _age('Newest verified set', 'verified', 8 * _DAY, 31 * _DAY),
            _age('Newest set that was read whole', 'read-whole', 32 * _DAY, 93 * _DAY),
            _age('Newest set that a restore has proven', 'proven', 93 * _DAY, 366 * _DAY),
            _number('Last backup', _of_last('backup-all'), _OUTCOMES),
            _number('Last restore', _of_last('restore-all'), _OUTCOMES),
            _number(
                'Operation',
                f'{_max(f"operation_state {_OPEN}")} + 2 * {_max(_HELD)}',
                {'0': ('none', _GREEN), '1': ('under way', 'blue'), '2': ('held', _RED)},
            ),
            _number('Missing PostgreSQL units', _max('postgresql_missing_units'), {}, worse=1),
            _due(),
            _alerts(),
        ],
        'What is running?': [
            _running(),
            _over_time(
                'Step of the operation',
                'max by (kind, step) ([operation_info])',
                '{{kind}}: {{step}}',
                'none',
            ),
        ],
        'What grew?': [
            _over_time(
                'Size of the newest set',
                _max('newest_set_bytes', 'part'),
                '{{part}}',
                'bytes',
                stacked=True,
            ),
            _over_time(
                'Backup sets', _max('sets', 'status') + ' > 0', '{{status}}', 'none', stacked=True
            ),
        ],
        'What takes how long?': [
            _over_time(
                'Steps of backup-all',
                _max('last_operation_step_duration_seconds kind="backup-all"', 'step'),
                '{{step}}',
                's',
                stacked=True,
            ),
            _over_time(
                'Operations', _max('last_operation_duration_seconds', 'kind'), '{{kind}}', 's'
            ),
            _over_time(
                'PostgreSQL without all its units',
                _max('postgresql_degraded_seconds'),
                'degraded',
                's',
            ),
            _over_time('MAAS down for a restore', _max('maas_downtime_seconds'), 'down', 's'),
            _over_time(
                'Requests that failed in an hour',
                'sum by (server, failure) (increase([failed_requests_total][1h]))',
                '{{server}}: {{failure}}',
                'none',
            ),
        ],
    }


_OUTCOMES = {'0': ('complete', _GREEN), '1': ('failed', _RED), '2': ('aborted', _YELLOW)}


def _of_last(kind: str) -> str:
    """Return the outcome of the last operation of a kind, as a number of `_OUTCOMES`."""
    failed = _max(f'last_operation_status kind="{kind}",status="failed"')
    aborted = _max(f'last_operation_status kind="{kind}",status="aborted"')
    return f'{failed} + 2 * {aborted}'


def _max(selected: str, by: str = '') -> str:
    """Return the maximum over units, which all report the same."""
    return f'max by ({by}) ([{selected}])' if by else f'max([{selected}])'


def _selecting(expression: str) -> str:
    """Put names and selectors in, as alert rules do; `[1h]` is a range."""
    begin, *rest = expression.split('[')
    made = [begin]
    for part in rest:
        inside, _, after = part.partition(']')
        name, _, matchers = inside.partition(' ')
        if name[0].isdigit():
            made.append(f'[{part}')
            continue
        selector = ','.join(filter(None, (_CHOSEN, matchers)))
        made.append(f'maas_backup_{name}{{{selector}}}{after}')
    return ''.join(made)


def _query(expression: str, legend: str = '__auto') -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(_selecting(expression)).legend_format(legend).ref_id('A')


def _age(title: str, kind: str, late: float, too_late: float) -> stat.Panel:
    expression = 'time() - ' + _max(f'newest_set_timestamp_seconds kind="{kind}"')
    return (
        _stat(title, expression, _steps((_GREEN, None), (_YELLOW, late), (_RED, too_late)))
        .unit('s')
        .no_value('never')
    )


def _due() -> stat.Panel:
    expression = 'min([schedule_next_due_timestamp_seconds]) * 1000'
    return (
        _stat('Next run', expression, _steps((_GREEN, None)))
        .unit('dateTimeAsLocal')
        .no_value('none')
    )


def _number(
    title: str,
    expression: str,
    values: Mapping[str, tuple[str, str]],
    *,
    worse: float | None = None,
) -> stat.Panel:
    limits = _steps((_GREEN, None), *([(_RED, worse)] if worse is not None else []))
    shown = {
        value: dashboard.ValueMappingResult(text=words, color=color)
        for value, (words, color) in values.items()
    }
    panel = _stat(title, expression, limits).no_value('none yet')
    return panel.mappings([dashboard.ValueMap(options=shown)]) if shown else panel


def _stat(title: str, expression: str, limits: builders.ThresholdsConfig) -> stat.Panel:
    return (
        stat.Panel()
        .title(title)
        .datasource(_SOURCE)
        .with_target(_query(expression))
        .reduce_options(common_builders.ReduceDataOptions().calcs(['lastNotNull']))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.BACKGROUND)
        .thresholds(limits)
        .height(4)
        .span(3)
    )


def _steps(*steps: tuple[str, float | None]) -> builders.ThresholdsConfig:
    return (
        builders.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([dashboard.Threshold(color=color, value=value) for color, value in steps])
    )


def _over_time(
    title: str, expression: str, legend: str, unit: str, *, stacked: bool = False
) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .datasource(_SOURCE)
        .with_target(_query(expression, legend))
        .unit(unit)
        .min(0)
        .fill_opacity(20 if stacked else 0)
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.TABLE)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
            .calcs(['lastNotNull'])
        )
        .height(8)
        .span(12)
    )
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL))
    return panel


def _running() -> table.Panel:
    return _table('Under way or held', '[operation_info]', ('kind', 'operation_id', 'step'))


def _alerts() -> table.Panel:
    expression = f'ALERTS{{alertname=~"MaasBackup.*",alertstate="firing",{_CHOSEN}}}'
    return _table('Alerts', expression, ('alertname', 'severity', 'juju_application'))


def _table(title: str, expression: str, columns: tuple[str, ...]) -> table.Panel:
    return (
        table.Panel()
        .title(title)
        .datasource(_SOURCE)
        .with_target(
            prometheus.Dataquery()
            .expr(f'max by ({", ".join(columns)}) ({_selecting(expression)})')
            .instant()
            .ref_id('A')
            .format(PromQueryFormat.TABLE)
        )
        .with_transformation(
            dashboard.DataTransformerConfig(
                id_val='filterFieldsByName', options={'include': {'names': list(columns)}}
            )
        )
        .no_value('none')
        .height(8)
        .span(12)
    )
