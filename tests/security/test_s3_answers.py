"""What S3 may send: nothing without end, nothing packed, and nothing that makes no sense."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable

import pytest

from coordinator import errors, ports
from coordinator.s3 import answers, object_store
from tests import stores
from tests.security import hostile

BOUND = 1 << 20
"""Limit of an answer in these tests, so that they are fast."""
REQUESTS: dict[str, Callable[[ports.ObjectStore], object]] = {
    'get': lambda store: store.get('key'),
    'head': lambda store: store.head('key'),
    'list': lambda store: list(store.list('')),
    'folders': lambda store: store.folders(''),
    'uploads': lambda store: list(store.uploads('')),
    'parts': lambda store: list(store.parts(ports.Upload('key', 'id'))),
    'delete': lambda store: store.delete('key'),
}
XML = '<?xml version="1.0"?>'
END = '<IsTruncated>false</IsTruncated>'


def failure(
    script: Callable[[hostile.Line], None],
    kind: type[errors.CoordinatorError],
    request: str = 'list',
    **fields: str,
) -> str:
    """Make a request of a server that answers so; return how it failed."""
    with (
        hostile.Server(script) as server,
        stores.opened({'endpoint': f'http://{server.address}', **fields}) as store,
        pytest.raises(kind) as caught,
    ):
        REQUESTS[request](store)
    assert type(caught.value) is kind
    return str(caught.value)


# --- Without end ---------------------------------------------------------------------------------


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, 'LARGEST', BOUND)


@pytest.mark.usefixtures('small')
@pytest.mark.parametrize('status', ['200 OK', '403 Forbidden'])
def test_a_listing_without_end_is_not_read_to_its_end(status: str):
    lines: list[hostile.Line] = []

    def script(line: hostile.Line) -> None:
        lines.append(line)
        line.send(f'HTTP/1.1 {status}\r\n\r\n{XML}<ListBucketResult>'.encode())
        line.flood(b'<Contents></Contents>' * 1000)

    said = failure(script, errors.UnexpectedAnswer)
    assert said == f'an answer of S3 is larger than {BOUND} bytes'
    # What is on its way comes on top; and the request is not repeated.
    assert len(lines) == 1
    assert lines[0].sent < hostile.ENOUGH // 4


@pytest.mark.parametrize('length', [None, 12, 10**15])
def test_an_object_without_end_is_not_read_to_its_end(length: int | None):
    lines: list[hostile.Line] = []

    def script(line: hostile.Line) -> None:
        lines.append(line)
        header = '' if length is None else f'Content-Length: {length}\r\n'
        line.send(f'HTTP/1.1 200 OK\r\n{header}\r\n'.encode())
        line.flood(bytes(1 << 16))

    if length == 12:
        # No more is read than was said.
        with (
            hostile.Server(script) as server,
            stores.opened({'endpoint': f'http://{server.address}'}) as store,
        ):
            assert store.get('key') == bytes(12)
    else:
        said = failure(script, errors.UnexpectedAnswer, 'get')
        assert said == f'key is larger than {1 << 20} bytes'
    assert max(line.sent for line in lines) < hostile.ENOUGH // 4


def test_an_error_without_end_is_not_read_to_its_end():
    def script(line: hostile.Line) -> None:
        line.send(f'HTTP/1.1 403 Forbidden\r\n\r\n{XML}<Error>'.encode())
        line.flood(b'<Code>x</Code>' * 4096)

    said = failure(script, errors.UnexpectedAnswer, 'get')
    assert said == f'an answer of S3 is larger than {answers.LARGEST} bytes'


def test_an_answer_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(answers, 'SECONDS', 0.05)

    def script(line: hostile.Line) -> None:
        line.send(b'HTTP/1.1 200 OK\r\n\r\n')
        line.flood(b'.')

    said = failure(script, errors.StoreUnavailable)
    assert 'does not answer (ReadTimeoutError)' in said


def test_pages_without_end_are_not_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(object_store, '_MOST_PAGES', 5)
    tokens = itertools.count()

    def script(line: hostile.Line) -> None:
        body = (
            f'{XML}<ListBucketResult><IsTruncated>true</IsTruncated>'
            f'<NextContinuationToken>{next(tokens)}</NextContinuationToken></ListBucketResult>'
        )
        line.answer(body.encode())

    assert 'without end' in failure(script, errors.UnexpectedAnswer)
    assert next(tokens) == 6


def test_a_page_that_leads_to_itself_is_an_error():
    body = (
        f'{XML}<ListBucketResult><IsTruncated>true</IsTruncated>'
        '<NextContinuationToken>again</NextContinuationToken></ListBucketResult>'
    )
    failure(lambda line: line.answer(body.encode()), errors.StoreUnavailable)


@pytest.mark.parametrize('header', [b'x: y\r\n', b'x' * (1 << 16)], ids=['many', 'long'])
def test_headers_without_end_are_not_read_to_their_end(header: bytes):
    lines: list[hostile.Line] = []

    def script(line: hostile.Line) -> None:
        lines.append(line)
        line.send(b'HTTP/1.1 200 OK\r\n')
        line.flood(header)

    assert 'does not answer' in failure(script, errors.StoreUnavailable, 'head')
    assert max(line.sent for line in lines) < hostile.ENOUGH // 4


# --- Packed --------------------------------------------------------------------------------------


def test_an_object_is_not_unpacked_whatever_its_encoding():
    bomb = gzip.compress(bytes(64 << 20))
    script = hostile_answer(bomb, 'Content-Encoding: gzip')
    with (
        hostile.Server(script) as server,
        stores.opened({'endpoint': f'http://{server.address}'}) as store,
    ):
        assert store.get('key') == bomb


def test_a_listing_is_not_unpacked():
    bomb = gzip.compress(f'{XML}<ListBucketResult>{" " * (64 << 20)}'.encode())
    # What it cannot read, the library takes for an error of the server.
    said = failure(hostile_answer(bomb, 'Content-Encoding: gzip'), errors.StoreUnavailable)
    assert 'cannot answer now (500)' in said


def test_entities_that_multiply_are_not_expanded():
    names = 'abcdefghij'
    entities = ''.join(
        f'<!ENTITY {name} "{f"&{before};" * 100}">' for before, name in itertools.pairwise(names)
    )
    body = (
        f'{XML}<!DOCTYPE x [<!ENTITY a "{"x" * 100}">{entities}]>'
        '<ListBucketResult><Contents><Key>&j;</Key></Contents></ListBucketResult>'
    )
    assert '(500)' in failure(hostile_answer(body.encode()), errors.StoreUnavailable)


def test_no_file_is_put_into_a_listing():
    body = (
        f'{XML}<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
        '<ListBucketResult><Contents><Key>&a;</Key></Contents></ListBucketResult>'
    )
    assert '(500)' in failure(hostile_answer(body.encode()), errors.StoreUnavailable)


def hostile_answer(body: bytes, *headers: str) -> Callable[[hostile.Line], None]:
    return lambda line: line.answer(body, *headers)


# --- Without sense -------------------------------------------------------------------------------


def entry(fields: str) -> str:
    return f'<ListBucketResult><Contents>{fields}</Contents>{END}</ListBucketResult>'


@pytest.mark.parametrize(
    ('body', 'kind', 'words'),
    [
        (
            '',
            errors.UnexpectedAnswer,
            'is not that of an S3 server (LookupError): check endpoint in',
        ),
        (
            '<html><body>Log in</body></html>',
            errors.UnexpectedAnswer,
            'is not that of an S3 server',
        ),
        ('no XML', errors.StoreUnavailable, 'cannot answer now (500)'),
        ('<a>' * 100_000, errors.StoreUnavailable, 'cannot answer now (500)'),
        (entry('<Size>1</Size>'), errors.UnexpectedAnswer, "of ''"),
        (entry('<Key>a</Key>'), errors.UnexpectedAnswer, "S3 does not report 'Size' of 'a'"),
        (
            entry('<Key>a</Key><Size>x</Size>'),
            errors.UnexpectedAnswer,
            'is not that of an S3 server',
        ),
        (
            entry('<Key>a</Key><Size>1</Size><LastModified>soon</LastModified>'),
            errors.UnexpectedAnswer,
            'is not that of an S3 server',
        ),
    ],
    ids=['empty', 'html', 'text', 'nested', 'no-key', 'no-size', 'size', 'time'],
)
def test_what_is_no_listing_is_not_taken_for_an_empty_one(
    body: str, kind: type[errors.CoordinatorError], words: str
):
    assert words in failure(hostile_answer(body.encode()), kind)


def test_objects_of_other_folders_are_in_no_listing():
    script = hostile_answer(entry('<Key>theirs/a</Key>').encode())
    said = failure(script, errors.UnexpectedAnswer, path='ours')
    assert said == "S3 lists 'theirs/a', which is not below 'ours/'"


def test_an_object_of_which_nothing_is_said_is_an_error():
    said = failure(hostile_answer(b'', 'x: y'), errors.UnexpectedAnswer, 'head')
    assert said == "S3 does not report 'LastModified' of 'key'"


@pytest.mark.parametrize('status', ['301 Moved Permanently', '307 Temporary Redirect'])
@pytest.mark.parametrize('request_kind', REQUESTS)
def test_a_redirect_leads_nowhere(request_kind: str, status: str):
    with hostile.Server(hostile_answer(b'')) as elsewhere:
        location = f'Location: http://{elsewhere.address}/backups/key'

        def script(line: hostile.Line) -> None:
            line.answer(b'', location, 'x-amz-bucket-region: elsewhere', status=status)

        failure(script, errors.StoreRefused, request_kind)
        assert elsewhere.requests == []


def test_the_words_of_s3_are_made_plain():
    body = f'{XML}<Error><Code>No\x85&#10;\u202eentry</Code></Error>'.encode()

    def script(line: hostile.Line) -> None:
        line.answer(body, status='403 Forbidden')

    said = failure(script, errors.StoreRefused)
    assert said.startswith('S3 refuses ListObjectsV2 in bucket backups: No entry. Check the keys')
