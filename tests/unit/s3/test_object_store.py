"""What S3 refuses, puts off or leaves unanswered becomes our errors, in our own words."""

from __future__ import annotations

import http.server
import threading
import traceback
from collections.abc import Callable, Iterator

import pytest

from coordinator import errors, ports
from tests import stores

SECRETS = tuple(stores.KEYS.values())
_REPEATED = 'AKIA0123 s3cret'
"""A server may repeat what it was sent."""


class ScriptedS3(http.server.ThreadingHTTPServer):
    """A server that gives every request the same answer."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(('127.0.0.1', 0), _Handler)
        self.status = 200
        self.code = ''
        self.told = ''
        self.message = _REPEATED
        self.headers: dict[str, str] = {}

    @property
    def endpoint(self) -> str:
        return f'127.0.0.1:{self.server_address[1]}'

    def refuse(
        self, status: int, code: str, told: str = '', message: str = _REPEATED, **headers: str
    ) -> None:
        """Answer everything with an error from now on; `told` is more of it, as XML."""
        self.message = message
        self.status, self.code, self.told = status, code, told
        self.headers = {name.replace('_', '-'): text for name, text in headers.items()}


class _Handler(http.server.BaseHTTPRequestHandler):
    # Older ones would not say that they are ready for a body, which the library waits for.
    protocol_version = 'HTTP/1.1'

    def _answer(self) -> None:
        script = self.server
        assert isinstance(script, ScriptedS3)
        self.rfile.read(int(self.headers.get('Content-Length') or 0))
        body = (
            f'<?xml version="1.0"?><Error><Code>{script.code}</Code>'
            f'<Message>{script.message}</Message>{script.told}</Error>'
        ).encode()
        self.send_response(script.status)
        self.send_header('Content-Length', str(len(body)))
        for name, text in script.headers.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != 'HEAD':
            self.wfile.write(body)

    do_GET = do_PUT = do_HEAD = do_DELETE = _answer  # noqa: N815  (so the library looks for them)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of requests."""


@pytest.fixture(scope='module')
def server() -> Iterator[ScriptedS3]:
    with ScriptedS3() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={'poll_interval': 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.repeat_at_once(monkeypatch)


REQUESTS: dict[str, Callable[[ports.ObjectStore], object]] = {
    'put': lambda store: store.put('key', b'content'),
    'get': lambda store: store.get('key'),
    'list': lambda store: list(store.list('')),
    'delete': lambda store: store.delete('key'),
}


def refusal(
    server: ScriptedS3,
    kind: type[errors.CoordinatorError],
    request: str = 'list',
    **fields: str,
) -> str:
    """Make a request that is refused in this way; return in which words."""
    with (
        stores.opened({'endpoint': f'http://root:s3cret@{server.endpoint}', **fields}) as store,
        pytest.raises(kind) as caught,
    ):
        REQUESTS[request](store)
    return str(caught.value)


@pytest.mark.parametrize(
    ('status', 'code'),
    [
        (429, 'TooManyRequests'),
        (409, 'OperationAborted'),
        (408, 'RequestTakesTooLong'),
        (400, 'RequestTimeout'),
    ],
)
@pytest.mark.parametrize('request_kind', REQUESTS)
def test_what_s3_puts_off_is_transient(
    server: ScriptedS3, status: int, code: str, request_kind: str
):
    server.refuse(status, code)
    said = refusal(server, errors.StoreUnavailable, request_kind)
    assert said == f'S3 at http://{server.endpoint} cannot answer now ({code})'


@pytest.mark.parametrize(
    ('status', 'code', 'sentence'),
    [
        (
            403,
            'RequestTimeTooSkewed',
            "S3 refuses this unit's clock: set the time of its machine (timedatectl)",
        ),
        (
            404,
            'NoSuchBucket',
            'bucket backups does not exist: create it, or name another one with juju config '
            'integrator bucket=...',
        ),
        (
            403,
            'InvalidAccessKeyId',
            'S3 refuses ListObjectsV2 in bucket backups: InvalidAccessKeyId. Check the keys of '
            'integrator and their permissions',
        ),
    ],
)
def test_what_s3_refuses_says_what_to_do(
    server: ScriptedS3, status: int, code: str, sentence: str
):
    server.refuse(status, code)
    assert refusal(server, errors.StoreRefused) == sentence


@pytest.mark.parametrize(
    ('status', 'code', 'told', 'sentence'),
    [
        (
            403,
            'InvalidObjectState',
            '<StorageClass>DEEP_ARCHIVE</StorageClass>',
            '1 object in bucket backups cannot be read: S3 keeps it in an archive (DEEP_ARCHIVE). '
            'Thaw it before you run the operation again (takes minutes to two days): aws s3api '
            "restore-object --bucket backups --key key --restore-request 'Days=14'",
        ),
        (
            403,
            'InvalidObjectState',
            '<StorageClass>INTELLIGENT_TIERING</StorageClass><AccessTier>ARCHIVE_ACCESS'
            '</AccessTier>',
            '1 object in bucket backups cannot be read: S3 keeps it in an archive '
            '(INTELLIGENT_TIERING ARCHIVE_ACCESS). Thaw it before you run the operation again '
            '(takes minutes to two days): aws s3api restore-object --bucket backups --key key '
            "--restore-request '{}'",
        ),
        (
            403,
            'AccessDenied',
            '',
            'S3 refuses GetObject of key in bucket backups: AccessDenied. Check the keys that '
            'integrator gives: their policy, or that of the bucket, must allow this',
        ),
        (
            400,
            'KMS.DisabledException',
            '',
            'S3 refuses GetObject of key in bucket backups: KMS.DisabledException. The KMS key '
            'that encrypts the object is disabled, deleted or not allowed: enable it, and allow '
            'the keys that integrator gives to use it (kms:Decrypt, kms:GenerateDataKey)',
        ),
        (
            400,
            'InvalidRequest',
            '',
            'S3 refuses GetObject of key in bucket backups: InvalidRequest. The charms cannot '
            'read an object that is encrypted with a customer-provided key (SSE-C): copy it over '
            'itself without that encryption',
        ),
        (
            501,
            'NotImplemented',
            '',
            'S3 refuses GetObject in bucket backups: NotImplemented. Check the keys of '
            'integrator and their permissions',
        ),
    ],
    ids=['archived', 'tiered', 'denied', 'kms', 'sse-c', 'not-implemented'],
)
def test_a_lasting_refusal_of_an_object_says_what_to_do_about_that(
    server: ScriptedS3, status: int, code: str, told: str, sentence: str
):
    server.refuse(status, code, told)
    assert refusal(server, errors.StoreRefused, 'get') == sentence


def test_an_archived_object_is_told_from_one_that_is_forbidden(server: ScriptedS3):
    server.refuse(403, 'InvalidObjectState', '<StorageClass>AKIA0123 s3cret</StorageClass>')
    assert 'in an archive. Thaw it' in refusal(server, errors.ObjectArchived, 'get')


def test_a_key_of_kms_that_may_not_be_used_is_known_by_the_servers_message(server: ScriptedS3):
    server.refuse(403, 'AccessDenied', message='AKIA0123 may not do: kms:Decrypt')
    said = refusal(server, errors.StoreRefused, 'get')
    assert 'The KMS key that encrypts' in said
    assert 'AKIA0123' not in said


@pytest.mark.parametrize('code', ['KMS.ThrottlingException', 'KMS.InternalException'])
def test_a_key_management_that_is_busy_is_waited_for(server: ScriptedS3, code: str):
    server.refuse(400, code)
    refusal(server, errors.StoreUnavailable, 'get')


@pytest.mark.parametrize('request_kind', ['get', 'list'])
@pytest.mark.parametrize(
    ('given', 'header', 'sentence'),
    [
        ('', 'eu-south-1', 'The bucket is in region eu-south-1: set it with juju config '
            'integrator region=eu-south-1'),
        ('us-east-1', 'eu-south-1', 'The bucket is in region eu-south-1: set it with juju config '
            'integrator region=eu-south-1'),
        ('', '', 'The bucket is in another region: set it with juju config integrator region='),
        ('eu-south-1', 'eu-south-1', 'The bucket is not in region eu-south-1 of'),
        ('eu-south-1', '', 'correct region or endpoint with juju config integrator region='),
        ('', 'AKIA0123 s3cret', 'integrator'),
    ],
)  # fmt: skip
def test_a_bucket_in_another_region_is_named_with_that(
    server: ScriptedS3, given: str, header: str, sentence: str, request_kind: str
):
    server.refuse(301, 'PermanentRedirect', x_amz_bucket_region=header)
    said = refusal(server, errors.StoreRefused, request_kind, region=given)
    assert sentence in said
    assert 's3cret' not in said


def test_a_clock_that_is_wrong_is_no_matter_of_trying_again(server: ScriptedS3):
    server.refuse(403, 'RequestTimeTooSkewed')
    assert 'timedatectl' in refusal(server, errors.StoreRefused, 'put')


def test_an_object_that_is_not_there_is_named(server: ScriptedS3):
    server.refuse(404, 'NoSuchKey')
    assert refusal(server, errors.NotFound, 'get') == 'key is not in bucket backups'


@pytest.mark.parametrize(
    'fields',
    [
        {'access-key': 'AKIA0123\nX: s3cret'},
        {'bucket': 'no bucket/AKIA0123'},
        {'endpoint': 'no endpoint/AKIA0123'},
        {'endpoint': 'http://root:s3cret@127.0.0.1:1'},
    ],
    ids=['a-key-of-two-lines', 'no-bucket-name', 'no-endpoint', 'nobody-there'],
)
def test_the_librarys_own_words_are_never_repeated(server: ScriptedS3, fields: dict[str, str]):
    reached = {'endpoint': f'http://{server.endpoint}', **fields}
    with pytest.raises(errors.CoordinatorError) as caught, stores.opened(reached) as store:
        store.put('key', b'content')
    told = ''.join(traceback.format_exception(caught.value))
    assert not [secret for secret in SECRETS if secret in told]
