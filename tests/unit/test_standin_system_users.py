"""The stand-in of postgresql takes over passwords, or refuses them, as the charm does."""

from __future__ import annotations

from rehearsal import site
from tests.unit import site_bench

REFUSED = {'postgresql/0': 'blocked Password update for system users failed.'}
PRIMARY = {'postgresql/0': 'active Primary'}


def test_passwords_of_a_granted_secret_are_taken_over():
    bench = site_bench.deploy(units=1)

    bench.give_passwords({'operator': 'old'})

    assert bench.statuses == PRIMARY
    assert bench.site.passwords['operator-password'] == 'old'


def test_keys_that_are_missing_or_no_system_users_are_passed_over():
    bench = site_bench.deploy(units=1)
    before = bench.site.passwords

    bench.give_passwords({'rewind': 'old', 'postgres': 'mine'})

    assert bench.statuses == PRIMARY
    assert bench.site.passwords == {**before, 'rewind-password': 'old'}


def test_a_secret_without_a_grant_blocks_and_a_late_grant_is_not_noticed():
    bench = site_bench.deploy(units=1)
    secret = bench.give_passwords({'operator': 'old'}, granted=False)
    assert bench.statuses == REFUSED

    secret.grants.add(site.POSTGRESQL)
    bench.switch()
    assert bench.statuses == REFUSED, 'a grant wakes nobody'

    bench.juju.set_config(site.POSTGRESQL, {'profile': 'testing'})
    bench.settle()
    assert bench.statuses == PRIMARY
    assert bench.site.passwords['operator-password'] == 'old'


def test_new_content_of_the_secret_is_taken_over():
    bench = site_bench.deploy(units=1)
    secret = bench.give_passwords({'operator': 'old'})

    bench.juju.update_secret(secret, {'operator': 'older'})
    bench.settle()

    assert bench.site.passwords['operator-password'] == 'older'


def test_passwords_wait_until_every_member_runs():
    bench = site_bench.deploy(units=1)
    bench.site.postgresql_switches.stuck_replica = True
    bench.juju.add_units(site.POSTGRESQL, 1)
    bench.settle()

    bench.give_passwords({'operator': 'old'})
    assert bench.site.passwords['operator-password'] != 'old'
    assert bench.statuses['postgresql/0'] == 'active Primary (degraded)'

    bench.switch(stuck_replica=False)
    assert bench.site.passwords['operator-password'] == 'old'


def test_a_password_of_the_backup_user_is_not_drawn_but_taken_over_and_stays():
    bench = site_bench.deploy(units=1)
    assert 'backup-password' not in bench.site.passwords

    bench.give_passwords({'backup': 'old'})
    bench.give_passwords({'operator': 'other'})
    bench.juju.reset_config(site.POSTGRESQL, ['system-users'])
    bench.settle()

    assert bench.site.passwords['backup-password'] == 'old'


def test_the_databag_holds_digests_of_the_passwords_only():
    bench = site_bench.deploy(units=1)

    text = str(bench.site.postgresql.state)

    assert not [word for word in bench.site.passwords.values() if word in text]
    assert set(bench.site.postgresql.state['roles']) == {
        'operator',
        'replication',
        'rewind',
        'monitoring',
    }
