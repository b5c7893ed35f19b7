"""Nothing that opens S3 is in what the S3 library logs, whatever level is logged."""

from __future__ import annotations

import logging

import pytest

from tests import stores
from tests.security import hostile, test_s3_answers


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Make each request, with everything logged that is let through; return that."""
    caplog.set_level(logging.DEBUG)

    def script(line: hostile.Line) -> None:
        line.answer(b'', 'x-amz-request-id: 0123', 'Last-Modified: Sat, 22 Aug 2026 10:15:00 GMT')

    with (
        hostile.Server(script) as server,
        stores.opened({'endpoint': f'http://{server.address}'}) as store,
    ):
        for name in ('get', 'head', 'delete'):
            test_s3_answers.REQUESTS[name](store)
        # What the server got is what must not be in a log.
        assert all(b'AWS4-HMAC-SHA256' in request for request in server.requests)
    return caplog.text


def test_neither_keys_nor_signatures_are_logged(caplog: pytest.LogCaptureFixture):
    text = logged(caplog)
    assert [word for word in (*stores.KEYS.values(), 'Signature', 'AWS4') if word in text] == []


def test_it_is_the_level_of_the_librarys_log_that_sees_to_it(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG, logger='botocore')
    assert 'AWS4-HMAC-SHA256' in logged(caplog)
