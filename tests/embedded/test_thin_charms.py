"""The stand-ins as charms, process by process: what integration tests deploy on a real Juju.

The unit agent is the embedded model's, and keeps a charm's writes as Juju does. So what cannot be
tried here is left to Juju: its storage, machines, permissions and the packed files.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import pathlib
from collections.abc import Iterator
from concurrent import futures

import pytest

from rehearsal import clock, embedded, model, site
from rehearsal.agent import charm_agent, charm_files, home
from rehearsal.standins import agent, maas_region, postgresql, s3_integrator
from rehearsal.thin_charm import charm, charm_file

QUICK = {
    'maas-region': 'hook=0 action=0 install=0 initialise=0.1 backup=0.5',
    'postgresql': 'hook=0 action=0 install=0 join=0.1 remove=0.1 failover=0.1 stanza=0 backup=0.5',
    's3-integrator': 'hook=0 action=0',
}
_UP_SECONDS, _OPERATION_SECONDS = 240.0, 240.0
"""Far more than it takes on a machine with nothing else to do."""
AnyStandIn = maas_region.MaasRegion | postgresql.Postgresql | s3_integrator.S3Integrator

pytestmark = [pytest.mark.long, pytest.mark.xdist_group('thin-charms')]


class ThinAgent:
    """Runs an application's charm in the place of its stand-in. It starts with the first event."""

    def __init__(self, juju: model.Model, stood_in: AnyStandIn, place: pathlib.Path):
        self._loop = asyncio.get_running_loop()
        self._starting: futures.Future[None] | None = None
        source = place / 'source'
        source.mkdir(parents=True)
        charm_file.lay_out(stood_in, source)
        stood_in.charm = _declared(source)
        self._agent = charm_agent.CharmAgent(juju, source, place, home.Controller('', ()))

    def run(self, unit: model.Unit, event: model.Event) -> clock.Work:
        if self._starting is None:
            self._starting = asyncio.run_coroutine_threadsafe(self._agent.start(), self._loop)
        yield self._starting.result
        yield from self._agent.run(unit, event)

    async def stop(self) -> None:
        """Kill what runs."""
        await self._agent.stop()

    def kill(self, unit: model.Unit) -> None:
        self._agent.kill(unit)

    def removed(self, unit: model.Unit) -> None:
        self._agent.removed(unit)


def _declared(source: pathlib.Path) -> model.CharmSpec:
    """Return what a charm declares, with the switches that make it quick as their default."""
    spec = charm_files.read_charm(source)
    quick = model.Option('string', QUICK[spec.name])
    return dataclasses.replace(spec, options={**spec.options, charm.SWITCHES: quick})


@pytest.fixture
def running(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[embedded.Embedded]:
    hosts: list[ThinAgent] = []

    def host(juju: model.Model, stood_in: AnyStandIn, stores: agent.StoreFor) -> ThinAgent:
        hosts.append(ThinAgent(juju, stood_in, tmp_path / f'charm-{len(hosts)}'))
        return hosts[-1]

    monkeypatch.setattr(agent, 'StandInAgent', host)
    # On 4.0 the units that are left hear nothing of one that is removed: they must count by goals.
    layout = embedded.Layout(version='4.0.15', regions=1, postgresql_units=2)
    with embedded.Embedded(tmp_path / 'model', layout) as embedded_model:
        embedded_model.settle(_UP_SECONDS)
        yield embedded_model
        for thin in hosts:
            embedded_model.thread.run(thin.stop())


def test_a_backup_of_them_is_complete(running: embedded.Embedded):
    started = running.run_action(f'{embedded.APP}/leader', 'backup-all')
    assert started.status == 'completed', started.message

    def ended() -> bool:
        return json.loads(running.peers.app_data[embedded.APP]['operation'])['status'] != 'open'

    running.until(ended, _OPERATION_SECONDS)

    record = running.operation()
    assert record['status'] == 'complete', record
    units = running.call(lambda: list(running.model.application(site.POSTGRESQL).units))
    assert len(units) == 2
