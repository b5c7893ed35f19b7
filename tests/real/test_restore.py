"""A restore goes through archive recovery, and a MAAS without its database waits for it."""

from __future__ import annotations

import json

import pytest

from coordinator.parts import pgbackrest_timeline
from rehearsal import embedded, site
from tests.real import real_site

pytestmark = pytest.mark.xdist_group('real-single')

RELATION = (f'{site.MAAS}:maas-db', f'{site.POSTGRESQL}:database')
LEADER = real_site.POSTGRESQL


def restore(one: real_site.RealSite, **parameters: str) -> None:
    """Restore PostgreSQL, and wait until its charm has noticed the end."""
    assert one.done(LEADER, 'restore', **parameters)['restore-status'] == 'restore started'

    def over() -> bool:
        one.running.site.postgresql.poke()
        return 'restoring-backup' not in one.running.site.postgresql.state

    one.running.until(over, 60)
    one.rest('active', 'waiting', 'blocked')


def machines(one: real_site.RealSite) -> set[str]:
    rows = one.running.call(lambda: one.running.site.database)['maasserver_node']
    return {row[2] for row in rows}


def test_maas_loses_its_connection_with_the_relation(single: real_site.RealSite):
    maas = single.running.site.maas
    region = single.machines.regions.region(single.running.model.uuid, maas.leader)
    clients = "select count(*) from pg_stat_activity where usename like 'relation-%'"
    primary = single.server('postgresql/0')
    assert primary.ask(clients) == [(1,)]

    single.running.call(single.running.model.remove_relation, *RELATION)
    single.rest('active', 'waiting')

    unit = maas.application.units[maas.leader]
    assert (unit.workload.current, unit.workload.message) == (
        'waiting',
        'Waiting for database DSN',
    )
    assert not region.connected
    assert primary.ask(clients) == [(0,)]
    single.running.call(single.running.model.integrate, *RELATION)
    single.rest()
    assert region.connected


def test_what_was_written_after_the_backup_is_gone_and_the_timeline_is_new(
    single: real_site.RealSite,
):
    add = single.running.site.add_machine
    single.running.call(add, 'before')
    single.done(LEADER, 'create-backup')
    label, timeline = single.listed()[-1][0], single.server('postgresql/0').timeline
    single.running.call(add, 'afterwards')
    single.running.call(single.running.model.remove_relation, *RELATION)
    single.rest('active', 'waiting')

    restore(single, backup_id=label)

    assert single.statuses == {'postgresql/0': 'active Primary'}
    assert single.server('postgresql/0').timeline == timeline + 1
    single.running.call(single.running.model.integrate, *RELATION)
    single.rest()
    assert machines(single) & {'before', 'afterwards'} == {'before'}
    assert [row[1] for row in single.listed()][-1] == 'restore'


def test_a_restore_all_in_place_is_proven_by_the_archive(single: real_site.RealSite):
    found = single.back_up()
    part = found.postgresql
    first = pgbackrest_timeline.next_timeline(
        single.store, part.stanza, part.archive, int(part.wal_stop[:8], 16)
    )
    single.running.call(single.running.site.add_machine, 'after-the-set')
    single.done(real_site.LEADER, 'restore-all', **{'backup-id': 'latest', 'confirm': True})

    def over() -> bool:
        if 'restoring backup' in ' '.join(single.statuses.values()):
            # The charm notices the end of a restore in its next hook.
            single.running.site.postgresql.poke()
        return json.loads(single.running.peers.app_data[embedded.APP]['operation'])['ended'] != ''

    single.running.until(over, 240)
    record = single.running.operation()
    assert (record['status'], record['error'], record['problems']) == ('complete', '', [])
    assert 'after-the-set' not in machines(single)
    (branch,) = pgbackrest_timeline.begun_since(single.store, part.stanza, part.archive, first)
    assert (branch.lsn, branch.reason) == (part.lsn_stop, 'reached consistency')


def test_an_unknown_backup_id_is_refused(single: real_site.RealSite):
    said = single.refusal(LEADER, 'restore', backup_id='2020-01-01T00:00:00Z')
    assert said == 'Invalid backup-id: 2020-01-01T00:00:00Z'
