"""What postgresql does with S3: the stanza, backups, and the list of them."""

from __future__ import annotations

import datetime
import functools
import hashlib
from collections.abc import Mapping
from typing import Any

from coordinator import errors
from rehearsal import clock
from rehearsal.standins import (
    behaviour,
    host,
    manifest,
    patroni,
    pgbackrest,
    repository,
    s3_parameters,
)

ANOTHER_CLUSTER = 'the S3 repository has backups from another cluster'
ID_FORMAT = '%Y-%m-%dT%H:%M:%SZ'
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

    def __init__(self, switches: behaviour.PostgresqlBehaviour):
        self._switches = switches

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
            problem = yield functools.partial(_claim, here, fields)
        except errors.StoreRefused:
            problem = s3_parameters.NO_BUCKET
        here.shared['s3-block'] = problem
        here.shared['stanza'] = '' if problem else stanza(here)

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
            timeline = here.shared['timeline']
            yield lambda: own_repository(here, fields).begin_timeline(timeline)

    def create(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run create-backup."""
        kind = here.parameters.get('type', 'full')
        yield from self._check(here, kind)
        fields = s3_parameters.check(here)
        store = here.store(fields)
        start = here.now()
        probe = s3_parameters.probe(here, start.strftime(ID_FORMAT))
        try:
            yield lambda: store.put(f'backup/{stanza(here)}/latest', probe)
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
        primary = patroni.primary(here, self._switches)
        if not primary:
            raise host.ActionError(
                'Unit cannot perform backups as the database seems to be offline'
            )
        if primary == here.unit and len(here.units()) > 1:
            raise host.ActionError('Unit cannot perform backups as it is the cluster primary')
        if here.own.get('member') != patroni.RUNNING:
            raise host.ActionError("Unit cannot perform backups as it's not in running state")
        if not here.shared.get('stanza'):
            raise host.ActionError('Stanza was not initialised')

    def _has_backups(self, here: host.Host) -> clock.Answering[bool]:
        fields = s3_parameters.check(here)
        rows = yield lambda: own_repository(here, fields).rows()
        return bool(rows)

    def _run(
        self, here: host.Host, fields: Mapping[str, str], kind: str, fault: behaviour.Fault
    ) -> clock.Work:
        """Run pgBackRest, and upload its log whatever becomes of it."""
        start = here.now()
        store = here.store(fields)
        folder = f'backup/{stanza(here)}'
        yield self._switches.backup / 2
        try:
            yield from fault.strike('middle')
        except host.ActionError as error:
            key = f'{folder}/{pgbackrest.label("full", start)}/backup.log'
            log = f'Stdout:\n\nStderr:\n{error}\n'.encode()
            yield lambda: store.put(key, log)
            raise host.ActionError(f'Failed to backup PostgreSQL with error: {error}') from error
        yield self._switches.backup / 2
        if fault.kind == 'nothing':
            return
        taken = manifest.Taken(
            kind=kind,
            start=start,
            stop=here.now(),
            timeline=here.shared['timeline'],
            database=here.shared.get('database', {}),
            on_standby=here.shared['primary'] != here.unit,
            bundle=self._switches.bundle,
            roles=here.shared.get('roles', {}),
        )
        try:
            label = yield lambda: own_repository(here, fields).back_up(taken)
        except errors.CoordinatorError as error:
            raise host.ActionError(
                f'Failed to backup PostgreSQL with error: ERROR: {error}'
            ) from error
        log = f'Stdout:\nP00   INFO: new backup label = {label}\n\nStderr:\n\n'.encode()
        try:
            yield lambda: store.put(f'{folder}/{backup_id(label)}/backup.log', log)
        except errors.CoordinatorError as error:
            raise host.ActionError('Error uploading logs to S3') from error

    def list(self, here: host.Host, fault: behaviour.Fault) -> clock.Work:
        """Run list-backups."""
        fields = s3_parameters.check(here)

        try:
            lines = yield functools.partial(_lines, here, fields)
        except errors.NotFound as error:
            # The charm indexes an empty list: the action dies of it.
            raise host.ActionError('exit status 1') from error
        except errors.CoordinatorError as error:
            raise host.ActionError(
                'Failed to list PostgreSQL backups with error: '
                f'Failed to list backups with error: ERROR: {error}'
            ) from error
        here.results['backups'] = _table(fields, lines)


def stanza(here: host.Host) -> str:
    """Return the stanza's name."""
    return f'{here.model_name}.{here.application}'


def system_id(here: host.Host) -> int:
    """Return the database system identifier that initdb has drawn."""
    drawn = here.shared.get('system-id')
    seed = f'{here.model_uuid} {here.application}'.encode()
    return drawn or int.from_bytes(hashlib.sha256(seed).digest()[:7], 'big')


def backup_id(label: str) -> str:
    """Return the charm's id for a label."""
    return pgbackrest.label_time(label).strftime(ID_FORMAT)


def own_repository(here: host.Host, fields: Mapping[str, str]) -> repository.Repository:
    """Return the cluster's own part of the repository."""
    return _repository(here, fields, stanza(here))


def listed_repository(here: host.Host, fields: Mapping[str, str]) -> repository.Repository:
    """Return the part that is listed and restored from: the first stanza's, whoever's that is."""
    names = own_repository(here, fields).stanzas()
    return _repository(here, fields, next(iter(names), stanza(here)))


def _repository(here: host.Host, fields: Mapping[str, str], name: str) -> repository.Repository:
    major = here.own['version'].partition('.')[0]
    return repository.Repository(
        here.store(fields), manifest.Cluster(name, system_id(here), major)
    )


def another_cluster(here: host.Host, fields: Mapping[str, str]) -> str:
    """Return why this cluster may not use the repository: it is another's; '' when it may."""
    found = own_repository(here, fields)
    try:
        owner = here.store(fields).get(OWNER).decode().strip()
    except errors.NotFound:
        owner = here.model_uuid
    foreign = (
        owner != here.model_uuid
        or any(name != stanza(here) for name in found.stanzas())
        or found.owner() not in (None, system_id(here))
    )
    return ANOTHER_CLUSTER if foreign else ''


def _claim(here: host.Host, fields: Mapping[str, str]) -> str:
    """Make the repository this cluster's own, or return why it cannot be."""
    problem = another_cluster(here, fields)
    if not problem:
        own_repository(here, fields).create_stanza()
        here.store(fields).put(OWNER, here.model_uuid.encode())
    return problem


def _lines(here: host.Host, fields: Mapping[str, str]) -> list[tuple[str, ...]]:
    found = listed_repository(here, fields)
    lines = [_line(stanza(here), label, row) for label, row in found.rows().items()]
    return sorted(lines + [_restore_line(number, at) for number, at in found.timelines()])


def _line(stanza_name: str, label: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    start, stop = (
        datetime.datetime.fromtimestamp(row[f'backup-timestamp-{end}'], datetime.UTC).strftime(
            ID_FORMAT
        )
        for end in ('start', 'stop')
    )
    references: list[str] = row.get('backup-reference', [])
    return (
        backup_id(label),
        _ACTIONS[label[-1]],
        'failed: True' if row['backup-error'] else 'finished',
        backup_id(references[-1]) if references else 'None',
        f'{row["backup-lsn-start"]} / {row["backup-lsn-stop"]}',
        start,
        stop,
        row['backup-archive-start'][:8].lstrip('0'),
        f'/{stanza_name}/{label}',
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
