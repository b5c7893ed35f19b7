"""A repository that a real pgBackRest wrote: right as it stands, and any damage to it is found."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Generator

import pytest

from coordinator import errors, manifest, pgbackrest, ports
from coordinator.integrity import contents, inspection, pace
from rehearsal.real import pgbackrest as real_pgbackrest
from tests.real import real_site

pytestmark = pytest.mark.xdist_group('real-single')


@pytest.fixture(scope='module')
def made(single: real_site.RealSite) -> manifest.Manifest:
    """A backup set."""
    return single.back_up()


def findings(site: real_site.RealSite, made: manifest.Manifest) -> list[str]:
    """Read a backup set whole; return what is wrong with it."""
    part = made.postgresql
    try:
        listed = {backup.label: backup for backup in pgbackrest.backups(site.store, part.stanza)}
        if part.label not in listed:
            return [f'backup.info does not list {part.label}']
        pgbackrest.verify(site.store, part.stanza, listed[part.label])
        objects = contents.objects(made, site.running.maas_store, site.store)
    except (errors.StepError, errors.UnexpectedAnswer, errors.NotFound) as error:
        return [str(error)]
    verdicts = inspection.inspect(objects, range(len(objects)), lambda: True, pace.Pace(0))
    return [finding for _, verdict in verdicts for finding in verdict.findings]


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
    assert findings(single, made) == []


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

    assert len(found) == 1
    named = key if how else key.rpartition('/')[2].partition('-')[0]
    assert named in found[0]
    assert findings(single, made) == []


def test_a_damaged_manifest_is_found_and_named(
    single: real_site.RealSite, made: manifest.Manifest
):
    part = made.postgresql
    key = f'backup/{part.stanza}/{part.label}/backup.manifest'

    def later(content: bytes) -> bytes:
        return content.replace(b'"timestamp":1', b'"timestamp":2', 1)

    with changed(single.store, key, later):
        found = findings(single, made)

    assert [finding for finding in found if key in finding]


def test_a_label_that_pgbackrest_has_expired_is_missed(
    single: real_site.RealSite, made: manifest.Manifest
):
    again = single.back_up()
    own = single.server('postgresql/0')
    real_pgbackrest.PgBackRest(single.machines.ground, own).expire(
        made.postgresql.stanza, made.postgresql.label
    )

    assert findings(single, made) == [f'backup.info does not list {made.postgresql.label}']
    assert findings(single, again) == []
