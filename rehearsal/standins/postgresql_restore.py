"""What postgresql does to restore: the action that begins it, the charm that looks for its end.

The action ends at once. Patroni goes on by itself, and the charm notices the end only in the
hooks in which it looks.
"""

from __future__ import annotations

import datetime
import functools
from collections.abc import Sequence

from coordinator import errors
from rehearsal import clock
from rehearsal.standins import (
    behaviour,
    body,
    host,
    patroni,
    pgbackrest,
    postgresql_backups,
    s3_parameters,
    system_users,
)

RESTORING = 'restoring backup'
STARTED = 'restore started'
_TOLERATED = (postgresql_backups.ANOTHER_CLUSTER, body.CANNOT_PITR)
_LOOKS = ('update-status', f'{system_users.PEERS}-relation-changed', 'secret-changed')


class Restores:
    """The restore half of postgresql."""

    def __init__(
        self,
        switches: behaviour.PostgresqlBehaviour,
        users: system_users.SystemUsers,
        backups: postgresql_backups.Backups,
        below: body.Body,
    ):
        self._switches = switches
        self._body = below
        self._users = users
        self._backups = backups

    def start(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run the action `restore`.

        A fault in its middle is one of what goes on afterwards: its message is the status that
        the unit is blocked with then. Earlier ones leave the old data, and the status.
        """
        target = here.parameters.get('restore-to-time', '')
        fields = _check(here, target, self._switches)
        try:
            found: body.Listing = yield functools.partial(self._body.listing, here, fields)
        except errors.NotFound:
            found = body.Listing(body.stanza(here), [], [])
        except (errors.CoordinatorError, body.Failed) as error:
            raise host.ActionError('Failed to retrieve backups list') from error
        backup = _choose(found, here.parameters.get('backup-id', ''), target)
        if fault.kind == 'nothing':
            here.results['restore-status'] = STARTED
            return
        here.set_status('maintenance', RESTORING)
        yield from fault.strike('stopping')
        if fault.at == 'emptying':
            yield from self._restart(here)
        yield from fault.strike('emptying')
        here.results['restore-status'] = STARTED
        source = body.Source(found.stanza, backup, target)
        problem = yield functools.partial(self._body.begin_restore, here, fields, source)
        struck = fault.at == 'middle'
        hangs = struck and fault.kind == 'hang'
        ends = here.now() + datetime.timedelta(
            seconds=behaviour.FOREVER if hangs else self._switches.restore
        )
        here.own['member'] = 'restoring'
        here.shared['restore'] = {
            'problem': fault.message if struck and fault.kind == 'fail' else problem,
            'ends': ends.isoformat(),
        }
        here.shared.update({'restoring-backup': backup.label, 's3-block': ''})

    def _restart(self, here: host.Host) -> clock.Work:
        """Start the server again with the data that it has: Patroni promotes it anew."""
        here.shared['timeline'] += 1
        yield from self._backups.begin_timeline(here)

    def follow(self, here: host.Host, hook: str) -> clock.Work:
        """As leader, see what has become of a restore that is under way."""
        if not here.is_leader() or 'restoring-backup' not in here.shared:
            return
        # A blocked unit does not look any more: it is for a person to mend.
        if hook not in _LOOKS or here.status[0] == 'blocked':
            return
        problem = yield from self._end(here)
        if problem:
            here.set_status('blocked', problem)
        elif 'restore' not in here.shared and (yield from self._users.may_log_in(here)):
            yield from self._conclude(here)

    def _end(self, here: host.Host) -> clock.Answering[str]:
        """Let Patroni end the restore when it is time; return why that has failed."""
        under_way = here.shared.get('restore')
        if under_way is None or here.now() < datetime.datetime.fromisoformat(under_way['ends']):
            return ''
        if under_way['problem']:
            return under_way['problem']
        problem: str | None = yield functools.partial(self._body.restored, here)
        if problem == '':
            del here.shared['restore']
            here.shared.update({'primary': here.unit, 'members': [here.unit]})
            here.own['member'] = patroni.RUNNING
        return problem or ''

    def _conclude(self, here: host.Host) -> clock.Work:
        """The cluster is there and lets the charm in: see whose the repository is now."""
        del here.shared['restoring-backup']
        yield from self._backups.begin_timeline(here)
        fields = s3_parameters.connection(here)
        try:
            problem = yield functools.partial(self._backups.another_cluster, here, fields)
        except errors.StoreRefused:
            problem = s3_parameters.NO_BUCKET
        except body.Failed:
            problem = postgresql_backups.NO_STANZA
        if problem:
            here.shared.update({'s3-block': problem, 'stanza': ''})

    def show(self, here: host.Host) -> None:
        """Set the status of a unit while the cluster is restored."""
        if here.is_leader():
            if here.own.get('users-block'):
                here.set_status('blocked', here.own['users-block'])
        elif here.own.get('member') != patroni.RUNNING:
            here.set_status('waiting', 'awaiting for member to start')


def _check(
    here: host.Host, target: str, switches: behaviour.PostgresqlBehaviour
) -> dict[str, str]:
    """Refuse what cannot be restored on this unit, or return the connection to S3."""
    if switches.standby:
        raise host.ActionError(
            'Restoring backups is not supported on a standby cluster. Run restore on the primary '
            'cluster instead.'
        )
    fields = s3_parameters.check(here)
    if not here.parameters.get('backup-id') and 'restore-to-time' not in here.parameters:
        raise host.ActionError(
            'Either backup-id or restore-to-time parameters need to be provided to be able to do '
            'restore'
        )
    if target and target != 'latest':
        try:
            body.point_in_time(target)
        except ValueError:
            raise host.ActionError('Bad restore-to-time format') from None
    status, message = here.status
    if status == 'blocked' and message not in _TOLERATED:
        raise host.ActionError('Cluster or unit is in a blocking state')
    if len(here.units()) > 1:
        raise host.ActionError(
            'Unit cannot restore backup as there are more than one unit in the cluster'
        )
    if switches.replicates:
        raise host.ActionError(
            'Unit cannot restore backup with an active async replication relation'
        )
    if not here.is_leader():
        raise host.ActionError(
            'Unit cannot restore backup as it was not elected the leader unit yet'
        )
    return fields


def _choose(found: body.Listing, wanted: str, target: str) -> body.Backup:
    """Return the backup to restore from."""
    whole = [backup for backup in found.backups if not backup.failed]
    if not wanted:
        return _nearest(whole, target)
    for backup in whole:
        if postgresql_backups.backup_id(backup.label) == wanted:
            return backup
    timelines = {at.strftime(postgresql_backups.ID_FORMAT) for _, at in found.timelines}
    if wanted not in timelines:
        raise host.ActionError(f'Invalid backup-id: {wanted}')
    if not target:
        raise host.ActionError('Cannot restore to the timeline without restore-to-time parameter')
    return _nearest(whole, target)


def _nearest(whole: Sequence[body.Backup], target: str) -> body.Backup:
    """Return the last backup that was begun before a point in time."""
    for backup in reversed(whole):
        begun = pgbackrest.label_time(backup.label)
        if target == 'latest' or begun <= body.point_in_time(target):
            return backup
    raise host.ActionError(f"Can't find the nearest timeline before timestamp {target} to restore")
