"""A PostgreSQL that only looks like one: its database and roles are documents in shared state."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from coordinator import errors
from rehearsal.standins import (
    backup_manifest,
    behaviour,
    body,
    host,
    pgbackrest,
    pgbackrest_repository,
)

IMAGES = 'rehearsal-images'
"""Field of the relation `database` in which a client sees what it would read in the database."""
PORT = 5432
_ITERATIONS = 4096
"""As in PostgreSQL's SCRAM."""


class Modelled:
    """A `body.Body` that keeps everything in the stand-in's own state."""

    def __init__(self, switches: behaviour.PostgresqlBehaviour):
        self._switches = switches

    def endpoint(self, here: host.Host) -> str:
        return f'{here.address}:{PORT}'

    def bootstrap(self, here: host.Host, passwords: Mapping[str, str]) -> None:
        here.shared['roles'] = {user: digest(user, word) for user, word in passwords.items()}

    def join(self, here: host.Host, passwords: Mapping[str, str]) -> None:
        pass

    def follow(self, here: host.Host, fields: body.Fields, passwords: Mapping[str, str]) -> None:
        pass

    def promote(self, here: host.Host, unit: str) -> None:
        pass

    def primary(self, here: host.Host) -> str:
        return here.shared.get('primary', '')

    def leave(self, here: host.Host) -> None:
        pass

    def removed(self, model_uuid: str, unit: str) -> None:
        pass

    # --- Users ------------------------------------------------------------------------------

    def may_log_in(self, here: host.Host, passwords: Mapping[str, str]) -> bool:
        roles: dict[str, str] = here.shared.get('roles', {})
        return all(
            digest(user, passwords[user]) == known
            for user, known in roles.items()
            if user in passwords
        )

    def set_passwords(self, here: host.Host, passwords: Mapping[str, str]) -> None:
        digests = {user: digest(user, word) for user, word in passwords.items()}
        here.shared['roles'] = here.shared['roles'] | digests

    def admit(self, here: host.Host, clients: Mapping[str, Mapping[str, str]]) -> None:
        pass

    def published(self, here: host.Host) -> Mapping[str, str]:
        return {IMAGES: json.dumps(here.shared.get('database', {}).get('images', []))}

    # --- The repository -----------------------------------------------------------------------

    def system_id(self, here: host.Host) -> int:
        drawn = here.shared.get('system-id')
        seed = f'{here.model_uuid} {here.application}'.encode()
        return drawn or int.from_bytes(hashlib.sha256(seed).digest()[:7], 'big')

    def stanzas(self, here: host.Host, fields: body.Fields) -> Mapping[str, int | None]:
        names = self._repository(here, fields).stanzas()
        return {name: self._repository(here, fields, name).owner() for name in names}

    def create_stanza(self, here: host.Host, fields: body.Fields) -> None:
        self._repository(here, fields).create_stanza()

    def begin_timeline(self, here: host.Host, fields: body.Fields) -> None:
        timeline = here.shared['timeline']
        restored, branch = here.shared.get('branch', (0, ''))
        if restored != timeline:
            branch = pgbackrest_repository.PROMOTED
        self._repository(here, fields).begin_timeline(timeline, branch)

    def listing(self, here: host.Host, fields: body.Fields) -> body.Listing:
        names = self._repository(here, fields).stanzas()
        name = next(iter(names), body.stanza(here))
        found = self._repository(here, fields, name)
        backups = [_backup(label, row) for label, row in found.rows().items()]
        return body.Listing(name, backups, found.timelines())

    def back_up(
        self, here: host.Host, fields: body.Fields, kind: str, begun: datetime.datetime
    ) -> body.Made:
        taken = backup_manifest.Taken(
            kind=kind,
            start=begun,
            stop=here.now(),
            timeline=here.shared['timeline'],
            database=here.shared.get('database', {}),
            on_standby=here.shared['primary'] != here.unit,
            bundle=self._switches.bundle,
            roles=here.shared.get('roles', {}),
        )
        try:
            label = self._repository(here, fields).back_up(taken)
        except errors.CoordinatorError as error:
            raise body.Failed(f'ERROR: {error}') from error
        return body.Made(label, f'P00   INFO: new backup label = {label}\n', '')

    def begin_restore(self, here: host.Host, fields: body.Fields, source: body.Source) -> str:
        for key in ('database', 'roles'):
            here.shared.pop(key, None)
        target, stop = source.target, source.backup.stop
        if target and target != 'latest' and body.point_in_time(target) < stop:
            return body.CANNOT_PITR
        found = self._repository(here, fields, source.stanza)
        try:
            content = found.restore(source.backup.label)
        except (pgbackrest.DamagedError, errors.CoordinatorError):
            return body.RESTORE_FAILED
        here.shared['restored'] = dataclasses.asdict(content)
        return ''

    def restored(self, here: host.Host) -> str | None:
        content: dict[str, Any] = here.shared.pop('restored')
        here.shared.update(
            {
                'database': content['database'],
                'roles': content['roles'],
                'system-id': content['system_id'],
                'timeline': content['timeline'],
                'branch': (content['timeline'], content['branch']),
            }
        )
        return ''

    def _repository(
        self, here: host.Host, fields: body.Fields, name: str = ''
    ) -> pgbackrest_repository.Repository:
        major = here.own['version'].partition('.')[0]
        cluster = backup_manifest.Cluster(name or body.stanza(here), self.system_id(here), major)
        return pgbackrest_repository.Repository(here.store(fields), cluster)


def _backup(label: str, row: Mapping[str, Any]) -> body.Backup:
    start, stop = (
        datetime.datetime.fromtimestamp(row[f'backup-timestamp-{end}'], datetime.UTC)
        for end in ('start', 'stop')
    )
    return body.Backup(
        label=label,
        start=start,
        stop=stop,
        failed=row['backup-error'],
        references=row.get('backup-reference', []),
        lsn=(row['backup-lsn-start'], row['backup-lsn-stop']),
        first_segment=row['backup-archive-start'],
    )


@functools.lru_cache(maxsize=256)
def digest(user: str, word: str) -> str:
    """Return what the database keeps of a role's password."""
    return hashlib.pbkdf2_hmac('sha256', word.encode(), user.encode(), _ITERATIONS).hex()
