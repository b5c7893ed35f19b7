"""The integration tests' S3 servers know nothing of one another, though one process runs them."""

from __future__ import annotations

from tests.integration import s3_on_host


def test_what_one_server_stores_the_next_one_does_not_have():
    with s3_on_host.S3OnHost('127.0.0.1') as first:
        first.store('postgresql').put('backup.info', b'of a cluster')
        stored = [item.key for item in first.store('postgresql').list('')]
    with s3_on_host.S3OnHost('127.0.0.1') as second:
        found = list(second.store('postgresql').list(''))

    assert (stored, found) == (['backup.info'], [])
