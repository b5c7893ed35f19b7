"""Listings of the S3 server that take as long as their page, and not as the whole bucket.

For each page moto looks at and sorts all objects of the bucket by their names, and then lays the
page out with a model of S3: with ten thousand objects that is a second a page. Here a page comes
straight from moto's objects. What has a delimiter, and whatever else is asked, moto answers.
"""

from __future__ import annotations

import bisect
import itertools
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from xml.sax import saxutils

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

_MOST = 1000
"""Keys of a page: as S3 has it."""
_OTHERS = {'delimiter', 'fetch-owner'}
"""What is left to moto."""


class Listing:
    """A WSGI application around moto's; requests come in on several threads."""

    def __init__(self, behind: WSGIApplication):
        self._behind = behind

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        asked = dict(urllib.parse.parse_qsl(environ.get('QUERY_STRING', '')))
        bucket = _bucket(environ['PATH_INFO'].strip('/'))
        if (
            environ['REQUEST_METHOD'] != 'GET'
            or asked.get('list-type') != '2'
            or _OTHERS & asked.keys()
            or bucket is None
        ):
            return self._behind(environ, start)
        body = _page(bucket, asked).encode()
        start('200 OK', [('Content-Type', 'application/xml'), ('Content-Length', str(len(body)))])
        return [body]


def _bucket(name: str) -> Any:
    """Return moto's bucket of this name, or None."""
    import moto.backends
    import moto.core.models

    held: Any = moto.backends.get_backend('s3')[moto.core.models.DEFAULT_ACCOUNT_ID]['aws']
    return held.buckets.get(name)


def _page(bucket: Any, asked: dict[str, str]) -> str:
    prefix = asked.get('prefix', '')
    most = min(int(asked.get('max-keys', _MOST)), _MOST)
    # A copy first: other requests store and delete meanwhile.
    names = sorted(name for name in list(bucket.keys) if name.startswith(prefix))
    # A token is the last key of the page before: S3 promises no form of it.
    begin = bisect.bisect_right(
        names, asked.get('continuation-token', asked.get('start-after', ''))
    )
    found = list(itertools.islice(_alive(bucket, names[begin:]), most + 1))
    shown, cut = found[:most], 0 < most < len(found)
    escape = urllib.parse.quote if asked.get('encoding-type') == 'url' else saxutils.escape
    contents = ''.join(_item(escape(key.name), key) for key in shown)
    last = saxutils.escape(shown[-1].name) if cut else ''
    token = f'<NextContinuationToken>{last}</NextContinuationToken>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f'<Name>{bucket.name}</Name><Prefix>{escape(prefix)}</Prefix><MaxKeys>{most}</MaxKeys>'
        f'<KeyCount>{len(shown)}</KeyCount><IsTruncated>{str(cut).lower()}</IsTruncated>'
        f'{token if cut else ""}{contents}'
        f'{"<EncodingType>url</EncodingType>" if escape is urllib.parse.quote else ""}'
        '</ListBucketResult>'
    )


def _alive(bucket: Any, names: Iterable[str]) -> Iterator[Any]:
    """Yield the objects of these names, without those that were deleted."""
    import moto.s3.models

    for name in names:
        key = bucket.keys.get(name)
        if isinstance(key, moto.s3.models.FakeKey):
            yield key


def _item(name: str, key: Any) -> str:
    return (
        f'<Contents><Key>{name}</Key><LastModified>{key.last_modified_ISO8601}</LastModified>'
        f'<ETag>{saxutils.escape(key.etag)}</ETag><Size>{key.size}</Size>'
        f'<StorageClass>{key.storage_class}</StorageClass></Contents>'
    )
