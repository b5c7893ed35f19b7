"""What a pgBackRest repository lists, and whether a backup in it is whole."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import pytest

from coordinator import errors
from coordinator.parts import pgbackrest, pgbackrest_archive, pgbackrest_info
from rehearsal import memory_store
from rehearsal.standins import pgbackrest as standin

STANZA = 'maas.postgresql'
LABEL = '20260822-102000F'
FOLDER = f'backup/{STANZA}/{LABEL}'
MANIFEST = f'{FOLDER}/backup.manifest'
ARCHIVE_INFO = f'archive/{STANZA}/archive.info'
SYSTEM_ID = 7710909084746483203
SEGMENT = '000000010000000000000003'


class Repository:
    """A repository of one stanza in memory, written as pgBackRest 2.5x writes it."""

    def __init__(self) -> None:
        self.store = memory_store.MemoryStore(memory_store.MemoryBucket(), 'postgresql')

    def list_backups(self, *entries: Mapping[str, Any]) -> None:
        """Write backup.info and its twin."""
        sections = {
            'backup:current': {entry['label']: entry for entry in entries},
            'db:history': {'1': {'db-version': '14'}, '2': {'db-version': '16'}},
        }
        self.write_pair(f'backup/{STANZA}/backup.info', sections)
        self.write_archive_info()

    def write_archive_info(self, system_id: int = SYSTEM_ID, version: str = '16') -> None:
        """Write archive.info and its twin: the second cluster is the one that is backed up."""
        clusters = {
            '1': {'db-id': 6, 'db-version': '14'},
            '2': {'db-id': system_id, 'db-version': version},
        }
        self.write_pair(ARCHIVE_INFO, {'db:history': clusters})

    def write_pair(self, key: str, sections: Mapping[str, Mapping[str, Any]]) -> None:
        """Write a file and its twin."""
        for twin in ('', '.copy'):
            self.store.put(f'{key}{twin}', rendered(sections))

    def write_manifest(
        self,
        files: Mapping[str, Mapping[str, Any]],
        compression: str = 'gz',
        bundles: bool = False,
    ) -> None:
        """Write the manifest of the backup."""
        sections = {
            'backup': {'backup-label': LABEL, **({'backup-bundle': True} if bundles else {})},
            'backup:db': {'db-id': 2, 'db-system-id': SYSTEM_ID, 'db-version': '16'},
            'backup:option': {'option-compress-type': compression},
            'target:file': files,
        }
        self.store.put(MANIFEST, rendered(sections))

    def store_objects(self, **sizes: int) -> None:
        """Store objects of the backup by name below its folder."""
        for name, size in sizes.items():
            self.store.put(f'{FOLDER}/{name}', bytes(size))

    def archive(
        self,
        segment: str,
        archive: str = '16-2',
        sha1: str = 'beef' * 10,
        suffix: str = '.gz',
        content: bytes = b'wal',
    ) -> None:
        """Archive a WAL segment."""
        folder = f'archive/{STANZA}/{archive}/{segment[:16]}'
        self.store.put(f'{folder}/{segment}-{sha1}{suffix}', content)


def rendered(sections: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Return an info file: pgBackRest writes no section without a line."""
    return standin.render({name: lines for name, lines in sections.items() if lines}).encode()


def entry(label: str = LABEL, type: str = 'full', **changes: Any) -> dict[str, Any]:
    """Return what backup.info says of a backup; `label` is the key of its line."""
    found: dict[str, Any] = {
        'label': label,
        'backup-type': type,
        'backup-error': False,
        'backup-timestamp-start': 1787394000,
        'backup-timestamp-stop': 1787394060,
        'backup-archive-start': '000000010000000000000003',
        'backup-archive-stop': '000000010000000000000003',
        'backup-lsn-start': '0/3000028',
        'backup-lsn-stop': '0/3000440',
        'backup-info-repo-size': 4_000,
        'backup-info-size': 30_000,
        'db-id': 2,
    }
    return found | {name.replace('_', '-'): value for name, value in changes.items()}


@pytest.fixture
def repository() -> Repository:
    return Repository()


def listed(repository: Repository) -> list[pgbackrest.Backup]:
    return pgbackrest.backups(repository.store, STANZA)


def verify(repository: Repository) -> pgbackrest.Contents:
    """Verify the backup, its WAL archived."""
    repository.list_backups(entry())
    repository.archive('000000010000000000000003')
    (backup,) = listed(repository)
    return pgbackrest.contents(repository.store, STANZA, backup)


# --- Names ---------------------------------------------------------------------------------------


def test_a_stanza_is_named_after_model_and_application():
    assert pgbackrest.stanza('maas', 'postgresql') == STANZA


def test_a_label_becomes_the_charms_id():
    assert pgbackrest.label_to_id('20250814-103336F') == '2025-08-14T10:33:36Z'


@pytest.mark.parametrize('label', ['', 'latest', '2025-08-14T10:33:36Z', '20250814-103336D'])
def test_what_is_no_full_label_has_no_id(label: str):
    with pytest.raises(errors.UnexpectedAnswer, match='not the label of a full'):
        pgbackrest.label_to_id(label)


# --- The form of the files -----------------------------------------------------------------------


def test_values_are_json_below_their_section():
    found = pgbackrest_info.parse(
        b'[a]\nb="x"\nc=5\nd=true\n\n[e:f]\ng={"h":[1]}\n', 'backup.info'
    )
    assert found == {'a': {'b': 'x', 'c': 5, 'd': True}, 'e:f': {'g': {'h': [1]}}}


@pytest.mark.parametrize(
    'name',
    ['pg_data/a=b', 'pg_data/a={b', 'pg_data/a="b"', 'pg_data/x=1', 'pg_data/=', 'pg_data/a=[1]b'],
)
def test_names_of_files_may_hold_equal_signs(name: str):
    found = pgbackrest_info.parse(f'[target:file]\n{name}={{"size":5}}\n'.encode(), 'backup.info')
    assert found == {'target:file': {name: {'size': 5}}}


@pytest.mark.parametrize('name', ['pg_data/größe', 'pg_data/表', 'a\u2028b', 'a\x85b', 'a\x0cb'])
def test_names_of_files_may_hold_any_character_but_a_newline(name: str):
    found = pgbackrest_info.parse(f'[target:file]\n{name}={{"size":5}}\n'.encode(), 'backup.info')
    assert found == {'target:file': {name: {'size': 5}}}


@pytest.mark.parametrize(
    'name',
    [
        b'a\x01b',
        b'a\x1b[1mb',
        b'a\x7fb',
        b'gr\xfc\xdfe',
        b'\t\x08\x0c\r\x0b',
        b'"q"\\',
        'größe'.encode(),
    ],
)
def test_a_name_of_any_bytes_leaves_a_file_sound(name: bytes):
    # The checksum as pgBackRest computes it: only what has a short escape is escaped.
    escaped = name.replace(b'\\', b'\\\\')
    for sign, short in zip(b'"\n\r\t\b\f', b'"nrtbf', strict=True):
        escaped = escaped.replace(bytes([sign]), b'\\' + bytes([short]))
    checksum = hashlib.sha1(b'{"target:file":{"' + escaped + b'":{"size":5}}}').hexdigest()
    content = b'[target:file]\n%s={"size":5}\n\n[backrest]\nbackrest-checksum="%s"\n'
    whole = content % (name, checksum.encode())

    pgbackrest_info.sound(whole, 'it')

    with pytest.raises(errors.UnexpectedAnswer, match='checksum does not match'):
        pgbackrest_info.sound(whole.replace(b':5', b':6'), 'it')


def test_the_stand_in_writes_names_of_any_bytes_as_pgbackrest_does():
    content = rendered({'target:file': {'a\x01\t"b': {'size': 5}}})
    assert pgbackrest_info.sound(content, 'it')['target:file'] == {'a\x01\t"b': {'size': 5}}


def test_values_may_hold_what_separates_keys():
    found = pgbackrest_info.parse(b'[a]\nb="x={y"\nc={"path":"/srv/a={b"}\n', 'backup.info')
    assert found == {'a': {'b': 'x={y', 'c': {'path': '/srv/a={b'}}}


@pytest.mark.parametrize(
    'content',
    [b'[a]\nb=', b'[a]\nb={"c":', b'[a]\nno separator', b'\x00\x01'],
)
def test_a_damaged_file_is_named_as_such(content: bytes):
    with pytest.raises(errors.UnexpectedAnswer, match=r'backup\.info is damaged near'):
        pgbackrest_info.parse(content, 'backup.info')


def test_the_damage_is_shown_without_its_bulk():
    with pytest.raises(errors.UnexpectedAnswer) as caught:
        pgbackrest_info.parse(b'[a]\nb={"c":' + b'x' * 9999, 'backup.info')
    assert 'near \'b={"c":xxx' in str(caught.value)
    assert len(str(caught.value)) < 200


# --- backup.info ---------------------------------------------------------------------------------


def test_backups_are_listed_oldest_first(repository: Repository):
    labels = ['20260823-000000F', '20260822-102000F', '20260822-102000F_20260822-230000I']
    repository.list_backups(*(entry(label) for label in labels))
    assert [backup.label for backup in listed(repository)] == sorted(labels)


def test_a_backup_carries_what_a_manifest_needs(repository: Repository):
    repository.list_backups(entry())
    assert listed(repository) == [
        pgbackrest.Backup(
            label=LABEL,
            type='full',
            error=False,
            start=1787394000,
            stop=1787394060,
            wal_start='000000010000000000000003',
            wal_stop='000000010000000000000003',
            lsn_start='0/3000028',
            lsn_stop='0/3000440',
            repository_bytes=4_000,
            database_bytes=30_000,
            archive='16-2',
        )
    ]
    assert listed(repository)[0].id == '2026-08-22T10:20:00Z'


def test_a_new_stanza_lists_nothing(repository: Repository):
    repository.list_backups()
    assert listed(repository) == []


def test_there_is_no_repository_for_another_stanza(repository: Repository):
    repository.list_backups(entry())
    with pytest.raises(errors.NotFound):
        pgbackrest.backups(repository.store, 'maas.other')


@pytest.mark.parametrize('content', [b'[backup:current]\nhalf a li', b'\xff\xfe\x00', None])
def test_the_twin_is_read_when_the_first_is_damaged_or_missing(
    repository: Repository, content: bytes | None
):
    repository.list_backups(entry())
    if content is None:
        repository.store.delete(f'backup/{STANZA}/backup.info')
    else:
        repository.store.put(f'backup/{STANZA}/backup.info', content)
    assert [backup.label for backup in listed(repository)] == [LABEL]


@pytest.mark.parametrize('content', [b'[backup:current]\nhalf a li', b'\xff\xfe\x00'])
def test_two_damaged_twins_are_an_error_that_says_so(repository: Repository, content: bytes):
    for twin in ('', '.copy'):
        repository.store.put(f'backup/{STANZA}/backup.info{twin}', content)
    with pytest.raises(errors.UnexpectedAnswer, match='damaged'):
        listed(repository)


def test_a_listed_backup_without_its_sizes_is_an_error_that_names_both(repository: Repository):
    incomplete = entry()
    del incomplete['backup-info-size']
    repository.list_backups(incomplete)
    with pytest.raises(errors.UnexpectedAnswer, match=f"{LABEL} without 'backup-info-size'"):
        listed(repository)


def test_one_damaged_or_missing_twin_is_named_where_there_is_a_repository(
    repository: Repository,
):
    repository.list_backups(entry())
    key = f'backup/{STANZA}/backup.info'
    assert pgbackrest.weakness(repository.store, STANZA) == ''
    repository.store.delete(f'{key}.copy')
    assert f'{key}.copy' in pgbackrest.weakness(repository.store, STANZA)
    repository.store.delete(key)
    assert pgbackrest.weakness(repository.store, STANZA) == ''


def test_s3_that_is_away_is_no_missing_repository(repository: Repository):
    repository.list_backups(entry())
    repository.store.bucket.unavailable = 1
    with pytest.raises(errors.StoreUnavailable):
        listed(repository)


def test_only_full_backups_without_error_are_taken(repository: Repository):
    repository.list_backups(
        entry('20260822-100000F'),
        entry('20260822-110000F', backup_error=True),
        entry('20260822-100000F_20260822-120000I', 'incr'),
        entry('20260822-100000F_20260822-130000D', 'diff'),
    )
    assert pgbackrest.first_full_after(repository.store, STANZA, after='20260822-100000F') is None
    first = pgbackrest.first_full_after(repository.store, STANZA, after='')
    assert first is not None
    assert first.label == '20260822-100000F'


def test_the_first_one_after_the_mark_is_taken(repository: Repository):
    repository.list_backups(*(entry(f'20260822-1{hour}0000F') for hour in '0123'))
    found = pgbackrest.first_full_after(repository.store, STANZA, after='20260822-110000F')
    assert found is not None
    assert found.label == '20260822-120000F'


# --- Whole or not --------------------------------------------------------------------------------


def test_a_whole_backup_is_measured(repository: Repository):
    repository.write_manifest({'pg_data/PG_VERSION': {'size': 3, 'repo-size': 23}})
    repository.store_objects(**{'pg_data/PG_VERSION.gz': 23})
    contents = verify(repository)
    manifest = repository.store.head(f'{FOLDER}/backup.manifest')
    assert (contents.objects, contents.bytes) == (2, 23 + manifest.size)
    assert contents.manifest_bytes == manifest.size
    assert len(contents.manifest_sha256) == 64


@pytest.mark.parametrize(
    ('compression', 'suffix'), [('none', ''), ('gz', '.gz'), ('lz4', '.lz4'), ('zst', '.zst')]
)
def test_objects_are_named_after_their_compression(
    repository: Repository, compression: str, suffix: str
):
    repository.write_manifest({'pg_data/base/1/112': {'size': 8, 'repo-size': 5}}, compression)
    repository.store_objects(**{f'pg_data/base/1/112{suffix}': 5})
    assert verify(repository).objects == 2


def test_a_file_without_a_size_of_its_own_in_the_repository_is_stored_as_it_is(
    repository: Repository,
):
    repository.write_manifest({'pg_data/PG_VERSION': {'size': 3}}, 'none')
    repository.store_objects(**{'pg_data/PG_VERSION': 3})
    assert verify(repository).objects == 2


def test_bundles_hold_many_files_and_empty_ones_are_nowhere(repository: Repository):
    repository.write_manifest(
        {
            'pg_data/a': {'size': 30, 'repo-size': 10, 'bni': 1},
            'pg_data/b': {'size': 30, 'repo-size': 7, 'bni': 1, 'bno': 10},
            'pg_data/c': {'size': 9, 'repo-size': 4, 'bni': 2},
            'pg_data/empty': {'size': 0},
            'pg_data/large': {'size': 900, 'repo-size': 500},
        },
        bundles=True,
    )
    repository.store_objects(**{'bundle/1': 17, 'bundle/2': 4, 'pg_data/large.gz': 500})
    assert verify(repository).objects == 4


def test_without_bundles_an_empty_file_is_an_object(repository: Repository):
    repository.write_manifest({'pg_data/empty': {'size': 0, 'repo-size': 20}})
    with pytest.raises(errors.StepError, match=r'pg_data/empty\.gz \(missing instead of 20 bytes'):
        verify(repository)


def test_a_bundle_that_ends_before_its_last_file_is_named(repository: Repository):
    repository.write_manifest(
        {'pg_data/a': {'size': 30, 'repo-size': 7, 'bni': 1, 'bno': 10}}, bundles=True
    )
    repository.store_objects(**{'bundle/1': 16})
    with pytest.raises(errors.StepError, match=r'bundle/1 \(16 instead of 17 bytes\)'):
        verify(repository)


def test_missing_objects_and_wrong_sizes_are_counted_and_the_first_is_named(
    repository: Repository,
):
    files = {f'pg_data/{name}': {'size': 30, 'repo-size': 10} for name in 'abc'}
    repository.write_manifest(files)
    repository.store_objects(**{'pg_data/a.gz': 10, 'pg_data/b.gz': 11})
    with pytest.raises(errors.StepError) as caught:
        verify(repository)
    assert str(caught.value) == (
        f'2 object(s) of PostgreSQL backup {LABEL} are missing, have the wrong size or exist '
        f'twice; the first is {FOLDER}/pg_data/b.gz (11 instead of 10 bytes)'
    )


def test_the_manifest_must_be_this_backups_own(repository: Repository):
    repository.write_manifest({})
    repository.list_backups(entry('20260823-102000F'))
    content = repository.store.get(f'{FOLDER}/backup.manifest')
    repository.store.put(f'backup/{STANZA}/20260823-102000F/backup.manifest', content)
    (backup,) = listed(repository)
    with pytest.raises(errors.StepError, match='is not the manifest of 20260823-102000F'):
        pgbackrest.contents(repository.store, STANZA, backup)


@pytest.mark.parametrize('content', [b'[backup]\nhalf a li', b'\xff\xfe\x00'])
def test_a_damaged_manifest_is_named_as_such(repository: Repository, content: bytes):
    repository.store.put(f'{FOLDER}/backup.manifest', content)
    with pytest.raises(errors.UnexpectedAnswer, match='damaged'):
        verify(repository)


def test_a_missing_manifest_is_named(repository: Repository):
    with pytest.raises(errors.NotFound, match=r'backup\.manifest'):
        verify(repository)


def test_wal_that_is_not_archived_makes_a_backup_useless(repository: Repository):
    repository.write_manifest({})
    repository.list_backups(entry(backup_archive_stop='000000010000000000000005'))
    repository.archive('000000010000000000000003')
    repository.archive('000000010000000000000005')
    repository.archive('000000010000000000000004', archive='14-1')
    (backup,) = listed(repository)
    with pytest.raises(errors.StepError, match=r'1 object.*0{7}100000000/0{7}10{15}4-\*'):
        pgbackrest.contents(repository.store, STANZA, backup)


def test_the_history_of_a_backup_is_not_taken_for_its_wal(repository: Repository):
    repository.write_manifest({})
    repository.list_backups(entry())
    segment = '000000010000000000000003'
    folder = f'archive/{STANZA}/16-2/{segment[:16]}'
    repository.store.put(f'{folder}/{segment}.00000028.backup', b'START WAL LOCATION')
    (backup,) = listed(repository)
    with pytest.raises(errors.StepError, match=rf'{segment}-\* \(missing\)'):
        pgbackrest.contents(repository.store, STANZA, backup)


def test_wal_over_several_folders_takes_one_listing_each(repository: Repository):
    repository.write_manifest({})
    start, stop = '0000000100000002000000FE', '000000010000000400000001'
    repository.list_backups(entry(backup_archive_start=start, backup_archive_stop=stop))
    for segment in pgbackrest_archive.wal_range(start, stop):
        repository.archive(segment)
    (backup,) = listed(repository)

    def requests() -> int:
        before = repository.store.bucket.requests
        pgbackrest.contents(repository.store, STANZA, backup)
        return repository.store.bucket.requests - before

    spread = requests()
    backup = dataclasses.replace(backup, wal_stop=start)
    assert spread == requests() + 2


@pytest.mark.parametrize(
    ('content', 'said'),
    [(None, 'missing'), (b'[db]\nhalf a li', 'damaged'), (b'', 'was changed after')],
)
def test_a_backup_without_a_sound_archive_info_cannot_be_restored(
    repository: Repository, content: bytes | None, said: str
):
    repository.write_manifest({})
    verify(repository)
    for twin in ('', '.copy'):
        if content is None:
            repository.store.delete(f'{ARCHIVE_INFO}{twin}')
        else:
            repository.store.put(f'{ARCHIVE_INFO}{twin}', content)
    (backup,) = listed(repository)

    with pytest.raises(errors.StepError, match=rf'archive\.info and its copy .*{said}'):
        pgbackrest.contents(repository.store, STANZA, backup)


@pytest.mark.parametrize('other', [{'system_id': 7}, {'version': '15'}])
def test_an_archive_info_of_another_cluster_is_refused(
    repository: Repository, other: dict[str, Any]
):
    repository.write_manifest({})
    verify(repository)
    repository.write_archive_info(**other)
    (backup,) = listed(repository)

    with pytest.raises(errors.StepError, match=rf'archive\.info belongs to .*{SYSTEM_ID}'):
        pgbackrest.contents(repository.store, STANZA, backup)


@pytest.mark.parametrize('key', [MANIFEST, ARCHIVE_INFO, f'backup/{STANZA}/backup.info'])
@pytest.mark.parametrize('content', [b'[backup]\nhalf a li', b'\xff\xfe\x00', b'', None])
@pytest.mark.parametrize('damaged', ['', '.copy'])
def test_one_damaged_twin_is_a_weakness_that_is_named(
    repository: Repository, key: str, content: bytes | None, damaged: str
):
    repository.write_manifest({})
    repository.store.put(f'{MANIFEST}.copy', repository.store.get(MANIFEST))
    assert verify(repository).weaknesses == ()
    if content is None:
        repository.store.delete(f'{key}{damaged}')
    else:
        repository.store.put(f'{key}{damaged}', content)
    (backup,) = listed(repository)

    (weakness,) = pgbackrest.contents(repository.store, STANZA, backup).weaknesses

    assert f'{key}{damaged}' in weakness
    assert 'pgBackRest uses its twin instead' in weakness
    if 'run backup-all' not in weakness:
        pair = '{,.copy}' if damaged else '{.copy,}'
        assert weakness.endswith(f'aws s3 cp s3://backups/postgresql/{key}{pair}')


def test_a_copy_of_another_manifest_is_a_weakness(repository: Repository):
    repository.write_manifest({})
    repository.store.put(f'{MANIFEST}.copy', rendered({'backup': {'backup-label': 'another'}}))

    (weakness,) = verify(repository).weaknesses

    assert weakness.startswith(f'{MANIFEST}.copy differs from {MANIFEST}')


class GarblingStore(memory_store.MemoryStore):
    """Cuts an answer off once for each key."""

    def __init__(self, bucket: memory_store.MemoryBucket, *keys: str):
        super().__init__(bucket, 'postgresql')
        self.left = list(keys)

    def get(self, key: str, limit: int = 1 << 20) -> bytes:
        content = super().get(key, limit)
        if key not in self.left:
            return content
        self.left.remove(key)
        return content[:-9]


def test_an_answer_that_is_garbled_once_is_no_damage(repository: Repository):
    repository.write_manifest({})
    repository.store.put(f'{MANIFEST}.copy', repository.store.get(MANIFEST))
    garbling = GarblingStore(
        repository.store.bucket, MANIFEST, f'{MANIFEST}.copy', ARCHIVE_INFO, f'{ARCHIVE_INFO}.copy'
    )
    repository.store = garbling
    assert verify(repository).weaknesses == ()
    assert garbling.left == []


def test_a_segment_with_two_contents_is_refused_as_pgbackrest_does(repository: Repository):
    repository.write_manifest({})
    repository.archive(SEGMENT, sha1='cafe' * 10)
    with pytest.raises(errors.StepError, match=rf'{SEGMENT}-\* \(2 objects with different'):
        verify(repository)


def test_a_segment_with_one_content_in_two_objects_is_right(repository: Repository):
    repository.write_manifest({})
    repository.archive(SEGMENT, suffix='.zst')
    assert verify(repository).weaknesses


def test_a_segment_of_no_bytes_is_found_in_the_listing(repository: Repository):
    repository.write_manifest({})
    repository.list_backups(entry())
    repository.archive(SEGMENT, content=b'')
    (backup,) = listed(repository)
    with pytest.raises(errors.StepError, match=rf'{SEGMENT}-\* \(an object of 0 bytes\)'):
        pgbackrest.contents(repository.store, STANZA, backup)


def test_wal_is_looked_for_in_every_folder_of_the_cluster(repository: Repository):
    # The stanza was upgraded, and the upgrade was taken back.
    repository.write_manifest({})
    repository.list_backups(entry())
    cluster = {'db-id': SYSTEM_ID, 'db-version': '16'}
    repository.write_pair(ARCHIVE_INFO, {'db:history': {'2': cluster, '4': cluster}})
    repository.archive(SEGMENT, '16-4')
    (backup,) = listed(repository)
    pgbackrest.contents(repository.store, STANZA, backup)
    repository.archive(SEGMENT, '16-2', sha1='cafe' * 10)
    with pytest.raises(errors.StepError, match=r'2 objects with different content'):
        pgbackrest.contents(repository.store, STANZA, backup)


# --- WAL -----------------------------------------------------------------------------------------


def segments(start: str, stop: str) -> list[str]:
    return list(pgbackrest_archive.wal_range(start, stop))


def test_one_segment_is_a_range():
    one = '000000010000000000000003'
    assert segments(one, one) == [one]


def test_a_log_has_256_segments():
    assert segments('0000000100000002000000FE', '000000010000000300000001') == [
        '0000000100000002000000FE',
        '0000000100000002000000FF',
        '000000010000000300000000',
        '000000010000000300000001',
    ]


def test_segments_are_of_the_timeline_on_which_the_backup_ended():
    assert segments('00000002000000000000000A', '00000002000000000000000B') == [
        '00000002000000000000000A',
        '00000002000000000000000B',
    ]


def test_a_backup_without_wal_needs_none():
    assert segments('', '') == []
