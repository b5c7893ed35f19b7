"""An object store in memory: as strict as S3, and as unfriendly when a test asks for it.

`MemoryBucket` holds the objects and the faults; `MemoryStore` is one path of a bucket as an
`ObjectStore` port; `MemoryS3` answers for a whole S3 server, by the fields of an s3 relation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

from coordinator import archives, checksums, errors, ports
from rehearsal import clock as clocks

MAX_KEY_BYTES = 1024
_CHUNK = 256 << 10


@dataclasses.dataclass(frozen=True)
class MemoryObject:
    """One object and when it was stored."""

    content: bytes
    modified: datetime.datetime

    @property
    def etag(self) -> str:
        return hashlib.md5(self.content, usedforsecurity=False).hexdigest()


class MemoryBucket:
    """A bucket's objects by full key, and the faults that a test switches on."""

    def __init__(self, name: str = 'backups', now: Callable[[], datetime.datetime] | None = None):
        self.name = name
        self.now = now or clocks.VirtualClock().now
        self.objects: dict[str, MemoryObject] = {}
        self.uploads: dict[ports.Upload, list[ports.UploadedPart]] = {}
        """Objects that are uploaded in parts, by full key, and the parts that are stored."""
        self.lists_uploads = True
        self.requests = 0
        """How many requests there were, refused ones included."""
        self.unavailable = 0
        """Number of next requests that find no server."""
        self.exists = True
        self.refuses_writes = False
        self.locked: dict[str, datetime.datetime] = {}
        """By full key: until when an object lock forbids to delete an object. No versions."""
        self.refuses_keys = False
        """Whether S3 does not know the access key, as after a rotation."""
        self.archived: dict[str, str] = {}
        """By full key: storage class and tier of the archive that an object is in."""
        self.forbidden: set[str] = set()
        """Full keys of objects that may be listed and not read."""
        self.keeps_checksums = False
        """Whether it tells a checksum of each object, as AWS does."""
        self.told: dict[str, str] = {}
        """By full key: what it tells instead, such as a CRC."""
        self.etags: dict[str, str] = {}
        """By full key: an ETag that is no MD5 of the content, as after an upload in parts."""

    def request(self, write: bool = False) -> None:
        """Note a request, and refuse it if it should be refused."""
        self.requests += 1
        if self.unavailable > 0:
            self.unavailable -= 1
            raise errors.StoreUnavailable('S3 does not answer: SlowDown')
        if self.refuses_keys:
            raise errors.StoreRefused('S3 does not know the access key: InvalidAccessKeyId')
        if not self.exists:
            raise errors.StoreRefused(f'the bucket {self.name} does not exist: NoSuchBucket')
        if write and self.refuses_writes:
            raise errors.StoreRefused(f'may not write to the bucket {self.name}: AccessDenied')

    def upload_part(self, full: str, size: int) -> None:
        """Store a part of an object that is not whole yet."""
        upload = ports.Upload(full, f'upload-of-{full}')
        part = ports.UploadedPart(size, self.now())
        self.uploads.setdefault(upload, []).append(part)

    def lock(self, full: str) -> str:
        """Return until when an object is locked, for people; '' if it is not."""
        until = self.locked.get(full)
        return f'until {until:%Y-%m-%dT%H:%M:%SZ}' if until and until > self.now() else ''

    def checksum(self, full: str) -> str:
        """Return the checksum that the server keeps of an object; '' if it keeps none."""
        if full in self.told:
            return self.told[full]
        if not self.keeps_checksums:
            return ''
        digest = hashlib.sha256(self.objects[full].content).digest()
        return str(checksums.Checksum('SHA256', digest))


class MemoryStore:
    """One path of a bucket, as an `ObjectStore`."""

    def __init__(
        self,
        bucket: MemoryBucket,
        path: str = '',
        endpoint: str = 'http://memory.invalid',
        region: str = 'us-east-1',
    ):
        self.bucket = bucket
        self._path = path.strip('/')
        self._root = f'{self._path}/' if self._path else ''
        self._endpoint = endpoint
        self._region = region

    @property
    def place(self) -> Mapping[str, str]:
        return {
            'endpoint': self._endpoint,
            'bucket': self.bucket.name,
            'path': self._path,
            'region': self._region,
        }

    def put(self, key: str, content: bytes) -> ports.StoredObject:
        full = self._full(key)
        self.bucket.request(write=True)
        self.bucket.objects[full] = MemoryObject(bytes(content), self.bucket.now())
        self.bucket.etags.pop(full, None)
        return self._stored(full)

    def get(self, key: str, limit: int = 1 << 20) -> bytes:
        self.head(key)
        self._refuse(key)
        content = self.bucket.objects[self._full(key)].content
        if len(content) > limit:
            raise errors.UnexpectedAnswer(f'{key} has {len(content)} bytes, more than {limit}')
        return content

    @contextlib.contextmanager
    def open(self, key: str) -> Generator[Iterator[bytes]]:
        self.head(key)
        self._refuse(key)
        content = self.bucket.objects[self._full(key)].content
        yield (content[at : at + _CHUNK] for at in range(0, len(content), _CHUNK))

    def head(self, key: str) -> ports.StoredObject:
        full = self._full(key)
        self.bucket.request()
        if full not in self.bucket.objects:
            raise errors.NotFound(f'{key} is not in the bucket {self.bucket.name}')
        return dataclasses.replace(
            self._stored(full),
            lock=self.bucket.lock(full),
            checksum=self.bucket.checksum(full),
            archive=self.bucket.archived.get(full, ''),
        )

    def list(self, prefix: str) -> Iterator[ports.StoredObject]:
        self.bucket.request()
        full = self._root + prefix
        keys = sorted(key for key in self.bucket.objects if key.startswith(full))
        return map(self._stored, keys)

    def folders(self, prefix: str) -> Sequence[str]:
        if not prefix.endswith('/') and prefix:
            raise ValueError(f'a folder ends in a slash: {prefix}')
        self.bucket.request()
        full = self._root + prefix
        below = (key[len(full) :] for key in self.bucket.objects if key.startswith(full))
        return sorted({key.partition('/')[0] for key in below if '/' in key})

    def uploads(self, prefix: str) -> Iterator[ports.Upload]:
        self.bucket.request()
        if not self.bucket.lists_uploads:
            raise errors.StoreRefused('may not list uploads: AccessDenied')
        for upload in sorted(self.bucket.uploads, key=lambda upload: upload.key):
            if upload.key.startswith(self._root + prefix):
                yield ports.Upload(upload.key.removeprefix(self._root), upload.id)

    def parts(self, upload: ports.Upload) -> Sequence[ports.UploadedPart]:
        self.bucket.request()
        full = ports.Upload(self._full(upload.key), upload.id)
        if full not in self.bucket.uploads:
            raise errors.NotFound(f'the upload of {upload.key} is over')
        return self.bucket.uploads[full]

    def delete(self, key: str) -> None:
        full = self._full(key)
        self.bucket.request(write=True)
        if full in self.bucket.objects and self.bucket.lock(full):
            raise errors.StoreRefused(f'may not delete {full}: AccessDenied')
        self.bucket.objects.pop(full, None)

    def _full(self, key: str) -> str:
        full = self._root + key
        if not key or key.startswith('/') or len(full.encode()) > MAX_KEY_BYTES:
            raise ValueError(f'no key for an object: {key!r}')
        return full

    def _stored(self, full: str) -> ports.StoredObject:
        found = self.bucket.objects[full]
        key = full.removeprefix(self._root)
        # A listing names the class alone, and not the tier in it.
        named = self.bucket.archived.get(full, '').partition(' ')[0]
        etag = self.bucket.etags.get(full, found.etag)
        return ports.StoredObject(
            key, len(found.content), etag, found.modified, storage_class=named
        )

    def _refuse(self, key: str) -> None:
        """Refuse to give an object that is archived, or that nobody may read."""
        full = self._full(key)
        if archive := self.bucket.archived.get(full):
            raise errors.ObjectArchived(archives.advice(self.bucket.name, [full], archive))
        if full in self.bucket.forbidden:
            raise errors.StoreRefused(f'may not read {full}: AccessDenied')


class MemoryS3:
    """A whole S3 server: the buckets by name, made when they are first asked for."""

    def __init__(self, now: Callable[[], datetime.datetime] | None = None):
        self._now = now
        self.buckets: dict[str, MemoryBucket] = {}

    def bucket(self, name: str) -> MemoryBucket:
        """Return the bucket of this name."""
        return self.buckets.setdefault(name, MemoryBucket(name, self._now))

    def store_for(self, connection: Mapping[str, str]) -> MemoryStore:
        """Return the store that an s3 relation's fields describe."""
        return MemoryStore(
            self.bucket(connection['bucket']),
            connection.get('path', ''),
            connection.get('endpoint', 'http://memory.invalid'),
            connection.get('region', 'us-east-1'),
        )
