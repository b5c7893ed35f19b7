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


class Observing(ops.Object):
    """Leaves the note for the exporter, and has systemd listen for whoever scrapes it."""

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
        self.framework.observe(on.collect_unit_status, self._on_dispatched)

    def end(self) -> None:
        """Leave nothing that listens behind."""
        self._service.stop()

    def note_sets(self, listed: typing.Iterable[catalogue.Entry], world: ports.World) -> None:
        """Store what the metrics say of the sets that the leader has listed."""
        from coordinator.observed import sets

        self._record.set_sets(sets.of(listed, world.model_uuid, world.now()).to_json())

    def _on_set_up(self, event: ops.EventBase) -> None:
        port = int(self._charm.config['metrics-port'])
        if not 0 <= port < 1 << 16:
            logger.warning('metrics-port is %s, it can be 0 to 65535: no metrics are served', port)
            port = 0
        if port:
            self._service.start(port)
        else:
            self._service.stop()

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
