"""The stand-in of postgresql scales, fails over and keeps its passwords as the charm does."""

from __future__ import annotations

from rehearsal import site
from tests.unit import site_bench


def test_replicas_are_active_without_a_message():
    assert site_bench.deploy().statuses == {
        'postgresql/0': 'active Primary',
        'postgresql/1': 'active ',
        'postgresql/2': 'active ',
    }


def test_units_that_go_one_by_one_leave_a_healthy_primary_and_their_storage():
    bench = site_bench.deploy()

    bench.remove(2)
    bench.remove(1)

    assert bench.statuses == {'postgresql/0': 'active Primary'}
    assert bench.run(0, 'get-primary').output['primary'] == 'postgresql/0'
    left = [storage for storage in bench.juju.storage.values() if not storage.owner]
    assert len(left) == 8
    assert bench.site.maas_restarts == 3, 'no region was initialised again'


def test_two_units_that_go_at_once_take_the_quorum_with_them():
    bench = site_bench.deploy()

    bench.remove(1, 2)

    assert bench.statuses == {'postgresql/0': 'active Primary (read-only)'}
    assert 'primary' not in bench.run(0, 'get-primary').output
    assert bench.run(0, 'promote-to-primary', {'scope': 'unit'}).status == 'failed'
    assert bench.run(0, 'promote-to-primary', {'scope': 'unit', 'force': True}).status != 'failed'
    assert bench.statuses == {'postgresql/0': 'active Primary'}


def test_a_removed_primary_is_replaced_and_every_region_restarts():
    bench = site_bench.deploy()

    bench.remove(0)

    assert bench.run(1, 'get-primary').output['primary'] == 'postgresql/1'
    assert bench.statuses == {'postgresql/1': 'active Primary', 'postgresql/2': 'active '}
    assert bench.site.maas_restarts == 6
    assert bench.site.postgresql.state['timeline'] == 2
    table = bench.run(1, 'list-backups').output['backups']
    assert '| restore ' in table, 'a new timeline is listed as a restore'


def test_units_that_come_back_stream_from_the_same_primary():
    bench = site_bench.deploy()
    bench.remove(2)
    bench.remove(1)

    bench.juju.add_units(site.POSTGRESQL, 2)
    site.settle(bench.juju)

    assert bench.statuses == {
        'postgresql/0': 'active Primary',
        'postgresql/3': 'active ',
        'postgresql/4': 'active ',
    }
    assert bench.site.maas_restarts == 3


def test_the_primary_is_degraded_while_a_replica_is_stuck():
    bench = site_bench.deploy(units=1)
    bench.site.postgresql_switches.stuck_replica = True

    bench.juju.add_units(site.POSTGRESQL, 1)
    site.settle(bench.juju, ('active', 'waiting'))
    assert bench.statuses == {
        'postgresql/0': 'active Primary (degraded)',
        'postgresql/1': 'waiting awaiting for member to start',
    }

    bench.switch(stuck_replica=False)
    assert bench.statuses == {'postgresql/0': 'active Primary', 'postgresql/1': 'active '}


def test_a_unit_that_has_not_joined_cannot_be_backed_up():
    bench = site_bench.deploy(units=1)
    bench.site.postgresql_switches.stuck_replica = True
    bench.juju.add_units(site.POSTGRESQL, 1)
    site.settle(bench.juju, ('active', 'waiting'))

    message = "Unit cannot perform backups as it's not in running state"
    assert bench.run(1, 'create-backup').message == message


def test_the_peer_secret_holds_the_system_users_passwords_and_others():
    bench = site_bench.deploy(units=1)

    (secret,) = [
        s for s in bench.juju.secrets.values() if s.label == 'database-peers.postgresql.app'
    ]

    assert secret.owner == 'application-postgresql'
    assert set(secret.content) == {
        'operator-password', 'replication-password', 'rewind-password', 'monitoring-password',
        'patroni-password', 'raft-password',
    }  # fmt: skip
    assert len(set(secret.content.values())) == 6
