"""Listings of the S3 server: quick ones say what moto's own say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import botocore.exceptions
import pytest

from rehearsal import s3_server

BUCKET = 'listed'
KEYS = ['a b', 'a&b<c>', 'a+b', 'a/', 'a/1', 'a/2', 'a/3', 'b', 'müll', '%41']


@pytest.fixture(scope='module')
def client() -> Iterator[Any]:
    with s3_server.S3Server() as server:
        server.create_bucket(BUCKET)
        fields = server.connection(BUCKET)
        found: Any = boto3.client(
            's3',
            endpoint_url=fields['endpoint'],
            region_name=fields['region'],
            aws_access_key_id=fields['access-key'],
            aws_secret_access_key=fields['secret-key'],
        )
        for key in KEYS:
            found.put_object(Bucket=BUCKET, Key=key, Body=key.encode())
        yield found
        found.close()


def listed(client: Any, page: int = 1000, **options: Any) -> list[dict[str, Any]]:
    """Return what all pages of a listing say, key after key."""
    pages = client.get_paginator('list_objects_v2').paginate(
        Bucket=BUCKET, PaginationConfig={'PageSize': page}, **options
    )
    return [item for page in pages for item in page.get('Contents', ())]


def by_moto(client: Any, **options: Any) -> list[dict[str, Any]]:
    """Return the same as moto lists it, which names owners."""
    items = listed(client, FetchOwner=True, **options)
    assert all(item.pop('Owner') for item in items)
    return items


def without_checksums(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: item[name] for name in item if not name.startswith('Checksum')} for item in items
    ]


@pytest.mark.parametrize(
    'options',
    [{}, {'Prefix': 'a/'}, {'Prefix': 'none'}, {'StartAfter': 'a/1'}],
    ids=['all', 'prefix', 'nothing', 'start-after'],
)
def test_a_listing_says_what_motos_own_says(client: Any, options: dict[str, Any]):
    expected = without_checksums(by_moto(client, **options))
    assert without_checksums(listed(client, **options)) == expected
    assert bool(expected) == (options.get('Prefix') != 'none')


@pytest.mark.parametrize('page', [1, 3, len(KEYS), 1000])
def test_pages_of_any_size_hold_each_key_once(client: Any, page: int):
    assert [item['Key'] for item in listed(client, page)] == sorted(KEYS)


def test_a_deleted_object_is_listed_no_more_in_a_bucket_with_versions(client: Any):
    enabled = {'Status': 'Enabled'}
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration=enabled)
    client.put_object(Bucket=BUCKET, Key='gone', Body=b'')
    client.delete_object(Bucket=BUCKET, Key='gone')
    assert [item['Key'] for item in listed(client, 2)] == sorted(KEYS)


def test_a_bucket_that_is_not_there_is_refused_as_ever(client: Any):
    with pytest.raises(botocore.exceptions.ClientError, match='NoSuchBucket'):
        client.list_objects_v2(Bucket='not-there')
