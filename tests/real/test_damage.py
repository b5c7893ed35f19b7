"""A repository that a real pgBackRest wrote: right as it stands, and any damage to it is found."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator

import pytest

from coordinator import ports
from coordinator.sets import manifest
from rehearsal.real import pgbackrest as real_pgbackrest
from tests.real import real_site

pytestmark = pytest.mark.xdist_group('real-single')


@pytest.fixture(scope='module')
def made(single: real_site.RealSite) -> manifest.Manifest:
    """A backup set."""
    return single.back_up()


def findings(site: real_site.RealSite, made: manifest.Manifest) -> str:
    """Read a backup set whole; return what is wrong with it."""
    return site.operate('verify-backup', backup_id=made.backup_id, deep=True)


def flipped(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@contextlib.contextmanager
def changed(
    store: ports.ObjectStore, key: str, how: Callable[[bytes], bytes] | None
) -> Generator[None]:
    """Change an object, or delete it, for a while."""
    content = store.get(key, 1 << 26)
    if how is None:
        store.delete(key)
    else:
        store.put(key, how(content))
    try:
        yield
    finally:
        store.put(key, content)


def key_of(store: ports.ObjectStore, form: str) -> str:
    """Return the largest object whose key is of a form."""
    found = [item for item in store.list('') if re.fullmatch(form, item.key)]
    return max(found, key=lambda item: item.size).key


def a_file(site: real_site.RealSite, made: manifest.Manifest) -> str:
    part = made.postgresql
    return key_of(site.store, f'backup/{part.stanza}/{part.label}/(pg_data|bundle)/.*')


def a_segment(site: real_site.RealSite, made: manifest.Manifest) -> str:
    part = made.postgresql
    return key_of(site.store, f'archive/{part.stanza}/.*/{part.wal_stop}-.*')


def test_a_set_of_a_real_database_is_right_as_it_stands(
    single: real_site.RealSite, made: manifest.Manifest
):
    assert findings(single, made) == ''


@pytest.mark.parametrize('which', [a_file, a_segment])
@pytest.mark.parametrize('how', [flipped, None], ids=['one byte changed', 'deleted'])
def test_damage_to_a_file_or_to_wal_is_found_and_its_object_named(
    single: real_site.RealSite,
    made: manifest.Manifest,
    which: Callable[[real_site.RealSite, manifest.Manifest], str],
    how: Callable[[bytes], bytes] | None,
):
    key = which(single, made)

    with changed(single.store, key, how):
        found = findings(single, made)

    # The checksum in the name of a WAL segment goes with it.
    assert (key.rpartition('-')[0] if which is a_segment and how is None else key) in found


def test_a_damaged_manifest_is_found_and_named(
    single: real_site.RealSite, made: manifest.Manifest
):
    part = made.postgresql
    key = f'backup/{part.stanza}/{part.label}/backup.manifest'

    with changed(single.store, key, another_time):
        assert key in findings(single, made)


def test_a_damaged_list_is_found_and_named_unless_its_copy_is_sound(
    single: real_site.RealSite, made: manifest.Manifest
):
    key = f'backup/{made.postgresql.stanza}/backup.info'

    with changed(single.store, key, another_time):
        told = findings(single, made)
        assert f'{key} was changed after it was written' in told
        assert 'pgBackRest uses its twin instead' in told
        with changed(single.store, f'{key}.copy', another_time):
            told = findings(single, made)
            assert f'{key}.copy was changed after it was written' in told
            assert 'pgBackRest uses its twin instead' not in told


def another_time(content: bytes) -> bytes:
    """Change one digit of a file of pgBackRest, which stays readable."""
    changed = re.sub(rb'(timestamp[a-z-]*"[=:])1', rb'\g<1>2', content, count=1)
    assert changed != content
    return changed


def test_a_label_that_pgbackrest_has_expired_is_missed(
    single: real_site.RealSite, made: manifest.Manifest
):
    again = single.back_up()
    own = single.server('postgresql/0')
    real_pgbackrest.PgBackRest(single.machines.ground, own).expire(
        made.postgresql.stanza, made.postgresql.label
    )

    assert made.postgresql.label in findings(single, made)
    assert findings(single, again) == ''
