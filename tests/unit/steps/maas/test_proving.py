"""The proof of a restore: what the restored MAAS holds, compared with the set."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections.abc import Callable

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.report import operation_report
from coordinator.sets import catalogue, inventory, sealing
from coordinator.steps.checks import fitting
from coordinator.steps.maas import proving
from rehearsal import records
from tests import charm_states, restores, simulation

KEY = simulation.MAAS_KEY
LATER = '2026-08-30T10:00:00Z'


def restoring(
    *, backup_key: str = KEY, key: str = KEY, **parameters: str
) -> simulation.Simulation:
    """Return a restore in a fresh model, of a site that was backed up with its own key."""
    lost = restores.backed_up(maas_key=backup_key, regions=1, postgresql_units=1)
    fresh = restores.simulate(after=lost, maas_key=key, regions=1, postgresql_units=1)
    trusted = tuple(lost.world.signer.keys())
    fresh.config = dataclasses.replace(fresh.config, trusted_signers=trusted)
    restores.restore(fresh, lost, **parameters)
    return fresh


def shown(sim: simulation.Simulation) -> str:
    return operation_report.operation_text(sim.op, charm_states.APP, sim.clock.now())


def before_the_proof(sim: simulation.Simulation, change: Callable[[], object]) -> None:
    sim.at_step('prove')
    change()


def lose_a_machine(sim: simulation.Simulation) -> str:
    name = str(sim.site.database['machines'][0])
    sim.api.remove_machine(name)
    return name


# --- At the end of a restore -----------------------------------------------------------------


def test_a_restore_ends_proven():
    sim = restoring()
    op = sim.run()
    assert (op.status, op.problems, op.warnings) == (operation.COMPLETE, (), ())
    assert op.fact(proving.PROOF) == proving.PROVEN
    assert 'proven: 0 differences' in shown(sim)
    assert json.loads(operation_report.operation_json(op))['proof'] == proving.PROVEN


def proofs(sim: simulation.Simulation) -> dict[str, str]:
    """Return by what each set is proven."""
    listed = catalogue.entries(sim.world.maas_store)
    return {entry.backup_id: entry.proven for entry in listed if entry.proven}


def test_a_set_that_is_proven_is_marked_for_whoever_lists_it():
    sim = restoring()
    op = sim.run()
    backup_id = json.loads(op.fact('backup-set'))['backup-id']
    assert proofs(sim) == {backup_id: op.id}
    catalogue.withdraw(sim.world.maas_store, backup_id)
    catalogue.note_proof(sim.world.maas_store, backup_id, sim.world.model_uuid, LATER)
    assert not [item for item in sim.world.maas_store.list('') if LATER in item.key]


def test_a_set_from_which_maas_differs_is_not_marked():
    sim = restoring()
    before_the_proof(sim, lambda: lose_a_machine(sim))
    sim.run()
    assert proofs(sim) == {}


def test_a_proof_that_cannot_be_marked_is_one(caplog: pytest.LogCaptureFixture):
    sim = restoring()
    sim.at_step('prove')
    sim.s3.bucket('maas-backups').refuses_writes = True
    sim.at_step('unmark-backup-set')
    sim.s3.bucket('maas-backups').refuses_writes = False
    assert sim.run().fact(proving.PROOF) == proving.PROVEN
    assert 'is not marked as proven' in caplog.text
    assert proofs(sim) == {}


def test_a_machine_that_is_missing_is_named_and_the_restore_is_complete_with_work_left():
    sim = restoring()
    sim.at_step('prove')
    name = lose_a_machine(sim)
    op = sim.run()
    assert op.status == operation.COMPLETE
    (problem,) = op.problems
    assert f'machine {name}.maas' in problem, 'the identity of the restore gives the name'
    assert 'is missing' in problem
    assert op.unfinished, 'the status names it'
    key = catalogue.differences_key(json.loads(op.fact('backup-set'))['backup-id'], op.id)
    assert named_differences(sim, key)[0] in problem
    assert key in problem


def named_differences(sim: simulation.Simulation, key: str) -> list[str]:
    """Return the stored differences with their names, as the identity opens them."""
    found = json.loads(sim.world.maas_store.get(key))
    opened = sealing.unseal_content(base64.b64decode(found['sealed']), str(restores.KEY))
    assert opened is not None
    names: list[str] = json.loads(opened)
    assert len(names) == len(found['differences'])
    return names


def test_what_is_stored_of_differences_names_nothing_without_the_identity():
    sim = restoring()
    sim.at_step('prove')
    gone = lose_a_machine(sim)
    sim.site.add_machine('added-meanwhile')
    op = sim.run()
    key = catalogue.differences_key(json.loads(op.fact('backup-set'))['backup-id'], op.id)
    content = sim.world.maas_store.get(key).decode()
    assert gone not in content
    assert 'added-meanwhile' not in content
    assert json.loads(content)['differences'] == [
        f'machine {records.system_id("added-meanwhile")} is not in the set',
        f'machine {records.system_id(gone)} is missing',
    ]
    assert any('added-meanwhile' in each for each in named_differences(sim, key))


def test_without_recipients_the_stored_differences_have_ids_alone():
    sim = restoring()
    sim.run()
    lose_a_machine(sim)
    sim.config = dataclasses.replace(sim.config, recipients=())
    op = prove_again(sim)
    (key,) = [
        item.key for item in sim.world.maas_store.list('') if f'differences-{op.id}' in item.key
    ]
    assert json.loads(sim.world.maas_store.get(key)).keys() == {'version', 'differences'}


def test_an_image_that_is_missing_is_named():
    sim = restoring()
    before_the_proof(sim, lambda: sim.api.delete_image('custom/before'))
    sim.run()
    assert 'image custom/before amd64' in sim.op.problems[0]


def test_an_image_whose_file_is_gone_is_waited_for_and_then_named():
    sim = restoring()
    before_the_proof(sim, lambda: sim.api.remove_image_file('custom/before'))
    sim.until(lambda: 'image custom/before amd64/generic is 0%' in sim.op.current.reason)
    begun, asked = sim.op.age, list[str]()
    sim.world.maas_asked = asked.append
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert 60 * 60 <= op.age - begun < 70 * 60
    beats = (op.age - begun) // simulation.BEAT_SECONDS
    assert asked.count('boot_resources') < beats // 2
    (problem,) = op.problems
    assert 'image custom/before amd64/generic has files that not every region' in problem


def test_an_image_that_regions_still_synchronise_after_a_restore_is_no_difference():
    sim = restoring()
    before_the_proof(sim, lambda: sim.api.remove_image_file('custom/before'))
    sim.until(lambda: 'is 0% synchronised' in sim.op.current.reason)
    sim.api.synchronise_all()
    assert sim.run().fact(proving.PROOF) == proving.PROVEN


def test_a_proof_on_request_names_a_lost_image_file_at_once():
    sim = restoring()
    sim.run()
    sim.api.remove_image_file('custom/before')
    begun = sim.clock.now()
    op = prove_again(sim)
    assert op.status == operation.FAILED
    assert 'image custom/before amd64/generic has files that not every region' in op.error
    assert (sim.clock.now() - begun).total_seconds() < 5 * 60


def test_many_differences_leave_a_small_record_and_a_whole_list():
    sim = restoring()

    def add() -> None:
        for number in range(300):
            sim.site.add_machine(f'{"x" * 50}-{number}')

    before_the_proof(sim, add)
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert len(op.to_json()) < 16 << 10
    key = catalogue.differences_key(json.loads(op.fact('backup-set'))['backup-id'], op.id)
    assert len(named_differences(sim, key)) == 300


def test_what_maas_moves_on_by_itself_is_no_difference():
    sim = restoring()
    name = 'before-the-backup'
    before_the_proof(
        sim,
        lambda: sim.api.change_machine(name, status='Commissioning', power_state='on'),
    )
    assert sim.run().fact(proving.PROOF) == proving.PROVEN


# --- When nothing can be proven --------------------------------------------------------------


def test_without_a_key_the_restore_is_complete_and_says_that_nothing_is_proven():
    sim = restoring(key='')
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert op.fact(proving.PROOF).startswith('not proven: no API key of MAAS is configured')
    assert 'not proven' in shown(sim)


def test_what_maas_says_at_length_leaves_a_small_record():
    sim = restoring()

    def refuse(name: str) -> None:
        raise errors.MaasRefused('far too much ' * 1000)

    sim.at_step('prove')
    sim.world.maas_asked = refuse
    op = sim.run()
    assert op.status == operation.COMPLETE
    assert len(op.fact(proving.PROOF)) < 1024


def test_a_set_without_an_inventory_proves_nothing():
    sim = restoring(backup_key='', key='')
    sim.run()
    assert 'has no inventory of MAAS' in sim.op.fact(proving.PROOF)


def test_a_key_that_the_restored_maas_does_not_know_is_explained():
    sim = restoring(key='made:after:thebackup')
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    proof = op.fact(proving.PROOF)
    assert proof.startswith('not proven: ')
    assert 'returns the API keys to the time of the backup' in proof
    assert 'prove-restore backup-id=' in proof
    for part in ('made', 'thebackup'):
        assert part not in proof


@pytest.mark.parametrize(
    'error',
    [
        errors.MaasUnavailable('MAAS does not answer'),
        errors.MaasUnintelligible('MAAS answers with a web page'),
    ],
)
def test_a_maas_that_does_not_answer_never_holds_a_restore(error: errors.CoordinatorError):
    sim = restoring()

    def refuse(name: str) -> None:
        raise error

    sim.at_step('prove')
    begun = sim.op.age
    sim.world.maas_asked = refuse
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert op.fact(proving.PROOF) == f'not proven: {error}'
    assert op.age - begun < 40 * 60


def test_a_maas_that_is_still_starting_is_waited_for():
    sim = restoring()

    def refuse(name: str) -> None:
        raise errors.MaasUnavailable('MAAS is starting')

    sim.at_step('prove')
    sim.world.maas_asked = refuse
    sim.until(lambda: 'MAAS is starting' in sim.op.current.reason)
    sim.clock.advance(600)
    sim.world.maas_asked = lambda name: None
    assert sim.run().fact(proving.PROOF) == proving.PROVEN


def test_an_inventory_that_was_exchanged_proves_nothing():
    sim = restoring()
    key = catalogue.inventory_key(catalogue.entries(sim.world.maas_store)[-1].backup_id)
    sim.at_step('prove')
    sim.world.maas_store.put(key, b'{"version": 1}')
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert 'was changed or swapped' in op.fact(proving.PROOF)


# --- prove-restore ---------------------------------------------------------------------------


def prove_again(sim: simulation.Simulation, **parameters: str) -> operation.Operation:
    sim.clock.advance(60)
    backup_id = catalogue.entries(sim.world.maas_store)[-1].backup_id
    sim.begin('prove-restore', backup_id=backup_id, **parameters)
    return sim.run()


def test_with_another_key_the_restore_is_proven_afterwards():
    sim = restoring(key='made:after:thebackup')
    sim.run()
    sim.api.add_key('made:after:therestore', 'admin')
    sim.world.maas_key = 'made:after:therestore'
    op = prove_again(sim)
    assert (op.status, op.error) == (operation.COMPLETE, '')
    assert op.fact(proving.PROOF) == proving.PROVEN


def test_a_proof_that_cannot_be_had_fails_and_says_why():
    sim = restoring(key='')
    sim.run()
    op = prove_again(sim)
    assert op.status == operation.FAILED
    assert 'not proven: no API key of MAAS is configured' in op.error


def test_what_is_missing_has_a_name_only_with_the_identity():
    sim = restoring()
    sim.run()
    name = lose_a_machine(sim)
    op = prove_again(sim)
    assert op.status == operation.FAILED
    assert name not in op.error
    assert 'is missing' in op.error
    assert name in prove_again(sim, identity=restores.IDENTITY).error


def test_a_proof_protects_its_set_from_deletion_and_leaves_no_mark():
    sim = restoring()
    sim.run()
    sim.clock.advance(60)
    backup_id = catalogue.entries(sim.world.maas_store)[-1].backup_id
    for lose in (False, True):
        if lose:
            lose_a_machine(sim)
        sim.begin('prove-restore', backup_id=backup_id)
        sim.at_step('prove')
        (use,) = catalogue.in_use(sim.world.maas_store, backup_id, sim.clock.now())
        assert use.operation_id == sim.op.id
        assert sim.run().status == (operation.FAILED if lose else operation.COMPLETE)
        assert not catalogue.in_use(sim.world.maas_store, backup_id, sim.clock.now())
        sim.clock.advance(60)


def test_a_set_that_was_deleted_meanwhile_is_not_brought_back_by_its_differences():
    sim = restoring()
    sim.at_step('prove')
    lose_a_machine(sim)
    backup_id = json.loads(sim.op.fact('backup-set'))['backup-id']
    inventory_of_it = sim.world.maas_store.get(catalogue.inventory_key(backup_id))

    def delete_now(name: str) -> None:
        """Delete the set once its inventory was read."""
        if name == 'machines':
            for item in list(sim.world.maas_store.list(catalogue.folder(backup_id))):
                sim.world.maas_store.delete(item.key)

    assert inventory_of_it
    sim.world.maas_asked = delete_now
    op = sim.run()
    (problem,) = op.problems
    assert 'is missing' in problem
    assert 'was deleted in the meantime' in problem
    assert not list(sim.world.maas_store.list(catalogue.folder(backup_id)))


def test_the_inventory_is_not_read_while_maas_is_starting(monkeypatch: pytest.MonkeyPatch):
    sim = restoring()
    sim.at_step('prove')
    read: list[str] = []
    parse = inventory.parse

    def counted(content: bytes, source: str) -> inventory.Known:
        read.append(source)
        return parse(content, source)

    monkeypatch.setattr(inventory, 'parse', counted)

    def refuse(name: str) -> None:
        raise errors.MaasUnavailable('MAAS is starting')

    sim.world.maas_asked = refuse
    sim.until(lambda: 'MAAS is starting' in sim.op.current.reason)
    for _ in range(20):
        sim.clock.advance(simulation.BEAT_SECONDS)
        sim.dispatch()
    assert read == []
    sim.world.maas_asked = lambda name: None
    assert sim.run().fact(proving.PROOF) == proving.PROVEN
    assert len(read) == 1


def test_the_checks_of_a_restore_say_what_cannot_be_proven():
    from coordinator.steps.checks import before_restore

    for key, words in ((KEY, 'is compared with the inventory'), ('', 'no API key of MAAS')):
        sim = restoring(key=key)
        found = fitting.chosen(sim.op.parameters, sim.config, sim.world)
        made = before_restore.restore_checks(found, sim.op.parameters, sim.config, sim.world)
        (proof,) = [check for check in made if check.name == 'proof']
        assert proof.outcome == 'ok'
        assert words in proof.sentence
