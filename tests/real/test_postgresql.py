"""The stand-in postgresql on real servers keeps the charm's rules, and says its words."""

from __future__ import annotations

import pytest

from rehearsal import embedded, site
from rehearsal.real import database, pgbackrest, server
from tests.real import real_site

pytestmark = pytest.mark.xdist_group('real-trio')

ANOTHER = 'the S3 repository has backups from another cluster'
PRIMARY, REPLICA = 'postgresql/0', 'postgresql/1'
SYSTEM_USERS = ('operator', 'replication', 'rewind', 'monitoring')


def test_the_first_unit_is_the_primary_and_the_others_stream_from_it(trio: real_site.RealSite):
    assert trio.done(REPLICA, 'get-primary')['primary'] == PRIMARY
    assert [trio.server(f'postgresql/{number}').recovering for number in range(3)] == [
        False,
        True,
        True,
    ]
    streams = trio.server(PRIMARY).ask('select state from pg_stat_replication')
    assert streams == [('streaming',), ('streaming',)]


def test_the_system_users_are_roles_with_the_passwords_of_the_peer_secret(
    trio: real_site.RealSite,
):
    known = trio.running.call(lambda: dict(trio.running.site.passwords))
    for user in SYSTEM_USERS:
        assert database.opens(trio.server(REPLICA), user, known[f'{user}-password'])
        assert not database.opens(trio.server(REPLICA), user, 'guessed')


def test_a_primary_with_replicas_is_not_backed_up(trio: real_site.RealSite):
    said = trio.refusal(PRIMARY, 'create-backup')
    assert said == 'Unit cannot perform backups as it is the cluster primary'


def test_a_replica_is_backed_up_from_its_own_files(trio: real_site.RealSite):
    assert trio.done(REPLICA, 'create-backup')['backup-status'] == 'backup created'

    row = trio.listed()[-1]
    assert row[1:3] == ['full backup', 'finished']
    label = row[-1].rpartition('/')[2]
    assert row[-1] == f'/maas.postgresql/{label}'
    log = trio.store.get(f'backup/maas.postgresql/{row[0]}/backup.log').decode()
    assert f'new backup label = {label}' in log
    assert (
        'option-backup-standby=true'
        in trio.store.get(f'backup/maas.postgresql/{label}/backup.manifest', 1 << 24).decode()
    )


def test_incremental_backups_build_upon_a_full_one(trio: real_site.RealSite):
    assert trio.refusal(REPLICA, 'create-backup', type='other').startswith('Invalid backup type')
    trio.done(REPLICA, 'create-backup')
    full = trio.listed()[-1]

    trio.done(REPLICA, 'create-backup', type='incremental')

    assert trio.listed()[-1][1:4] == ['incremental backup', 'finished', full[0]]


def test_restore_wants_one_unit_and_a_backup_that_is_there(trio: real_site.RealSite):
    leader = real_site.POSTGRESQL
    assert 'more than one unit' in trio.refusal(leader, 'restore', backup_id='x')
    assert 'need to be provided' in trio.refusal(leader, 'restore')


def test_a_unit_that_goes_takes_its_server_along_and_a_new_one_streams(
    trio: real_site.RealSite,
):
    gone = trio.server('postgresql/2')
    trio.running.call(lambda: trio.running.model.remove_unit('postgresql/2'))
    trio.rest()
    assert not gone.running
    assert not gone.home.exists()

    added = trio.running.call(lambda: trio.running.model.add_units(site.POSTGRESQL, 1))[0]
    trio.rest()
    assert trio.statuses[added] == 'active '
    assert trio.server(added).recovering
    streams = trio.server(PRIMARY).ask(
        "select application_name from pg_stat_replication where state = 'streaming'"
    )
    assert (trio.server(added).name,) in streams


def test_a_repository_with_the_uuid_of_another_model_is_another_clusters(
    trio: real_site.RealSite,
):
    fields = trio.running.s3.connection(embedded.BUCKETS['postgresql'], 'of-another-model')
    trio.running.store_for(fields).put('model-uuid.txt', b'another')
    check_refused(trio, 'of-another-model')


def test_a_repository_with_another_stanza_is_another_clusters(trio: real_site.RealSite):
    make_stanza(trio, 'of-another-stanza', trio.server(PRIMARY), 'other.postgresql')
    check_refused(trio, 'of-another-stanza')


def test_a_repository_of_another_system_identifier_is_another_clusters(
    trio: real_site.RealSite,
):
    other = server.Server(trio.machines.ground, 'other')
    words: dict[str, str] = dict.fromkeys(SYSTEM_USERS, 'word')
    other.create('word')
    other.configure(server.Role())
    other.start(lambda: database.opens(other, 'operator', 'word'))
    database.create_users(other, words)
    make_stanza(trio, 'of-another-cluster', other, 'maas.postgresql')
    other.remove()
    check_refused(trio, 'of-another-cluster')


def make_stanza(trio: real_site.RealSite, path: str, own: server.Server, stanza: str) -> None:
    """Make a repository at another path."""
    fields = trio.running.s3.connection(embedded.BUCKETS['postgresql'], f'/{path}')
    tool = pgbackrest.PgBackRest(trio.machines.ground, own)
    tool.configure(fields, stanza, [])
    tool.create_stanza(stanza)


def check_refused(trio: real_site.RealSite, path: str) -> None:
    """See a path refused, and the former one welcome."""
    trio.aim(path)
    leader = trio.running.site.postgresql.leader
    assert trio.statuses[leader] == f'blocked {ANOTHER}'
    assert trio.refusal(leader, 'create-backup') == 'Unit is in a blocking state'
    trio.aim('postgresql')
    assert trio.statuses[leader] == 'active Primary'
