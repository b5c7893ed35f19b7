"""S3 servers differ: what the store makes of those that are unlike AWS."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping

import pytest

from coordinator import errors
from coordinator.s3 import object_store
from coordinator.sets import catalogue, deletion, index, retention
from tests import awkward_s3, examples, stores, worlds

DOMAIN = 's3.example'
KEYS = ['a', 'b/1/x', 'b/1/y', 'b/2/x', 'b/3/x', 'b/file', 'c']


@contextlib.contextmanager
def serving(
    ways: awkward_s3.Ways | None = None,
    host: str = '127.0.0.1',
    fields: Mapping[str, str] | None = None,
) -> Generator[tuple[awkward_s3.AwkwardS3, object_store.S3Store]]:
    """Lend a server with these ways, and a store on its bucket."""
    with (
        awkward_s3.AwkwardS3(ways or awkward_s3.Ways()) as server,
        stores.opened({'endpoint': f'http://{host}:{server.port}', **(fields or {})}) as store,
    ):
        yield server, store


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.repeat_at_once(monkeypatch)


# --- Where the bucket is named -------------------------------------------------------------------


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.find_here(monkeypatch, DOMAIN)


@pytest.mark.usefixtures('names')
@pytest.mark.parametrize('style', ['path', 'host', ''])
def test_a_bucket_is_named_in_the_path_as_the_charms_do_it(style: str):
    fields = {'s3-uri-style': style, 'path': 'some/path'}
    with serving(host=DOMAIN, fields=fields) as (server, store):
        store.put('a key', b'content')
        assert store.get('a key') == b'content'
        assert [item.key for item in store.list('')] == ['a key']
        store.delete('a key')
        assert {asked.host for asked in server.asked} == {DOMAIN}
        paths = {asked.path for asked in server.asked if 'list-type' not in asked.path}
        assert paths == {'/backups/some/path/a%20key'}


@pytest.mark.parametrize(
    ('endpoint', 'region', 'host'),
    [
        ('https://s3.amazonaws.com', 'eu-south-1', 's3.eu-south-1.amazonaws.com'),
        ('https://s3.amazonaws.com/', 'eu-south-1 ', 's3.eu-south-1.amazonaws.com'),
        ('', 'eu-south-1', 's3.eu-south-1.amazonaws.com'),
        ('https://s3.eu-west-1.amazonaws.com', 'eu-south-1', 's3.eu-south-1.amazonaws.com'),
        ('https://s3.amazonaws.com', '', 's3.amazonaws.com'),
        ('', '', 's3.amazonaws.com'),
        ('https://s3.cn-north-1.amazonaws.com.cn', 'cn-north-1', 's3.cn-north-1.amazonaws.com.cn'),
        ('https://s3.example', 'eu-south-1', 's3.example'),
        ('https://s3.example', 'us-east-1', 's3.example'),
        ('https://s3.amazonaws.com', 'nowhere', 's3.amazonaws.com'),
    ],
)
def test_awss_endpoint_becomes_that_of_the_region_as_in_the_charms(
    endpoint: str, region: str, host: str
):
    with stores.opened({'endpoint': endpoint, 'region': region}) as store:
        assert store._client.meta.endpoint_url == f'https://{host}'
        # For people and for manifests it stays what was configured.
        assert store.place['endpoint'] == endpoint.rstrip('/')


# --- Regions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('region', 'signed'), [('', 'us-east-1'), ('default', 'default'), ('eu-north-1', 'eu-north-1')]
)
def test_requests_are_signed_for_the_region(region: str, signed: str):
    with serving(awkward_s3.Ways(region=signed), fields={'region': region}) as (server, store):
        store.put('key', b'content')
        assert {asked.region for asked in server.asked} == {signed}


def test_a_region_that_is_not_the_servers_is_named():
    said = 'is in another region: set it with juju config integrator region='
    with (
        serving(awkward_s3.Ways(region='eu-north-1')) as (_, store),
        pytest.raises(errors.StoreRefused, match=said),
    ):
        list(store.list(''))


# --- Checksums -----------------------------------------------------------------------------------


def test_a_server_that_knows_no_newer_checksums_is_sent_none():
    with serving(awkward_s3.Ways(knows_checksums=False)) as (_, store):
        stored = store.put('key', b'content')
        assert (stored.size, stored.checksum) == (7, '')
        assert store.get('key') == b'content'
        with store.open('key') as chunks:
            assert b''.join(chunks) == b'content'
        assert [item.key for item in store.list('')] == ['key']
        store.delete('key')
        with pytest.raises(errors.NotFound):
            store.head('key')


def test_a_server_that_tells_no_checksum_is_asked_once():
    with serving() as (server, store):
        store.put('key', b'content')
        server.asked.clear()
        assert store.head('key').checksum == ''
        assert [asked.method for asked in server.asked] == ['HEAD']


# --- Pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize('page', [1, 2, 7, 1000])
@pytest.mark.parametrize('empty_pages', [0, 1, 2])
def test_a_listing_has_every_key_once_whatever_its_pages(page: int, empty_pages: int):
    with serving(awkward_s3.Ways(page=page, empty_pages=empty_pages)) as (_, store):
        for key in KEYS:
            store.put(key, key.encode())
        assert [item.key for item in store.list('')] == KEYS
        assert [item.size for item in store.list('b/')] == [5, 5, 5, 5, 6]
        assert store.folders('b/') == ['1', '2', '3']
        assert list(store.list('none')) == []


# --- Old answers ---------------------------------------------------------------------------------


def test_what_was_stored_is_told_even_if_the_server_still_sees_what_was_there_before():
    with serving() as (server, store):
        store.put('key', b'before')
        server.ways.old_answers = 1
        stored = store.put('key', b'after that')
        assert server.ways.old_answers == 0
        found = store.head('key')
        assert (stored.size, stored.etag) == (found.size, found.etag)
        assert stored.size == len(b'after that')


def test_what_was_stored_is_told_even_if_the_server_does_not_see_it_yet():
    with serving(awkward_s3.Ways(old_answers=1)) as (server, store):
        stored = store.put('key', b'content')
        assert server.ways.old_answers == 0
        found = store.head('key')
        assert (stored.size, stored.etag) == (found.size, found.etag)


def commit(store: object_store.S3Store, *days: int) -> list[str]:
    ids = [f'2026-08-{day:02}T10:15:00Z' for day in days]
    for backup_id in ids:
        catalogue.commit(store, examples.backup_set(backup_id))
    return ids


def test_an_old_index_lists_no_other_sets_than_the_manifests():
    with serving() as (server, store):
        old, new = commit(store, 1, 2)
        catalogue.entries(store, heal=True)
        catalogue.withdraw(store, old)
        # It is written anew, and then read as it was.
        assert [entry.backup_id for entry in catalogue.entries(store, heal=True)] == [new]
        stored = index.load(store)
        server.ways.old_answers = 1
        assert index.load(store) != stored
        server.ways.old_answers = 1
        listed = catalogue.entries(store)
        assert [(entry.backup_id, entry.state) for entry in listed] == [(new, retention.COMPLETE)]


def test_a_set_that_is_deleted_but_still_listed_is_deleted_again_without_complaint():
    with serving() as (server, store):
        [backup_id] = commit(store, 1)
        catalogue.withdraw(store, backup_id)
        server.ways.old_answers = 1
        deletion.delete(store, deletion.Target(backup_id), [], worlds.START)
        assert server.ways.old_answers == 0
        assert catalogue.with_failed(store) == []


def test_a_set_that_is_deleted_but_still_listed_is_not_read():
    with serving() as (server, store):
        [backup_id] = commit(store, 1)
        catalogue.withdraw(store, backup_id)
        server.ways.old_answers = 1
        assert catalogue.entries(store) == []
        assert server.ways.old_answers == 0
