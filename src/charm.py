#!/usr/bin/env python3
"""The charm: Juju's events in, status and results out. All else is in `coordinator`.

Whatever wakes the unit advances the operation that is open; no event means anything more.
Modules that few dispatches need are executed when they are first used (`late`): while no operation
is open a dispatch must cost next to nothing.
"""

from __future__ import annotations

import functools
import gc
import logging
import os
import sys

if __name__ == '__main__':
    # Before all other imports, which take longer than both.
    if os.environ.get('JUJU_DISPATCH_PATH') == 'hooks/advance':
        import pathlib

        from coordinator.engine import glance

        if glance.suffices(pathlib.Path(os.environ['JUJU_CHARM_DIR'])):
            sys.exit()
    import late

    late.install()

import ops

import given
import glances
import lease
import observing
import requesting
import scheduling
import succession
import world
from actions import acknowledging as acknowledging_actions
from actions import adoption as adoption_actions
from actions import base as action_base
from actions import catalogue as catalogue_actions
from actions import expiry as expiry_actions
from actions import operations as operation_actions
from actions import schedule as schedule_actions
from actions import signing as signing_actions
from actions import verification as verification_actions
from coordinator import errors, ports
from coordinator.engine import advance, doubt, log, operation
from coordinator.operations import aftermath, asked, plans
from coordinator.record import databag, history
from coordinator.report import listing, situation, status
from coordinator.unit import pacemaker

logger = logging.getLogger(__name__)

_NEWEST = '.newest-record'
"""Kept on the unit's own disk, in the charm's folder."""


def connect(to: given.Given) -> ports.World:
    """Return the world as this dispatch can reach it. Tests replace it."""
    return world.LiveWorld(to)


class AdvanceEvent(ops.EventBase):
    """The pacemaker's dispatch."""


class DueEvent(ops.EventBase):
    """The dispatch of a schedule's timer."""


class CoordinatorEvents(ops.CharmEvents):
    """Juju's events and our own."""

    advance = ops.EventSource(AdvanceEvent)
    due = ops.EventSource(DueEvent)


class CoordinatorCharm(ops.CharmBase):
    """Backs up charmed MAAS."""

    on = CoordinatorEvents()

    def __init__(self, framework: ops.Framework):
        super().__init__(framework)
        self._given = given.Given(self, lambda to: connect(to))
        # Each line is a juju-log process: debug lines would cost more than the dispatch itself.
        logging.getLogger().setLevel(logging.INFO)
        self._record = databag.Record(self.model, self.charm_dir / _NEWEST)
        self._succession = succession.Succession(self._given, self._record)
        self._observing = observing.Observing(self, self._given, self._record)
        self._pacemaker = pacemaker.Pacemaker(self.unit.name, str(self.charm_dir))
        for name in given.S3:
            framework.observe(self.on[name].relation_changed, self._on_s3_changed)
        for event in (self.on.stop, self.on.remove):
            framework.observe(event, self._on_leaving)
        for name in (*given.RELATIONS, databag.RELATION):
            framework.observe(self.on[name].relation_broken, self._on_broken)
        for event in self._waking_events():
            framework.observe(event, self._on_wake)
        desk = action_base.Desk(self._given, self._record, self._succession, self._observing)
        operations = operation_actions.OperationActions(self, desk)
        verification = verification_actions.VerificationActions(self, desk)
        doors = {
            'backup-all': operations.begin_backup,
            'verify-backup': verification.begin_of_schedule,
            asked.NAME: operations.begin_backup,
        }
        self._scheduling = scheduling.Scheduling(self._given, self._record, doors)
        self._requesting = requesting.Requesting(self._given, self._record, self._scheduling)
        # The framework knows them only as long as somebody does.
        self._handlers = [
            operations,
            verification,
            acknowledging_actions.AcknowledgingActions(self, desk),
            catalogue_actions.CatalogueActions(self, desk),
            expiry_actions.ExpiryActions(self, desk),
            adoption_actions.AdoptionActions(self, desk),
            schedule_actions.ScheduleActions(self, desk, self._scheduling),
            signing_actions.SigningActions(self, desk),
        ]
        framework.observe(self.on.collect_unit_status, self._on_collect_status)
        framework.observe(self.on.collect_app_status, self._on_collect_status)

    def _waking_events(self) -> list[ops.BoundEvent]:
        events = [
            self.on.advance,
            self.on.due,
            self.on.start,
            self.on.config_changed,
            self.on.update_status,
            self.on.upgrade_charm,
            self.on.leader_elected,
            self.on.secret_changed,
            self.on[databag.RELATION].relation_created,
            self.on[databag.RELATION].relation_changed,
            self.on[databag.RELATION].relation_departed,
            self.on[requesting.ENDPOINT].relation_created,
            # Not broken: a unit that leaves breaks its relations, which the others keep.
            self.on[requesting.ENDPOINT].relation_changed,
        ]
        for name in (given.MAAS, given.POSTGRESQL, *given.S3):
            of_relation = self.on[name]
            events += [of_relation.relation_joined, of_relation.relation_departed]
        return [*events, *(self.on[name].relation_changed for name in given.S3)]

    def _on_s3_changed(self, event: ops.RelationChangedEvent) -> None:
        """Remove from our databag what the S3 library has copied there from the integrator's.

        With track 1 of the s3-integrator that is the access key and the secret key.
        """
        event.relation.data[self.unit].pop('data', None)

    # --- The engine's dispatch ---------------------------------------------------------------

    def _on_wake(self, event: ops.EventBase) -> None:
        """Take the open operation one checkpoint further."""
        held = lease.Lease(self._given.began)
        # systemd may take its time.
        held.keep()
        try:
            self._wake(event, held)
        finally:
            held.end()

    def _wake(self, event: ops.EventBase, held: lease.Lease) -> None:
        beats = isinstance(event, AdvanceEvent)
        # Ask for leadership before reading the record, because the record may be from before
        # another leader's term.
        leads = self.unit.is_leader()
        op = self._operation()
        if isinstance(event, ops.RelationDepartedEvent) and self._leaves(op):
            return
        self._record.keep_back()
        if leads and op is not None and self._record.behind:
            self._scheduling.put_back()
            self._record.save(op)
            if plans.complete(op):
                self._record.set_last_complete(op.backup_id, action_base.utc_now())
        if leads and op is None:
            self._succession.take_over()
        self._keep_schedules(event, leads=leads)
        self._go_on(op, leads=leads, beats=beats)
        if self._record.kept_back and not held.holds():
            # The next dispatch decides again, as after a crash.
            self._record.drop()
            logger.warning(
                'this dispatch took too long and stored nothing; the next one decides again'
            )
        self._record.release()
        if leads and not self._record.dropped:
            self._requesting.tell()

    def _go_on(self, op: operation.Operation | None, *, leads: bool, beats: bool) -> None:
        """Advance the operation that is open, or look at what the last one has left."""
        if op is None or not op.open or not leads:
            if beats:
                self._pacemaker.stop()
            elif leads and op is not None and op.terminal:
                self._look_again(op)
            return
        moved = self._advance(op)
        # The next beat of the pacemaker notices the end of the operation and stops. If it was
        # stopped here and Juju lost the record, nothing would continue the operation.
        if moved.open and not beats:
            self._pacemaker.start(moved.at)

    def _keep_schedules(self, event: ops.EventBase, *, leads: bool) -> None:
        """Begin what is due or requested, and have this unit woken for the next run."""
        may_be_gone = (
            ops.StartEvent,
            ops.ConfigChangedEvent,
            ops.UpgradeCharmEvent,
            ops.UpdateStatusEvent,
            ops.LeaderElectedEvent,
        )
        gone = isinstance(event, may_be_gone)
        if leads and self._record.ready:
            now = action_base.utc_now()
            of = event.relation.name if isinstance(event, ops.RelationEvent) else ''
            # Before schedules: what they begin answers requests as well.
            self._requesting.note(now, read=gone or of == requesting.ENDPOINT, alone=gone)
            self._scheduling.look(now, alone=gone)
            self._requesting.decide(now)
        self._scheduling.keep_time(look=gone)

    def _look_again(self, op: operation.Operation) -> None:
        """Find out what is still left to do after the last operation, if anything was."""
        since = self._record.since
        found = status.trouble(op, self._record.earlier, since)
        # The reason of a failure does not depend on the present state of the site.
        if found is None or found.status == operation.FAILED:
            return
        ended = op if found.id == op.id else self._record.unsettled
        if ended is None or ended.id != found.id:
            return

        with self._given.connected() as reachable:
            lines = aftermath.seen(ended, reachable)
            # The check may have taken long, and only the leader may store anything.
            written = lines is not None or self._record.kept_back
            leads = written and reachable.leads()
            if written and not leads:
                self._record.drop()
            self._record.release()
        if lines is not None and leads:
            self._record.set_since(since.finding(found.id, lines))

    def _on_broken(self, event: ops.RelationBrokenEvent) -> None:
        """Juju breaks all relations of a unit before it stops the unit."""
        self._leaves(self._operation())

    def _on_leaving(self, event: ops.EventBase) -> None:
        """Leave nothing running behind on a machine that others use."""
        self._pacemaker.stop()
        self._scheduling.end()
        self._observing.end()
        self._leaves(self._operation())

    def _leaves(self, op: operation.Operation | None) -> bool:
        """Do the last unit's work if this is the last unit and it is being removed."""
        if op is None or not self._succession.is_last(op):
            return False
        self._pacemaker.stop()
        self._succession.leave(op)
        return True

    def _operation(self) -> operation.Operation | None:
        try:
            return self._record.load()
        except errors.ForeignRecordError as error:
            logger.error('%s', error)
            return None

    def _advance(self, op: operation.Operation) -> operation.Operation:
        plan = plans.of(op)
        if plan is None:
            held = op.held(f'this revision of the charm does not know the operation {op.kind}')
            logger.error('%s: held: %s', held.at, held.error)
            self._record.save(held)
            return held
        noted = glances.Glances(self._given, self._record)
        self._observing.begins(op)
        with self._given.connected() as reachable, log.naming(op):
            moved = advance.advance(op, plan, reachable)
            if moved.status == operation.HELD:
                moved = situation.noted(moved, reachable)
            written = moved is not op or self._record.kept_back
            if written and not reachable.leads():
                self._record.drop()
                # The next dispatch checks what this one did, as after a crash.
                logger.warning(
                    '%s: this dispatch stored nothing: this unit may no longer be the leader',
                    op.at,
                )
                return op
            self._record.release()
            # Texts may differ in nothing but their layout, or in what does not fit.
            stored = self._record.save(moved) if moved is not op else None
            if stored is not None:
                if plans.complete(stored):
                    self._record.set_last_complete(stored.backup_id, reachable.now())
                if history.is_behind(op, stored):
                    history.write(stored, reachable)
            if stored is not None and stored.terminal:
                self._list_sets(stored, reachable)
            # An answer that is outstanding must be remembered even if this record is lost.
            if doubt.all_answered(op, moved):
                reachable.settle()
            noted.learn(op, moved)
            if moved is op and not advance.is_uncertain(op):
                noted.leave(op)
        return stored or op

    def _list_sets(self, op: operation.Operation, reachable: ports.World) -> None:
        """List the backup sets that an operation leaves, for the metrics; S3 may not answer."""
        try:
            self._observing.note_sets(listing.listed(reachable), reachable)
        except Exception as error:
            # No error here matters: the operation has ended, and this is only for the metrics.
            ours = isinstance(error, errors.CoordinatorError)
            reason = str(error) if ours else type(error).__name__
            logger.info('%s: the backup sets were not listed for the metrics: %s', op.at, reason)

    # --- Status --------------------------------------------------------------------------------

    def _on_collect_status(self, event: ops.CollectStatusEvent) -> None:
        """Set the status."""
        event.add_status(self._status)

    @functools.cached_property
    def _status(self) -> ops.StatusBase:
        """The status of the unit and, by the leader, of the application: worked out once."""
        try:
            op = self._record.load()
        except errors.ForeignRecordError as error:
            return ops.BlockedStatus(str(error))
        if op is None or op.terminal:
            try:
                self._given.settings()
            except errors.PreconditionError as error:
                return ops.BlockedStatus(str(error))
            problem = self._scheduling.problem()
            if problem:
                return ops.BlockedStatus(problem)
        now = action_base.utc_now()
        kept = self._record
        under_way = op is not None and op.open
        name, message = status.describe(
            op,
            kept.earlier,
            kept.last_complete,
            self.app.name,
            now,
            lacking=self._given.lacking() if under_way else '',
            # Of one that leads and is back after hours, this very dispatch has gone on.
            quiet=kept.unchanged(now) if under_way and not self.unit.is_leader() else None,
            since=kept.since,
            kept=self._scheduling.kept,
        )
        return ops.StatusBase.from_name(name, message)


if __name__ == '__main__':
    # A dispatch imports much and is short, so garbage collection would free almost nothing.
    gc.disable()
    ops.main(CoordinatorCharm)
