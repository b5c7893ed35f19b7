"""A pgBackRest repository, written as pgBackRest 2.5x writes it: objects first, lists last."""

from __future__ import annotations

import dataclasses
import datetime
import gzip
from collections.abc import Mapping, Sequence
from typing import Any

from coordinator import errors, ports
from rehearsal.standins import backup_manifest, cluster_files, pgbackrest

PROMOTED = '0/3000000\tno recovery target specified'
"""What the history file of a promoted primary says of where it branched off."""
_LARGEST = 64 << 20


@dataclasses.dataclass(frozen=True)
class Restored:
    """What a restore brings back."""

    system_id: int
    timeline: int
    """The new one, which the restored cluster begins."""
    branch: str
    """Where it branches off, as its history file says it."""
    database: Mapping[str, Any]
    roles: Mapping[str, str]


class Repository:
    """The repository of one cluster, in one store."""

    def __init__(self, store: ports.ObjectStore, cluster: backup_manifest.Cluster):
        self._store = store
        self._cluster = cluster
        self._backups = f'backup/{cluster.stanza}'

    def stanzas(self) -> Sequence[str]:
        """Return the stanzas that the repository holds, of whatever cluster."""
        found = self._store.folders('backup/')
        return [name for name in found if self._exists(f'backup/{name}/backup.info')]

    def owner(self) -> int | None:
        """Return the system id that the stanza was made for; None when there is no stanza."""
        try:
            return self._info()['db']['db-system-id']
        except errors.NotFound:
            return None

    def create_stanza(self) -> None:
        """Make the stanza's two lists, unless they are there."""
        if self.owner() is not None:
            return
        system_id, version = self._cluster.system_id, self._cluster.version
        self._write(
            f'archive/{self._cluster.stanza}/archive.info',
            {
                'db': {'db-id': 1, 'db-system-id': system_id, 'db-version': version},
                'db:history': {'1': {'db-id': system_id, 'db-version': version}},
            },
        )
        self._write_info({})

    def rows(self) -> dict[str, dict[str, Any]]:
        """Return the entries of `backup.info` by label, oldest first."""
        return self._info().get('backup:current', {})

    def timelines(self) -> list[tuple[int, datetime.datetime]]:
        """Return the timelines that were begun after the first, and when."""
        found = self._store.list(f'archive/{self._cluster.stanza}/')
        return [
            (int(item.key.rpartition('/')[2].partition('.')[0], 16), item.modified)
            for item in found
            if item.key.endswith('.history')
        ]

    def begin_timeline(self, timeline: int, branch: str = PROMOTED) -> None:
        """Archive the history file that a promoted or restored primary writes."""
        history = f'{timeline - 1}\t{branch}\n'
        self._store.put(f'{self._cluster.archive}/{timeline:08X}.history', history.encode())

    def back_up(self, taken: backup_manifest.Taken) -> str:
        """Write a backup and enter it into `backup.info`; return its label."""
        rows = self.rows()
        label = self._new_label(taken, rows)
        prior = None if taken.kind == 'full' else self._prior(taken.kind, rows)
        segment = self._next_segment(taken.timeline, rows)
        stored = {
            name: backup_manifest.stored(content)
            for name, content in cluster_files.files(
                self._cluster.system_id, taken.database, taken.roles, label
            ).items()
        }
        backup = backup_manifest.Manifest(self._cluster, taken, label, prior, segment, stored)
        objects, files = backup.lay_out(self._manifest_files(prior))
        for key, content in objects.items():
            self._store.put(f'{self._backups}/{label}/{key}', content)
        self._archive(segment)
        text = pgbackrest.render(backup.sections(files)).encode()
        for suffix in ('.copy', ''):
            self._store.put(f'{self._backups}/{label}/backup.manifest{suffix}', text)
        history = f'{self._backups}/backup.history/{label[:4]}/{label}.manifest.gz'
        self._store.put(history, backup_manifest.gzipped(text))
        self._write_info({**rows, label: backup.row(files, sum(map(len, objects.values())))})
        return label

    def restore(self, label: str) -> Restored:
        """Read a whole backup back.

        Raises:
            DamagedError: something that the backup consists of is gone, or not as it was.
        """
        try:
            sections = self._manifest(label)
            files = {
                name: self._file(label, name, entry)
                for name, entry in sections['target:file'].items()
            }
            self._check_archive(sections['backup:db'])
            self._check_wal(sections['backup']['backup-archive-stop'])
            begun = [number for number, _ in self.timelines()]
        except errors.NotFound as error:
            raise pgbackrest.DamagedError(str(error)) from error
        cluster = sections['backup:db']
        if cluster['db-version'] != self._cluster.version:
            raise pgbackrest.DamagedError(f'a backup of PostgreSQL {cluster["db-version"]}')
        timeline = int(sections['backup']['backup-archive-start'][:8], 16)
        return Restored(
            system_id=cluster['db-system-id'],
            timeline=max([timeline, *begun]) + 1,
            # The charm restores with `--type=immediate`: PostgreSQL stops where the backup ends.
            branch=f'{sections["backup"]["backup-lsn-stop"]}\treached consistency',
            database=cluster_files.document(files[f'pg_data/{cluster_files.DATABASE_FILE}']),
            roles=cluster_files.document(files[f'pg_data/{cluster_files.ROLES_FILE}']),
        )

    def _file(self, label: str, name: str, entry: Mapping[str, Any]) -> bytes:
        """Return a file's content out of its object, its bundle, or an earlier backup."""
        if 'repo-size' not in entry:
            return b''
        folder = f'{self._backups}/{entry.get("reference", label)}'
        if 'bni' in entry:
            bundle = self._store.get(f'{folder}/bundle/{entry["bni"]}', _LARGEST)
            packed = bundle[entry.get('bno', 0) :][: entry['repo-size']]
        else:
            packed = self._store.get(f'{folder}/{name}.gz', _LARGEST)
        if backup_manifest.sha1(packed) != entry['rck']:
            raise pgbackrest.DamagedError(f'{name} is not what it was')
        return gzip.decompress(packed)

    def _check_archive(self, database: Mapping[str, Any]) -> None:
        """Without `archive.info` no WAL is found, nor with that of another cluster."""
        info = self._pair(f'archive/{self._cluster.stanza}/archive.info')
        owners = [(e['db-id'], e['db-version']) for e in info['db:history'].values()]
        if (database['db-system-id'], database['db-version']) not in owners:
            raise pgbackrest.DamagedError('archive.info is of another cluster')

    def _check_wal(self, segment: str) -> None:
        """Without this segment of WAL the restored files are not consistent."""
        found = list(self._store.list(f'{self._cluster.archive}/{segment[:16]}/{segment}-'))
        if not found:
            raise pgbackrest.DamagedError(f'the WAL segment {segment} is not archived')
        if len(found) > 1:
            raise pgbackrest.DamagedError(f'duplicates found for WAL segment {segment}')

    def _new_label(self, taken: backup_manifest.Taken, rows: Mapping[str, Any]) -> str:
        """Labels only rise, also when a clock steps back or a second holds two backups."""
        start = taken.start.replace(microsecond=0)
        if rows:
            newest = max(map(pgbackrest.label_time, rows))
            start = max(start, newest + datetime.timedelta(seconds=1))
        base = '' if taken.kind == 'full' else self._prior('diff', rows)
        return pgbackrest.label(taken.kind, start, base)

    def _prior(self, kind: str, rows: Mapping[str, Any]) -> str:
        """Return what a backup builds upon: the last full one, or for `incr` the last of any."""
        return [label for label in rows if kind == 'incr' or label.endswith('F')][-1]

    def _manifest_files(self, label: str | None) -> dict[str, dict[str, Any]]:
        if label is None:
            return {}
        files = self._manifest(label)['target:file']
        return {
            name: dict(sorted({'reference': label, **entry}.items()))
            for name, entry in files.items()
        }

    def _manifest(self, label: str) -> dict[str, dict[str, Any]]:
        return self._pair(f'{self._backups}/{label}/backup.manifest')

    def _next_segment(self, timeline: int, rows: Mapping[str, Mapping[str, Any]]) -> str:
        """Return the WAL segment after the newest backup's; 16 MiB segments, 256 in a log."""
        stops = [row['backup-archive-stop'] for row in rows.values()]
        last = max((int(stop[8:16], 16) * 256 + int(stop[16:], 16) for stop in stops), default=2)
        return f'{timeline:08X}{(last + 1) // 256:08X}{(last + 1) % 256:08X}'

    def _archive(self, segment: str) -> None:
        stored = backup_manifest.stored(cluster_files.wal(segment, self._cluster.system_id))
        folder = f'{self._cluster.archive}/{segment[:16]}'
        self._store.put(f'{folder}/{segment}-{stored.checksum}.gz', stored.packed)
        self._store.put(f'{folder}/{segment}.00000028.backup', b'START WAL LOCATION\n')

    def _info(self) -> dict[str, dict[str, Any]]:
        return self._pair(f'{self._backups}/backup.info')

    def _pair(self, path: str) -> dict[str, dict[str, Any]]:
        """Return a file, or its copy when it is missing or damaged, as pgBackRest does."""
        try:
            return pgbackrest.parse(self._store.get(path, _LARGEST).decode())
        except (errors.NotFound, pgbackrest.DamagedError):
            return pgbackrest.parse(self._store.get(f'{path}.copy', _LARGEST).decode())

    def _write_info(self, rows: Mapping[str, Mapping[str, Any]]) -> None:
        db = backup_manifest.db_section(self._cluster)
        history = {key: value for key, value in db.items() if key != 'db-id'}
        sections: dict[str, Mapping[str, Any]] = {'db': db, 'db:history': {'1': history}}
        if rows:
            sections['backup:current'] = {label: rows[label] for label in sorted(rows)}
        self._write(f'{self._backups}/backup.info', sections)

    def _write(self, key: str, sections: pgbackrest.Sections) -> None:
        text = pgbackrest.render(sections).encode()
        self._store.put(key, text)
        self._store.put(f'{key}.copy', text)

    def _exists(self, key: str) -> bool:
        try:
            self._store.head(key)
        except errors.NotFound:
            return False
        return True
