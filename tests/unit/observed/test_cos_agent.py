"""The relation data for an agent of COS matches the interface's published schema."""

from __future__ import annotations

import base64
import json
import lzma
import re
from typing import Any

import pydantic
import pytest

from coordinator.observed import alerts, cos_agent

UUID = 'deadbeef-0bad-400d-8000-4b1d0d06f00d'
TOPOLOGY = cos_agent.Topology('maas', UUID, 'backup', 'maas-backup-coordinator')


class Config(pydantic.BaseModel):
    """Fields and types of the unit's databag, by version 0 of `cos_agent`."""

    model_config = pydantic.ConfigDict(extra='forbid', strict=True)

    metrics_alert_rules: dict[str, Any]
    log_alert_rules: dict[str, Any]
    dashboards: list[str]
    metrics_scrape_jobs: list[dict[str, Any]]
    log_slots: list[str]


def told(port: int = 9813) -> Config:
    return Config.model_validate_json(cos_agent.config(TOPOLOGY, port))


def test_it_has_the_shape_that_the_interface_asks_for():
    found = told()
    assert found.log_alert_rules == {}
    assert found.log_slots == []
    assert found.metrics_scrape_jobs == [
        {
            'job_name': 'backup_metrics',
            'metrics_path': '/metrics',
            'static_configs': [{'targets': ['127.0.0.1:9813']}],
        }
    ]


def test_every_alert_is_about_this_application_and_says_so():
    (group,) = told().metrics_alert_rules['groups']
    assert [each['alert'] for each in group['rules']] == [alert.name for alert in alerts.ALERTS]
    for each in group['rules']:
        assert (
            f'juju_model="maas",juju_model_uuid="{UUID}",juju_application="backup"' in each['expr']
        )
        assert each['labels'] == {
            'severity': each['labels']['severity'],
            'juju_model': 'maas',
            'juju_model_uuid': UUID,
            'juju_application': 'backup',
            'juju_charm': 'maas-backup-coordinator',
        }


def test_the_group_has_a_name_that_cos_takes_for_complete():
    assert re.fullmatch(r'.*?_[\da-f]{8}_.*?rules', TOPOLOGY.group)
    strange = cos_agent.Topology('my-model', UUID, 'my-app', 'x').group
    assert re.fullmatch(r'[a-zA-Z_:][a-zA-Z0-9_:]*', strange)


def test_the_dashboard_can_be_unpacked():
    (packed,) = told().dashboards
    assert json.loads(lzma.decompress(base64.b64decode(packed)))['title'] == 'MAAS backups'


def test_without_metrics_no_alert_misses_them():
    found = told(port=0)
    assert (found.metrics_scrape_jobs, found.metrics_alert_rules) == ([], {})
    assert len(found.dashboards) == 1


def test_it_is_the_same_each_time_and_small():
    once = cos_agent.config(TOPOLOGY, 9813)
    assert once == cos_agent.config(TOPOLOGY, 9813)
    assert len(once) < 64 << 10


@pytest.mark.parametrize('secret', ['password', 'secret:', 'hunter2'])
def test_it_holds_no_secret(secret: str):
    assert secret not in cos_agent.config(TOPOLOGY, 9813)
