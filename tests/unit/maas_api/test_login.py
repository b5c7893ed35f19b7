"""Which key of the secret counts: that of the set's MAAS, or that of an empty one."""

from __future__ import annotations

import traceback

import pytest

from coordinator import errors
from coordinator.maas_api import login

URL = 'http://10.0.0.1:5240/MAAS'
SITE = {'api-key': 'site:token:secret', 'endpoint': URL}
BOTH = {**SITE, 'fresh-api-key': 'fresh:token:secret\n'}


@pytest.mark.parametrize(
    ('content', 'fresh', 'consumer'),
    [
        (BOTH, False, 'site'),
        (BOTH, True, 'fresh'),
        (SITE, True, 'site'),
    ],
)
def test_the_key_of_the_empty_maas_counts_before_a_rehearsal_alone(
    content: dict[str, str], fresh: bool, consumer: str
):
    assert login.endpoint(content, fresh=fresh).consumer == consumer


def test_a_fresh_key_that_is_none_is_named_and_not_repeated():
    content = {**SITE, 'fresh-api-key': 's3cret'}
    with pytest.raises(errors.Lacking, match='unusable values: fresh-api-key') as caught:
        login.endpoint(content)
    assert 's3cret' not in ''.join(traceback.format_exception(caught.value))
