"""A dispatch acts only as long as nobody else can have led since it began."""

from __future__ import annotations

import pytest
from ops import hookcmds

import lease


class Juju:
    """A controller that is asked for leadership, and a clock."""

    def __init__(self) -> None:
        self.time = 1000.0
        self.leads = True
        self.silent = False
        self.asked = 0

    def ask(self) -> bool:
        self.asked += 1
        if self.silent:
            raise hookcmds.Error(returncode=1, cmd=['is-leader'])
        return self.leads


@pytest.fixture
def juju() -> Juju:
    return Juju()


@pytest.fixture
def held(juju: Juju) -> lease.Lease:
    return lease.Lease(juju.time, juju.ask, lambda: juju.time)


def test_each_renewal_asks_juju(juju: Juju, held: lease.Lease):
    assert held.renew()
    assert held.renew()
    assert juju.asked == 2
    juju.leads = False
    assert not held.renew()


def test_one_that_was_lost_does_not_come_back_in_this_dispatch(juju: Juju, held: lease.Lease):
    juju.leads = False
    held.renew()
    juju.leads = True
    assert not held.renew()
    assert not held.holds()


def test_a_dispatch_that_hung_for_longer_than_a_lease_does_nothing_more(
    juju: Juju, held: lease.Lease
):
    juju.time += lease.SECONDS + 1
    assert not held.holds()
    assert not held.renew()
    assert juju.asked == 0, 'that it leads now says nothing of the time in between'


def test_a_dispatch_that_goes_on_asking_may_last(juju: Juju, held: lease.Lease):
    for _ in range(20):
        juju.time += lease.SECONDS - 1
        assert held.renew()
    assert held.holds()


def test_just_after_an_answer_nothing_is_asked(juju: Juju, held: lease.Lease):
    assert held.holds()
    assert juju.asked == 0
    juju.time += lease.SECONDS - 1
    assert held.holds()
    assert juju.asked == 1


def test_while_juju_does_not_answer_it_holds_as_long_as_it_was_promised(
    juju: Juju, held: lease.Lease
):
    juju.silent = True
    assert not held.renew()
    juju.silent = False
    assert held.renew()
    juju.silent = True
    juju.time += lease.SECONDS + 1
    assert not held.renew()
    juju.silent = False
    assert not held.renew()
