"""One backup in a pgBackRest repository: its manifest, its objects, its entry in `backup.info`."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import gzip
import hashlib
from collections.abc import Mapping
from typing import Any

from rehearsal.standins import cluster_files, pgbackrest


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The PostgreSQL cluster that a stanza belongs to."""

    stanza: str
    system_id: int
    version: str = '16'

    @property
    def archive(self) -> str:
        """Folder of the cluster's WAL segments."""
        return f'archive/{self.stanza}/{self.version}-1'


@dataclasses.dataclass(frozen=True)
class Taken:
    """What a backup finds when it runs."""

    kind: str
    """full, diff or incr."""
    start: datetime.datetime
    stop: datetime.datetime
    timeline: int
    database: Mapping[str, Any]
    on_standby: bool
    bundle: bool
    roles: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The passwords' digests."""


@dataclasses.dataclass(frozen=True)
class Stored:
    """One file of the data directory, as it lies in the repository."""

    size: int
    checksum: str
    packed: bytes
    packed_checksum: str


@dataclasses.dataclass(frozen=True)
class Manifest:
    """One backup's contents, on their way into its manifest."""

    cluster: Cluster
    taken: Taken
    label: str
    prior: str | None
    segment: str
    content: Mapping[str, Stored]
    """The data directory's files."""

    def lay_out(
        self, before: Mapping[str, Mapping[str, Any]]
    ) -> tuple[dict[str, bytes], dict[str, dict[str, Any]]]:
        """Return the objects to store, by key, and the manifest's entries of the files.

        A file that is `before` with the same content is only referred to.
        """
        objects: dict[str, bytes] = {}
        files: dict[str, dict[str, Any]] = {}
        for path, file in self.content.items():
            name = f'pg_data/{path}'
            old = before.get(name)
            if old is not None and old.get('checksum') == (file.checksum if file.size else None):
                files[name] = dict(old)
                continue
            files[name] = self._entry(path, file)
            if not self.taken.bundle:
                objects[f'{name}.gz'] = file.packed
            elif file.size:
                bundle = objects.setdefault('bundle/1', b'')
                files[name] = {'bni': 1, **({'bno': len(bundle)} if bundle else {}), **files[name]}
                objects['bundle/1'] = bundle + file.packed
        return objects, files

    def _entry(self, path: str, file: Stored) -> dict[str, Any]:
        """Return a file's entry: keys in alphabetical order, what goes without saying left out."""
        entry: dict[str, Any] = {}
        if file.size:
            entry['checksum'] = file.checksum
        if cluster_files.is_relation(path):
            entry['checksum-page'] = True
        kept = bool(file.size) or not self.taken.bundle
        if kept:
            entry['rck'] = file.packed_checksum
            entry['repo-size'] = len(file.packed)
        entry['size'] = file.size
        entry['timestamp'] = int(self.taken.start.timestamp())
        return entry

    def row(self, files: Mapping[str, Mapping[str, Any]], written: int) -> dict[str, Any]:
        """Return the backup's entry in `backup.info`."""
        own = [entry for entry in files.values() if 'reference' not in entry]
        row: dict[str, Any] = {
            'backrest-format': pgbackrest.FORMAT,
            'backrest-version': pgbackrest.VERSION,
            'backup-archive-start': self.segment,
            'backup-archive-stop': self.segment,
            'backup-error': False,
            'backup-info-repo-size': sum(entry.get('repo-size', 0) for entry in files.values()),
            'backup-info-repo-size-delta': written,
            'backup-info-size': sum(entry['size'] for entry in files.values()),
            'backup-info-size-delta': sum(entry['size'] for entry in own),
            'backup-lsn-start': self._lsn(0x28),
            'backup-lsn-stop': self._lsn(0x11558),
        }
        if self.prior is not None:
            row['backup-prior'] = self.prior
            row['backup-reference'] = self._references(files)
        row['backup-timestamp-start'] = int(self.taken.start.timestamp())
        row['backup-timestamp-stop'] = int(self.taken.stop.timestamp())
        row['backup-type'] = self.taken.kind
        row['db-id'] = 1
        options = self._options()
        return row | {key: value for key, value in options.items() if isinstance(value, bool)}

    def sections(self, files: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Return the whole manifest."""
        backup: dict[str, Any] = {
            'backup-archive-start': self.segment,
            'backup-archive-stop': self.segment,
            'backup-label': self.label,
            'backup-lsn-start': self._lsn(0x28),
            'backup-lsn-stop': self._lsn(0x11558),
            'backup-prior': self.prior,
            'backup-reference': ','.join([*self._references(files), self.label]),
            'backup-timestamp-copy-start': int(self.taken.start.timestamp()),
            'backup-timestamp-start': int(self.taken.start.timestamp()),
            'backup-timestamp-stop': int(self.taken.stop.timestamp()),
            'backup-type': self.taken.kind,
        }
        if self.taken.bundle:
            backup['backup-bundle'] = True
        parents = {name.rpartition('/')[0] for name in files}
        return {
            'backup': {key: backup[key] for key in sorted(backup) if backup[key] is not None},
            'backup:db': db_section(self.cluster),
            'backup:option': self._options(),
            'backup:target': {'pg_data': {'path': '/var/lib/postgresql/data', 'type': 'path'}},
            'db': {
                'maas_region_db': {'db-id': 16388, 'db-last-system-id': 4},
                'postgres': {'db-id': 5, 'db-last-system-id': 4},
            },
            'target:file': {name: dict(files[name]) for name in sorted(files)},
            'target:file:default': {'group': '_daemon_', 'mode': '0600', 'user': '_daemon_'},
            'target:path': {parent: {} for parent in sorted(parents)},
            'target:path:default': {'group': '_daemon_', 'mode': '0700', 'user': '_daemon_'},
        }

    def _references(self, files: Mapping[str, Mapping[str, Any]]) -> list[str]:
        return sorted({entry['reference'] for entry in files.values() if 'reference' in entry})

    def _options(self) -> dict[str, Any]:
        return {
            'option-archive-check': True,
            'option-archive-copy': False,
            'option-backup-standby': self.taken.on_standby,
            'option-checksum-page': True,
            'option-compress': True,
            'option-compress-type': 'gz',
            'option-hardlink': False,
            'option-online': True,
        }

    def _lsn(self, offset: int) -> str:
        log, segment = int(self.segment[8:16], 16), int(self.segment[16:], 16)
        return f'{log:X}/{segment * 0x1000000 + offset:X}'


def db_section(cluster: Cluster) -> dict[str, Any]:
    """Return what pgBackRest says of the database in `backup.info` and manifests."""
    return {
        'db-catalog-version': 202307071,
        'db-control-version': 1300,
        'db-id': 1,
        'db-system-id': cluster.system_id,
        'db-version': cluster.version,
    }


@functools.lru_cache(maxsize=256)
def stored(content: bytes) -> Stored:
    """Compress a file as the repository keeps it."""
    packed = gzipped(content)
    return Stored(len(content), sha1(content), packed, sha1(packed))


def gzipped(content: bytes) -> bytes:
    """Compress, the same way every time."""
    return gzip.compress(content, mtime=0)


def sha1(content: bytes) -> str:
    """Return the checksum that pgBackRest keeps of a file."""
    return hashlib.sha1(content, usedforsecurity=False).hexdigest()
