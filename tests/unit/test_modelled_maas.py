"""MAAS' API in memory: what it says of images, and to whom."""

from __future__ import annotations

import pytest

from coordinator import errors
from coordinator.ports import maas_port
from rehearsal.maas import direct
from tests import simulation

URL = 'http://10.0.0.1:5240/MAAS'
IMAGE = 'custom/alma-9/amd64'


@pytest.fixture
def sim() -> simulation.Simulation:
    return simulation.Simulation(regions=2, postgresql_units=1, maas_key=simulation.MAAS_KEY)


def asking(sim: simulation.Simulation, key: str = simulation.MAAS_KEY) -> maas_port.Maas:
    return direct.DirectMaas(sim.site, key, URL)


def file_of(sim: simulation.Simulation, path: str = IMAGE) -> maas_port.BootFile:
    name = path.rpartition('/')[0]
    (found,) = (each for each in asking(sim).boot_resources() if each.name == name)
    return found.sets[0].files[0]


def test_what_a_new_site_has_is_complete(sim: simulation.Simulation):
    found = list(asking(sim).boot_resources())
    assert [(each.name, each.architecture, each.uploaded) for each in found] == [
        ('bootloaders/uefi', 'amd64/generic', False),
        ('ubuntu/noble', 'amd64/generic', False),
        ('custom/rocky-9', 'amd64/generic', True),
    ]
    assert all(each.sets[0].complete for each in found)


def test_an_upload_is_complete_when_every_region_has_all_of_it(sim: simulation.Simulation):
    sim.api.upload_image(IMAGE)
    assert (file_of(sim).complete, file_of(sim).progress) == (False, 50.0)
    first, second = sim.site.maas.states
    assert IMAGE in sim.site.maas.states[first]['images']
    assert IMAGE not in sim.site.maas.states[second]['images']
    sim.api.synchronise(IMAGE, second, 0.5)
    assert (file_of(sim).complete, file_of(sim).progress) == (False, 75.0)
    sim.api.synchronise_all()
    assert (file_of(sim).complete, file_of(sim).progress) == (True, 100.0)
    assert IMAGE in sim.site.maas.states[second]['images']


def test_an_upload_in_progress_has_no_file_anywhere(sim: simulation.Simulation):
    sim.api.upload_image(IMAGE, {'maas-region/0': 0.25})
    assert file_of(sim).progress == 12.5
    assert all(IMAGE not in state['images'] for state in sim.site.maas.states.values())


def test_an_image_that_a_dead_controller_lacks_never_becomes_complete(sim: simulation.Simulation):
    sim.maas.gone = ('dead01',)
    sim.api.upload_image(IMAGE)
    sim.api.synchronise_all()
    assert not file_of(sim).complete
    assert file_of(sim, 'custom/rocky-9/amd64').complete, 'it had that one'


def test_an_image_that_is_uploaded_again_is_another_one(sim: simulation.Simulation):
    before = {each.id: each for each in asking(sim).boot_resources()}
    sha256 = file_of(sim, 'custom/rocky-9/amd64').sha256
    sim.api.upload_image('custom/rocky-9/amd64')
    assert file_of(sim, 'custom/rocky-9/amd64').sha256 != sha256
    assert {each.id for each in asking(sim).boot_resources()} != before.keys()


def test_a_deleted_image_is_gone(sim: simulation.Simulation):
    sim.api.delete_image('custom/rocky-9/amd64')
    assert [each.name for each in asking(sim).boot_resources() if each.uploaded] == []


def test_only_an_admin_sees_controllers_and_the_machines_of_others(sim: simulation.Simulation):
    sim.api.add_key('c:t:s', 'auditor', admin=False)
    sim.api.change_machine('able-ant', owner='auditor')
    sim.api.change_machine('brave-bee', owner='admin', status='Deployed')
    theirs = asking(sim, 'c:t:s')
    assert theirs.whoami() == maas_port.User('auditor', False)
    assert [each.hostname for each in theirs.machines()] == ['able-ant', 'calm-cat']
    assert list(theirs.controllers()) == []
    assert len(list(asking(sim).machines())) == 3
    assert len(list(asking(sim).controllers())) == 2
    assert len(list(theirs.boot_resources())) == 3


def test_a_revoked_key_is_refused_and_the_version_is_told_all_the_same(sim: simulation.Simulation):
    sim.api.revoke_keys()
    with pytest.raises(errors.MaasKeyRefused):
        asking(sim).whoami()
    with pytest.raises(errors.MaasKeyRefused):
        next(asking(sim).machines())
    assert asking(sim).version() == '3.6.1'


def test_maas_does_not_answer_while_no_region_has_a_database(sim: simulation.Simulation):
    sim.model.remove_relation('maas-region:maas-db', 'postgresql:database')
    sim.clock.advance(60)
    with pytest.raises(errors.MaasUnavailable):
        asking(sim).version()


def test_settings_that_maas_lacks_are_absent(sim: simulation.Simulation):
    assert asking(sim).settings(['maas_name', 'no_such']) == {'maas_name': '"rehearsal"'}


def test_the_database_holds_no_key_that_could_be_found_there(sim: simulation.Simulation):
    assert simulation.MAAS_KEY not in str(sim.site.database)
