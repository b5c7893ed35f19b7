"""A whole backup set on each S3 server: listed, read whole, found damaged, deleted."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import random
import zlib
from collections.abc import Iterator
from typing import Any, Protocol

import boto3.s3.transfer
import pytest

from coordinator import checksums
from coordinator.integrity import check, contents, inspection, pace
from coordinator.s3 import object_store
from coordinator.sets import catalogue, deletion, manifest
from tests import restores, simulation, stores, worlds

MIB = 1 << 20
ARCHIVE = random.Random(1).randbytes(11 * MIB)
PART = 5 * MIB


class Site(Protocol):
    """An S3 server."""

    @property
    def name(self) -> str: ...

    @property
    def client(self) -> Any: ...

    def fields(self, bucket: str) -> dict[str, str]: ...

    def new_bucket(self) -> str: ...


@pytest.fixture(scope='module')
def backed_up() -> simulation.Simulation:
    return restores.backed_up()


@dataclasses.dataclass
class Kept:
    """A backup set on a server."""

    maas: object_store.S3Store
    postgresql: object_store.S3Store

    @property
    def manifest(self) -> manifest.Manifest:
        [backup_id] = catalogue.ids(self.maas)
        return catalogue.opened(self.maas, backup_id)

    def findings(self) -> list[str]:
        """Read everything; return what is wrong."""
        objects = contents.objects(self.manifest, self.maas, self.maas, self.postgresql)
        read = inspection.inspect(objects, range(len(objects)), lambda: True, pace.Pace(0))
        return [finding for _, verdict in read for finding in verdict.findings]


@pytest.fixture
def kept(s3_site: Site, backed_up: simulation.Simulation) -> Iterator[Kept]:
    """Copy what a backup has left in memory to a server."""
    world = backed_up.world
    with (
        stores.opened({**s3_site.fields(s3_site.new_bucket()), 'path': 'maas'}) as maas,
        stores.opened({**s3_site.fields(s3_site.new_bucket()), 'path': 'database'}) as database,
    ):
        for source, copy in ((world.maas_store, maas), (world.postgresql_store, database)):
            for item in source.list(''):
                copy.put(item.key, source.get(item.key, limit=1 << 30))
        yield Kept(maas, database)


def test_a_set_is_listed(kept: Kept):
    [entry] = catalogue.with_failed(kept.maas, heal=True)
    assert entry.state == 'complete'
    assert catalogue.with_failed(kept.maas) == [entry]


def test_a_set_is_read_whole_and_damage_is_found(kept: Kept):
    assert kept.findings() == []
    key = next(item.key for item in kept.manifest.maas.objects if 'preseeds' in item.key)
    content = kept.maas.get(key)
    kept.maas.put(key, content[:-9] + bytes([content[-9] ^ 1]) + content[-8:])
    found = kept.findings()
    assert found
    assert all(finding.startswith(key) for finding in found)


def test_a_set_is_deleted_and_nothing_else(kept: Kept):
    database = [item.key for item in kept.postgresql.list('')]
    target = deletion.Target.of(kept.maas, catalogue.entries(kept.maas)[0])
    deletion.delete(kept.maas, target, catalogue.entries(kept.maas), worlds.START)
    assert catalogue.with_failed(kept.maas) == []
    for folder in target.folders:
        assert list(kept.maas.list(folder)) == []
    assert [item.key for item in kept.postgresql.list('')] == database


# --- An archive that was uploaded in parts -------------------------------------------------------


def upload(site: Site, bucket: str, content: bytes, **extra: str) -> None:
    parts = boto3.s3.transfer.TransferConfig(multipart_threshold=PART, multipart_chunksize=PART)
    file = io.BytesIO(content)
    site.client.upload_fileobj(file, bucket, 'archive', Config=parts, ExtraArgs=extra)


def composite(algorithm: str) -> str:
    pieces = [ARCHIVE[at : at + PART] for at in range(0, len(ARCHIVE), PART)]
    if algorithm == 'SHA256':
        whole = hashlib.sha256(b''.join(hashlib.sha256(piece).digest() for piece in pieces))
        return f'sha256:{whole.hexdigest()}-{len(pieces)}'
    joined = b''.join(zlib.crc32(piece).to_bytes(4, 'big') for piece in pieces)
    return f'crc32:{zlib.crc32(joined):08x}-{len(pieces)}'


def test_an_archive_in_parts_is_recognised_by_its_etag(s3_site: Site):
    bucket = s3_site.new_bucket()
    upload(s3_site, bucket, ARCHIVE)
    with stores.opened(s3_site.fields(bucket)) as store:
        found = store.head('archive')
        recorded = manifest.Object(key='archive', size=found.size, etag=found.etag)
        expected = contents.expected(recorded, True)
        good = check.Object(store, 'archive', found.size, expected)
        verdict = inspection.read(good, lambda: True, pace.Pace(0))
        assert (verdict.bytes, verdict.findings) == (len(ARCHIVE), ())


@pytest.mark.parametrize('algorithm', ['SHA256', 'CRC32'])
def test_a_checksum_that_is_told_of_an_archive_in_parts_is_right(s3_site: Site, algorithm: str):
    bucket = s3_site.new_bucket()
    upload(s3_site, bucket, ARCHIVE, ChecksumAlgorithm=algorithm)
    with stores.opened(s3_site.fields(bucket)) as store:
        told = store.head('archive').checksum
    if not told:
        pytest.skip(f'{s3_site.name} tells none')
    whole = f'crc32:{zlib.crc32(ARCHIVE):08x}'
    assert told in (
        {composite('SHA256')} if algorithm == 'SHA256' else {composite('CRC32'), whole}
    )


@pytest.mark.parametrize('algorithm', ['SHA1', 'SHA256', 'CRC32'])
def test_a_checksum_that_is_told_of_one_put_is_right(s3_site: Site, algorithm: str):
    bucket, content = s3_site.new_bucket(), b'content'
    s3_site.client.put_object(Bucket=bucket, Key='key', Body=content, ChecksumAlgorithm=algorithm)
    with stores.opened(s3_site.fields(bucket)) as store:
        told = store.head('key').checksum
    if not told:
        pytest.skip(f'{s3_site.name} tells none')
    digest = (
        zlib.crc32(content).to_bytes(4, 'big')
        if algorithm == 'CRC32'
        else hashlib.new(algorithm, content).digest()
    )
    assert told == str(checksums.Checksum(algorithm, digest))
