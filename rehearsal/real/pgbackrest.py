"""pgBackRest, configured as postgresql configures it, against the S3 server of the rehearsal."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

from rehearsal.real import processes, server
from rehearsal.standins import body, s3_parameters

_FOREVER_DAYS = '9999999'
_SECONDS = 120.0


class PgBackRest:
    """What one unit runs of it. A replica asks the primary too, as a backup must begin there."""

    def __init__(self, ground: server.Ground, own: server.Server):
        self._ground = ground
        self._own = own
        self._configuration = own.home / 'pgbackrest.conf'

    def configure(self, fields: body.Fields, stanza: str, peers: Sequence[server.Server]) -> None:
        """Write the configuration: the unit's own cluster is the first, its peers follow."""
        settings = {
            'backup-standby': 'y',
            'compress-type': 'zst',
            'lock-path': self._folder('lock'),
            'log-path': self._folder('log'),
            'repo1-retention-full-type': 'time',
            'repo1-retention-full': fields.get('delete-older-than-days') or _FOREVER_DAYS,
            'repo1-retention-history': '365',
            'repo1-type': 's3',
            'repo1-path': fields['path'],
            'repo1-s3-region': fields['region'],
            'repo1-s3-endpoint': fields['endpoint'],
            'repo1-s3-bucket': fields['bucket'],
            'repo1-s3-uri-style': fields.get('s3-uri-style') or 'host',
            'repo1-s3-key': fields['access-key'],
            'repo1-s3-key-secret': fields['secret-key'],
            'repo1-bundle': 'y',
            'start-fast': 'y',
        }
        if self._ground.programs.makes_blocks:
            settings['repo1-block'] = 'y'
        chain = s3_parameters.chain(fields)
        if chain:
            path = self._own.write('tls-ca-chain.crt', '\n'.join(chain))
            settings['repo1-storage-ca-file'] = str(path)
        clusters: dict[str, str] = {}
        for number, one in enumerate([self._own, *peers], start=1):
            clusters |= {
                f'pg{number}-path': str(one.data),
                f'pg{number}-port': str(one.port),
                f'pg{number}-socket-path': str(one.home),
                f'pg{number}-user': server.BACKUP,
            }
        sections = {'global': settings, stanza: clusters, 'global:restore': {'process-max': '2'}}
        text = '\n'.join(
            f'[{name}]\n' + ''.join(f'{key}={value}\n' for key, value in entries.items())
            for name, entries in sections.items()
        )
        self._own.write('pgbackrest.conf', text)

    def _folder(self, name: str) -> str:
        return str(self._ground.crew.who.own(self._own.home / name))

    def archive_command(self, stanza: str) -> str:
        """Return what PostgreSQL runs for each segment of WAL."""
        return f'{self._program} {self._option} --stanza={stanza} archive-push %p'

    def create_stanza(self, stanza: str) -> None:
        """Make a repository this cluster's."""
        self._run(f'--stanza={stanza}', 'stanza-create')

    def check_stanza(self, stanza: str) -> None:
        """See a segment of WAL arrive in the repository."""
        self._run(f'--stanza={stanza}', 'check')

    def back_up(self, stanza: str, kind: str, *, on_primary: bool) -> processes.Ran:
        """Make a backup, on a replica if there is one."""
        on = ['--no-backup-standby'] if on_primary else []
        return self._run(
            f'--stanza={stanza}', '--log-level-console=debug', f'--type={kind}', 'backup', *on
        )

    def restore(self, stanza: str, label: str, target: str) -> None:
        """Fill the data directory from a backup, and have the server stop replaying in time.

        Args:
            stanza: the stanza that holds the backup.
            label: the backup.
            target: '' for its end, `latest`, or a time.
        """
        until = ['--target-action=promote', '--type=immediate']
        if target == 'latest':
            until = ['--type=default']
        elif target:
            until = ['--target-action=promote', f'--target={target}', '--type=time']
        self._run(
            f'--stanza={stanza}',
            f'--pg1-path={self._own.data}',
            f'--set={label}',
            *until,
            'restore',
        )

    def expire(self, stanza: str, label: str) -> None:
        """Let a backup and what depends on it go."""
        self._run(f'--stanza={stanza}', f'--set={label}', 'expire')

    def verify(self, stanza: str) -> None:
        """Have it read everything."""
        self._run(f'--stanza={stanza}', 'verify')

    def info(self) -> list[dict[str, Any]]:
        """Return what the repository holds, stanza by stanza."""
        return json.loads(self._run('info', '--output=json').stdout)

    def timelines(self, stanza: str) -> list[tuple[int, datetime.datetime]]:
        """Return the timelines of a stanza after the first, and when each history arrived."""
        listed: dict[str, dict[str, Any]] = json.loads(
            self._run('repo-ls', '--recurse', '--output=json').stdout
        )
        return [
            (
                int(name.rpartition('/')[2].partition('.')[0], 16),
                datetime.datetime.fromtimestamp(entry['time'], datetime.UTC),
            )
            for name, entry in listed.items()
            if name.startswith(f'archive/{stanza}/')
            and name.endswith('.history')
            and not name.endswith('backup.history')
        ]

    @property
    def _program(self) -> str:
        return str(self._ground.programs.pgbackrest)

    @property
    def _option(self) -> str:
        return f'--config={self._configuration}'

    def _run(self, *words: str) -> processes.Ran:
        """Run a command.

        Raises:
            ProgramFailed: pgBackRest refuses or fails; says why in its words.
        """
        return self._ground.crew.run(
            [self._program, self._option, *words],
            home=self._own.home,
            seconds=_SECONDS,
        )


def backups(stanza: Mapping[str, Any]) -> list[body.Backup]:
    """Return the backups of one stanza of `info`."""
    return [
        body.Backup(
            label=one['label'],
            start=_time(one['timestamp']['start']),
            stop=_time(one['timestamp']['stop']),
            failed=bool(one['error']),
            references=one['reference'] or [],
            lsn=(one['lsn']['start'], one['lsn']['stop']),
            first_segment=one['archive']['start'] or '',
        )
        for one in stanza['backup']
    ]


def _time(seconds: int) -> datetime.datetime:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)
