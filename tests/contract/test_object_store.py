"""What every object store does, whoever answers for it."""

from __future__ import annotations

import concurrent.futures
import datetime
import functools
import hashlib
import random
import socket
import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import pytest

from coordinator import errors, ports
from coordinator.s3 import object_store
from tests import dead_addresses, real_s3, stores

CONTENT = random.Random(1).randbytes(3_000_001)
ODD_KEYS = ['a b', 'a&b<c>', 'a+b', 'a/1', 'a=b;c', 'm/2026-08-22T10:15:00Z', 'müll', '%41', '~']
PAGE = 1000
"""Keys that servers give at a time."""


class Site(Protocol):
    """An S3 server."""

    @property
    def name(self) -> str: ...

    @property
    def client(self) -> Any: ...

    def fields(self, bucket: str) -> dict[str, str]: ...

    def new_bucket(self) -> str: ...


def read(store: ports.ObjectStore, key: str) -> bytes:
    with store.open(key) as chunks:
        return b''.join(chunks)


LOOKS: Mapping[str, Callable[[ports.ObjectStore], object]] = {
    'get': lambda store: store.get('key'),
    'open': lambda store: read(store, 'key'),
    'head': lambda store: store.head('key'),
    'list': lambda store: list(store.list('')),
    'folders': lambda store: store.folders(''),
    'uploads': lambda store: list(store.uploads('')),
    'parts': lambda store: [list(store.parts(upload)) for upload in store.uploads('')],
}


def test_every_call_of_the_port_is_tried():
    assert LOOKS.keys() == ports.looks_of(ports.ObjectStore)


@pytest.mark.parametrize('look', LOOKS.values(), ids=LOOKS)
def test_looking_changes_nothing(
    object_store: ports.ObjectStore, look: Callable[[ports.ObjectStore], object]
):
    object_store.put('key', b'content')
    before = list(object_store.list(''))

    look(object_store)

    assert list(object_store.list('')) == before


def test_an_object_is_given_back_as_it_was_stored(object_store: ports.ObjectStore):
    object_store.put('key', CONTENT)
    assert object_store.get('key', limit=len(CONTENT)) == CONTENT
    assert read(object_store, 'key') == CONTENT


@pytest.mark.parametrize('size', [0, 1, 256 << 10])
def test_an_object_of_any_size_is_given_back(object_store: ports.ObjectStore, size: int):
    assert object_store.put('key', bytes(size)).size == size
    assert object_store.get('key') == bytes(size)
    assert read(object_store, 'key') == bytes(size)


def test_a_head_says_what_the_put_and_the_listing_said(object_store: ports.ObjectStore):
    stored = object_store.put('key', b'content')
    assert (stored.key, stored.size) == ('key', 7)
    assert stored.etag == hashlib.md5(b'content').hexdigest()
    assert stored.modified.utcoffset() == datetime.timedelta()
    [listed] = object_store.list('')
    for found in (object_store.head('key'), listed):
        assert (found.key, found.size, found.etag) == (stored.key, stored.size, stored.etag)


def test_an_object_is_replaced_by_the_next_of_its_key(object_store: ports.ObjectStore):
    before = object_store.put('key', b'before')
    after = object_store.put('key', b'after!')
    assert object_store.get('key') == b'after!'
    assert object_store.head('key').etag == after.etag != before.etag
    assert [item.etag for item in object_store.list('')] == [after.etag]


@pytest.mark.parametrize('request_kind', ['get', 'head', 'open'])
def test_an_object_that_is_not_there_is_not_found(
    object_store: ports.ObjectStore, request_kind: str
):
    look = {'get': object_store.get, 'head': object_store.head}.get(request_kind)
    with pytest.raises(errors.NotFound, match='absent is not in'):
        look('absent') if look else read(object_store, 'absent')


def test_an_object_is_deleted_and_one_that_is_not_there_is_no_error(
    object_store: ports.ObjectStore,
):
    object_store.put('key', b'content')
    for _ in range(2):
        object_store.delete('key')
    with pytest.raises(errors.NotFound):
        object_store.head('key')
    assert list(object_store.list('')) == []


def test_nothing_larger_than_the_limit_is_read(object_store: ports.ObjectStore):
    object_store.put('key', b'12345')
    assert object_store.get('key', limit=5) == b'12345'
    with pytest.raises(errors.UnexpectedAnswer, match='key'):
        object_store.get('key', limit=4)


@pytest.mark.parametrize('key', ODD_KEYS)
def test_a_key_may_hold_what_people_write(object_store: ports.ObjectStore, key: str):
    object_store.put(key, key.encode())
    assert object_store.get(key) == key.encode()
    assert [item.key for item in object_store.list('')] == [key]
    object_store.delete(key)
    assert list(object_store.list('')) == []


def test_keys_are_listed_in_order_and_below_their_beginning_only(
    object_store: ports.ObjectStore,
):
    for key in ('b/2', 'b/10', 'a', 'b/1/deep', 'bc', 'B/1'):
        object_store.put(key, b'')
    assert [item.key for item in object_store.list('b/')] == ['b/1/deep', 'b/10', 'b/2']
    assert [item.key for item in object_store.list('')] == [
        'B/1',
        'a',
        'b/1/deep',
        'b/10',
        'b/2',
        'bc',
    ]
    assert list(object_store.list('none/')) == []


def test_folders_are_what_holds_objects_deeper(object_store: ports.ObjectStore):
    for key in ('b/1/x', 'b/1/y', 'b/2/deep/x', 'b/file', 'c/3/x'):
        object_store.put(key, b'')
    assert object_store.folders('b/') == ['1', '2']
    assert object_store.folders('none/') == []


# --- Uploads in parts ----------------------------------------------------------------------------

PART = 5 << 20
"""Bytes: no part but the last may have fewer."""


def test_nothing_is_being_uploaded_where_nobody_uploads(object_store: ports.ObjectStore):
    object_store.put('b/key', b'content')
    assert list(object_store.uploads('b/')) == []


def test_an_upload_that_is_over_has_no_parts(object_store: ports.ObjectStore):
    with pytest.raises(errors.CoordinatorError):
        list(object_store.parts(ports.Upload('b/key', '0' * 32)))


def test_what_is_being_uploaded_is_listed_with_its_parts(s3_site: Site):
    bucket = s3_site.new_bucket()
    key = 'some/path/b/large'
    begun = s3_site.client.create_multipart_upload(Bucket=bucket, Key=key)
    for number in (1, 2):
        s3_site.client.upload_part(
            Bucket=bucket,
            Key=key,
            UploadId=begun['UploadId'],
            PartNumber=number,
            Body=bytes(PART + number),
        )
    with stores.opened({**s3_site.fields(bucket), 'path': 'some/path'}) as store:
        # MinIO lists the uploads of one key alone.
        for prefix in ('b/large',) if s3_site.name == 'minio' else ('b/', 'b/large'):
            (found,) = store.uploads(prefix)
            assert found.key == 'b/large'
            parts = list(store.parts(found))
            assert [part.size for part in parts] == [PART + 1, PART + 2]
            assert all(part.modified.utcoffset() == datetime.timedelta() for part in parts)
        assert list(store.uploads('c/')) == []
        assert list(store.list('')) == []


# --- On servers ----------------------------------------------------------------------------------


def test_a_listing_of_several_pages_has_every_key_once(s3_store: object_store.S3Store):
    keys = [f'{number:04}' for number in range(PAGE + 5)]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(functools.partial(s3_store.put, content=b''), keys))
    assert [item.key for item in s3_store.list('')] == keys


def test_a_store_sees_only_its_own_path(s3_site: Site):
    bucket = s3_site.new_bucket()
    paths = ('', 'one', 'one/deeper', 'onerous')
    for path in paths:
        with stores.opened({**s3_site.fields(bucket), 'path': path}) as store:
            store.put('key', path.encode())
    seen: dict[str, list[str]] = {}
    for path in paths:
        with stores.opened({**s3_site.fields(bucket), 'path': path}) as store:
            assert store.get('key') == path.encode()
            seen[path] = [item.key for item in store.list('')]
    assert seen == {
        '': ['key', 'one/deeper/key', 'one/key', 'onerous/key'],
        'one': ['deeper/key', 'key'],
        'one/deeper': ['key'],
        'onerous': ['key'],
    }


@pytest.mark.parametrize('style', ['path', 'host', ''])
def test_a_bucket_is_named_in_the_path_whatever_the_style(
    s3_site: Site, style: str, monkeypatch: pytest.MonkeyPatch
):
    stores.find_here(monkeypatch, real_s3.DOMAIN)
    fields = s3_site.fields(s3_site.new_bucket())
    there = fields['endpoint']
    if s3_site.name != 'rehearsal':
        # moto takes every name of a host for one of a bucket.
        there = there.replace('127.0.0.1', real_s3.DOMAIN)
    with stores.opened({**fields, 'endpoint': there, 's3-uri-style': style}) as store:
        store.put('a key', b'content')
        assert store.get('a key') == b'content'
        assert [item.key for item in store.list('')] == ['a key']
    with stores.opened(fields) as store:
        assert [item.key for item in store.list('')] == ['a key']


def test_a_server_whose_name_has_dead_addresses_first_answers_soon(
    s3_site: Site, monkeypatch: pytest.MonkeyPatch
):
    fields = s3_site.fields(s3_site.new_bucket())
    address = urllib.parse.urlsplit(fields['endpoint'])
    assert address.port
    lookup = socket.getaddrinfo
    with dead_addresses.dead(9, port=address.port) as dead:
        hosts = [each.partition(':')[0] for each in dead] + ['127.0.0.1']

        def found(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            return [entry for each in hosts for entry in lookup(each, port, *args, **options)]

        monkeypatch.setattr(socket, 'getaddrinfo', found)
        started = time.monotonic()
        with stores.opened(fields) as store:
            store.put('key', b'content')
        assert time.monotonic() - started < 5


def test_a_bucket_that_is_not_there_is_named(s3_site: Site):
    with (
        stores.opened(s3_site.fields('nowhere')) as store,
        pytest.raises(errors.StoreRefused, match='bucket nowhere does not exist: create it'),
    ):
        list(store.list(''))


@pytest.mark.parametrize('field', ['access-key', 'secret-key'])
def test_keys_that_are_wrong_are_refused(s3_site: Site, field: str):
    if (s3_site.name, field) == ('rehearsal', 'secret-key'):
        pytest.skip('moto does not check signatures')
    fields = {**s3_site.fields(s3_site.new_bucket()), field: 'somebody-elses-key'}
    with (
        stores.opened(fields) as store,
        pytest.raises(errors.StoreRefused, match='Check the keys of integrator'),
    ):
        list(store.list(''))
