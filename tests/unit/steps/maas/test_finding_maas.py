"""Where MAAS is: the secret says it, or else a region does."""

from __future__ import annotations

import pytest

from coordinator import errors
from coordinator.engine import operation, step
from coordinator.ports import maas_port
from coordinator.sets import manifest
from coordinator.steps.checks import before_backup
from coordinator.steps.maas import fence, finding_maas
from rehearsal import site
from tests import simulation

ACTION = 'get-api-endpoint'


def simulate(endpoint: str = '', key: str = simulation.MAAS_KEY) -> simulation.Simulation:
    sim = simulation.Simulation(regions=2, postgresql_units=1, maas_key=key)
    sim.world.maas_endpoint = endpoint
    return sim


def found(sim: simulation.Simulation, seconds: int = 600) -> step.Outcome:
    """Look as the engine would, until it is done."""
    for _ in range(0, seconds, simulation.BEAT_SECONDS):
        outcome = finding_maas.find(sim.op, sim.world)
        if isinstance(outcome, step.Done):
            return outcome
        sim.op = sim.op.remembering(outcome.facts).aged(sim.op.age + simulation.BEAT_SECONDS)
        sim.op = sim.op.waiting(outcome.reason, sim.clock.now(), outcome.task)
        sim.clock.advance(simulation.BEAT_SECONDS)
    raise AssertionError(sim.op.current.reason)


def test_the_leading_region_says_where_maas_is_and_is_asked_once():
    sim = simulate()
    found(sim)
    maas = finding_maas.reach(sim.world, 'maas-region')
    assert maas is not None
    address = sim.model.unit(sim.site.maas.leader).machine.address
    assert maas.endpoint == f'http://{address}:5240/MAAS'
    assert maas.version() == '3.6.1'
    assert [task.unit for task in sim.tasks(ACTION)] == [sim.site.maas.leader]
    found(sim)
    assert len(sim.tasks(ACTION)) == 1


@pytest.mark.parametrize(('endpoint', 'key'), [('', ''), ('http://maas/MAAS', 'a:b:c')])
def test_no_region_is_asked_without_a_key_or_when_the_secret_says_it(endpoint: str, key: str):
    sim = simulate(endpoint, key)
    assert found(sim) == step.Done()
    assert not sim.tasks(ACTION)
    maas = finding_maas.reach(sim.world, 'maas-region')
    assert (maas.endpoint if maas else '') == endpoint


def test_another_region_is_asked_when_one_does_not_say_it():
    sim = simulate()
    sim.maas.fail_next(ACTION, 'MAAS is not initialized yet')
    found(sim)
    leader = sim.site.maas.leader
    units = [task.unit for task in sim.tasks(ACTION)]
    assert units == [leader, next(unit for unit in sim.site.maas.states if unit != leader)]
    assert finding_maas.reach(sim.world, 'maas-region') is not None


def test_regions_that_never_say_it_fail_the_step_with_what_to_set():
    sim = simulate()
    for _ in range(200):
        sim.maas.fail_next(ACTION, 'MAAS is not initialized yet')
    with pytest.raises(errors.StepError, match=r'MAAS is not initialized yet\. Set endpoint in'):
        found(sim)
    assert 120 <= sim.op.age < 180


def test_what_nobody_has_said_is_asked_of_the_operator():
    sim = simulate()
    with pytest.raises(errors.MaasNotFound, match='juju run maas-region/leader get-api-endpoint'):
        finding_maas.reach(sim.world, 'maas-region')


def test_what_another_application_has_said_does_not_count():
    sim = simulate()
    found(sim)
    with pytest.raises(errors.MaasNotFound):
        finding_maas.reach(sim.world, 'maas-region-2')


def test_the_newest_watermark_is_the_mark():
    sim = simulate()
    found(sim)
    assert finding_maas.mark(sim.op, sim.world).watermark == sim.tasks(ACTION)[-1].id


# --- A region that does not answer ---------------------------------------------------------------


class _Down:
    """Regions whose API does not answer, by the address in its URL."""

    def __init__(self, sim: simulation.Simulation):
        self._sim, self._usual = sim, sim.world.maas
        self.units: set[str] = set()
        sim.world.maas = self._reached

    def _reached(self, found: str = '', *, fresh: bool = False) -> maas_port.Maas | None:
        down = {self._sim.model.unit(unit).machine.address for unit in self.units}
        maas = self._usual(found)
        if maas is None or not any(address in maas.endpoint for address in down):
            self._sim.world.maas_asked = lambda name: None
        else:
            self._sim.world.maas_asked = self._refuse
        return maas

    def _refuse(self, name: str) -> None:
        raise errors.MaasUnavailable('MAAS does not answer (nothing for 60 s)')


def images_known(sim: simulation.Simulation) -> str:
    found = fence.judged(sim.op)
    assert found is not None
    return found.state


@pytest.mark.parametrize('point', ['await-images', 'back-up-maas'])
def test_when_a_region_is_down_another_one_is_asked(point: str):
    sim = simulate()
    down = _Down(sim)
    sim.until(lambda: sim.op.step == point)
    down.units = {sim.site.maas.leader}
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert images_known(sim) == manifest.SYNCHRONISED
    assert sim.tasks(ACTION)[-1].unit not in down.units


def test_a_second_backup_asks_no_region_that_has_answered_before():
    sim = simulate()
    sim.run()
    sim.clock.advance(60)
    sim.begin('backup-all')
    assert sim.run().status == operation.COMPLETE
    assert images_known(sim) == manifest.SYNCHRONISED
    assert len(sim.tasks(ACTION)) == 1


def test_a_url_that_is_out_of_date_has_its_region_asked_anew():
    sim = simulate()
    sim.run()
    sim.clock.advance(60)
    former, reached = 'http://192.0.2.7:5240/MAAS', sim.world.maas
    sim.tasks(ACTION)[0].output['api-url'] = former

    def moved(found: str = '', *, fresh: bool = False) -> maas_port.Maas | None:
        def refuse(name: str) -> None:
            raise errors.MaasUnavailable('MAAS does not answer (nothing for 60 s)')

        sim.world.maas_asked = refuse if found == former else lambda name: None
        return reached(found)

    sim.world.maas = moved
    sim.begin('backup-all')
    op = sim.run()
    assert (op.status, images_known(sim)) == (operation.COMPLETE, manifest.SYNCHRONISED)
    assert [task.unit for task in sim.tasks(ACTION)] == [sim.site.maas.leader] * 2


def test_an_answer_of_a_region_that_is_gone_counts_no_more():
    sim = simulate()
    sim.run()
    leader = sim.site.maas.leader
    sim.model.remove_unit(leader)
    sim.clock.advance(600)
    site.settle(sim.model)
    sim.begin('backup-all')
    assert sim.run().status == operation.COMPLETE
    assert [task.unit for task in sim.tasks(ACTION)][-1] != leader


def test_when_all_regions_are_down_each_is_asked_once_for_each_question():
    sim = simulate()
    down = _Down(sim)
    down.units = set(sim.site.maas.states)
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert images_known(sim) == manifest.UNKNOWN
    assert len(sim.tasks(ACTION)) <= 4
    assert op.age < 45 * 60


def test_a_region_that_cannot_say_its_url_either_is_passed_over():
    sim = simulate()
    down = _Down(sim)
    sim.until(lambda: sim.op.step == 'scale-down-postgresql')
    down.units = {sim.site.maas.leader}
    sim.maas.fail_next(ACTION, 'MAAS is not initialized yet')
    op = sim.run()
    assert (op.status, op.problems) == (operation.COMPLETE, ())
    assert op.age < 60 * 60


def test_no_region_is_asked_in_place_of_the_endpoint_that_an_operator_named():
    sim = simulate('http://maas.example/MAAS')

    def refuse(name: str) -> None:
        raise errors.MaasUnavailable('MAAS does not answer (nothing for 60 s)')

    sim.world.maas_asked = refuse
    op = sim.run()
    assert (op.status, images_known(sim)) == (operation.COMPLETE, manifest.UNKNOWN)
    assert not sim.tasks(ACTION)


# --- What the check says -------------------------------------------------------------------------


def checked(sim: simulation.Simulation) -> tuple[str, str]:
    (found,) = (
        each
        for each in before_backup.backup_checks(sim.config, sim.world)
        if each.name == 'maas-api'
    )
    return found.outcome, found.sentence


def test_without_a_key_the_check_says_what_cannot_be_proven():
    outcome, sentence = checked(simulate(key=''))
    assert outcome == 'ok'
    assert sentence == (
        'maas-api-key is not set: backups do not wait for images to synchronise, and restores '
        'are not proven'
    )


def test_a_key_of_an_admin_is_well():
    assert checked(simulate('http://maas/MAAS')) == (
        'ok',
        'MAAS 3.6.1 at http://maas/MAAS accepts the API key of admin',
    )


def test_a_check_before_any_region_was_asked_runs_no_action():
    sim = simulate()
    assert checked(sim) == ('ok', 'the operation asks maas-region for the URL of MAAS')
    assert not sim.tasks(ACTION)


@pytest.mark.parametrize(
    ('version', 'advice'), [('3.7.2', 'only an admin sees them'), ('3.8.0', 'can_view_machines')]
)
def test_a_key_that_does_not_see_everything_is_warned_of(version: str, advice: str):
    sim = simulate('http://maas/MAAS', 'c:t:s')
    sim.api.add_key('c:t:s', 'auditor', admin=False)
    sim.maas.version = version
    outcome, sentence = checked(sim)
    assert outcome == 'warning'
    assert 'the API key of auditor, who sees no region controllers' in sentence
    assert advice in sentence


def test_a_revoked_key_is_a_warning_and_no_reason_to_refuse_a_backup():
    sim = simulate('http://maas/MAAS')
    sim.api.revoke_keys()
    outcome, sentence = checked(sim)
    assert outcome == 'warning'
    assert 'refuses the API key. Until that is fixed, backups do not wait for' in sentence
    assert sim.run().status == operation.COMPLETE


def test_a_maas_that_does_not_answer_is_a_warning():
    sim = simulate('http://maas/MAAS')

    def silent(name: str) -> None:
        raise errors.MaasUnavailable('MAAS at http://maas/MAAS does not answer (nothing for 60 s)')

    sim.world.maas_asked = silent
    assert checked(sim)[0] == 'warning'
