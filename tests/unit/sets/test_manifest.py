"""The manifest of a backup set: what is written is read, by other versions too."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from coordinator import errors
from coordinator.sets import manifest
from tests import examples

SOURCE = 'coordinator/backup-sets/x/manifest.json'


def document() -> dict[str, Any]:
    """Return a manifest as another version might change it, without its checksum."""
    content: dict[str, Any] = json.loads(examples.backup_set().to_json())
    content.pop('checksum', None)
    return content


def parse(changed: dict[str, Any]) -> manifest.Manifest:
    """Read a document that was written as it is, checksum and all."""
    text = json.dumps(changed, sort_keys=True, separators=(',', ':'))
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return manifest.parse(json.dumps({**changed, 'checksum': checksum}).encode(), SOURCE)


def test_what_is_written_is_read():
    written = examples.backup_set()
    assert manifest.parse(written.to_json(), SOURCE) == written


def test_equal_manifests_have_equal_bytes():
    assert examples.backup_set().to_json() == examples.backup_set().to_json()


def test_keys_are_hyphenated_at_every_level():
    def keys(value: object) -> list[str]:
        if isinstance(value, dict):
            return [*value, *(key for child in value.values() for key in keys(child))]
        return [key for child in value for key in keys(child)] if isinstance(value, list) else []

    assert document()['version'] == 1
    assert document()['postgresql']['wal-start'] == '000000010000000000000003'
    assert not [key for key in keys(document()) if '_' in key]


def test_unknown_fields_are_ignored_at_every_level():
    changed = document()
    changed['colour'] = changed['maas']['colour'] = changed['maas']['place']['colour'] = 'blue'
    assert parse(changed) == examples.backup_set()


def test_fields_with_a_default_may_be_missing():
    changed = document()
    del changed['maas']['place']['endpoint']
    del changed['maas']['objects'][0]['etag']
    assert parse(changed) == examples.backup_set()


def test_a_newer_version_is_refused_whatever_else_it_holds():
    with pytest.raises(errors.ForeignRecordError) as caught:
        parse({'version': 2, 'shape': 'unheard-of'})
    assert str(caught.value) == (
        f'{SOURCE} has version 2, but this revision of the charm only reads versions up to 1: '
        'juju refresh maas-backup-coordinator'
    )


@pytest.mark.parametrize('content', [b'', b'garbage', b'[]', b'null', b'{}', b'\xff\xfe'])
def test_garbage_is_damaged(content: bytes):
    with pytest.raises(errors.UnexpectedAnswer, match=rf'{SOURCE} is damaged'):
        manifest.parse(content, SOURCE)


def test_the_field_that_is_wrong_is_named():
    changed = document()
    changed['postgresql']['manifest']['size'] = 'large'
    with pytest.raises(errors.UnexpectedAnswer, match=r'damaged: postgresql\.manifest\.size '):
        parse(changed)


def test_a_field_that_is_missing_is_named():
    changed = document()
    del changed['passwords']['sealed']
    with pytest.raises(errors.UnexpectedAnswer, match=r'damaged: passwords\.sealed Field requ'):
        parse(changed)


def test_a_parts_size_is_that_of_its_objects():
    assert examples.backup_set().maas.bytes == 200 + (3 << 30)
