"""The adapter that answers for `ports.ObjectStore` out of S3. The only place that knows boto3."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

import boto3
import botocore.client
import botocore.exceptions
import tenacity

from coordinator import errors, ports

# ops sends every line of any level to juju-log, a process each. The library's chatter is long,
# and has signatures of requests in it.
for _name in ('boto3', 'botocore', 'urllib3', 's3transfer'):
    logging.getLogger(_name).setLevel(logging.WARNING)

_ABSENT = {'NoSuchKey', '404', 'NotFound'}
_PASSING = {'SlowDown', 'RequestTimeout', 'InternalError', 'ServiceUnavailable', 'Throttling'}


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
    uri_style: str = ''
    ca_chain: Sequence[str] = ()
    """PEM certificates."""

    @classmethod
    def from_relation(cls, integrator: str, info: Mapping[str, Any]) -> Connection:
        """Read what object-storage-charmlib gives, of either track of the s3-integrator.

        Raises:
            TransientError: the integrator has not given everything yet; says what is missing.
        """
        missing = [key for key in ('bucket', 'access-key', 'secret-key') if not info.get(key)]
        if missing:
            raise errors.TransientError(
                f'{integrator} gives no {", ".join(missing)}: see juju status {integrator} and '
                f'juju config {integrator}'
            )
        chain: str | Sequence[str] = info.get('tls-ca-chain') or ()
        return cls(
            integrator=integrator,
            bucket=str(info['bucket']),
            # A key out of a file ends in a newline, which no header can carry.
            access_key=str(info['access-key']).strip(),
            secret_key=str(info['secret-key']).strip(),
            endpoint=_without_login(str(info.get('endpoint') or '').strip()),
            region=str(info.get('region') or ''),
            path=str(info.get('path') or '').strip('/'),
            uri_style=str(info.get('s3-uri-style') or ''),
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
        _here.session = boto3.Session()
    return _here.session


class S3Store:
    """One bucket and path. Safe to use from several threads, as boto3's clients are."""

    def __init__(self, connection: Connection, fence: Callable[[], None] = lambda: None):
        """Open a store; `fence` is called before each change, and raises to forbid it."""
        self._connection = connection
        self._fence = fence
        self._prefix = f'{connection.path}/' if connection.path else ''
        self._closing = contextlib.ExitStack()
        verify = self._ca_file(connection.ca_chain) if connection.ca_chain else None
        style = {'path': 'path', 'host': 'virtual', 'virtual': 'virtual'}.get(
            connection.uri_style, 'auto'
        )
        with self._errors(''):
            self._client: Any = _session().client(
                's3',
                endpoint_url=connection.endpoint or None,
                region_name=connection.region or 'us-east-1',
                aws_access_key_id=connection.access_key,
                aws_secret_access_key=connection.secret_key,
                verify=verify,
                config=botocore.client.Config(
                    connect_timeout=10,
                    read_timeout=30,
                    retries={'mode': 'standard', 'total_max_attempts': 3},
                    s3={'addressing_style': style},
                    # Older servers refuse the checksums that newer clients add unasked.
                    request_checksum_calculation='when_required',
                    response_checksum_validation='when_required',
                ),
            )

    @property
    def place(self) -> Mapping[str, str]:
        """Where this store lies."""
        return {
            'endpoint': self._connection.endpoint,
            'bucket': self._connection.bucket,
            'path': self._connection.path,
            'region': self._connection.region,
        }

    def close(self) -> None:
        """Close connections, and remove the file with the CA certificates."""
        self._client.close()
        self._closing.close()

    def _ca_file(self, chain: Sequence[str]) -> str:
        """Write CA certificates to a file, which is the only way that botocore takes them."""
        file = tempfile.NamedTemporaryFile('w', suffix='.pem')  # noqa: SIM115  (closed by close)
        self._closing.enter_context(file)
        file.write('\n'.join(chain))
        file.flush()
        return file.name

    def put(self, key: str, content: bytes) -> ports.StoredObject:
        """Store an object whole."""
        self._fence()
        with self._errors(key):
            self._client.put_object(**self._at(key), Body=content)
        return self.head(key)

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
        with self._errors(key):
            answer = self._client.get_object(**self._at(key))
            with contextlib.closing(answer['Body']) as body:
                if answer['ContentLength'] > limit:
                    raise errors.UnexpectedAnswer(f'{key} is larger than {limit} bytes')
                content: bytes = body.read(limit)
        if len(content) < answer['ContentLength']:
            # Read with a bound, the library does not notice an answer that breaks off.
            raise errors.StoreUnavailable(f'the answer of S3 with {key} broke off')
        return content

    def head(self, key: str) -> ports.StoredObject:
        """Return what is known of an object."""
        with self._errors(key):
            found = self._client.head_object(**self._at(key))
        return ports.StoredObject(
            key, found['ContentLength'], found.get('ETag', '').strip('"'), found['LastModified']
        )

    def list(self, prefix: str) -> Iterator[ports.StoredObject]:
        """Yield all objects below a prefix, in key order, page after page."""
        for page in self._pages(prefix):
            for item in page.get('Contents', ()):
                yield ports.StoredObject(
                    item['Key'].removeprefix(self._prefix),
                    item['Size'],
                    item.get('ETag', '').strip('"'),
                    item['LastModified'],
                )

    def folders(self, prefix: str) -> Sequence[str]:
        """Return the names directly below a prefix that hold objects deeper."""
        begin = len(self._prefix + prefix)
        return [
            item['Prefix'][begin:].strip('/')
            for page in self._pages(prefix, Delimiter='/')
            for item in page.get('CommonPrefixes', ())
        ]

    def delete(self, key: str) -> None:
        """Delete an object."""
        self._fence()
        with self._errors(key):
            self._client.delete_object(**self._at(key))

    def _at(self, key: str) -> dict[str, str]:
        return {'Bucket': self._connection.bucket, 'Key': self._prefix + key}

    def _pages(self, prefix: str, **options: str) -> Iterator[dict[str, Any]]:
        pages = self._client.get_paginator('list_objects_v2').paginate(
            Bucket=self._connection.bucket, Prefix=self._prefix + prefix, **options
        )
        with self._errors(prefix):
            yield from pages

    @contextlib.contextmanager
    def _errors(self, key: str) -> Generator[None]:
        """Translate the library's errors at the door."""
        try:
            yield
        except botocore.exceptions.ClientError as error:
            raise self._translate(error, key) from error
        except botocore.exceptions.SSLError as error:
            raise errors.StoreRefused(
                f'the certificate of {self._connection.endpoint} is not trusted: set tls-ca-chain '
                f'with juju config {self._connection.integrator}'
            ) from error
        except (
            botocore.exceptions.ParamValidationError,
            botocore.exceptions.InvalidRegionError,
            ValueError,
        ) as error:
            # Neither here nor below the library's own words: they may hold a header with a key.
            raise errors.StoreRefused(
                f'what {self._connection.integrator} gives is not usable '
                f'({type(error).__name__}): see juju config {self._connection.integrator}'
            ) from None
        except botocore.exceptions.BotoCoreError as error:
            raise errors.StoreUnavailable(
                f'S3 at {self._connection.endpoint or "AWS"} does not answer '
                f'({type(error).__name__})'
            ) from None

    def _translate(
        self, error: botocore.exceptions.ClientError, key: str
    ) -> errors.CoordinatorError:
        answer: Mapping[str, Any] = error.response
        code = str(answer.get('Error', {}).get('Code', ''))
        status = answer.get('ResponseMetadata', {}).get('HTTPStatusCode', 0)
        bucket, integrator = self._connection.bucket, self._connection.integrator
        if code == 'NoSuchBucket':
            return errors.StoreRefused(
                f'bucket {bucket} does not exist: create it, or name another one with juju config '
                f'{integrator} bucket=...'
            )
        if code in _ABSENT:
            return errors.NotFound(f'{key} is not in bucket {bucket}')
        if code == 'RequestTimeTooSkewed':
            return errors.StoreRefused(
                "S3 refuses this unit's clock: set the time of its machine (timedatectl)"
            )
        if code in _PASSING or status in (408, 409, 429) or status >= 500:
            return errors.StoreUnavailable(
                f'S3 at {self._connection.endpoint or "AWS"} cannot answer now ({code})'
            )
        return errors.StoreRefused(
            f'S3 refuses {error.operation_name} in bucket {bucket}: {code or status}. Check the '
            f'keys that {integrator} gives and what they may do'
        )
