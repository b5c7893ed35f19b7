"""What postgresql does to restore: the action that begins it, the charm that looks for its end.

The action ends at once. Patroni goes on by itself, and the charm notices the end only in the
hooks in which it looks.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
from collections.abc import Mapping
from typing import Any

from coordinator import errors
from rehearsal import clock
from rehearsal.standins import (
    behaviour,
    host,
    patroni,
    pgbackrest,
    postgresql_backups,
    repository,
    s3_parameters,
    system_users,
)

RESTORING = 'restoring backup'
FAILED = 'Failed to restore backup'
CANNOT_PITR = 'cannot restore PITR, juju debug-log for details'
_TOLERATED = (postgresql_backups.ANOTHER_CLUSTER, CANNOT_PITR)
_LOOKS = ('update-status', f'{system_users.PEERS}-relation-changed', 'secret-changed')
_Row = Mapping[str, Any]


class Restores:
    """The restore half of postgresql."""

    def __init__(
        self,
        switches: behaviour.PostgresqlBehaviour,
        users: system_users.SystemUsers,
        backups: postgresql_backups.Backups,
    ):
        self._switches = switches
        self._users = users
        self._backups = backups

    def start(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run the action `restore`.

        A fault in its middle is one of what goes on afterwards: its message is the status that
        the unit is blocked with then.
        """
        target = here.parameters.get('restore-to-time', '')
        fields = _check(here, target)
        try:
            found, label = yield functools.partial(_choose, here, fields, target)
        except errors.CoordinatorError as error:
            raise host.ActionError('Failed to retrieve backups list') from error
        here.results['restore-status'] = 'restore started'
        if fault.kind == 'nothing':
            return
        here.set_status('maintenance', RESTORING)
        content, problem = yield functools.partial(_read, found, label, target)
        struck = fault.at == 'middle'
        hangs = struck and fault.kind == 'hang'
        ends = here.now() + datetime.timedelta(
            seconds=behaviour.FOREVER if hangs else self._switches.restore
        )
        for key in ('database', 'roles'):
            here.shared.pop(key, None)
        here.own['member'] = 'restoring'
        here.shared['restore'] = {
            'content': content,
            'problem': fault.message if struck and fault.kind == 'fail' else problem,
            'ends': ends.isoformat(),
        }
        here.shared.update({'restoring-backup': label, 's3-block': ''})

    def follow(self, here: host.Host, hook: str) -> clock.Work:
        """As leader, see what has become of a restore that is under way."""
        if not here.is_leader() or 'restoring-backup' not in here.shared:
            return
        # A blocked unit does not look any more: it is for a person to mend.
        if hook not in _LOOKS or here.status[0] == 'blocked':
            return
        problem = _end(here)
        if problem:
            here.set_status('blocked', problem)
        elif 'restore' not in here.shared and self._users.may_log_in(here):
            yield from self._conclude(here)

    def _conclude(self, here: host.Host) -> clock.Work:
        """The cluster is there and lets the charm in: see whose the repository is now."""
        del here.shared['restoring-backup']
        yield from self._backups.begin_timeline(here)
        fields = s3_parameters.connection(here)
        try:
            problem = yield functools.partial(postgresql_backups.another_cluster, here, fields)
        except errors.StoreRefused:
            problem = s3_parameters.NO_BUCKET
        if problem:
            here.shared.update({'s3-block': problem, 'stanza': ''})

    def show(self, here: host.Host) -> None:
        """Set the status of a unit while the cluster is restored."""
        if here.is_leader():
            if here.own.get('users-block'):
                here.set_status('blocked', here.own['users-block'])
        elif here.own.get('member') != patroni.RUNNING:
            here.set_status('waiting', 'awaiting for member to start')


def _check(here: host.Host, target: str) -> dict[str, str]:
    """Refuse what cannot be restored on this unit, or return the connection to S3."""
    fields = s3_parameters.check(here)
    if not here.parameters.get('backup-id') and 'restore-to-time' not in here.parameters:
        raise host.ActionError(
            'Either backup-id or restore-to-time parameters need to be provided to be able to do '
            'restore'
        )
    if target and target != 'latest':
        try:
            _time(target)
        except ValueError:
            raise host.ActionError('Bad restore-to-time format') from None
    status, message = here.status
    if status == 'blocked' and message not in _TOLERATED:
        raise host.ActionError('Cluster or unit is in a blocking state')
    if len(here.units()) > 1:
        raise host.ActionError(
            'Unit cannot restore backup as there are more than one unit in the cluster'
        )
    if not here.is_leader():
        raise host.ActionError(
            'Unit cannot restore backup as it was not elected the leader unit yet'
        )
    return fields


def _choose(
    here: host.Host, fields: Mapping[str, str], target: str
) -> tuple[repository.Repository, str]:
    """Return the repository, and the label of the backup to restore from."""
    found = postgresql_backups.listed_repository(here, fields)
    try:
        rows = {label: row for label, row in found.rows().items() if not row['backup-error']}
    except errors.NotFound:
        rows = {}
    wanted = here.parameters.get('backup-id', '')
    if not wanted:
        return found, _nearest(rows, target)
    by_id = {postgresql_backups.backup_id(label): label for label in rows}
    if wanted in by_id:
        return found, by_id[wanted]
    timelines = {at.strftime(postgresql_backups.ID_FORMAT) for _, at in found.timelines()}
    if wanted not in timelines:
        raise host.ActionError(f'Invalid backup-id: {wanted}')
    if not target:
        raise host.ActionError('Cannot restore to the timeline without restore-to-time parameter')
    return found, _nearest(rows, target)


def _nearest(rows: Mapping[str, _Row], target: str) -> str:
    """Return the last backup that was begun before a point in time."""
    for label in reversed(list(rows)):
        if target == 'latest' or pgbackrest.label_time(label) <= _time(target):
            return label
    raise host.ActionError(f"Can't find the nearest timeline before timestamp {target} to restore")


def _read(
    found: repository.Repository, label: str, target: str
) -> tuple[dict[str, Any] | None, str]:
    """Return what a backup brings back, or what the unit will be blocked with."""
    stop = found.rows()[label]['backup-timestamp-stop']
    if target and target != 'latest' and _time(target).timestamp() < stop:
        return None, CANNOT_PITR
    try:
        return dataclasses.asdict(found.restore(label)), ''
    except (pgbackrest.DamagedError, errors.CoordinatorError):
        return None, FAILED


def _end(here: host.Host) -> str:
    """Let Patroni end the restore when it is time; return why that has failed."""
    under_way = here.shared.get('restore')
    if under_way is None or here.now() < datetime.datetime.fromisoformat(under_way['ends']):
        return ''
    if under_way['problem']:
        return under_way['problem']
    content = here.shared.pop('restore')['content']
    here.shared.update(
        {
            'database': content['database'],
            'roles': content['roles'],
            'system-id': content['system_id'],
            'timeline': content['timeline'],
            'primary': here.unit,
            'members': [here.unit],
        }
    )
    here.own['member'] = patroni.RUNNING
    return ''


def _time(text: str) -> datetime.datetime:
    """Read a time as psql writes it; one without an offset is UTC."""
    at = datetime.datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=datetime.UTC)
