"""The checks of backup-all: what they warn of, and that a warning stops nothing."""

from __future__ import annotations

import pytest

from coordinator import errors
from coordinator.engine import operation
from coordinator.steps import checking
from coordinator.steps.checks import before_backup
from tests import simulation, worlds


def outcome(sim: simulation.Simulation, name: str) -> checking.Check | None:
    found = before_backup.looking_checks(sim.config, sim.world)
    return next((check for check in found if check.name == name), None)


def test_scaling_down_on_juju_4_is_a_risk_that_stops_nothing():
    sim = simulation.Simulation(version='4.0.15')
    op = sim.run()
    (warning,) = op.warnings
    assert warning.startswith('strategy: Juju 4.0.15 may not report to the units of postgresql')
    assert warning.endswith('set postgresql-backup-strategy=replica')
    assert (op.status, op.error, op.problems) == (operation.COMPLETE, '', ())


@pytest.mark.parametrize(
    ('version', 'strategy', 'units'),
    [('3.6.26', 'scale-down', 3), ('4.0.15', 'replica', 3), ('4.0.15', 'scale-down', 1)],
)
def test_where_no_unit_leaves_unnoticed_nothing_is_warned_of(
    version: str, strategy: str, units: int
):
    sim = simulation.Simulation(version=version, strategy=strategy, postgresql_units=units)
    found = outcome(sim, 'strategy')
    assert found is None or found.outcome == checking.OK
    assert sim.run().warnings == ()


def test_a_check_may_warn_and_is_neither_good_nor_bad():
    warned = checking.made('twin', lambda: checking.Warned('one twin is damaged'))
    assert warned == checking.Check('twin', checking.WARNING, 'one twin is damaged')
    assert checking.awaited(worlds.new_operation('check'), [warned]) is None
    assert checking.warnings([warned, checking.Check('a', checking.OK, '')]) == (
        'twin: one twin is damaged',
    )


def test_a_check_that_fails_beside_one_that_warns_fails_all_the_same():
    def refuse() -> str:
        raise errors.StepError('no bucket')

    outcomes = [
        checking.made('twin', lambda: checking.Warned('one twin is damaged')),
        checking.made('bucket', refuse),
    ]
    with pytest.raises(errors.StepError) as refused:
        checking.awaited(worlds.new_operation('check'), outcomes)
    assert str(refused.value) == 'no bucket'
