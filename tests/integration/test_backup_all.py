"""backup-all on a deployed site: what it leaves, whatever dies or is asked for meanwhile."""

from __future__ import annotations

import json

import jubilant
import pytest

from tests.integration import sites

pytestmark = pytest.mark.xdist_group('integration')


@pytest.mark.long
def test_scaling_down_leaves_a_set_all_units_and_no_storage_behind(site: sites.Site):
    units = len(site.units(sites.POSTGRESQL))

    backup_id = site.back_up()

    assert backup_id in site.sets()
    assert len(site.units(sites.POSTGRESQL)) == units
    assert site.unattached_storage() == []
    assert jubilant.all_active(site.juju.status(), sites.MAAS, sites.POSTGRESQL)


def test_a_replica_backs_up_while_all_units_stay(site: sites.Site):
    before = set(site.units(sites.POSTGRESQL))
    strategy = 'postgresql-backup-strategy'
    site.juju.config(sites.APP, {strategy: 'replica'})

    try:
        backup_id = site.back_up()
    finally:
        site.juju.config(sites.APP, {strategy: 'scale-down'})

    assert backup_id in site.sets()
    assert set(site.units(sites.POSTGRESQL)) == before


@pytest.mark.long
def test_a_second_operation_is_refused_with_the_id_of_the_first(site: sites.Site):
    backup_id = str(site.run('backup-all').results['backup-id'])

    with pytest.raises(jubilant.TaskError, match=backup_id):
        site.run('backup-all')

    assert site.until_ended()['status'] == 'complete'


@pytest.mark.long
def test_an_abort_brings_the_units_back_and_publishes_nothing(site: sites.Site):
    units, sets = len(site.units(sites.POSTGRESQL)), site.sets()
    site.run('backup-all')
    site.until_step('back-up-postgresql')

    site.run('abort-operation')

    op = site.until_ended()
    assert op['status'] == 'aborted', op
    assert len(site.units(sites.POSTGRESQL)) == units
    assert site.sets() == sets
    # Storage of a provider outlives its unit, and no good backup says that it may be destroyed.
    reported = ' '.join(op['problems'])
    assert [name for name in site.unattached_storage() if name not in reported] == []


@pytest.mark.long
def test_a_killed_agent_goes_on_with_the_operation(site: sites.Site):
    backup_id = str(site.run('backup-all').results['backup-id'])
    site.until_step('back-up-postgresql')

    # The task ends before the agent is killed, which systemd starts again. The pacemaker lives in
    # a unit of its own. A 4.0 model lets nobody in by SSH before `juju add-ssh-key`.
    kill = "systemd-run --on-active=2s systemctl kill --signal=KILL 'jujud-machine-*'"
    site.juju.exec(kill, unit=site.leader())

    assert site.until_ended()['status'] == 'complete'
    assert backup_id in site.sets()


@pytest.mark.long
def test_another_unit_goes_on_when_the_leader_is_removed(site: sites.Site):
    site.juju.add_unit(sites.APP)
    # Not all_active: an operation that a test before left aborted shows until the next completes.
    site.until(
        lambda status: (
            len(status.apps[sites.APP].units) == 2 and jubilant.all_agents_idle(status, sites.APP)
        ),
        sites.DEPLOYED_SECONDS,
    )
    leader = site.leader()
    backup_id = str(site.run('backup-all').results['backup-id'])
    site.until_step('back-up-postgresql')

    site.juju.remove_unit(leader)
    site.until(
        lambda status: (
            leader not in status.apps[sites.APP].units
            and any(unit.leader for unit in status.apps[sites.APP].units.values())
        ),
        sites.DEPLOYED_SECONDS,
    )

    assert site.until_ended()['status'] == 'complete'
    assert backup_id in site.sets()


def test_the_passwords_are_read_as_an_admin_only(site: sites.Site):
    model = site.juju.show_model().short_name
    site.juju.cli('revoke', site.login, 'admin', model, include_model=False)
    try:
        checks = site.run('backup-all', dry_run=True).results['checks']
    finally:
        site.juju.cli('grant', site.login, 'admin', model, include_model=False)

    assert 'admin' in checks


def test_only_postgresql_owns_the_secret_that_holds_its_passwords(site: sites.Site):
    listed = json.loads(site.juju.cli('list-secrets', '--format', 'json'))

    owners = [s['owner'] for s in listed.values() if s.get('label') == _PASSWORDS]
    assert owners == [sites.POSTGRESQL]


_PASSWORDS = 'database-peers.postgresql.app'
