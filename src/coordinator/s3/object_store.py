"""The adapter that answers for `ports.ObjectStore` out of S3. The only place that knows boto3."""

from __future__ import annotations

import base64
import contextlib
import copy
import dataclasses
import functools
import hashlib
import logging
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import IO, Any

import boto3
import botocore.client
import botocore.exceptions
import botocore.regions
import botocore.session
import tenacity

from coordinator import errors, integrators, object_keys, ports
from coordinator.s3 import answers, objects, reading, refusals, timeouts

# ops sends every line of any level to juju-log, a process each. The library's chatter is long,
# and has signatures of requests in it.
for _name in ('boto3', 'botocore', 'urllib3', 's3transfer'):
    logging.getLogger(_name).setLevel(logging.WARNING)

_MOST_PAGES = 1000
"""Pages of one listing, with a thousand keys each."""
_NO_CHECKSUMS = {400, 403, 405, 501}
"""How servers refuse to tell what they keep of an object: those that do not know how, and AWS to
whom may not use the key of KMS that it is encrypted with."""


@dataclasses.dataclass(frozen=True)
class Connection:
    """What an s3 relation says, cleaned."""

    integrator: str
    """The s3-integrator application, for messages that say what to change."""
    bucket: str
    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)
    endpoint: str = ''
    region: str = ''
    path: str = ''
    ca_chain: Sequence[str] = ()
    """PEM certificates."""

    @property
    def server(self) -> Sequence[object]:
        """What a client depends on."""
        return (self.endpoint, self.region, self.access_key, self.secret_key, self.ca_chain)

    @classmethod
    def from_relation(
        cls, integrator: str, info: Mapping[str, Any], charm: str = integrators.MAAS_REGION
    ) -> Connection:
        """Read what an integrator gives, of either track, as the charm does that uses it.

        Args:
            integrator: the application's name.
            info: the relation's fields; `tls-ca-chain` as object-storage-charmlib reads it.
            charm: the charm that keeps its backups there.

        Raises:
            TransientError: the integrator has not given everything yet; says what is missing.
            StoreRefused: the charm cannot use what is given.
        """
        missing = [key for key in ('bucket', 'access-key', 'secret-key') if not info.get(key)]
        if missing:
            raise errors.TransientError(
                f'{integrator} provides no {", ".join(missing)}: '
                f'see juju status {integrator} and juju config {integrator}'
            )
        try:
            made = integrators.made_of(charm, info)
        except errors.StoreRefused as error:
            raise errors.StoreRefused(f'{error} (juju config {integrator})') from None
        if not object_keys.BUCKET.fullmatch(made.bucket):
            # Not repeated, as it may be a key that was pasted by mistake.
            raise errors.StoreRefused(
                f'the bucket that {integrator} gives is not a valid bucket name: juju config '
                f'{integrator} bucket=...'
            )
        chain: str | Sequence[str] = info.get('tls-ca-chain') or ()
        return cls(
            integrator=integrator,
            bucket=made.bucket,
            access_key=made.access_key,
            secret_key=made.secret_key,
            endpoint=_without_login(made.endpoint),
            region=made.region,
            path=made.path,
            ca_chain=[chain] if isinstance(chain, str) else list(chain),
        )


def _without_login(endpoint: str) -> str:
    """Return an endpoint without user and password: it is written into manifests and messages."""
    scheme, separator, rest = endpoint.rpartition('://')
    return f'{scheme}{separator}{rest.rpartition("@")[2]}'


_here = threading.local()


def _session() -> Any:
    """Return this thread's session: what it has read of S3's ways serves all its stores.

    Sessions are not safe to share between threads, as the clients that they make are.
    """
    if not hasattr(_here, 'session'):
        core = botocore.session.get_session()
        answers = core.get_component('response_parser_factory')
        answers.set_parser_defaults(timestamp_parser=objects.time)
        _here.session = boto3.Session(botocore_session=core)
    return _here.session


def _address(endpoint: str, region: str) -> str:
    """Return where both charms send their requests: AWS's endpoint becomes that of the region."""
    endpoint = endpoint or integrators.AWS
    if not region:
        return endpoint
    # botocore's own table, which the charms ask too; a client reads it anyway.
    table = _session()._session.get_component('data_loader').load_data('endpoints')
    found = botocore.regions.EndpointResolver(table).construct_endpoint('s3', region)
    if found and endpoint.endswith(found['dnsSuffix']):
        return f'{endpoint.partition("://")[0]}://{found["hostname"]}'
    return endpoint


def _ca_file(chain: Sequence[str]) -> IO[str]:
    """Write CA certificates to a file, which is the only way that botocore takes them.

    It is in no folder: nothing is left behind, even by a process that is killed.
    """
    file = tempfile.TemporaryFile('w')  # noqa: SIM115  (closed by close)
    file.write('\n'.join(chain))
    file.flush()
    return file


class S3Store:
    """One bucket and path. Safe to use from several threads, as boto3's clients are."""

    def __init__(
        self,
        connection: Connection,
        fence: Callable[[], None] = lambda: None,
        answered: Callable[[], None] = lambda: None,
        patience: timeouts.Patience | None = None,
    ):
        """Open a store.

        Args:
            connection: how it is reached.
            fence: called before each change, and raises to forbid it.
            answered: called when a change was answered.
            patience: with its server; stores of one server may share it.
        """
        self.patience = patience or timeouts.Patience()
        self._fence = fence
        self._answered = answered
        self._place_at(connection)
        self._ca = _ca_file(connection.ca_chain) if connection.ca_chain else None
        with self._errors.opening():
            self._client: Any = _session().client(
                's3',
                endpoint_url=_address(connection.endpoint, connection.region),
                region_name=connection.region or 'us-east-1',
                aws_access_key_id=connection.access_key,
                aws_secret_access_key=connection.secret_key,
                # Any name would do that leads to the file, which has none in a folder.
                verify=f'/dev/fd/{self._ca.fileno()}' if self._ca else None,
                config=botocore.client.Config(
                    connect_timeout=self.patience.connect,
                    read_timeout=self.patience.read,
                    retries={'mode': 'standard', 'total_max_attempts': 3},
                    # As both charms do, whatever s3-uri-style says.
                    s3={'addressing_style': 'path'},
                    # Older servers refuse the checksums that newer clients add unasked.
                    request_checksum_calculation='when_required',
                    response_checksum_validation='when_required',
                ),
            )
        sender = self._client._endpoint
        sender.http_session = answers.Session(sender.http_session, self.patience)

    def _place_at(self, connection: Connection) -> None:
        self.connection = connection
        """How it is reached: with the keys, so it is for no message."""
        self._prefix = f'{connection.path}/' if connection.path else ''
        self._errors = refusals.Translator(
            connection.integrator,
            connection.bucket,
            connection.endpoint,
            connection.region,
            self._prefix,
        )

    def beside(self, connection: Connection) -> S3Store:
        """Return a store of another bucket or path on the same server, with the same keys.

        It has the same client: making one takes longer than the requests of most dispatches.
        """
        assert connection.server == self.connection.server
        other = copy.copy(self)
        other._place_at(connection)
        return other

    @property
    def place(self) -> Mapping[str, str]:
        """Where this store lies."""
        return {
            'endpoint': self.connection.endpoint,
            'bucket': self.connection.bucket,
            'path': self.connection.path,
            'region': self.connection.region,
        }

    def close(self) -> None:
        """Close connections, and the file with the CA certificates."""
        self._client.close()
        if self._ca is not None:
            self._ca.close()

    def put(self, key: str, content: bytes) -> ports.StoredObject:
        """Store an object whole."""
        self._fence()
        with self._errors.request(key, effect=True):
            # Without it S3 stores nothing in a bucket with an object lock; every server knows it.
            digest = hashlib.md5(content, usedforsecurity=False).digest()
            answer = self._client.put_object(
                **self._at(key), Body=content, ContentMD5=base64.b64encode(digest).decode()
            )
        self._answered()
        stored = objects.stored(key, len(content), answer)
        with contextlib.suppress(errors.NotFound):
            seen = self.head(key)
            if stored.etag in ('', seen.etag):
                return seen
        # Some servers see for a while what was there before.
        return stored

    def get(self, key: str, limit: int = 1 << 20) -> bytes:
        """Return an object of at most `limit` bytes."""
        # botocore repeats requests that got no good answer, but not answers that broke off.
        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(errors.StoreUnavailable),
            stop=tenacity.stop_after_attempt(2),
            wait=tenacity.wait_fixed(0.2),
            reraise=True,
        )
        return again(self._read, key, limit)

    def _read(self, key: str, limit: int) -> bytes:
        with self._errors.request(key):
            answer = self._client.get_object(**self._at(key))
            with contextlib.closing(answer['Body']) as body:
                content: bytes = b''
                if answer.get('ContentLength', 0) <= limit:
                    content = body.read(limit + 1)
        if max(answer.get('ContentLength', 0), len(content)) > limit:
            raise errors.UnexpectedAnswer(f'{key} is larger than {limit} bytes')
        if len(content) < answer.get('ContentLength', 0):
            # Read with a bound, the library does not notice an answer that breaks off.
            raise errors.StoreUnavailable(f'the answer of S3 with {key} is incomplete')
        return content

    @contextlib.contextmanager
    def open(self, key: str) -> Generator[Iterator[bytes]]:
        """Lend an object of any size, to be read whole."""
        get = functools.partial(self._client.get_object, **self._at(key))
        with contextlib.closing(reading.Reading(get, key, self._errors)) as content:
            yield content.chunks()

    def head(self, key: str) -> ports.StoredObject:
        """Return what is known of an object."""
        with self._errors.request(key):
            found = self._head(**self._at(key))
        return objects.headed(key, found)

    def _head(self, **at: str) -> Mapping[str, Any]:
        try:
            return self._client.head_object(**at, ChecksumMode='ENABLED')
        except botocore.exceptions.ClientError as error:
            if (
                error.response.get('ResponseMetadata', {}).get('HTTPStatusCode')
                not in _NO_CHECKSUMS
            ):
                raise
            return self._client.head_object(**at)

    def list(self, prefix: str) -> Iterator[ports.StoredObject]:
        """Yield all objects below a prefix, in key order, page after page."""
        paginator = self._client.get_paginator('list_objects_v2')
        for page in self._pages(paginator, prefix, Prefix=self._full(prefix)):
            for item in page.get('Contents', ()):
                yield objects.listed(self._below(prefix, item), item)

    def _below(self, prefix: str, item: Mapping[str, Any]) -> str:
        """Return the key of what is listed, without the store's path."""
        found = str(item.get('Key', ''))
        if not found.startswith(self._prefix + prefix):
            raise errors.UnexpectedAnswer(
                f'S3 lists {found[:80]!r}, which is not below {self._prefix + prefix!r}'
            )
        return found.removeprefix(self._prefix)

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names directly below a prefix that hold objects deeper."""
        begin = len(self._prefix + prefix)
        paginator = self._client.get_paginator('list_objects_v2')
        return [
            item['Prefix'][begin:].strip('/')
            for page in self._pages(paginator, prefix, Prefix=self._full(prefix), Delimiter='/')
            for item in page.get('CommonPrefixes', ())
        ]

    def uploads(self, prefix: str) -> Iterator[ports.Upload]:
        """Yield what is being uploaded in parts, below a prefix."""
        paginator = self._client.get_paginator('list_multipart_uploads')
        for page in self._pages(paginator, prefix, Prefix=self._full(prefix)):
            for item in page.get('Uploads', ()):
                yield ports.Upload(self._below(prefix, item), str(item.get('UploadId', '')))

    def parts(self, upload: ports.Upload) -> Iterator[ports.UploadedPart]:
        """Yield the parts of an upload that are stored."""
        paginator = self._client.get_paginator('list_parts')
        at = {'Key': self._full(upload.key), 'UploadId': upload.id}
        for page in self._pages(paginator, upload.key, **at):
            for item in page.get('Parts', ()):
                yield objects.part(upload.key, item)

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._fence()
        with self._errors.request(key, effect=True):
            self._client.delete_object(**self._at(key))
        self._answered()

    def _at(self, key: str) -> dict[str, str]:
        if not key:
            raise errors.StoreRefused('an object has no key')
        return {'Bucket': self.connection.bucket, 'Key': self._full(key)}

    def _full(self, key: str) -> str:
        """Return a key, or the beginning of one, with the store's path: the last look at both."""
        full = self._prefix + key
        if not object_keys.is_plain(full):
            integrator = self.connection.integrator
            raise errors.StoreRefused(
                f'{full[:80]!r} is not a valid object key: a key must be printable, without .. '
                f'and of {object_keys.LONGEST} bytes at most: see juju config {integrator} path'
            )
        return full

    def _pages(self, paginator: Any, what: str, **options: str) -> Iterator[dict[str, Any]]:
        """Yield the pages of a listing; `what` names it in errors, without the store's path."""
        pages = paginator.paginate(Bucket=self.connection.bucket, **options)
        with self._errors.request(what):
            for number, page in enumerate(pages, start=1):
                if number > _MOST_PAGES:
                    raise errors.UnexpectedAnswer(
                        f'S3 lists objects below {self._full(what)!r} without end'
                    )
                if 'IsTruncated' not in page:
                    # Of any other document the library makes a listing of nothing.
                    raise LookupError
                yield page
