"""The proof of a restore: what the restored MAAS holds, compared with the set."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.report import operation_report
from coordinator.sets import catalogue
from coordinator.steps import proving
from tests import charm_states, restores, simulation

KEY = simulation.MAAS_KEY


def restoring(
    *, backup_key: str = KEY, key: str = KEY, **parameters: str
) -> simulation.Simulation:
    """Return a restore in a fresh model, of a site that was backed up with its own key."""
    lost = restores.backed_up(maas_key=backup_key, regions=1, postgresql_units=1)
    fresh = restores.simulate(after=lost, maas_key=key, regions=1, postgresql_units=1)
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
    (told,) = json.loads(sim.world.maas_store.get(key))
    assert told in problem
    assert key in problem


def test_an_image_that_is_missing_is_named():
    sim = restoring()
    before_the_proof(sim, lambda: sim.api.delete_image('custom/before'))
    sim.run()
    assert 'image custom/before amd64' in sim.op.problems[0]


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
    assert len(json.loads(sim.world.maas_store.get(key))) == 300


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
    assert 'the API keys of the time of its set in force' in proof
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
    assert 'was changed or exchanged' in op.fact(proving.PROOF)


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


def test_the_checks_of_a_restore_say_what_cannot_be_proven():
    from coordinator.steps import restore_checks

    for key, words in ((KEY, 'is compared with the inventory'), ('', 'no API key of MAAS')):
        sim = restoring(key=key)
        found = restore_checks.chosen(sim.op.parameters, sim.config, sim.world)
        made = restore_checks.restore_checks(found, sim.op.parameters, sim.config, sim.world)
        (proof,) = [check for check in made if check.name == 'proof']
        assert proof.outcome == 'ok'
        assert words in proof.sentence
