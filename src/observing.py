"""Joins what is observed of the coordinator to Juju's events."""

from __future__ import annotations

import datetime
import json
import logging
import typing

import ops

import coordinator
import given
from coordinator import errors, ports
from coordinator.engine import operation
from coordinator.observed import cos_agent, note, service, sets, trace, tracing
from coordinator.record import databag, schedules
from coordinator.report import progress
from coordinator.s3 import sent
from coordinator.sets import catalogue

logger = logging.getLogger(__name__)

_HOUR = 3600
_DAILY = 26
"""Hours: a backup each day, and two for the backup itself."""
_AGENT, _TRACES = 'cos-agent', 'charm-tracing'
"""The endpoints."""
_TRACING = '.tracing'
"""In the charm's folder: there while somebody receives traces."""


class Observing(ops.Object):
    """Leaves the note for the exporter, has systemd listen, and tells agents of COS where."""

    def __init__(self, charm: ops.CharmBase, given_to_unit: given.Given, kept: databag.Record):
        super().__init__(charm, 'observing')
        self._given = given_to_unit
        self._record = kept
        path = given_to_unit.folder / note.FILE
        self._notes = note.Notes(path)
        self._service = service.Service(given_to_unit.unit.name, path)
        self._began: operation.Operation | None = None
        on = charm.on
        # After a reboot, with other settings, or with other code.
        for event in (on.start, on.config_changed, on.upgrade_charm):
            self.framework.observe(event, self._on_set_up)
        for event in (on[_AGENT].relation_created, on[_AGENT].relation_joined):
            self.framework.observe(event, self._on_agent)
        for event in (on[_TRACES].relation_created, on[_TRACES].relation_changed):
            self.framework.observe(event, self._on_receiver)
        self.framework.observe(on[_TRACES].relation_broken, self._on_no_receiver)
        self.framework.observe(on.collect_unit_status, self._on_dispatched)

    def begins(self, op: operation.Operation) -> None:
        """Remember the step that this dispatch works on."""
        self._began = op

    def end(self) -> None:
        """Leave nothing that listens behind."""
        self._service.stop()

    def before(self, kind: str) -> progress.Before:
        """Return what is known of the last operation of a kind, for estimates."""
        noted = self._notes.read()
        last = noted.last.get(kind) if noted is not None else None
        found = sets.Sets.from_json(self._record.sets)
        sizes = {
            'back-up-postgresql': found.database_bytes if found is not None else 0,
            'back-up-maas': found.files_bytes if found is not None else 0,
        }
        return progress.Before(
            last.steps if last is not None else {},
            {step: size for step, size in sizes.items() if size},
        )

    def note_sets(self, listed: typing.Iterable[catalogue.Entry], world: ports.World) -> None:
        """Store what the metrics say of the sets that the leader has listed."""
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

        us = self._given
        topology = cos_agent.Topology(us.model.name, us.model.uuid, us.app.name, us.charm_name)
        for relation in relations:
            relation.data[us.unit][cos_agent.KEY] = cos_agent.config(topology, self._port())

    def _on_receiver(self, event: ops.RelationEvent) -> None:
        """Ask for a receiver of traces, and remember the one that is offered."""
        if self._given.unit.is_leader():
            event.relation.data[self._given.app]['receivers'] = json.dumps([tracing.PROTOCOL])
        offered = event.relation.data[event.app].get('receivers', '') if event.app else ''
        self._tracing().aim(offered)

    def _on_no_receiver(self, event: ops.RelationBrokenEvent) -> None:
        self._tracing().aim('')

    def _tracing(self) -> tracing.Tracing:
        return tracing.Tracing(self._given.folder / _TRACING)

    def _trace(self, op: operation.Operation) -> None:
        """Count what this dispatch asked of S3; send the trace of what has ended, once."""
        us, found = self._given, self._tracing()
        found.count(self._began or op, sent.counted)
        sent.counted.clear()
        if not op.terminal or not us.unit.is_leader() or self._record.traced == op.id:
            return
        source = trace.Source(
            us.app.name,
            us.unit.name,
            us.model.name,
            us.model.uuid,
            coordinator.VERSION,
        )
        if found.send(op, source):
            self._record.set_traced(op.id)

    def _max_age(self) -> int:
        """Return the seconds after which the newest complete set is too old; 0 if never."""
        hours = int(self._given.config.get('backup-max-age', 0))
        if not hours and str(self._given.config.get('backup-schedule') or '').strip():
            kept = schedules.from_json(self._record.schedules).get('backup-all')
            # Without a run to come, the newest set grows old and nothing has failed.
            hours = _DAILY if kept is None or not kept.over else 0
        return hours * _HOUR

    def _port(self) -> int:
        """Return the port for metrics; 0 if there is none."""
        port = int(self._given.config.get('metrics-port', 0))
        if 0 <= port < 1 << 16:
            return port
        logger.warning('metrics-port is %s, but must be 0 to 65535: no metrics are served', port)
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
        if op is not None and (self._given.folder / _TRACING).exists():
            self._trace(op)
        seen = note.Seen(
            version=coordinator.VERSION,
            leads=self._given.unit.is_leader(),
            op=op,
            earlier=self._record.earlier,
            last_complete=self._record.last_complete,
            sets=self._record.sets,
            max_age=self._max_age(),
            schedules=self._record.schedules,
            failures=failures,
            settled=self._record.since.settled,
        )
        self._notes.update(seen, datetime.datetime.now(datetime.UTC))
