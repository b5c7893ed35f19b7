"""Who hears of a unit that is removed: on Juju 4.0 not all who should."""

from __future__ import annotations

import pytest

from rehearsal import clock, model

PEERS = model.Endpoint('peers', 'peer', 'peers')
DATABASE = model.Endpoint('database', 'provider', 'database')
CLIENT = model.Endpoint('client', 'requirer', 'database')
WATCHED = model.Endpoint('watched', 'requirer', 'juju-info')


class Recorder:
    """An agent that only notes what its units ran."""

    def __init__(self) -> None:
        self.ran: list[str] = []

    def run(self, unit: model.Unit, event: model.Event) -> clock.Work:
        departing = f' {event.departing_unit}' if event.departing_unit else ''
        self.ran.append(f'{unit.name}: {event.name}{departing}')
        yield 0.1

    def kill(self, unit: model.Unit) -> None: ...

    def removed(self, unit: model.Unit) -> None: ...


class Bench:
    """Two units of a database, and one of who uses and watches it."""

    def __init__(self, version: str):
        self.clock = clock.VirtualClock()
        self.agent = Recorder()
        self.juju = model.Model('maas', self.clock, version)
        database = model.CharmSpec('db', (PEERS, DATABASE))
        self.juju.deploy('db', database, self.agent, 2)
        self.juju.deploy('app', model.CharmSpec('app', (CLIENT, WATCHED)), self.agent)
        self.juju.integrate('app:client', 'db:database')
        self.juju.integrate('app:watched', 'db:juju-info')
        self.clock.advance(60)
        self.agent.ran.clear()

    def remove(self, unit: str) -> list[str]:
        """Remove a unit; return what the others saw of it."""
        self.juju.remove_unit(unit)
        self.clock.advance(60)
        return sorted(ran for ran in self.agent.ran if not ran.startswith(f'{unit}:'))


def test_on_3_6_every_unit_sees_another_one_depart():
    assert Bench('3.6.26').remove('db/1') == [
        'app/0: client-relation-departed db/1',
        'app/0: watched-relation-departed db/1',
        'db/0: peers-relation-departed db/1',
    ]


def test_on_4_0_peers_and_those_who_are_related_by_juju_info_do_not():
    assert Bench('4.0.15').remove('db/1') == ['app/0: client-relation-departed db/1']


@pytest.mark.parametrize(
    ('unit', 'seen'),
    [
        ('db/0', 'db/0: peers-relation-departed db/1'),
        ('app/0', 'app/0: watched-relation-departed db/1'),
    ],
)
def test_an_agent_that_starts_again_catches_up_once(unit: str, seen: str):
    bench = Bench('4.0.15')
    bench.remove('db/1')
    bench.agent.ran.clear()

    for _ in range(2):
        bench.juju.restart_agent(unit)
        bench.clock.advance(60)

    assert [ran for ran in bench.agent.ran if 'departed' in ran] == [seen]
