"""MAAS' API on a real database and real disks: what the rehearsal serves there."""

from __future__ import annotations

import pytest

from coordinator import errors
from coordinator.maas_api import client, login
from coordinator.sets import differences, inventory
from rehearsal import records
from tests import examples
from tests.real import real_site

pytestmark = pytest.mark.xdist_group('real-single')

KEY = 'consumer:token:secret'


def test_the_api_tells_what_the_database_and_the_disks_hold(single: real_site.RealSite):
    running = single.running
    running.call(running.site.add_machine, 'machine-of-the-api')
    running.call(running.site.api.add_key, KEY)
    where = login.endpoint({'api-key': KEY, 'endpoint': running.api.url})
    with client.MaasApi(where) as maas:
        assert maas.whoami().username == records.ADMIN
        assert 'machine-of-the-api' in {each.hostname for each in maas.machines()}
        (region,) = running.site.maas.states.values()
        assert [each.system_id for each in maas.controllers()] == [region['system-id']]
        before = {each.name: each for each in maas.boot_resources()}
        assert all(each.sets[0].complete for each in before.values())
        assert before['custom/rocky-9'].uploaded

        running.call(running.site.api.remove_machine, 'machine-of-the-api')
        assert 'machine-of-the-api' not in {each.hostname for each in maas.machines()}

        home = single.machines.regions.region(running.model.uuid, running.site.maas.leader).home
        stored = home / 'images' / before['custom/rocky-9'].sets[0].files[0].stored_as
        content = stored.read_bytes()
        stored.write_bytes(content[:512])
        assert progress(maas, 'custom/rocky-9') == 50.0
        running.call(running.site.api.synchronise_all)
        assert progress(maas, 'custom/rocky-9') == 100.0
        assert stored.read_bytes() == content

        running.call(running.site.api.revoke_keys)
        with pytest.raises(errors.MaasKeyRefused):
            maas.whoami()


def progress(maas: client.MaasApi, name: str) -> float:
    (found,) = (each for each in maas.boot_resources() if each.name == name)
    return found.sets[0].progress


def test_a_row_and_a_file_that_are_lost_after_an_inventory_are_named(single: real_site.RealSite):
    running = single.running
    running.call(running.site.add_machine, 'machine-to-lose')
    running.call(running.site.api.add_key, KEY)
    where = login.endpoint({'api-key': KEY, 'endpoint': running.api.url})
    with client.MaasApi(where) as maas:
        writer = inventory.Writer(examples.BACKUP_ID, examples.BACKUP_ID)
        for item in inventory.items(maas):
            writer.add(item)
        known = inventory.parse(writer.content([examples.RECIPIENT]), 'the inventory')
        assert differences.between(known, inventory.items(maas), {}) == []

        running.call(running.site.api.remove_machine, 'machine-to-lose')
        running.call(running.site.api.remove_image_file, 'custom/rocky-9/amd64')
        names = inventory.names(known, str(examples.IDENTITY), examples.BACKUP_ID)
        told = [str(each) for each in differences.between(known, inventory.items(maas), names)]

        running.call(running.site.api.synchronise_all)
        running.call(running.site.api.revoke_keys)
    assert len(told) == 2
    assert told[0].startswith('machine machine-to-lose.maas (')
    assert told[0].endswith(') is missing')
    assert told[1] == (
        'image custom/rocky-9 amd64/generic has files that not every region controller has'
    )
