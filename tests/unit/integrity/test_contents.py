"""All of a backup set is read, and any damage to any of it is found."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from coordinator import errors, ports
from coordinator.integrity import contents, inspection, pace
from coordinator.sets import catalogue, manifest
from rehearsal import memory_store
from tests import restores


@dataclasses.dataclass
class Set:
    """A backup set that backup-all made, and where it lies."""

    manifest: manifest.Manifest
    maas: ports.ObjectStore
    postgresql: ports.ObjectStore
    s3: memory_store.MemoryS3

    def verdicts(self) -> dict[str, tuple[str, ...]]:
        """Read everything; return what was found, by key."""
        objects = contents.objects(self.manifest, self.maas, self.maas, self.postgresql)
        found = inspection.inspect(objects, range(len(objects)), lambda: True, pace.Pace(0))
        return {verdict.key: verdict.findings for _, verdict in found}

    def change(self, end: str, how: Callable[[bytes], bytes]) -> str:
        """Change the object whose key ends so; return the key."""
        for bucket in self.s3.buckets.values():
            for full, kept in bucket.objects.items():
                if full.endswith(end) and 'coordinator/operations' not in full:
                    changed = dataclasses.replace(kept, content=how(kept.content))
                    bucket.objects[full] = changed
                    return full.partition('/')[2]
        raise LookupError(end)


@pytest.fixture
def backup_set() -> Set:
    sim = restores.backed_up()
    world = sim.world
    found = catalogue.opened(world.maas_store, catalogue.ids(world.maas_store)[-1])
    return Set(found, world.maas_store, world.postgresql_store, sim.s3)


def flipped(content: bytes) -> bytes:
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_a_set_that_backup_all_made_passes(backup_set: Set):
    verdicts = backup_set.verdicts()
    assert {key: found for key, found in verdicts.items() if found} == {}
    assert len(verdicts) == 4 + 1 + backup_set.manifest.postgresql.objects + 1
    assert {item.key for item in backup_set.manifest.maas.objects} < set(verdicts)
    assert backup_set.manifest.passwords.sealed.key in verdicts


@pytest.mark.parametrize(
    'end',
    [
        'image-storage.tar.gz',
        'preseeds.tar.gz',
        'controllers.txt',
        'backup_metadata.json',
        'secrets.age',
        'pg_data/base/1/1247.gz',
        'pg_data/global/pg_control.gz',
    ],
)
def test_one_bit_that_was_changed_is_found_wherever_it_is(backup_set: Set, end: str):
    key = backup_set.change(end, flipped)
    found = {key: findings for key, findings in backup_set.verdicts().items() if findings}
    assert list(found) == [key]
    assert all(finding.startswith(f'{key} ') for finding in found[key])


@pytest.mark.parametrize('end', ['backup.manifest', 'backup.manifest.copy'])
def test_a_set_is_sound_as_long_as_one_of_its_manifests_is(backup_set: Set, end: str):
    backup_set.change(end, flipped)
    verdicts = backup_set.verdicts()
    assert {key: found for key, found in verdicts.items() if found} == {}
    assert len([key for key in verdicts if 'backup.manifest' in key]) == 1

    backup_set.change('backup.manifest' if 'copy' in end else 'backup.manifest.copy', flipped)
    with pytest.raises(errors.UnexpectedAnswer, match='was changed after it was written'):
        backup_set.verdicts()


def test_without_a_known_etag_content_that_makes_no_sense_is_found_all_the_same(backup_set: Set):
    backup_set.maas.delete(backup_set.manifest.passwords.sealed.key)
    key = backup_set.change('controllers.txt', lambda _: b'no controllers!!')
    size = len(b'no controllers!!')
    recorded = next(item.size for item in backup_set.manifest.maas.objects if item.key == key)
    assert backup_set.verdicts()[key] == (
        f'{key} cannot be used: it contains more than ids of controllers',
        f'{key} has {size} bytes instead of {recorded}',
    )


def test_the_largest_objects_are_begun_first(backup_set: Set):
    listed = contents.objects(
        backup_set.manifest, backup_set.maas, backup_set.maas, backup_set.postgresql
    )
    sizes = [item.size for item in listed]
    assert sizes == sorted(sizes, reverse=True)
    again = contents.objects(
        backup_set.manifest, backup_set.maas, backup_set.maas, backup_set.postgresql
    )
    assert [item.key for item in again] == [item.key for item in listed]
