"""One PostgreSQL server, with its data, its socket and its configuration in one folder."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import shutil
import socket
import time
from collections.abc import Callable, Mapping
from typing import Any, LiteralString

import psycopg

from rehearsal.real import account, processes, programs

HOST = '127.0.0.1'
SUPERUSER = 'operator'
BACKUP = 'backup'
"""As whom pgBackRest logs in, over the socket, by the name of its account: it has no password."""
NO_ARCHIVE = '/bin/true'
_PATIENCE = 60.0
_PAUSE = 0.05
_SETTINGS: Mapping[str, str | int] = {
    'listen_addresses': HOST,
    'archive_mode': 'on',
    'archive_timeout': 60,
    'wal_level': 'logical',
    'hot_standby': 'on',
    'wal_keep_size': '256MB',
    'max_connections': 60,
    'shared_buffers': '16MB',
    'log_line_prefix': '%t [%p] %q%u@%d ',
    # What is lost when the machine itself fails, a rehearsal has no use for either.
    'fsync': 'off',
}


@dataclasses.dataclass(frozen=True)
class Role:
    """What a server does in its cluster."""

    archive_command: str = NO_ARCHIVE
    """What becomes of its WAL."""
    follows: int = 0
    """Port of the primary that a replica streams from."""
    password: str = dataclasses.field(default='', repr=False)
    """Of the user `replication`, with which it does."""


class ServerFailed(Exception):
    """A server failed; the message names it and the end of its log."""


@dataclasses.dataclass(frozen=True)
class Ground:
    """Where servers run, and with what."""

    root: pathlib.Path
    crew: processes.Crew
    programs: programs.Programs


class Server:
    """A server of one unit. Its port stays the same as long as the object lives."""

    def __init__(self, ground: Ground, name: str):
        self.name = name
        self.home = ground.crew.who.own(ground.root / name)
        self.data = self.home / 'data'
        self.port = _free_port()
        self.role = Role()
        self._ground = ground
        self._log = self.home / 'postgresql.log'
        self._kept: processes.Kept | None = None
        self._written = ''

    # --- What it is -------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        return self._kept is not None and self._kept.running

    def control(self) -> dict[str, str]:
        """Return what pg_controldata says of the data directory."""
        lines = self.run('pg_controldata', str(self.data)).splitlines()
        pairs = (line.partition(':') for line in lines)
        return {name: value.strip() for name, _, value in pairs}

    @property
    def system_id(self) -> int:
        """The identifier that initdb has drawn."""
        return int(self.control()['Database system identifier'])

    def ask(self, query: LiteralString, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the server something, as pgBackRest's user over the socket.

        Raises:
            psycopg.Error: it does not answer.
        """
        with self.log_in_locally() as line:
            return line.execute(query, values or None).fetchall()

    def log_in_locally(self) -> psycopg.Connection:
        """Return a connection as pgBackRest's user over the socket, which needs no password."""
        return self.log_in(BACKUP, host=str(self.home))

    def log_in(
        self, user: str, password: str = '', host: str = HOST, database: str = 'postgres'
    ) -> psycopg.Connection:
        """Return a connection; every statement is a transaction of its own.

        Raises:
            psycopg.OperationalError: the server is not there, or lets nobody in with that.
        """
        return psycopg.connect(
            host=host,
            port=self.port,
            user=user,
            password=password,
            dbname=database,
            connect_timeout=10,
            autocommit=True,
        )

    @property
    def recovering(self) -> bool:
        """Whether it is a standby, or replays WAL after a restore."""
        return self.ask('select pg_is_in_recovery()') == [(True,)]

    @property
    def timeline(self) -> int:
        """The timeline that it writes on, or follows."""
        return int(self.control()["Latest checkpoint's TimeLineID"])

    # --- Up and down ------------------------------------------------------------------------

    def create(self, password: str) -> None:
        """Make a new cluster, whose superuser has this password."""
        word = self.write('superuser-password', password + '\n')
        self.run(
            'initdb',
            f'--pgdata={self.data}',
            f'--username={SUPERUSER}',
            f'--pwfile={word}',
            '--auth=scram-sha-256',
            '--encoding=UTF8',
            '--data-checksums',
            '--no-sync',
            '--no-instructions',
        )
        word.unlink()

    def copy(self, source: Server, password: str) -> None:
        """Copy another server's cluster, to follow that one."""
        self.run(
            'pg_basebackup',
            f'--pgdata={self.data}',
            f'--dbname=host={HOST} port={source.port} user=replication',
            '--checkpoint=fast',
            '--wal-method=stream',
            '--no-sync',
            environment={'PGPASSWORD': password},
        )
        self.write('data/standby.signal', '')

    def configure(self, role: Role) -> None:
        """Write the configuration; a server that runs takes it over."""
        settings = {
            **_SETTINGS,
            'port': self.port,
            'unix_socket_directories': str(self.home),
            'hba_file': str(self.home / 'pg_hba.conf'),
            'ident_file': str(self.home / 'pg_ident.conf'),
            'archive_command': role.archive_command,
            'cluster_name': self.name,
        }
        if role.follows:
            passes = self.write('pgpass', f'*:*:*:replication:{role.password}\n')
            settings['primary_conninfo'] = (
                f'host={HOST} port={role.follows} user=replication passfile={passes} '
                f'application_name={self.name}'
            )
        self.role = role
        text = ''.join(f'{name} = {_quoted(value)}\n' for name, value in settings.items())
        if text == self._written:
            return
        accounts = {self._ground.crew.who.name, account.current().name}
        self.write('pg_ident.conf', ''.join(f'own {name} {BACKUP}\n' for name in accounts))
        self.write('pg_hba.conf', _HBA)
        self.write('postgresql.conf', text)
        self._written = text
        if self.running:
            self.ask('select pg_reload_conf()')

    def start(self, until: Callable[[], bool] | None = None) -> None:
        """Start the server, and wait until it answers and is what `until` asks for.

        Raises:
            ServerFailed: it does not come to that.
        """
        command = [
            self._ground.programs.of_server('postgres'),
            '-D',
            str(self.data),
            '-c',
            f'config_file={self.home / "postgresql.conf"}',
        ]
        self._kept = self._ground.crew.start(command, home=self.home, log=self._log)
        self.wait(until or (lambda: bool(self.ask('select 1'))), 'it does not answer')

    def stop(self) -> None:
        """End the server at once; what it had committed is recovered at its next start."""
        if self._kept is not None:
            self._ground.crew.end(self._kept)
            self._kept = None

    def shut_down(self) -> None:
        """End the server in order: it writes and archives everything first."""
        if self.running:
            self.run('pg_ctl', 'stop', f'--pgdata={self.data}', '--mode=fast', '--silent')
        self.stop()

    def empty(self) -> None:
        """Take the data away, of a server that does not run."""
        if self.data.exists():
            shutil.rmtree(self.data)

    def remove(self) -> None:
        """Stop the server and delete its files."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def promote(self) -> None:
        """Make a replica the primary: it begins a new timeline."""
        self.ask('select pg_promote()')

    def wait(self, reached: Callable[[], bool], problem: str) -> None:
        """Wait until something is so; a server that does not answer yet is waited for.

        Raises:
            ServerFailed: it is not so in time, or the server has ended.
        """
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end and self.running:
            with contextlib.suppress(psycopg.Error):
                if reached():
                    return
            time.sleep(_PAUSE)
        raise ServerFailed(f'PostgreSQL of {self.name}: {problem}; {self._last_words()}')

    def run(
        self, program: str, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> str:
        """Run one of PostgreSQL's programs; return what it wrote.

        Raises:
            ServerFailed: it failed.
        """
        command = [self._ground.programs.of_server(program), *arguments]
        try:
            return self._ground.crew.run(command, home=self.home, environment=environment).stdout
        except processes.ProgramFailed as error:
            raise ServerFailed(f'{program} of {self.name}: {error}') from error

    def write(self, name: str, content: str) -> pathlib.Path:
        """Write a file that only the servers' account reads."""
        path = self.home / name
        path.touch(0o600)
        self._ground.crew.who.take(path)
        path.write_text(content)
        return path

    def _last_words(self) -> str:
        try:
            lines = self._log.read_text(errors='replace').splitlines()
        except OSError:
            return 'it has no log'
        return 'its log ends: ' + ' / '.join(lines[-3:])


_HBA = f"""\
local all {BACKUP} peer map=own
local all {SUPERUSER} scram-sha-256
host replication replication {HOST}/32 scram-sha-256
host all all {HOST}/32 scram-sha-256
"""


def _quoted(value: str | int) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]
