"""What becomes a key of an object, a path or an action's parameter has the form of one."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from coordinator import errors, object_keys, ports
from coordinator.parts import maas_backup, pgbackrest, pgbackrest_archive
from coordinator.s3 import object_store
from coordinator.sets import catalogue, manifest
from rehearsal import memory_store
from tests import charm_states, examples, stores, worlds
from tests.security import hostile

PLAIN = st.text(
    string.ascii_letters + string.digits + ' ._-+=é表', min_size=1, max_size=12
).filter(lambda part: part not in ('.', '..') and part == part.strip('/'))
UNPRINTABLE = st.sampled_from(['\n', '\r', '\x00', '\x1b[2J', '\x7f', '\x9b', '\u202e', '\u2028'])
BAD = st.one_of(
    # What leads elsewhere, at any depth; what hides; what is too long; what has no beginning.
    st.builds('{}/{}'.format, PLAIN, st.sampled_from(['..', '.', '../x', './x', 'x/..', 'x/./y'])),
    st.sampled_from(['..', '.', '../x', './x']),
    st.builds('{}{}{}'.format, PLAIN, UNPRINTABLE, PLAIN),
    st.integers(object_keys.LONGEST + 1, 2 * object_keys.LONGEST).map('x'.__mul__),
    st.just('é' * (object_keys.LONGEST // 2 + 1)),
    PLAIN.map('/{}'.format),
)
EACH = hypothesis.settings(max_examples=60, deadline=None)
IDS = st.from_regex(object_keys.ID, fullmatch=True)


# --- The last look: every request ------------------------------------------------------------


REQUESTS: dict[str, Callable[[ports.ObjectStore, str], object]] = {
    'put': lambda store, key: store.put(key, b''),
    'get': lambda store, key: store.get(key),
    'head': lambda store, key: store.head(key),
    'list': lambda store, key: list(store.list(key)),
    'folders': lambda store, key: store.folders(key),
    'uploads': lambda store, key: list(store.uploads(key)),
    'parts': lambda store, key: list(store.parts(ports.Upload(key, 'id'))),
    'delete': lambda store, key: store.delete(key),
}


@pytest.fixture(scope='module')
def server() -> Iterator[hostile.Server]:
    with hostile.Server(lambda line: line.answer(b'')) as running:
        yield running


@pytest.fixture(scope='module')
def store(server: hostile.Server) -> Iterator[object_store.S3Store]:
    with stores.opened({'endpoint': f'http://{server.address}', 'path': 'maas'}) as opened:
        yield opened


@pytest.mark.parametrize('request_kind', REQUESTS)
@hypothesis.given(key=BAD.filter(lambda key: not key.startswith('/')))
@EACH
def test_no_request_is_made_with_a_key_that_is_not_plain(
    server: hostile.Server, store: object_store.S3Store, request_kind: str, key: str
):
    with pytest.raises(errors.StoreRefused, match='is not a valid object key') as caught:
        REQUESTS[request_kind](store, key)
    assert str(caught.value).isprintable()
    assert server.requests == []


@pytest.mark.parametrize('request_kind', REQUESTS)
@pytest.mark.parametrize('path', ['../theirs', 'maas/../theirs', 'maas\x1b[2J', 'x' * 1025])
def test_no_request_is_made_in_a_path_that_is_not_plain(
    server: hostile.Server, path: str, request_kind: str
):
    with (
        stores.opened({'endpoint': f'http://{server.address}', 'path': path}) as elsewhere,
        pytest.raises(errors.StoreRefused, match='juju config integrator path'),
    ):
        REQUESTS[request_kind](elsewhere, 'key')
    assert server.requests == []


@pytest.mark.parametrize(
    'bucket',
    ['arn:aws:s3:us-east-1:123456789012:accesspoint/theirs', 'a/b', '..', 'a\nb', 's3cret='],
)
def test_a_bucket_has_a_name_and_leads_nowhere_else(bucket: str):
    with pytest.raises(errors.StoreRefused) as caught:
        object_store.Connection.from_relation('integrator', {**stores.KEYS, 'bucket': bucket})
    assert str(caught.value) == (
        'the bucket that integrator gives is not a valid bucket name: juju config integrator '
        'bucket=...'
    )


@hypothesis.given(st.lists(PLAIN, min_size=1, max_size=6).map('/'.join))
@EACH
def test_keys_of_plain_parts_are_plain(key: str):
    assert object_keys.is_plain(key)


@hypothesis.given(BAD)
@EACH
def test_what_hides_or_leads_elsewhere_is_not_plain(key: str):
    assert not object_keys.is_plain(key)


# --- Ids ---------------------------------------------------------------------------------------


@hypothesis.given(IDS)
@EACH
def test_an_id_makes_keys_of_its_own_folder(backup_id: str):
    folder = f'coordinator/backup-sets/{backup_id}'
    assert catalogue.manifest_key(backup_id) == f'{folder}/manifest.json'
    assert catalogue.sealed_key(backup_id) == f'{folder}/secrets.age'


@hypothesis.given(st.text(max_size=30) | BAD | st.builds('{}{}'.format, IDS, UNPRINTABLE | PLAIN))
@EACH
def test_no_other_text_makes_a_key(text: str):
    for key_of in (catalogue.manifest_key, catalogue.sealed_key):
        with pytest.raises(errors.PreconditionError, match='is not a backup id') as caught:
            key_of(text)
        assert str(caught.value).isprintable()


@hypothesis.given(BAD)
@EACH
def test_restore_all_takes_no_id_and_no_path_of_another_form(text: str):
    given: dict[str, str] = {'backup_id': text}
    assert 'is not a backup id' in charm_states.refusal(
        'restore-all', charm_states.state(), **given
    )


@pytest.mark.parametrize('path', ['../theirs', 'a/./b', 'a\x1b[2J', 'a\u202eb', 'x' * 1025])
def test_postgresql_path_is_plain(path: str):
    said = charm_states.refusal(
        'restore-all', charm_states.state(), backup_id='latest', postgresql_path=path
    )
    assert said == 'postgresql-path must be a plain path, without ".."'


# --- Out of the bucket -----------------------------------------------------------------------


def forged(*where: str, value: object) -> bytes:
    """Return a manifest with another value, and a checksum that fits."""
    content: dict[str, Any] = json.loads(examples.backup_set().to_json())
    del content['checksum']
    part = content
    for name in where[:-1]:
        part = part[name]
    assert where[-1] in part
    part[where[-1]] = value
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    return json.dumps({**content, 'checksum': hashlib.sha256(text.encode()).hexdigest()}).encode()


@pytest.mark.parametrize(
    'where',
    [
        ('backup-id',),
        ('maas', 'backup-id'),
        ('maas', 'place', 'bucket'),
        ('maas', 'place', 'path'),
        ('postgresql', 'backup-id'),
        ('postgresql', 'label'),
        ('postgresql', 'stanza'),
        ('postgresql', 'archive'),
        ('postgresql', 'wal-start'),
        ('postgresql', 'wal-stop'),
        ('postgresql', 'place', 'bucket'),
        ('postgresql', 'place', 'path'),
        ('postgresql', 'manifest', 'key'),
        ('passwords', 'sealed', 'key'),
    ],
    ids='.'.join,
)
@hypothesis.given(value=BAD)
@EACH
def test_a_forged_manifest_leads_nowhere_else(where: tuple[str, ...], value: str):
    with pytest.raises(errors.UnexpectedAnswer, match=r'^x is damaged: ') as caught:
        manifest.parse(forged(*where, value=value), 'x')
    assert str(caught.value).isprintable()


@hypothesis.given(BAD)
@EACH
def test_a_forged_manifest_names_no_other_objects_and_controllers(value: str):
    for content in (
        forged('maas', 'controllers', value=[value]),
        forged('maas', 'objects', value=[{'key': value, 'size': 1}]),
    ):
        with pytest.raises(errors.UnexpectedAnswer, match='is damaged: maas'):
            manifest.parse(content, 'x')


def in_bucket(**objects: str) -> memory_store.MemoryStore:
    found = memory_store.MemoryStore(memory_store.MemoryBucket())
    for key, content in objects.items():
        found.put(key, content.encode())
    return found


FIELDS: dict[str, Any] = {
    'db-id': 1,
    'backup-type': 'full',
    'backup-timestamp-start': 1,
    'backup-timestamp-stop': 2,
    'backup-info-repo-size': 1,
    'backup-info-size': 1,
}


@hypothesis.given(BAD.filter(lambda text: '=' not in text and '\n' not in text))
@EACH
def test_backup_info_lists_labels_archives_and_segments_only(text: str):
    for label, changed, version in (
        (text, FIELDS, '16'),
        (f'20260822-102000F{text}', FIELDS, '16'),
        ('20260822-102000F', FIELDS, text),
        ('20260822-102000F', {**FIELDS, 'db-id': text}, '16'),
        ('20260822-102000F', {**FIELDS, 'backup-archive-start': text}, '16'),
        ('20260822-102000F', {**FIELDS, 'backup-archive-stop': text}, '16'),
    ):
        history = json.dumps({'db-version': version})
        info = f'[backup:current]\n{label}={json.dumps(changed)}\n[db:history]\n1={history}'
        store = in_bucket(**{'backup/maas.pg/backup.info': info})
        store.put('backup/maas.pg/backup.info.copy', info.encode())
        with pytest.raises(errors.UnexpectedAnswer, match=r'backup\.info|pgBackRest') as caught:
            pgbackrest.backups(store, 'maas.pg')
        assert str(caught.value).isprintable()


def test_wal_of_more_segments_than_there_can_be_is_not_looked_for():
    with pytest.raises(errors.UnexpectedAnswer, match='lists a backup with WAL from'):
        list(pgbackrest_archive.wal_range('00000001' + '0' * 16, '00000001' + 'F' * 16))


@hypothesis.given(BAD.filter(lambda text: '/' not in text and len(text.encode()) < 900))
@EACH
def test_a_folder_that_is_no_id_is_no_backup_of_maas(text: str):
    asked = '\n'.join(
        f'{name}: {text}'
        for name in ('Date Backup Requested', 'Model Name', 'Application Name', 'Unit Name')
    )
    for said in (asked, asked.replace(text, worlds.BEGAN, 1)):
        store = in_bucket(**{maas_backup.LATEST: said})
        request = maas_backup.last_request(store)
        assert request is None or not request.may_have_made(text)
