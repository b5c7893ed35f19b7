"""Which object holds which file of a backup, as pgBackRest's manifests say it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from coordinator import errors
from coordinator.parts import pgbackrest_files


def files(
    entries: Mapping[str, Mapping[str, Any]],
    backup: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> list[pgbackrest_files.File]:
    manifest = {
        'backup': backup or {},
        'backup:option': {'option-compress-type': 'gz'} if options is None else options,
        'target:file': entries,
    }
    return list(pgbackrest_files.files(manifest, 'backup.manifest'))


def test_a_file_has_an_object_named_after_it_and_its_compression():
    [file] = files({'pg_data/a': {'size': 30, 'repo-size': 9, 'checksum': 'c', 'rck': 'r'}})
    assert file == pgbackrest_files.File(
        name='pg_data/a',
        key='pg_data/a.gz',
        bundled=False,
        offset=0,
        stored=9,
        stored_sha1='r',
        compression='gz',
        size=30,
        sha1='c',
    )


def test_files_of_a_bundle_lie_in_one_object():
    found = files(
        {
            'pg_data/a': {'size': 30, 'repo-size': 9, 'bni': 7},
            'pg_data/b': {'size': 30, 'repo-size': 5, 'bni': 7, 'bno': 9},
        },
        {'backup-bundle': True},
    )
    assert [(file.key, file.bundled, file.offset, file.stored) for file in found] == [
        ('bundle/7', True, 0, 9),
        ('bundle/7', True, 9, 5),
    ]


def test_what_another_backup_holds_and_empty_files_beside_bundles_have_no_object():
    entries = {
        'pg_data/empty': {'size': 0},
        'pg_data/old': {'size': 30, 'repo-size': 9, 'reference': '20260822-102000F'},
    }
    assert files(entries, {'backup-bundle': True}) == []
    [empty] = files(entries)
    assert (empty.key, empty.sha1) == (
        'pg_data/empty.gz',
        'da39a3ee5e6b4b0d3255bfef95601890afd80709',
    )


def test_block_incremental_files_have_a_name_and_a_form_of_their_own():
    [file] = files({'pg_data/a': {'size': 1 << 20, 'repo-size': 900, 'bi': 1, 'bim': 40}})
    assert (file.key, file.compression) == ('pg_data/a.pgbi', pgbackrest_files.BLOCKS)


@pytest.mark.parametrize(
    ('raw', 'bundle', 'kind', 'expected'),
    [
        (True, {'bni': 1}, 'gz', pgbackrest_files.ZLIB),
        (False, {'bni': 1}, 'gz', 'gz'),
        (True, {}, 'gz', 'gz'),
        (True, {'bni': 1}, 'zst', 'zst'),
    ],
)
def test_only_gz_in_raw_bundles_has_another_header(
    raw: bool, bundle: dict[str, int], kind: str, expected: str
):
    [file] = files(
        {'pg_data/a': {'size': 30, 'repo-size': 9, **bundle}},
        {'backup-bundle': True, 'backup-bundle-raw': raw},
        {'option-compress-type': kind},
    )
    assert file.compression == expected


@pytest.mark.parametrize(
    ('options', 'key'),
    [({'option-compress': True}, 'a.gz'), ({'option-compress': False}, 'a'), ({}, 'a')],
)
def test_older_manifests_say_only_whether_files_are_compressed(options: dict[str, bool], key: str):
    [file] = files({'a': {'size': 30}}, options=options)
    assert (file.key, file.stored) == (key, 30)


@pytest.mark.parametrize(
    ('entry', 'options'),
    [
        ({'size': 30}, {'option-compress-type': 'rar'}),
        ({'size': -1}, {}),
        ({'size': 1, 'bni': 1, 'bno': -4}, {}),
        ({'size': 'much'}, {}),
        ({}, {}),
        ([], {}),
    ],
)
def test_a_damaged_manifest_is_named(entry: Any, options: dict[str, str]):
    with pytest.raises(errors.UnexpectedAnswer, match=r'backup\.manifest is damaged'):
        files({'a': entry}, options=options)
