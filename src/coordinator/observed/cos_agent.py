"""What the relation `cos-agent` gives an agent that scrapes for COS: the interface `cos_agent`.

The agent is a subordinate on the same machine. Each unit tells it, in its own databag and under
one key, where metrics are served, and the application's alert rules and dashboard. The interface
allows implementations of one's own, and asks for no library.
"""

from __future__ import annotations

import base64
import dataclasses
import json
import lzma
import pathlib
import re
from typing import Any

from coordinator.observed import alerts, service

KEY = 'config'
_DASHBOARD = pathlib.Path(__file__).with_name('dashboard.json')
_GROUP = 'maas_backup_rules'


@dataclasses.dataclass(frozen=True)
class Topology:
    """Where in Juju a unit is: COS labels everything with it."""

    model: str
    model_uuid: str
    application: str
    charm: str

    @property
    def labels(self) -> dict[str, str]:
        """The labels of an alert."""
        return {**self._selecting, 'juju_charm': self.charm}

    @property
    def selector(self) -> str:
        """The label matchers that choose this application's metrics."""
        return ','.join(f'{name}="{value}"' for name, value in self._selecting.items())

    @property
    def _selecting(self) -> dict[str, str]:
        return {
            'juju_model': self.model,
            'juju_model_uuid': self.model_uuid,
            'juju_application': self.application,
        }

    @property
    def group(self) -> str:
        """Name of a group of rules that no other application's has."""
        name = f'{self.model}_{self.model_uuid[:8]}_{self.application}_{_GROUP}'
        return re.sub(r'\W', '_', name)


def config(topology: Topology, port: int) -> str:
    """Return what a unit puts into its databag; equal input gives an equal text.

    Args:
        topology: of the unit.
        port: where its metrics are served; 0 if they are not, so that no alert misses them.
    """
    rules: dict[str, Any] = {}
    jobs: list[dict[str, Any]] = []
    if port:
        rules = alerts.groups(topology.selector, topology.group, topology.labels)
        jobs = [
            {
                'job_name': f'{topology.application}_metrics',
                'metrics_path': '/metrics',
                'static_configs': [{'targets': [f'{service.HOST}:{port}']}],
            }
        ]
    return json.dumps(
        {
            'metrics_alert_rules': rules,
            'log_alert_rules': {},
            'dashboards': [_packed(_DASHBOARD.read_bytes())],
            'metrics_scrape_jobs': jobs,
            'log_slots': [],
        },
        separators=(',', ':'),
    )


def _packed(content: bytes) -> str:
    """Return a dashboard as the interface asks for it."""
    return base64.b64encode(lzma.compress(content)).decode()
