"""The inventory that a backup takes, and its comparison with the site."""

from __future__ import annotations

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.operations import steering
from coordinator.sets import catalogue, inventory, manifest
from coordinator.steps.maas import finding_maas, inventories
from tests import examples, simulation


def simulate(**deployed: object) -> simulation.Simulation:
    given = {'regions': 2, 'postgresql_units': 1, 'maas_key': simulation.MAAS_KEY, **deployed}
    return simulation.Simulation(**given)  # type: ignore[arg-type]


@pytest.fixture
def sim() -> simulation.Simulation:
    sim = simulate()
    assert sim.run().status == operation.COMPLETE
    return sim


def taken(sim: simulation.Simulation) -> manifest.Inventory:
    found = made(sim).inventory
    assert found is not None
    return found


def made(sim: simulation.Simulation) -> manifest.Manifest:
    return catalogue.opened(sim.world.maas_store, sim.op.backup_id)


def compared(sim: simulation.Simulation, identity: str = '') -> list[str]:
    maas = finding_maas.reach(sim.world, 'maas-region')
    assert maas is not None
    known = inventories.stored(made(sim), sim.world.maas_store)
    names = inventories.names(known, sim.op.backup_id, identity)
    return [str(each) for each in inventories.differing(known, maas, names)]


def test_a_set_has_an_inventory_and_the_manifest_counts_what_is_in_it(sim: simulation.Simulation):
    found = taken(sim)
    assert found.stored is not None
    assert (found.counts['controller'], found.why) == (2, '')
    assert compared(sim) == []


def test_without_a_key_the_set_says_why_it_has_none():
    sim = simulate(maas_key='')
    sim.run()
    found = taken(sim)
    assert found.stored is None
    assert 'maas-api-key' in found.why
    with pytest.raises(errors.StepError, match='has no inventory of MAAS: no API key'):
        inventories.stored(made(sim), sim.world.maas_store)


def test_a_key_that_does_not_see_everything_takes_none_and_stops_nothing():
    sim = simulate()
    sim.api.revoke_keys()
    sim.api.add_key(simulation.MAAS_KEY, 'bob', admin=False)
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert 'key of an admin' in taken(sim).why


def test_what_changed_on_the_site_since_is_named(sim: simulation.Simulation):
    first, *_ = sim.site.database['machines']
    sim.api.remove_machine(first)
    sim.site.add_machine('new-node')
    told = compared(sim)
    assert any('new-node.maas' in each and each.endswith('is not in the set') for each in told)
    assert any(each.endswith('is missing') for each in told)
    assert not any(first in each for each in told)
    assert any(first in each for each in compared(sim, str(examples.IDENTITY)))


def test_an_inventory_that_was_exchanged_is_not_compared(sim: simulation.Simulation):
    writer = inventory.Writer(sim.op.backup_id, '2026-08-22T10:20:00Z')
    content = writer.content([examples.RECIPIENT])
    sim.world.maas_store.put(catalogue.inventory_key(sim.op.backup_id), content)
    with pytest.raises(errors.StepError, match='was changed or swapped'):
        compared(sim)


def test_names_of_machines_are_in_no_record_and_in_no_open_object(sim: simulation.Simulation):
    text = '\n'.join([*sim.saved, *(_open(sim))])
    for name in sim.site.database['machines']:
        assert name not in text


def _open(sim: simulation.Simulation) -> list[str]:
    bucket = sim.s3.buckets['maas-backups']
    return [
        item.content.decode('latin-1')
        for key, item in bucket.objects.items()
        if 'coordinator/' in key
    ]


def test_an_aborted_backup_leaves_no_inventory():
    sim = simulate()
    sim.at_step('back-up-maas')
    assert list(sim.world.maas_store.list(catalogue.inventory_key(sim.op.backup_id)))
    sim.op = steering.aborted(sim.op, sim.clock.now(), force=False, world=sim.world)
    assert sim.run().status == operation.ABORTED
    assert not list(sim.world.maas_store.list('coordinator/backup-sets/'))


def test_an_adopted_or_older_set_says_that_maas_was_not_asked(sim: simulation.Simulation):
    found = made(sim).model_copy(update={'inventory': None})
    with pytest.raises(errors.StepError, match='MAAS was not asked when it was made'):
        inventories.stored(found, sim.world.maas_store)


# --- Before a restore ------------------------------------------------------------------------


def previewed(sim: simulation.Simulation) -> str:
    return inventories.preview(made(sim), sim.world, 'maas-region')


def test_a_preview_says_what_a_restore_removes_and_brings_back(sim: simulation.Simulation):
    assert previewed(sim).endswith('0 differences')
    for number in range(3):
        sim.site.add_machine(f'new-{number}')
    sim.site.add_image('custom/new')
    sim.api.remove_machine(sim.site.database['machines'][0])
    told = previewed(sim)
    assert told.startswith(
        'this restore removes 3 machines and 1 image added after the backup, restores 1 '
        'machine deleted since: '
    )
    assert 'machine new-0.maas' in told


def test_a_preview_ignores_image_files_that_regions_lack(sim: simulation.Simulation):
    sim.api.remove_image_file('custom/rocky-9/amd64')
    assert previewed(sim).endswith('0 differences')


def test_a_preview_without_an_answer_says_why(sim: simulation.Simulation):
    sim.api.revoke_keys()
    assert previewed(sim).startswith('not compared: ')
    sim.world.maas_key = ''
    assert 'no API key of MAAS' in previewed(sim)
