"""Repositories that a real pgBackRest wrote of a real PostgreSQL, and real restores of them."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import shutil
from collections.abc import Generator, Mapping
from typing import Self

from coordinator import errors, ports
from coordinator.integrity import check, inspection, pace
from coordinator.integrity import database as integrity
from coordinator.parts import pgbackrest
from coordinator.sets import manifest
from rehearsal import memory_store
from rehearsal.real import account, database, processes, programs, server
from rehearsal.real import pgbackrest as real_pgbackrest
from rehearsal.standins import body
from tests import examples

STANZA = 'maas.postgresql'
_ODD_NAMES = (b'odd\x01\x1b\x7f', b'gr\xfc\xdfe', 'größe=1'.encode())
"""Of files in the data directory: pgBackRest writes them into its manifest as they are."""
_ROWS = 20_000
_CONTENT = 'select count(*), sum(id), max(name) from machines'


def as_the_charm(found: programs.Programs) -> Mapping[str, str]:
    """Return the options that the charm gives a version of pgBackRest."""
    options = {'compress-type': 'zst', 'repo1-bundle': 'y'}
    return {**options, 'repo1-block': 'y'} if found.makes_blocks else options


def objects(store: ports.ObjectStore, backup: pgbackrest.Backup) -> list[check.Object]:
    """Return what deep verification reads of a backup."""
    part = examples.backup_set().postgresql.model_copy(
        update={
            'stanza': STANZA,
            'label': backup.label,
            'archive': backup.archive,
            'wal_start': backup.wal_start,
            'wal_stop': backup.wal_stop,
            'manifest': manifest.Object(key='backup.manifest', size=1),
        }
    )
    return integrity.objects(store, part)


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What verifying a backup shows."""

    wrong: str
    """Of the first look; '' if nothing."""
    damaged: str
    """What reading everything shows besides; '' if nothing."""
    weaknesses: tuple[str, ...]

    @property
    def restorable(self) -> bool:
        return not self.wrong and not self.damaged


class Repository:
    """A repository of one cluster with one backup. As a context manager it exists within."""

    def __init__(
        self,
        root: pathlib.Path,
        found: programs.Programs,
        options: Mapping[str, str],
        rows: int = _ROWS,
    ):
        self.programs = found
        self._options = options
        self._rows = rows
        # A name that is no text is no key of S3: such a file can only lie in a bundle.
        self.odd_names = _ODD_NAMES if 'repo1-bundle' in options else _ODD_NAMES[::2]
        self._crew = processes.Crew(account.of_servers())
        self._home = self._crew.who.own(root)
        self._crew.who.check_way(self._home)
        self._ground = server.Ground(self._home, self._crew, found)
        self._cluster = server.Server(self._ground, 'primary')
        self._again = server.Server(self._ground, 'again')
        self.folder = self._home / 'repository'

    def __enter__(self) -> Self:
        try:
            self._make()
        except BaseException:
            self._crew.close()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._crew.close()
        shutil.rmtree(self._home, ignore_errors=True)

    def _make(self) -> None:
        own = self._cluster
        users = ('operator', 'replication', 'rewind', 'monitoring')
        passwords = {str(user): 'word' for user in users}
        own.create(passwords[server.SUPERUSER])
        self._configure(own)
        command = (
            f'{self.programs.pgbackrest} {self._option(own)} --stanza={STANZA} archive-push %p'
        )
        own.configure(server.Role(command))
        own.start(lambda: database.opens(own, server.SUPERUSER, passwords[server.SUPERUSER]))
        database.create_users(own, passwords)
        self._run(own, 'stanza-create')
        # A second timeline: its history and the WAL of both are archived.
        own.shut_down()
        own.write('data/standby.signal', '')
        own.start(lambda: own.recovering)
        own.promote()
        own.wait(lambda: not own.recovering, 'it is not promoted')
        self._fill(own)
        self._run(own, 'backup', '--type=full')
        own.ask('select pg_switch_wal()')
        self._run(own, 'check')
        own.shut_down()

    def _fill(self, own: server.Server) -> None:
        with own.log_in_locally() as line:
            line.execute('create table machines (id int, name text)')
            line.execute(
                'insert into machines select n, md5(n::text) from generate_series(1, %s) n',
                (self._rows,),
            )
            line.execute('checkpoint')
            self._content = line.execute(_CONTENT).fetchall()
        for name in self.odd_names:
            path = os.path.join(os.fsencode(own.data), name)
            with open(path, 'wb') as file:
                file.write(name * 9)
            self._crew.who.take(pathlib.Path(os.fsdecode(path)))

    def _configure(self, own: server.Server) -> None:
        settings = {
            'repo1-path': str(self._crew.who.own(self.folder)),
            'lock-path': str(self._crew.who.own(own.home / 'lock')),
            'log-path': str(self._crew.who.own(own.home / 'log')),
            'start-fast': 'y',
            # What is damaged stays so.
            'job-retry': '0',
            **self._options,
        }
        cluster = {
            'pg1-path': str(own.data),
            'pg1-port': str(own.port),
            'pg1-socket-path': str(own.home),
            'pg1-user': server.BACKUP,
        }
        text = '\n'.join(
            f'[{name}]\n' + ''.join(f'{key}={value}\n' for key, value in entries.items())
            for name, entries in (('global', settings), (STANZA, cluster))
        )
        own.write('pgbackrest.conf', text)

    def _option(self, own: server.Server) -> str:
        return f'--config={own.home / "pgbackrest.conf"}'

    def _run(self, own: server.Server, *words: str) -> None:
        self._crew.run(
            [str(self.programs.pgbackrest), self._option(own), f'--stanza={STANZA}', *words],
            home=own.home,
        )

    # --- What is in it ----------------------------------------------------------------------

    @property
    def store(self) -> memory_store.MemoryStore:
        """Return the repository as it is now, as it would lie in S3."""
        store = memory_store.MemoryStore(memory_store.MemoryBucket(), 'postgresql')
        self.upload(store)
        return store

    def upload(self, store: ports.ObjectStore) -> None:
        """Store the repository elsewhere."""
        for path in sorted(self.folder.rglob('*')):
            # What S3 has no folders and links for.
            if path.is_file() and not any(p.is_symlink() for p in (path, *path.parents)):
                store.put(str(path.relative_to(self.folder)), path.read_bytes())

    def verify_in(self, fields: body.Fields) -> None:
        """Run `pgbackrest verify` on the repository where it was uploaded."""
        tool = real_pgbackrest.PgBackRest(self._ground, self._again)
        tool.configure(fields, STANZA, [])
        tool.verify(STANZA)

    @property
    def backup(self) -> pgbackrest.Backup:
        (found,) = pgbackrest.backups(self.store, STANZA)
        return found

    @contextlib.contextmanager
    def changed(self, contents: Mapping[str, bytes | None]) -> Generator[None]:
        """Give objects another content for a while; None deletes one."""
        paths = {self.folder / key: content for key, content in contents.items()}
        before = {path: path.read_bytes() if path.exists() else None for path in paths}
        try:
            self._write(paths)
            yield
        finally:
            self._write(before)

    def _write(self, contents: Mapping[pathlib.Path, bytes | None]) -> None:
        for path, content in contents.items():
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(content)
                self._crew.who.take(path)

    # --- Judging it -------------------------------------------------------------------------

    def verdict(self, backup: pgbackrest.Backup) -> Verdict:
        """Return what verify-backup finds out about the database's part, and deep=true besides."""
        store, wrong, weaknesses = self.store, '', tuple[str, ...]()
        try:
            listed = {one.label: one for one in pgbackrest.backups(store, STANZA)}
            weaknesses = pgbackrest.contents(store, STANZA, listed[backup.label]).weaknesses
        except errors.StepError as error:
            return Verdict(str(error), '', ())
        listed_objects = objects(store, backup)
        found = inspection.inspect(
            listed_objects, range(len(listed_objects)), lambda: True, pace.Pace(0)
        )
        damage = [finding for _, verdict in found for finding in verdict.findings]
        return Verdict(wrong, '; '.join(damage), weaknesses)

    def is_restored(self, backup: pgbackrest.Backup) -> bool:
        """Restore the backup as the charm does; say whether PostgreSQL serves what was in it."""
        own = self._again
        self._configure(own)
        try:
            self._run(
                own,
                f'--set={backup.label}',
                '--type=immediate',
                '--target-action=promote',
                'restore',
            )
            own.configure(server.Role())
            own.start(lambda: not own.recovering)
            return own.ask(_CONTENT) == self._content
        except (processes.ProgramFailed, server.ServerFailed):
            return False
        finally:
            own.stop()
            own.empty()
