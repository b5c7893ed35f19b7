"""A person who finds an operation held or waiting reads at once how the site is."""

from __future__ import annotations

import datetime

import pytest

from coordinator import errors, ports
from coordinator.engine import facts, operation
from coordinator.report import situation, status
from tests import restores, simulation, worlds

NOW = worlds.START


class Silent:
    """A world whose controller does not answer, or answers in an unheard-of way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    @property
    def juju(self) -> ports.JujuModel:
        raise self.error


def line(op: operation.Operation, **given: object) -> tuple[str, str]:
    return status.describe(op, (), '', 'backups', NOW, **given)  # type: ignore[arg-type]


def test_a_site_that_nothing_was_done_to_is_not_told():
    sim = simulation.Simulation()
    sim.at_step('capture-secrets')
    assert situation.told(sim.op) == situation.seen(sim.op, sim.world) == []


def test_missing_units_are_counted_as_they_are_now():
    sim = simulation.Simulation()
    sim.at_step('back-up-postgresql')
    assert situation.seen(sim.op, sim.world) == ['postgresql has 1 of its 3 units']
    sim.world.juju.add_units('postgresql', 1)
    assert situation.seen(sim.op, sim.world) == ['postgresql has 2 of its 3 units']


def test_what_holds_an_operation_is_told_with_the_units_of_that_moment():
    sim = simulation.Simulation()
    sim.at_step('back-up-postgresql')
    held = situation.noted(sim.op.held('S3 refuses'), sim.world)
    state, message = line(held)
    assert state == 'blocked'
    assert '(postgresql had 1 of its 3 units when it was held): run juju run backups' in message
    assert message.endswith('S3 refuses')
    # Once it goes on nobody knows without looking.
    assert 'units' not in line(held.resumed(NOW))[1]


def test_maas_is_told_to_be_detached_while_it_is():
    sim = restores.under_way('restore-maas')
    since = facts.DOWN_SINCE.of(sim.op)
    assert f'maas-region is detached since {since}' in situation.told(sim.op)
    assert f'restore-maas (maas-region is detached since {since})' in line(sim.op)[1]
    sim.run()
    assert situation.told(sim.op) == []


def test_a_set_that_is_published_is_told():
    sim = simulation.Simulation()
    sim.at_step('expire-backups')
    assert f'expire-backups (backup set {sim.op.id} is published)' in line(sim.op)[1]


@pytest.mark.parametrize('error', [errors.ConnectionFailed('no answer'), ZeroDivisionError('x')])
def test_what_cannot_be_looked_at_keeps_no_operation_from_being_held(error: Exception):
    held = worlds.new_operation('a').remembering(facts.UNITS.put({'pg/0': '0'}))
    held = held.held('why')
    assert situation.noted(held, Silent(error)) == held  # pyright: ignore[reportArgumentType]


def test_without_an_answer_the_record_tells_what_it_can():
    sim = simulation.Simulation()
    sim.at_step('back-up-postgresql')
    held = situation.noted(sim.op.held('S3 refuses'), sim.world)
    silent = Silent(errors.ConnectionFailed('no answer'))
    told = situation.seen(held, silent)  # pyright: ignore[reportArgumentType]
    assert told == ['postgresql had 1 of its 3 units when it was held']


# --- In juju status ------------------------------------------------------------------------------


def test_what_a_person_must_give_blocks_an_operation_at_once():
    op = worlds.new_operation('check', 'publish').beginning(0, {}, NOW)
    found = line(
        op, lacking='missing credentials: juju config backups juju-credentials=secret:<id>'
    )
    assert found == (
        'blocked',
        'backup-all 2026-08-22T10:15:00Z waits at check: missing credentials: juju config backups '
        'juju-credentials=secret:<id>',
    )


@pytest.mark.parametrize(('minutes', 'state'), [(14, 'maintenance'), (16, 'waiting')])
def test_an_operation_that_nobody_goes_on_with_is_not_shown_as_running(minutes: int, state: str):
    op = worlds.new_operation('check', 'publish').beginning(0, {}, NOW)
    found, message = line(op, quiet=datetime.timedelta(minutes=minutes))
    assert found == state
    if state == 'waiting':
        assert message == (
            'backup-all 2026-08-22T10:15:00Z waits at check: no unit has continued it for '
            '16 min, so there may be no leader: juju status backups shows which are down'
        )
