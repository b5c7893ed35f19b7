"""Joins what is observed of the coordinator to Juju's events."""

from __future__ import annotations

import datetime
import logging
import typing

import ops

import coordinator
from coordinator import errors
from coordinator.observed import note, service
from coordinator.record import databag

if typing.TYPE_CHECKING:
    import charm
    from coordinator import ports
    from coordinator.sets import catalogue

logger = logging.getLogger(__name__)

_HOUR = 3600
_AGENT = 'cos-agent'
"""The endpoint."""


class Observing(ops.Object):
    """Leaves the note for the exporter, has systemd listen, and tells agents of COS where."""

    def __init__(self, coordinator_charm: charm.CoordinatorCharm, kept: databag.Record):
        super().__init__(coordinator_charm, 'observing')
        self._charm = coordinator_charm
        self._record = kept
        path = coordinator_charm.charm_dir / note.FILE
        self._notes = note.Notes(path)
        self._service = service.Service(coordinator_charm.unit.name, path)
        on = coordinator_charm.on
        # After a reboot, with other settings, or with other code.
        for event in (on.start, on.config_changed, on.upgrade_charm):
            self.framework.observe(event, self._on_set_up)
        for event in (on[_AGENT].relation_created, on[_AGENT].relation_joined):
            self.framework.observe(event, self._on_agent)
        self.framework.observe(on.collect_unit_status, self._on_dispatched)

    def end(self) -> None:
        """Leave nothing that listens behind."""
        self._service.stop()

    def note_sets(self, listed: typing.Iterable[catalogue.Entry], world: ports.World) -> None:
        """Store what the metrics say of the sets that the leader has listed."""
        from coordinator.observed import sets

        self._record.set_sets(sets.of(listed, world.model_uuid, world.now()).to_json())

    def _on_set_up(self, event: ops.EventBase) -> None:
        port = self._port()
        if port:
            self._service.start(port)
        else:
            self._service.stop()
        self._tell_agents()

    def _on_agent(self, event: ops.RelationEvent) -> None:
        self._tell_agents()

    def _tell_agents(self) -> None:
        """Give agents that scrape for COS what belongs to this code and these settings."""
        relations = self.model.relations[_AGENT]
        if not relations:
            return
        from coordinator.observed import cos_agent

        charm = self._charm
        topology = cos_agent.Topology(
            charm.model.name, charm.model.uuid, charm.app.name, charm.meta.name
        )
        for relation in relations:
            relation.data[charm.unit][cos_agent.KEY] = cos_agent.config(topology, self._port())

    def _port(self) -> int:
        """Return the port for metrics; 0 if there is none."""
        port = int(self._charm.config['metrics-port'])
        if 0 <= port < 1 << 16:
            return port
        logger.warning('metrics-port is %s, it can be 0 to 65535: no metrics are served', port)
        return 0

    def _on_dispatched(self, event: ops.CollectStatusEvent) -> None:
        """Leave the note, at the end of each dispatch."""
        failures = dict(errors.met)
        errors.met.clear()
        try:
            op = self._record.load()
        except errors.ForeignRecordError:
            # A newer revision wrote it: the note stays as it is until the charm is refreshed.
            return
        seen = note.Seen(
            version=coordinator.VERSION,
            leads=self._charm.unit.is_leader(),
            op=op,
            earlier=self._record.earlier,
            last_complete=self._record.last_complete,
            sets=self._record.sets,
            max_age=int(self._charm.config['backup-max-age']) * _HOUR,
            failures=failures,
            settled=self._record.since.settled,
        )
        self._notes.update(seen, datetime.datetime.now(datetime.UTC))
