"""What a coordinator that is gone has left unfinished is held for a person, and not believed."""

from __future__ import annotations

import dataclasses
import json

import pytest

from coordinator import errors
from coordinator.engine import facts, operation, settings
from coordinator.operations import leaving, taking_over
from coordinator.record import history
from coordinator.sets import catalogue, manifest
from coordinator.steps.backup_set import chosen_set, vouching
from tests import charm_states, examples, restores, simulation, worlds

CONFIG = charm_states.SETTINGS


def unfinished(**facts: str) -> operation.Operation:
    op = charm_states.new_operation().beginning(0, {}, worlds.START)
    return op.remembering({key.replace('_', '-'): text for key, text in facts.items()})


def refused(op: operation.Operation, config: settings.Settings = CONFIG) -> str:
    with pytest.raises(errors.ForeignRecordError) as caught:
        taking_over.taken_over(op, config)
    assert 'is not taken over' in str(caught.value) or 'was changed' in str(caught.value)
    return str(caught.value)


def test_an_operation_without_an_end_is_held_for_a_person():
    op = taking_over.taken_over(unfinished(), CONFIG)
    assert op.status == operation.HELD
    assert op.current.reason.startswith(taking_over.REASON)


def test_why_it_was_held_already_stays():
    op = taking_over.taken_over(unfinished().held('S3 refuses'), CONFIG)
    assert (op.status, op.current.reason) == (operation.HELD, 'S3 refuses')


def test_passwords_are_sealed_for_nobody_but_the_recipients_that_are_configured():
    forged = dataclasses.replace(CONFIG, recipients=('age1thief',), strategy='replica')
    op = taking_over.taken_over(dataclasses.replace(unfinished(), settings=forged), CONFIG)
    assert op.settings.recipients == (examples.RECIPIENT,)
    assert op.settings.strategy == 'replica', 'how it was begun'


@pytest.mark.parametrize('name', ['maas', 'postgresql', 's3_maas', 's3_postgresql'])
def test_nothing_is_done_to_another_application(name: str):
    other = dataclasses.replace(CONFIG, **{name: 'vault'})
    assert 'vault' in refused(dataclasses.replace(unfinished(), settings=other))


@pytest.mark.parametrize(
    ('fact', 'text'),
    [
        (facts.ENDPOINTS.name, 'maas-region:maas-db vault:database'),
        (facts.AIMED_BEFORE.name, json.dumps({'vault': {'path': 'x'}})),
        (facts.UNITS.name, json.dumps({'vault/0': '7'})),
        (facts.UNITS.name, '[]]'),
        (facts.STORAGE.name, json.dumps(['pgdata/0'])),
        (facts.AIMED_BEFORE.name, '7'),
    ],
)
def test_facts_that_name_another_application_or_nothing_are_refused(fact: str, text: str):
    refused(unfinished().remembering({fact: text}))


def test_no_storage_is_deleted_on_the_word_of_a_bucket():
    op = unfinished().remembering(
        {
            **facts.UNITS.put({'postgresql/0': '0'}),
            **facts.STORAGE.put({'postgresql/0': ['vault/0']}),
        }
    )
    taken = taking_over.taken_over(op, CONFIG)
    assert facts.STORAGE.of(taken) == {'postgresql/0': []}
    assert any('juju remove-storage; it was vault/0' in line for line in taken.warnings)


# --- From the history ----------------------------------------------------------------------------


def lost(sim: simulation.Simulation) -> operation.Operation:
    """Lose the coordinator without a last word; return what the next one takes over."""
    history.write(sim.op, sim.world)
    found = history.newest(sim.world.maas_store, sim.model.uuid)
    assert found is not None
    assert not found.terminal
    return taking_over.taken_over(found, sim.config)


@pytest.mark.parametrize('step', ['capture-secrets', 'scale-down-postgresql', 'back-up-maas'])
@pytest.mark.parametrize('way', ['resume', 'abort'])
def test_a_backup_that_is_taken_over_ends_with_the_site_whole(step: str, way: str):
    sim = simulation.Simulation()
    sim.at_step(step)
    sim.op = lost(sim)
    now = sim.clock.now()
    sim.op = sim.op.resumed(now) if way == 'resume' else sim.op.aborting(now)
    ended = sim.run()
    wanted = operation.COMPLETE if way == 'resume' else operation.ABORTED
    assert (ended.status, len(sim.manifests())) == (wanted, int(way == 'resume')), ended.error
    assert len(sim.postgresql_units()) == 3


@pytest.mark.parametrize('step', ['restore-postgresql', 'restore-maas', 'attach-maas'])
def test_a_restore_that_is_taken_over_goes_on_to_its_end(step: str):
    sim = restores.backed_up()
    restores.restore(sim, sim)
    sim.at_step(step)
    sim.op = lost(sim).resumed(sim.clock.now())
    assert sim.run().status == operation.COMPLETE
    assert sim.site.fingerprint() == sim.at_backup


# --- Signatures ----------------------------------------------------------------------------------


@pytest.fixture
def restoring() -> simulation.Simulation:
    """A restore whose check is done, of a set that a trusted key has signed."""
    sim = restores.backed_up(regions=1, postgresql_units=1)
    sim.config = dataclasses.replace(sim.config, trusted_signers=sim.world.signer.keys())
    restores.restore(sim, sim, accept_unsigned='true')
    sim.at_step('mark-backup-set')
    return sim


def signed(sim: simulation.Simulation) -> manifest.Manifest:
    return catalogue.opened(sim.world.maas_store, chosen_set.of(sim.op).backup_id)


def test_the_set_of_a_restore_comes_from_its_signed_manifest(restoring: simulation.Simulation):
    real = restoring.op.fact(chosen_set.BACKUP_SET)
    forged = real.replace(chosen_set.of(restoring.op).postgresql.label, '20260101-000000F')
    assert forged != real
    op = restoring.op.remembering({chosen_set.BACKUP_SET: forged})
    found = taking_over.with_signed_set(op, restoring.config, restoring.world)
    assert found.fact(chosen_set.BACKUP_SET) == real


def test_a_restore_of_a_set_that_nobody_signed_is_not_taken_over(
    restoring: simulation.Simulation,
):
    unsigned = signed(restoring).model_copy(update={'signature': None})
    catalogue.commit(restoring.world.maas_store, unsigned)
    with pytest.raises(errors.ForeignRecordError, match='trusted-signers does not accept'):
        taking_over.with_signed_set(restoring.op, restoring.config, restoring.world)
    trusting = dataclasses.replace(restoring.config, trusted_signers=())
    assert taking_over.with_signed_set(restoring.op, trusting, restoring.world) == restoring.op


@pytest.mark.parametrize('text', ['', '{}', '{"backup-id": "x"}'])
def test_a_restore_whose_set_is_gone_or_damaged_is_not_taken_over(
    restoring: simulation.Simulation, text: str
):
    if text:
        op = restoring.op.remembering({chosen_set.BACKUP_SET: text})
    else:
        op = restoring.op
        catalogue.withdraw(restoring.world.maas_store, chosen_set.of(op).backup_id)
    with pytest.raises(errors.ForeignRecordError):
        taking_over.with_signed_set(op, restoring.config, restoring.world)


def test_nothing_in_a_history_accepts_an_unsigned_set(restoring: simulation.Simulation):
    assert vouching.ACCEPT_UNSIGNED in restoring.op.parameters
    assert vouching.ACCEPT_UNSIGNED not in lost(restoring).parameters


def test_no_sha256_of_a_history_is_vouched_for():
    op = unfinished(tally='{"digests": {}}', read_bytes='5')
    taken = taking_over.taken_over(op, CONFIG)
    assert {taken.fact(name) for name in ('tally', 'read-bytes')} == {''}


def test_a_set_out_of_a_history_is_published_without_a_signature():
    sim = simulation.Simulation()
    sim.at_step('publish')
    sim.op = lost(sim).resumed(sim.clock.now())
    ended = sim.run()
    assert ended.status == operation.COMPLETE, ended.error
    assert signed_of(sim) is None
    assert any('is not signed' in line for line in ended.warnings)


def signed_of(sim: simulation.Simulation) -> object:
    (name,) = catalogue.ids(sim.world.maas_store)
    return catalogue.opened(sim.world.maas_store, name).signature


def test_what_left_in_good_order_is_in_the_history_and_taken_over():
    sim = simulation.Simulation()
    sim.at_step('back-up-postgresql')
    sim.op = leaving.leave(sim.op, sim.world)
    taken = lost(sim)
    assert taken.current.reason == sim.op.current.reason
    sim.op = taken.aborting(sim.clock.now())
    assert sim.run().status == operation.ABORTED
    assert len(sim.postgresql_units()) == 3


def test_the_newest_operation_of_this_model_counts_and_no_other():
    world = worlds.StoredWorld()
    assert history.newest(world.maas_store, world.model_uuid) is None
    for operation_id in ('2026-08-23T10:00:00Z', '2026-08-22T10:00:00Z'):
        history.write(charm_states.new_operation(operation_id), world)
    theirs = worlds.StoredWorld()
    theirs.bucket, theirs.model_uuid = world.bucket, 'deadbeef-0bad-400d-8000-000000000000'
    history.write(charm_states.new_operation('2026-08-24T10:00:00Z'), theirs)
    found = history.newest(world.maas_store, world.model_uuid)
    assert found is not None
    assert found.id == '2026-08-23T10:00:00Z'


def test_a_history_with_another_id_than_its_name_is_not_believed():
    world = worlds.StoredWorld()
    text = charm_states.new_operation('2026-08-23T10:00:00Z').to_json()
    world.maas_store.put(history.key('2026-08-24T10:00:00Z', world.model_uuid), text.encode())
    with pytest.raises(errors.ForeignRecordError, match='has another id'):
        history.newest(world.maas_store, world.model_uuid)


def test_a_strategy_that_was_chosen_is_one_that_there_is():
    auto = dataclasses.replace(CONFIG, strategy='auto')
    op = dataclasses.replace(unfinished(), settings=auto)
    chosen = op.remembering({operation.STRATEGY: 'replica'})
    assert taking_over.taken_over(chosen, auto).strategy == 'replica'
    refused(op.remembering({operation.STRATEGY: 'remove-everything'}))
