"""Documents out of the bucket: whatever they hold, they are read or refused in a sentence."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import pyrage
import pytest
from hypothesis import strategies as st

from coordinator import errors
from coordinator.parts import maas_backup, pgbackrest, pgbackrest_info
from coordinator.record import history
from coordinator.report import listing
from coordinator.sets import catalogue, manifest, sealing
from rehearsal import memory_store
from tests import examples, worlds

BACKUP_ID = examples.BACKUP_ID
LABEL, STANZA = '20260822-102000F', 'maas.postgresql'
FOLDER = f'backup/{STANZA}/{LABEL}'
DEEP = 100_000
BOMBS = {
    'lists': '[' * DEEP + ']' * DEEP,
    'open-lists': '[' * DEEP,
    'objects': '{"x":' * DEEP + '1' + '}' * DEEP,
    'number': '9' * 100_000,
    'packed': gzip.compress(bytes(1 << 20)).decode('latin-1'),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: (
        st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3)
    ),
    max_leaves=6,
)
EACH = hypothesis.settings(max_examples=150, deadline=None)

each_bomb = pytest.mark.parametrize('bomb', BOMBS.values(), ids=BOMBS)


@pytest.fixture
def store() -> memory_store.MemoryStore:
    return memory_store.MemoryStore(memory_store.MemoryBucket())


def checked(content: dict[str, Any]) -> bytes:
    """Write a manifest with the checksum that fits it."""
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    return json.dumps({**content, 'checksum': hashlib.sha256(text.encode()).hexdigest()}).encode()


# --- Bombs ---------------------------------------------------------------------------------------


@each_bomb
def test_a_bomb_in_place_of_a_manifest_is_damaged(bomb: str):
    for content in (bomb, f'{{"version": 1, "x": {bomb}}}'):
        with pytest.raises(errors.UnexpectedAnswer, match='x is damaged'):
            manifest.parse(content.encode(), 'x')


@each_bomb
def test_a_bomb_in_what_pgbackrest_lists_is_damaged(store: memory_store.MemoryStore, bomb: str):
    for name in ('backup.info', 'backup.info.copy'):
        content = f'[backup:current]\n{LABEL}={bomb}\n'
        store.put(f'backup/{STANZA}/{name}', content.encode())
    with pytest.raises(errors.UnexpectedAnswer, match='damaged'):
        pgbackrest.backups(store, STANZA)


@each_bomb
def test_a_bomb_in_the_metadata_of_maas_cannot_be_read(store: memory_store.MemoryStore, bomb: str):
    for name in maas_backup.OBJECTS:
        store.put(f'backup/{BACKUP_ID}/{name}', bomb.encode())
    with pytest.raises(errors.StepError, match=r'backup_metadata\.json cannot be read'):
        maas_backup.read(store, BACKUP_ID)


@each_bomb
def test_a_bomb_in_the_history_cannot_be_read(store: memory_store.MemoryStore, bomb: str):
    for content in (bomb, f'{{"format": 1, "x": {bomb}}}'):
        store.put(history.key(BACKUP_ID, worlds.EmptyWorld.model_uuid), content.encode())
        with pytest.raises(errors.ForeignRecordError, match='cannot be read'):
            history.read(BACKUP_ID, store, worlds.EmptyWorld.model_uuid)


@each_bomb
def test_a_bomb_that_was_sealed_opens_nothing(bomb: str):
    # Recipients are public: anybody can seal anything for them.
    sealed = pyrage.encrypt(bomb.encode(), [examples.IDENTITY.to_public()])
    with pytest.raises(errors.StepError, match='does not decrypt the passwords'):
        sealing.unseal(sealed, str(examples.IDENTITY), BACKUP_ID)


def test_a_line_of_equal_signs_is_given_up():
    with pytest.raises(errors.UnexpectedAnswer, match='damaged'):
        pgbackrest_info.parse(b'[backup:current]\n' + b'=' * (4 << 20), 'backup.info')


# --- Anything at all -----------------------------------------------------------------------------


def places(value: object, *where: str | int) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to every value of a document."""
    if where:
        yield where
    items: Any = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for name, child in items:
        yield from places(child, *where, name)


DOCUMENT: dict[str, Any] = json.loads(examples.backup_set().to_json())
del DOCUMENT['checksum']


@hypothesis.given(st.sampled_from(list(places(DOCUMENT))), JSON)
@EACH
def test_list_backups_shows_whatever_manifest_there_is(where: tuple[str | int, ...], value: Any):
    content: Any = json.loads(json.dumps(DOCUMENT))
    part = content
    for name in where[:-1]:
        part = part[name]
    part[where[-1]] = value
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    store.put(catalogue.manifest_key(BACKUP_ID), checked(content))

    (entry,) = catalogue.entries(store)

    choice, of = listing.Choice([entry]), listing.Wanted
    table = listing.results(choice, of(), 'backups')['backups']
    assert table.count('\n') == (6 if entry.problem else 4)
    (listed,) = json.loads(listing.results(choice, of(form='json'), 'backups')['backups'])
    assert listed['backup-id'] == BACKUP_ID


def lines(sections: dict[str, Any]) -> st.SearchStrategy[str]:
    """Return files of pgBackRest's form, with these keys and anything behind them."""
    return st.fixed_dictionaries(
        {name: st.dictionaries(keys, JSON | values, max_size=3) for name, (keys, values) in
         sections.items()}
    ).map(
        lambda file: '\n'.join(
            f'[{section}]\n' + '\n'.join(f'{key}={json.dumps(value)}' for key, value in e.items())
            for section, e in file.items()
        )
    )  # fmt: skip


TEXT = st.text('abF0123456789-_=/.', max_size=12)
FIELDS = (
    *('db-id', 'backup-type', 'backup-error', 'backup-timestamp-start', 'backup-timestamp-stop'),
    *('backup-archive-start', 'backup-archive-stop', 'backup-lsn-start', 'backup-lsn-stop'),
    *('backup-info-repo-size', 'backup-info-size'),
)
ENTRY = st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, JSON))
INFO = lines({
    'backup:current': (st.just(LABEL) | TEXT, ENTRY),
    'db:history': (TEXT | st.just('1'), st.fixed_dictionaries({'db-version': JSON})),
})  # fmt: skip
FILE = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(('size', 'repo-size', 'bni', 'bno', 'reference'), JSON)
)
MANIFEST = lines({
    'backup': (st.sampled_from(['backup-label', 'backup-bundle']), st.just(LABEL)),
    'backup:option': (st.just('option-compress-type'), st.just('gz')),
    'target:file': (TEXT, FILE),
})  # fmt: skip


def assert_read_or_refused(read: Callable[[], object]) -> None:
    said = 'read'
    try:
        read()
    except errors.StepError as error:
        said = str(error)
    assert said
    assert said.isprintable()


@hypothesis.given(INFO | st.binary(max_size=60).map(lambda raw: raw.decode('latin-1')))
@EACH
def test_what_pgbackrest_lists_is_read_or_refused(content: str):
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    for name in ('backup.info', 'backup.info.copy'):
        store.put(f'backup/{STANZA}/{name}', content.encode('latin-1', 'replace'))
    assert_read_or_refused(lambda: pgbackrest.first_full_after(store, STANZA, after=''))


@hypothesis.given(MANIFEST)
@EACH
def test_a_manifest_of_pgbackrest_is_read_or_refused(content: str):
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    store.put(f'{FOLDER}/backup.manifest', f'[backup]\nbackup-label="{LABEL}"\n{content}'.encode())
    backup = pgbackrest.Backup(LABEL, 'full', False, 1, 2, '', '', '', '', 1, 1, '16-1')
    assert_read_or_refused(lambda: pgbackrest.contents(store, STANZA, backup))


@hypothesis.given(
    JSON | st.fixed_dictionaries({'success': JSON | st.just(True)}), st.binary(max_size=20)
)
@EACH
def test_what_maas_left_is_read_or_refused(metadata: Any, controllers: bytes):
    store = memory_store.MemoryStore(memory_store.MemoryBucket())
    for name in maas_backup.OBJECTS:
        store.put(f'backup/{BACKUP_ID}/{name}', b'x')
    store.put(f'backup/{BACKUP_ID}/{maas_backup.METADATA}', json.dumps(metadata).encode())
    store.put(f'backup/{BACKUP_ID}/controllers.txt', controllers or b'x')
    assert_read_or_refused(lambda: maas_backup.read(store, BACKUP_ID))


@hypothesis.given(
    JSON | st.fixed_dictionaries({'backup-id': JSON | st.just(BACKUP_ID), 'passwords': JSON})
)
@EACH
def test_what_was_sealed_is_opened_or_refused(content: Any):
    recipient = examples.IDENTITY.to_public()
    sealed = pyrage.encrypt(json.dumps(content).encode(), [recipient])
    assert_read_or_refused(lambda: sealing.unseal(sealed, str(examples.IDENTITY), BACKUP_ID))
