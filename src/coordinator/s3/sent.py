"""What this process has asked of S3, repeated requests included: for traces.

It names S3's operations, never a key or a bucket.
"""

from __future__ import annotations

import collections
import contextlib
import urllib.parse
from collections.abc import Generator, Mapping
from typing import Any

REQUESTS = 'requests'
_SENT, _RECEIVED = 'bytes_sent', 'bytes_received'
_UNANSWERED = 'unanswered'

counted: collections.Counter[str] = collections.Counter()
"""`requests` in all; by operation and class of the answer, as `PutObject.2xx` and
`HeadObject.unanswered`; `bytes_sent` and `bytes_received` of contents."""

_OF_METHODS: Mapping[str, str] = {
    'HEAD': 'HeadObject',
    'PUT': 'PutObject',
    'DELETE': 'DeleteObject',
}
_OF_QUERIES: Mapping[str, str] = {'uploads': 'ListMultipartUploads', 'uploadId': 'ListParts'}


@contextlib.contextmanager
def counting(request: Any, is_object: bool) -> Generator[list[Any]]:
    """Count a request of botocore's and its answer, which is put into the list.

    Args:
        request: is prepared to be sent.
        is_object: whether its answer is an object.
    """
    answers: list[Any] = []
    counted[REQUESTS] += 1
    counted[_SENT] += int(request.headers.get('Content-Length') or 0)
    try:
        yield answers
    finally:
        result = f'{answers[0].status_code // 100}xx' if answers else _UNANSWERED
        operation = 'GetObject' if is_object else _operation(request)
        counted[f'{operation}.{result}'] += 1


def received(count: int) -> None:
    """Count bytes of an answer."""
    counted[_RECEIVED] += count


def _operation(request: Any) -> str:
    if request.method != 'GET':
        return _OF_METHODS.get(request.method, request.method)
    asked = urllib.parse.parse_qs(urllib.parse.urlsplit(request.url).query, True)
    return next((name for key, name in _OF_QUERIES.items() if key in asked), 'ListObjectsV2')
