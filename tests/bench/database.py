"""The CPU of reading a database's backup whole from S3, against `pgbackrest verify` there.

Both read the same repository, which a real pgBackRest wrote with the charm's options, over TLS
from a server on the same machine. The server's own CPU is left out.
"""

from __future__ import annotations

import os
import pathlib
import resource
import tempfile
from collections.abc import Callable, Iterator

from coordinator.integrity import check, inspection, pace
from coordinator.s3 import object_store
from rehearsal import s3_server
from rehearsal.real import account, programs
from tests.bench import figures
from tests.real import repositories

_RUNS = 3
_BUCKET, _PATH = 'bench', '/postgresql'
_MIB = 1 << 20


def measure(rows: int) -> Iterator[str | figures.Figure]:
    """Back up a table, read the backup in both ways, and yield what to print."""
    try:
        account.of_servers()
        found = programs.find()
    except (programs.Missing, account.NoPlace) as error:
        yield f'deep verification of a database: {error}'
        return
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        root = pathlib.Path(folder)
        root.chmod(0o711)
        options = repositories.as_the_charm(found)
        with (
            repositories.Repository(root / 'pg', found, options, rows) as repository,
            s3_server.S3Server(secure=True) as server,
        ):
            yield from _both(repository, server)


def _both(
    repository: repositories.Repository, server: s3_server.S3Server
) -> Iterator[str | figures.Figure]:
    fields = server.connection(_BUCKET, _PATH)
    server.create_bucket(_BUCKET)
    store = object_store.S3Store(object_store.Connection.from_relation('bench', fields))
    repository.upload(store)
    objects = repositories.objects(store, repository.backup)
    stored = sum(item.size for item in objects) / _MIB
    yield (
        f'pgBackRest {".".join(map(str, repository.programs.pgbackrest_version))}: '
        f'{repository.backup.database_bytes // _MIB} MiB of a database in {stored:.0f} MiB, '
        f'read whole; load {os.getloadavg()[0]:.2f}'
    )
    runs = [
        (
            _cpu(resource.RUSAGE_CHILDREN, lambda: repository.verify_in(fields)),
            _cpu(resource.RUSAGE_SELF, lambda: _read(objects)),
        )
        for _ in range(_RUNS)
    ]
    store.close()
    for number, way in enumerate(('pgbackrest verify', 'deep verification')):
        each = [1000 * run[number] / stored for run in runs]
        yield figures.Figure(f'{way} of a database: CPU for a MiB stored', 'ms', each, digits=1)
    ratios = [ours / theirs for theirs, ours in runs]
    yield figures.Figure('its CPU over that of pgbackrest verify', '', ratios, 'at most 1')


def _read(objects: list[check.Object]) -> None:
    found = inspection.inspect(objects, range(len(objects)), lambda: True, pace.Pace(0))
    wrong = [finding for _, verdict in found for finding in verdict.findings]
    if wrong:
        raise AssertionError(wrong)


def _cpu(whose: int, work: Callable[[], object]) -> float:
    before = _used(whose)
    work()
    return _used(whose) - before


def _used(whose: int) -> float:
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime
