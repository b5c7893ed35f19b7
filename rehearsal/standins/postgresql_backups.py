"""What postgresql does with S3: the stanza, backups, and the list of them."""

from __future__ import annotations

import contextlib
import datetime
import functools
from collections.abc import Mapping

from coordinator import errors
from rehearsal import clock
from rehearsal.standins import behaviour, body, host, patroni, pgbackrest, s3_parameters

ANOTHER_CLUSTER = 'the S3 repository has backups from another cluster'
ID_FORMAT = '%Y-%m-%dT%H:%M:%SZ'
NO_STANZA = 'failed to initialize stanza, check your S3 settings'
OWNER = 'model-uuid.txt'
TYPES = {'full': 'full', 'differential': 'diff', 'incremental': 'incr'}
_ACTIONS = {'F': 'full backup', 'D': 'differential backup', 'I': 'incremental backup'}
_HEADER = (
    'backup-id', 'action', 'status', 'reference-backup-id', 'LSN start/stop', 'start-time',
    'finish-time', 'timeline', 'backup-path',
)  # fmt: skip
_WIDTHS = (20, 19, 8, 20, 23, 20, 20, 8, 0)


class Backups:
    """The backup half of postgresql."""

    def __init__(self, switches: behaviour.PostgresqlBehaviour, below: body.Body):
        self._switches = switches
        self._body = below

    def initialise(self, here: host.Host) -> clock.Work:
        """As leader, make the stanza in a repository that was related or has changed."""
        fields = s3_parameters.connection(here)
        if not fields or s3_parameters.missing(fields):
            return
        seen = s3_parameters.fingerprint(fields)
        if here.shared.get('s3-seen') == seen:
            return
        here.set_status('maintenance', 'checking stanza')
        here.shared.update({'s3-seen': seen, 'stanza': '', 's3-block': ''})
        yield self._switches.stanza
        try:
            problem = yield functools.partial(self._claim, here, fields)
        except errors.StoreRefused:
            problem = s3_parameters.NO_BUCKET
        except body.Failed:
            problem = NO_STANZA
        here.shared['s3-block'] = problem
        here.shared['stanza'] = '' if problem else body.stanza(here)

    def forget(self, here: host.Host) -> clock.Work:
        """Clear up after the relation to S3 has gone."""
        if here.is_leader():
            for key in ('s3-seen', 'stanza', 's3-block'):
                here.shared.pop(key, None)
        yield from ()

    def begin_timeline(self, here: host.Host) -> clock.Work:
        """Archive the history file of a new primary."""
        if here.shared.get('stanza'):
            fields = s3_parameters.connection(here)
            yield functools.partial(self._body.begin_timeline, here, fields)

    def another_cluster(self, here: host.Host, fields: body.Fields) -> str:
        """Return why this cluster may not use the repository: it is another's; '' if it may."""
        try:
            owner = here.store(fields).get(OWNER).decode().strip()
        except errors.NotFound:
            owner = here.model_uuid
        system_id = self._body.system_id(here)
        foreign = owner != here.model_uuid or any(
            name != body.stanza(here) or made_for not in (None, system_id)
            for name, made_for in self._body.stanzas(here, fields).items()
        )
        return ANOTHER_CLUSTER if foreign else ''

    def _claim(self, here: host.Host, fields: body.Fields) -> str:
        """Make the repository this cluster's own, or return why it cannot be."""
        problem = self.another_cluster(here, fields)
        if not problem:
            self._body.create_stanza(here, fields)
            here.store(fields).put(OWNER, here.model_uuid.encode())
        return problem

    def create(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run create-backup."""
        kind = here.parameters.get('type', 'full')
        yield from self._check(here, kind)
        fields = s3_parameters.check(here)
        store = here.store(fields)
        start = here.now()
        probe = s3_parameters.probe(here, start.strftime(ID_FORMAT))
        try:
            yield lambda: store.put(f'backup/{body.stanza(here)}/latest', probe)
        except errors.CoordinatorError as error:
            raise host.ActionError('Failed to upload metadata to provided S3') from error
        here.set_status('maintenance', 'creating backup')
        try:
            yield from self._run(here, fields, TYPES[kind], fault)
        except host.ActionError:
            here.set_status('active')
            raise
        here.results['backup-status'] = 'backup created'
        # Not "Primary": that is back with the next hook only.
        here.set_status('active')

    def _check(self, here: host.Host, kind: str) -> clock.Work:
        """Refuse a backup that this unit cannot make."""
        if kind not in TYPES:
            raise host.ActionError(
                f'Invalid backup type: {kind}. Possible values: {", ".join(TYPES)}.'
            )
        if kind != 'full' and not (yield from self._has_backups(here)):
            raise host.ActionError(
                f'Invalid backup type: {kind}. No previous full backup to reference.'
            )
        if here.status[0] == 'blocked':
            raise host.ActionError('Unit is in a blocking state')
        primary = yield from patroni.ask_primary(here, self._switches, self._body)
        if not primary:
            raise host.ActionError(
                'Unit cannot perform backups as the database seems to be offline'
            )
        # No stand-in of track 14 has TLS, and no later one is without it.
        tls = self._switches.track != '14'
        if primary == here.unit and len(here.units()) > 1 and tls:
            raise host.ActionError('Unit cannot perform backups as it is the cluster primary')
        if primary != here.unit and not tls:
            raise host.ActionError('Unit cannot perform backups as TLS is not enabled')
        if here.own.get('member') != patroni.RUNNING:
            raise host.ActionError("Unit cannot perform backups as it's not in running state")
        if not here.shared.get('stanza'):
            raise host.ActionError('Stanza was not initialised')

    def _has_backups(self, here: host.Host) -> clock.Answering[bool]:
        fields = s3_parameters.check(here)
        found: body.Listing = yield functools.partial(self._body.listing, here, fields)
        return bool(found.backups)

    def _run(
        self, here: host.Host, fields: Mapping[str, str], kind: str, fault: behaviour.Fault
    ) -> clock.Work:
        """Run pgBackRest, and upload its log whatever becomes of it."""
        start = here.now()
        yield self._switches.backup / 2
        try:
            yield from fault.strike('middle')
            yield self._switches.backup / 2
            if fault.kind == 'nothing':
                return
            made: body.Made = yield functools.partial(
                self._body.back_up, here, fields, kind, start
            )
        except (host.ActionError, body.Failed) as error:
            failed = error if isinstance(error, body.Failed) else body.Failed(str(error))
            key = _log_key(here, pgbackrest.label('full', start))
            with contextlib.suppress(errors.CoordinatorError):
                yield functools.partial(
                    here.store(fields).put, key, _log(failed.stdout, failed.stderr)
                )
            raise host.ActionError(
                f'Failed to backup PostgreSQL with error: {failed.stderr}'
            ) from error
        key = _log_key(here, backup_id(made.label))
        try:
            yield functools.partial(here.store(fields).put, key, _log(made.stdout, made.stderr))
        except errors.CoordinatorError as error:
            raise host.ActionError('Error uploading logs to S3') from error

    def list(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run list-backups."""
        fields = s3_parameters.check(here)
        try:
            found: body.Listing = yield functools.partial(self._body.listing, here, fields)
        except errors.NotFound as error:
            # The charm indexes an empty list: the action dies of it.
            raise host.ActionError('exit status 1') from error
        except (errors.CoordinatorError, body.Failed) as error:
            reason = error.stderr if isinstance(error, body.Failed) else f'ERROR: {error}'
            raise host.ActionError(
                'Failed to list PostgreSQL backups with error: '
                f'Failed to list backups with error: {reason}'
            ) from error
        lines = [_line(body.stanza(here), backup) for backup in found.backups]
        restores = [_restore_line(number, at) for number, at in found.timelines]
        here.results['backups'] = _table(fields, sorted(lines + restores))


def backup_id(label: str) -> str:
    """Return the charm's id for a label."""
    return pgbackrest.label_time(label).strftime(ID_FORMAT)


def _log_key(here: host.Host, name: str) -> str:
    return f'backup/{body.stanza(here)}/{name}/backup.log'


def _log(stdout: str, stderr: str) -> bytes:
    return f'Stdout:\n{stdout}\n\nStderr:\n{stderr}\n'.encode()


def _line(stanza: str, backup: body.Backup) -> tuple[str, ...]:
    return (
        backup_id(backup.label),
        _ACTIONS[backup.label[-1]],
        'failed: True' if backup.failed else 'finished',
        backup_id(backup.references[-1]) if backup.references else 'None',
        ' / '.join(backup.lsn),
        backup.start.strftime(ID_FORMAT),
        backup.stop.strftime(ID_FORMAT),
        backup.first_segment[:8].lstrip('0'),
        f'/{stanza}/{backup.label}',
    )


def _restore_line(timeline: int, at: datetime.datetime) -> tuple[str, ...]:
    when = at.strftime(ID_FORMAT)
    return (when, 'restore', 'finished', 'None', 'n/a', when, 'n/a', f'{timeline:X}', 'n/a')


def _table(fields: Mapping[str, str], lines: list[tuple[str, ...]]) -> str:
    header, *rows = (
        ' | '.join(f'{cell:<{width}s}' for cell, width in zip(line, _WIDTHS, strict=True))
        for line in [_HEADER, *lines]
    )
    return '\n'.join(
        [
            f'Storage bucket name: {fields["bucket"]}',
            f'Backups base path: {fields["path"]}/backup/\n',
            header,
            '-' * len(header),
            *rows,
        ]
    )
