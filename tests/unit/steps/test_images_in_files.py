"""verify-backup deep=true: the images that MAAS had, looked for in the files backup."""

from __future__ import annotations

import dataclasses

import pytest

from coordinator.engine import operation
from coordinator.integrity import archives, check
from coordinator.parts import maas_backup
from coordinator.sets import catalogue
from rehearsal.standins import installation
from tests import simulation

ROCKY = 'custom/rocky-9/amd64'


def backed_up(maas_key: str = simulation.MAAS_KEY) -> simulation.Simulation:
    sim = simulation.Simulation(regions=1, postgresql_units=1, maas_key=maas_key)
    assert sim.run().status == operation.COMPLETE
    sim.clock.advance(60)
    return sim


def verify(sim: simulation.Simulation) -> operation.Operation:
    backup_id = catalogue.ids(sim.world.maas_store)[-1]
    sim.begin('verify-backup', backup_id=backup_id, deep='true')
    return sim.run()


def lose_an_image(sim: simulation.Simulation, name: str) -> None:
    """Pack the files of a set again without one image, as if it had been so from the start."""
    store = sim.world.maas_store
    (backup_id,) = catalogue.ids(store)
    found = catalogue.opened(store, backup_id)
    names = [image for image in installation.IMAGES if image != name]
    objects = []
    for item in found.maas.objects:
        if item.key.endswith(maas_backup.IMAGES):
            stored = store.put(item.key, installation.named(tuple(names)))
            item = item.model_copy(
                update={
                    'size': stored.size,
                    'etag': stored.etag,
                    'checksum': store.head(item.key).checksum,
                }
            )
        objects.append(item)
    maas = found.maas.model_copy(update={'objects': tuple(objects)})
    catalogue.commit(store, found.model_copy(update={'maas': maas}))


def test_files_that_hold_every_image_are_right():
    op = verify(backed_up())
    assert (op.status, op.warnings) == (operation.COMPLETE, ())


def test_an_uploaded_image_that_the_files_lack_is_named():
    sim = backed_up()
    lose_an_image(sim, ROCKY)
    op = verify(sim)
    assert op.status == operation.FAILED
    assert 'lacks files of image custom/rocky-9 amd64/generic' in op.error


def test_a_downloaded_image_that_the_files_lack_does_no_harm():
    sim = backed_up()
    lose_an_image(sim, 'ubuntu/noble/amd64')
    assert verify(sim).status == operation.COMPLETE


def test_of_a_set_made_without_a_key_it_says_that_this_cannot_be_checked():
    sim = backed_up(maas_key='')
    op = verify(sim)
    assert op.status == operation.COMPLETE
    (warning,) = op.warnings
    assert '1 of 1 backup set(s) do not say which images MAAS had' in warning


def test_a_list_of_images_that_was_changed_is_noticed():
    sim = backed_up()
    (backup_id,) = catalogue.ids(sim.world.maas_store)
    key, _ = catalogue.images_keys(backup_id)
    sim.world.maas_store.put(key, b'{"version": 1, "images": []}')
    assert verify(sim).status != operation.COMPLETE


WANTED = archives.Wanted('a1b2c3d', 1024, 'custom/a amd64')


def fed(content: bytes, *wanted: archives.Wanted) -> str:
    packed = archives.TarGz(wanted)
    packed.feed(content)
    return packed.finish()


@pytest.mark.parametrize('name', ['a1b2c3d', 'image-storage/a1b2c3d', './a1b2c3d'])
def test_a_file_is_found_in_whichever_folder(name: str):
    assert '1 file' in fed(installation.named((name,)), WANTED)


@pytest.mark.parametrize(
    'wanted',
    [
        dataclasses.replace(WANTED, name='a1b2c3e'),
        dataclasses.replace(WANTED, size=1025),
    ],
)
def test_another_name_or_size_is_another_file(wanted: archives.Wanted):
    with pytest.raises(check.Damaged, match='lacks files of image custom/a amd64'):
        fed(installation.named(('a1b2c3d',)), wanted)
