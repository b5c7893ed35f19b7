"""The dashboard is as `make reference` writes it, and asks only for metrics that there are."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from coordinator.observed import metrics
from docs.generate import contents


def panels() -> Iterator[dict[str, Any]]:
    for text in contents.dashboards().values():
        yield from json.loads(text)['panels']


def queries() -> list[str]:
    return [target['expr'] for panel in panels() for target in panel.get('targets', ())]


def test_the_dashboard_is_as_make_reference_writes_it():
    for path, text in contents.dashboards().items():
        assert (contents.ROOT / path).read_text() == text, f'{path}: make reference'


def test_it_asks_only_for_metrics_that_there_are():
    known = {metrics.PREFIX + metric.name for metric in metrics.METRICS}
    asked = set(re.findall(rf'{metrics.PREFIX}\w+', ' '.join(queries())))
    assert len(asked) > 10
    assert asked <= known


def test_every_query_is_about_the_chosen_coordinator():
    for query in queries():
        chosen = re.findall(r'(?:maas_backup_\w+|ALERTS)\{([^}]*)\}', query)
        assert chosen, query
        assert all('$juju_application' in each for each in chosen), query


def test_every_panel_has_a_title_and_a_place_of_its_own():
    places = [tuple(panel['gridPos'].values()) for panel in panels()]
    assert len(places) == len(set(places))
    assert all(panel['title'] for panel in panels())


def test_prometheus_can_read_every_query(tmp_path: pathlib.Path):
    promtool = shutil.which('promtool')
    if promtool is None:
        pytest.skip('there is no promtool on PATH: make packages installs it')
    rules = [
        {'record': f'query:{number}', 'expr': query} for number, query in enumerate(queries())
    ]
    path = tmp_path / 'rules.yaml'
    path.write_text(yaml.safe_dump({'groups': [{'name': 'queries', 'rules': rules}]}))
    told = subprocess.run(
        [promtool, 'check', 'rules', '--lint=none', str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stdout + told.stderr
