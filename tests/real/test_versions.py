"""What verification says of a repository, any version's, is what a real restore of it shows."""

from __future__ import annotations

import hashlib
import os
import pathlib
import re
from collections.abc import Callable, Iterator, Mapping

import pytest

from coordinator.parts import pgbackrest_files, pgbackrest_info
from rehearsal.real import programs
from rehearsal.standins import pgbackrest as standin
from tests import packers
from tests.real import repositories

pytestmark = pytest.mark.xdist_group('real-versions')

BUILT = 'PGBACKREST_BUILT'
"""Environment variable: folders that hold a pgBackRest besides the one on PATH."""
_PLAIN = {'compress-type': 'gz'}
"""A file in each object, none in bundles."""


def _versions() -> list[tuple[str, Mapping[str, str] | None]]:
    """Return a folder, '' for PATH, and options, those of the charm if none."""
    built = [folder for folder in os.environ.get(BUILT, '').split(os.pathsep) if folder]
    return [('', None), ('', _PLAIN), *((folder, None) for folder in built or ['?'])]


def _name(version: tuple[str, Mapping[str, str] | None]) -> str:
    folder, options = version
    return f'{"built" if folder else "installed"}-{"plain" if options else "bundles"}'


@pytest.fixture(scope='module', params=_versions(), ids=_name)
def repository(
    request: pytest.FixtureRequest, packages: programs.Programs, roots: pathlib.Path
) -> Iterator[repositories.Repository]:
    """A repository by one version of pgBackRest."""
    folder, options = request.param
    found = packages
    if folder == '?':
        pytest.skip(
            f'no other pgBackRest is here: {BUILT} names folders with one built from its source'
        )
    if folder:
        found = programs.find(path=folder)
    options = options or repositories.as_the_charm(found)
    with repositories.Repository(roots / 'versions', found, options) as made:
        yield made


Contents = Mapping[str, bytes | None]


class Look:
    """A backup in a repository, and what damage can be done to it."""

    def __init__(self, repository: repositories.Repository):
        self.store = repository.store
        self.backup = repository.backup
        self.archive = f'archive/{repositories.STANZA}'
        self.folder = f'backup/{repositories.STANZA}/{self.backup.label}'
        self.manifest = f'{self.folder}/backup.manifest'

    def content(self, key: str) -> bytes:
        return self.store.get(key, 1 << 28)

    def files(self) -> list[pgbackrest_files.File]:
        """Return the files that are stored, the largest first."""
        listed = pgbackrest_info.sound(self.content(self.manifest), self.manifest)
        found = pgbackrest_files.files(listed, self.manifest)
        return sorted(found, key=lambda file: -file.stored)

    def segments(self) -> list[str]:
        """Return the keys of all segments, in order."""
        form = re.compile(rf'{self.archive}/[^/]+/[0-9A-F]{{16}}/[0-9A-F]{{24}}-.*')
        return [item.key for item in self.store.list(self.archive) if form.fullmatch(item.key)]

    def segment(self) -> str:
        """Return the key of the last segment that the backup needs."""
        (found,) = [key for key in self.segments() if f'/{self.backup.wal_stop}-' in key]
        return found


def of_both(key: str, content: bytes | None) -> Contents:
    return {key: content, f'{key}.copy': content}


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def nothing(look: Look) -> Contents:
    return {}


def manifest_changed(look: Look) -> Contents:
    return {look.manifest: look.content(look.manifest).replace(b'"size":', b'"size":1', 1)}


def manifest_gone(look: Look) -> Contents:
    return {look.manifest: None}


def manifest_cut_off(look: Look) -> Contents:
    return {look.manifest: look.content(look.manifest)[:-100]}


def copy_of_manifest_changed(look: Look) -> Contents:
    return {f'{look.manifest}.copy': b'[backrest]\n'}


def both_manifests_changed(look: Look) -> Contents:
    return of_both(look.manifest, look.content(look.manifest).replace(b'"size":', b'"size":1', 1))


def list_changed(look: Look) -> Contents:
    return {f'backup/{repositories.STANZA}/backup.info': b'[backrest]\n'}


def both_lists_gone(look: Look) -> Contents:
    return of_both(f'backup/{repositories.STANZA}/backup.info', None)


def archive_info_changed(look: Look) -> Contents:
    return {f'{look.archive}/archive.info': b'[backrest]\n'}


def archive_info_gone(look: Look) -> Contents:
    return {f'{look.archive}/archive.info': None}


def copy_of_archive_info_gone(look: Look) -> Contents:
    return {f'{look.archive}/archive.info.copy': None}


def both_archive_infos_gone(look: Look) -> Contents:
    return of_both(f'{look.archive}/archive.info', None)


def both_archive_infos_changed(look: Look) -> Contents:
    return of_both(f'{look.archive}/archive.info', b'[backrest]\n')


def archive_info_of_another_cluster(look: Look) -> Contents:
    key = f'{look.archive}/archive.info'
    sections = standin.parse(look.content(key).decode())
    for database in (sections['db'], *sections['db:history'].values()):
        name = 'db-system-id' if 'db-system-id' in database else 'db-id'
        if isinstance(database, dict):
            database[name] = 7
    return of_both(key, standin.render(sections).encode())


def segment_gone(look: Look) -> Contents:
    return {look.segment(): None}


def segment_empty(look: Look) -> Contents:
    return {look.segment(): b''}


def segment_cut_off(look: Look) -> Contents:
    content = look.content(look.segment())
    return {look.segment(): content[: len(content) // 2]}


def segment_twice(look: Look) -> Contents:
    own = look.segment()
    name, _, rest = own.rpartition('-')
    return {f'{name}-{"cafe" * 10}{rest[40:]}': look.content(own)}


def another_segment_in_its_place(look: Look) -> Contents:
    own = look.segment()
    other = next(key for key in look.segments() if key != own)
    sha1 = other.rpartition('-')[2]
    return {own: None, f'{own.rpartition("-")[0]}-{sha1}': look.content(other)}


def the_segment_of_another_timeline(look: Look) -> Contents:
    """Exchange the timeline in the header; the content fits the name's SHA-1."""
    own = look.segment()
    kind = own.rpartition('.')[2]
    content = bytearray(packers.UNPACKERS[kind](look.content(own)))
    content[4] ^= 1
    sha1 = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    key = f'{own.rpartition("-")[0]}-{sha1}.{kind}'
    return {own: None, key: packers.PACKERS[kind](bytes(content))}


def history_gone(look: Look) -> Contents:
    """Delete what tells how the backup's timeline began."""
    key = f'{look.archive}/{look.backup.archive}/{look.backup.wal_stop[:8]}.history'
    assert look.content(key)
    return {key: None}


def later_wal_gone(look: Look) -> Contents:
    later = [key for key in look.segments() if key > look.segment()]
    assert later
    return dict.fromkeys(later)


def file_flipped(look: Look, *, in_blocks: bool = False) -> Contents:
    file = next(
        (one for one in look.files() if (one.compression == pgbackrest_files.BLOCKS) is in_blocks),
        None,
    )
    if file is None:
        pytest.skip('this version stores no file in blocks')
    key = f'{look.folder}/{file.key}'
    return {key: flipped(look.content(key), file.offset + file.stored // 2)}


def blocks_flipped(look: Look) -> Contents:
    return file_flipped(look, in_blocks=True)


def file_cut_off(look: Look) -> Contents:
    file = max(look.files(), key=lambda one: one.offset + one.stored)
    key = f'{look.folder}/{file.key}'
    # pgBackRest does without the last byte of some streams.
    return {key: look.content(key)[: -(file.stored // 2)]}


def file_gone(look: Look) -> Contents:
    return {f'{look.folder}/{look.files()[0].key}': None}


Damage = Callable[[Look], Contents]
HARMLESS: list[Damage] = [
    nothing,
    manifest_changed,
    manifest_gone,
    manifest_cut_off,
    copy_of_manifest_changed,
    list_changed,
    archive_info_changed,
    archive_info_gone,
    copy_of_archive_info_gone,
    history_gone,
    later_wal_gone,
]
FOUND_BY_A_LOOK: list[Damage] = [
    both_manifests_changed,
    both_lists_gone,
    both_archive_infos_gone,
    both_archive_infos_changed,
    archive_info_of_another_cluster,
    segment_gone,
    segment_empty,
    segment_twice,
    file_cut_off,
    file_gone,
]
FOUND_BY_READING: list[Damage] = [
    segment_cut_off,
    another_segment_in_its_place,
    the_segment_of_another_timeline,
    file_flipped,
    blocks_flipped,
]


def test_a_repository_has_what_its_version_makes(repository: repositories.Repository):
    look = Look(repository)
    bundled = {file.bundled for file in look.files()}
    blocks = {file.compression == pgbackrest_files.BLOCKS for file in look.files()}
    names = {os.fsencode(file.name.rpartition('/')[2]) for file in look.files()}
    plain = not any('/bundle/' in item.key for item in look.store.list(look.folder))

    assert bundled == ({False} if plain else {True, False} & bundled | {True})
    assert (True in blocks) == (repository.programs.makes_blocks and not plain)
    assert names.issuperset(repository.odd_names)
    assert look.backup.wal_stop.startswith('00000002')


@pytest.mark.parametrize('damage', HARMLESS)
def test_what_pgbackrest_can_do_without_damages_no_set(
    repository: repositories.Repository, damage: Damage
):
    look = Look(repository)
    changes = damage(look)

    with repository.changed(changes):
        verdict = repository.verdict(look.backup)
        restored = repository.is_restored(look.backup)

    assert (verdict.wrong, verdict.damaged, restored) == ('', '', True)
    twins = [key for key in changes if re.search(r'(info|manifest)(\.copy)?$', key)]
    assert len(verdict.weaknesses) == len(twins)
    assert all(key in verdict.weaknesses[0] for key in twins)


def judged(
    repository: repositories.Repository, damage: Damage
) -> tuple[repositories.Verdict, bool]:
    """Return what verification says of damage, and whether a real restore succeeds with it."""
    look = Look(repository)
    with repository.changed(damage(look)):
        return repository.verdict(look.backup), repository.is_restored(look.backup)


@pytest.mark.parametrize('damage', FOUND_BY_A_LOOK)
def test_what_cannot_be_restored_is_found_by_a_look(
    repository: repositories.Repository, damage: Damage
):
    verdict, restored = judged(repository, damage)

    assert not restored
    assert verdict.wrong


@pytest.mark.parametrize('damage', FOUND_BY_READING)
def test_what_cannot_be_restored_is_found_by_reading_everything(
    repository: repositories.Repository, damage: Damage
):
    verdict, restored = judged(repository, damage)

    assert not restored
    assert (verdict.wrong, bool(verdict.damaged)) == ('', True)
