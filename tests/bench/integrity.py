"""How fast an archive of images is read whole, S3 server included, against `gzip -t` on a file.

Images are packed already, kernels' lists and texts are not: half of the archive is random, half
of it text. `gzip -t` reads the very file from memory, without a server and without checksums.
"""

from __future__ import annotations

import dataclasses
import io
import itertools
import os
import pathlib
import random
import resource
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from typing import Any

import boto3

from coordinator import checksums
from coordinator.integrity import archives, check, inspection, pace
from coordinator.s3 import object_store
from rehearsal import s3_server
from tests.bench import figures

_UNIT = 64 << 20
"""Bytes that are compressed as one gzip member; the archive repeats it."""
_FILE = 4 << 20
"""Bytes of a file in it: whole blocks of a tar."""
_RUNS = 3
_BUCKET, _KEY = 'bench', 'image-storage.tar.gz'
_MIB = 1 << 20


def measure(mebibytes: int) -> Iterator[str | figures.Figure]:
    """Read an archive that holds so much in both ways, and yield what to print."""
    gzip = shutil.which('gzip')
    if gzip is None:
        yield 'deep verification: there is no gzip here to compare with'
        return
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        archive = pathlib.Path(folder) / _KEY
        content = write_archive(archive, mebibytes)
        size = archive.stat().st_size
        yield (
            f'an archive of {content // _MIB} MiB in {size // _MIB} MiB, read whole; MiB/s are of '
            f'what is in it; load {os.getloadavg()[0]:.2f}'
        )
        with s3_server.S3Server() as server:
            fields = server.connection(_BUCKET)
            server.create_bucket(_BUCKET)
            etag = _upload(archive, fields)
            store = object_store.S3Store(object_store.Connection.from_relation('bench', fields))
            expected = [checksum] if (checksum := checksums.of_etag(etag)) else []
            item = check.Object(store, _KEY, size, expected, archives.TarGz)
            runs = [(_theirs(gzip, archive), _ours(item)) for _ in range(_RUNS)]
            store.close()
    yield from _compared(content / _MIB, runs)


@dataclasses.dataclass(frozen=True)
class Run:
    """What one reading took."""

    seconds: float
    cpu_seconds: float


def _compared(mebibytes: float, runs: Sequence[tuple[Run, Run]]) -> Iterator[figures.Figure]:
    for number, way in enumerate(('gzip -t on the file', 'deep verification, from an S3 server')):
        rates = [mebibytes / run[number].seconds for run in runs]
        yield figures.Figure(way, 'MiB/s', rates, digits=0, more_is_better=True)
        cpu = [run[number].cpu_seconds for run in runs]
        yield figures.Figure(f"{way}: CPU, without the server's", 's', cpu)
    speed = [theirs.seconds / ours.seconds for theirs, ours in runs]
    yield figures.Figure(
        'its speed over that of gzip -t', '', speed, 'at least 3.0', more_is_better=True
    )
    thrift = [theirs.cpu_seconds / ours.cpu_seconds for theirs, ours in runs]
    yield figures.Figure(
        'CPU of gzip -t over its CPU', '', thrift, 'at least 1.6', more_is_better=True
    )


def write_archive(path: pathlib.Path, mebibytes: int) -> int:
    """Write a tar.gz of at least so much; return how many bytes are in it."""
    unit = _packed(_tar(_UNIT))
    count = -(-mebibytes * _MIB // _UNIT)
    with path.open('wb') as file:
        for _ in range(count):
            file.write(unit)
        file.write(_packed(bytes(2 * tarfile.BLOCKSIZE)))
    return count * _UNIT


def _tar(size: int) -> bytes:
    """Return a tar of exactly this number of bytes, without its end."""
    source, packed = random.Random(1), io.BytesIO()
    for number in itertools.count():
        room = min(size - packed.tell() - tarfile.BLOCKSIZE, _FILE)
        if room < 0:
            return packed.getvalue()
        entry = tarfile.TarInfo(f'image-{number}')
        entry.size = room
        packed.write(entry.tobuf())
        packed.write(source.randbytes(room) if number % 2 else _text(source, room))
    raise AssertionError


def _text(source: random.Random, size: int) -> bytes:
    words = [f'word{number}'.encode() for number in range(5000)]
    return b' '.join(source.choices(words, k=size // 8))[:size].ljust(size)


def _packed(content: bytes) -> bytes:
    return subprocess.run(
        ['gzip', '-n', '-9'], input=content, capture_output=True, check=True
    ).stdout


def _upload(archive: pathlib.Path, fields: dict[str, str]) -> str:
    """Store an archive in parts, as maas-region does; return its ETag."""
    client: Any = boto3.client(
        's3',
        endpoint_url=fields['endpoint'],
        region_name=fields['region'],
        aws_access_key_id=fields['access-key'],
        aws_secret_access_key=fields['secret-key'],
    )
    client.upload_file(str(archive), _BUCKET, _KEY)
    return client.head_object(Bucket=_BUCKET, Key=_KEY)['ETag']


def _theirs(gzip: str, archive: pathlib.Path) -> Run:
    begun, cpu = time.monotonic(), _cpu_seconds(resource.RUSAGE_CHILDREN)
    subprocess.run([gzip, '-t', archive], check=True)
    return Run(time.monotonic() - begun, _cpu_seconds(resource.RUSAGE_CHILDREN) - cpu)


def _ours(item: check.Object) -> Run:
    begun, cpu = time.monotonic(), _cpu_seconds(resource.RUSAGE_SELF)
    [(_, verdict)] = inspection.inspect([item], [0], lambda: True, pace.Pace(item.size))
    run = Run(time.monotonic() - begun, _cpu_seconds(resource.RUSAGE_SELF) - cpu)
    if verdict.findings:
        raise AssertionError(verdict.findings)
    return run


def _cpu_seconds(whose: int) -> float:
    used = resource.getrusage(whose)
    return used.ru_utime + used.ru_stime
