"""The servers of postgresql's units: a `standins.body.Body` that is real."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import datetime
import functools
import re
import threading
from collections.abc import Callable, Mapping

import psycopg

from coordinator import errors
from rehearsal.real import database, pgbackrest, processes, server, works
from rehearsal.standins import body, host, s3_parameters

_LABEL = re.compile(r'new backup label = (\S+)')
_Key = tuple[str, str]
"""A model's UUID and a unit's name."""


class Clusters:
    """The clusters of every model of a rehearsal. Safe to use from several threads."""

    def __init__(self, ground: server.Ground):
        self.works = works.Works()
        self._ground = ground
        self._lock = threading.Lock()
        self._servers: dict[_Key, server.Server] = {}
        self._restores: dict[_Key, concurrent.futures.Future[str]] = {}
        self._admitted: dict[_Key, Mapping[str, Mapping[str, str]]] = {}

    def endpoint(self, here: host.Host) -> str:
        return f'{server.HOST}:{self._own(here).port}'

    @works.working('initdb')
    def bootstrap(self, here: host.Host, passwords: Mapping[str, str]) -> None:
        own = self._own(here)
        # What an attempt that was broken off has left.
        own.stop()
        own.empty()
        own.create(passwords[server.SUPERUSER])
        own.configure(server.Role())
        own.start(lambda: database.opens(own, server.SUPERUSER, passwords[server.SUPERUSER]))
        database.create_users(own, passwords)

    @works.working('base backup until it streams')
    def join(self, here: host.Host, passwords: Mapping[str, str]) -> None:
        own, primary = self._own(here), self.server(here.model_uuid, here.shared['primary'])
        own.stop()
        own.empty()
        own.copy(primary, passwords['replication'])
        own.configure(
            server.Role(
                primary.role.archive_command, primary.port, password=passwords['replication']
            )
        )
        own.start()
        own.wait(lambda: _streams(own, primary), f'it does not stream from {primary.name}')

    @works.working()
    def follow(self, here: host.Host, fields: body.Fields, passwords: Mapping[str, str]) -> None:
        own = self._own(here)
        archive = server.NO_ARCHIVE
        if fields and not s3_parameters.missing(fields) and here.shared.get('stanza'):
            archive = self._pgbackrest(here, fields).archive_command(here.shared['stanza'])
        primary = here.shared['primary']
        port = 0 if primary == here.unit else self.server(here.model_uuid, primary).port
        own.configure(server.Role(archive, port, passwords['replication'] if port else ''))
        if not own.running:
            own.start()

    @works.working('promotion')
    def promote(self, here: host.Host, unit: str) -> None:
        chosen = self.server(here.model_uuid, unit)
        chosen.promote()
        chosen.configure(server.Role(chosen.role.archive_command))

    @works.working()
    def primary(self, here: host.Host) -> str:
        for unit, one in self._members(here).items():
            if one.running and not one.recovering:
                return unit
        return ''

    @works.working('shutdown')
    def leave(self, here: host.Host) -> None:
        self._own(here).shut_down()

    def removed(self, model_uuid: str, unit: str) -> None:
        with self._lock:
            gone = self._servers.pop((model_uuid, unit), None)
        if gone is not None:
            gone.remove()

    # --- Users ------------------------------------------------------------------------------

    @works.working()
    def may_log_in(self, here: host.Host, passwords: Mapping[str, str]) -> bool:
        own = self._own(here)
        known = database.users(own)
        return all(
            database.opens(own, user, word) for user, word in passwords.items() if user in known
        )

    @works.working()
    def set_passwords(self, here: host.Host, passwords: Mapping[str, str]) -> None:
        database.set_passwords(self.server(here.model_uuid, here.shared['primary']), passwords)

    @works.working()
    def admit(self, here: host.Host, clients: Mapping[str, Mapping[str, str]]) -> None:
        key = here.model_uuid, here.shared['primary']
        if self._admitted.get(key) != clients:
            database.admit(self.server(*key), clients)
            self._admitted[key] = clients

    def published(self, here: host.Host) -> Mapping[str, str]:
        return {}

    # --- The repository -----------------------------------------------------------------------

    @works.working()
    def system_id(self, here: host.Host) -> int:
        return self._own(here).system_id

    @works.working()
    def stanzas(self, here: host.Host, fields: body.Fields) -> Mapping[str, int | None]:
        return {
            found['name']: found['db'][0]['system-id'] if found['db'] else None
            for found in self._pgbackrest(here, fields).info()
        }

    @works.working('stanza-create and check')
    def create_stanza(self, here: host.Host, fields: body.Fields) -> None:
        stanza, own = body.stanza(here), self._pgbackrest(here, fields)
        own.create_stanza(stanza)
        primary = self.server(here.model_uuid, here.shared['primary'])
        primary.configure(
            dataclasses.replace(primary.role, archive_command=own.archive_command(stanza))
        )
        own.check_stanza(stanza)

    def begin_timeline(self, here: host.Host, fields: body.Fields) -> None:
        """The server archives the history by itself."""

    @works.working()
    def listing(self, here: host.Host, fields: body.Fields) -> body.Listing:
        own = self._pgbackrest(here, fields)
        found = next(iter(own.info()), None)
        if found is None:
            raise errors.NotFound(f'no stanza in {fields["bucket"]}{fields["path"]}')
        name = found['name']
        return body.Listing(name, pgbackrest.backups(found), own.timelines(name))

    @works.working('pgBackRest backup')
    def back_up(
        self, here: host.Host, fields: body.Fields, kind: str, begun: datetime.datetime
    ) -> body.Made:
        ran = self._pgbackrest(here, fields).back_up(
            body.stanza(here), kind, on_primary=here.shared['primary'] == here.unit
        )
        label = _LABEL.search(ran.stdout)
        if label is None:
            raise body.Failed('pgBackRest tells no label', ran.stdout)
        return body.Made(label[1], ran.stdout, ran.stderr)

    @works.working()
    def begin_restore(self, here: host.Host, fields: body.Fields, source: body.Source) -> str:
        own, tool = self._own(here), self._pgbackrest(here, fields)
        self._admitted.pop((here.model_uuid, here.unit), None)
        restore = functools.partial(self._restore, here.unit, own, tool, source)
        self._restores[here.model_uuid, here.unit] = _in_background(restore)
        return ''

    @works.working()
    def restored(self, here: host.Host) -> str | None:
        key = here.model_uuid, here.unit
        under_way = self._restores[key]
        if not under_way.done():
            return None
        del self._restores[key]
        problem = under_way.result()
        if not problem:
            here.shared['timeline'] = self._own(here).timeline
        return problem

    # --- The machines -------------------------------------------------------------------------

    def server(self, model_uuid: str, unit: str) -> server.Server:
        """Return a unit's server, which is made when it is first asked for."""
        with self._lock:
            key = model_uuid, unit
            if key not in self._servers:
                name = f'{model_uuid[:8]}-{unit.replace("/", "-")}'
                self._servers[key] = server.Server(self._ground, name)
            return self._servers[key]

    def lose(self, model_uuid: str) -> None:
        """Let the machines of a model go, with all that is on them."""
        with self._lock:
            gone = [key for key in self._servers if key[0] == model_uuid]
            lost = [self._servers.pop(key) for key in gone]
        for one in lost:
            one.remove()

    def _restore(
        self, unit: str, own: server.Server, tool: pgbackrest.PgBackRest, source: body.Source
    ) -> str:
        """Replace a cluster by one of a backup; return why that failed, as a status says it."""
        begun = datetime.datetime.now(datetime.UTC)
        try:
            own.shut_down()
            own.empty()
            tool.restore(source.stanza, source.backup.label, source.target)
            self.works.record('pgBackRest restore', unit, begun)
            replayed = datetime.datetime.now(datetime.UTC)
            own.start(lambda: not own.recovering)
            self.works.record('archive recovery', unit, replayed)
            # The target of this restore is none of the replicas to come, which copy all of this.
            with own.log_in_locally() as line:
                line.execute('alter system reset all')
        except (processes.ProgramFailed, server.ServerFailed, psycopg.Error, OSError):
            own.stop()
            return body.CANNOT_PITR if source.target else body.RESTORE_FAILED
        return ''

    def _own(self, here: host.Host) -> server.Server:
        return self.server(here.model_uuid, here.unit)

    def _members(self, here: host.Host) -> dict[str, server.Server]:
        """Return the servers of an application."""
        with self._lock:
            return {
                unit: one
                for (model_uuid, unit), one in sorted(self._servers.items())
                if (model_uuid, unit.rpartition('/')[0]) == (here.model_uuid, here.application)
            }

    def _pgbackrest(self, here: host.Host, fields: body.Fields) -> pgbackrest.PgBackRest:
        """Return the unit's pgBackRest, configured; so is the primary's, which archives."""
        members = self._members(here)
        for unit in {here.unit, here.shared.get('primary', here.unit)} & set(members):
            own = members[unit]
            peers = [other for other in members.values() if other is not own and other.running]
            tool = pgbackrest.PgBackRest(self._ground, own)
            tool.configure(fields, body.stanza(here), peers)
        return pgbackrest.PgBackRest(self._ground, self._own(here))


def _streams(replica: server.Server, primary: server.Server) -> bool:
    found = primary.ask(
        "select from pg_stat_replication where application_name = %s and state = 'streaming'",
        replica.name,
    )
    return bool(found) and bool(replica.ask('select 1'))


def _in_background(call: Callable[[], str]) -> concurrent.futures.Future[str]:
    """Run a call in a thread that nobody waits for when the rehearsal ends."""
    promised: concurrent.futures.Future[str] = concurrent.futures.Future()

    def run() -> None:
        try:
            promised.set_result(call())
        except BaseException as error:
            promised.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return promised
