"""What keeps a backup from beginning: each ends in a sentence that says what to do."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

import pytest

from rehearsal import s3_gate, site, tls
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas


# --- The Juju user -----------------------------------------------------------------------------


def test_a_password_that_was_revoked_is_told(maas36: Maas):
    maas36.model.users[charmed_maas.ROBOT].password = 'another'

    error = maas36.refused()

    assert 'does not let "backup-bot" in' in error
    assert '`password` in the secret that the option juju-credentials names' in error


def test_a_user_that_may_only_read_is_told_what_to_grant(maas36: Maas):
    maas36.model.users[charmed_maas.ROBOT].model_access = 'read'

    assert 'has read access to model maas' in (error := maas36.refused())
    assert 'juju grant backup-bot admin maas' in error


def test_a_user_that_may_write_but_is_no_admin_is_told_what_to_grant(maas40: Maas):
    maas40.model.users[charmed_maas.ROBOT].model_access = 'write'

    assert 'has write access to model maas' in (error := maas40.refused())
    assert 'juju grant backup-bot admin maas' in error


def test_a_wrong_ca_certificate_is_told(maas36: Maas):
    content = {**maas36.login.content, 'ca-cert': tls.Authority().ca_pem}
    maas36.change(lambda: maas36.model.update_secret(maas36.login, content))

    error = maas36.refused()

    assert 'certificate' in error
    assert '`ca-cert`' in error
    assert 'juju show-controller' in error


def test_a_secret_that_is_not_granted_is_refused_at_once(maas36: Maas):
    maas36.login.grants.clear()

    error = maas36.refused_at_once()

    assert error.endswith(f'juju grant-secret {maas36.login.uri} {charmed_maas.APP}')


def test_a_disabled_command_is_told_and_nothing_was_taken_away(maas40: Maas):
    maas40.model.blocked['remove-object'] = 'not on a Friday'
    units = maas40.units(site.POSTGRESQL)

    op = maas40.back_up()

    assert (op['status'], op['step']) == ('failed', 'capture-secrets')
    assert 'scale-down-postgresql' in op['error']
    assert 'not on a Friday' in op['error']
    assert 'juju enable-command remove-object' in op['error']
    assert maas40.units(site.POSTGRESQL) == units
    assert not [key for key in maas40.stored() if f'backup-sets/{op["id"]}' in key]


# --- S3 ------------------------------------------------------------------------------------------


@contextlib.contextmanager
def keys(maas: Maas, given: tuple[str, str]) -> Generator[None]:
    """Give the MAAS repository other keys meanwhile, in the way of track 1."""
    for pair in (given, s3_gate.WRITER):
        task = maas.running.run_action(
            site.S3_MAAS + '/leader', 'sync-s3-credentials', access_key=pair[0], secret_key=pair[1]
        )
        assert task.status == 'completed', task.message
        maas.change(lambda: None)
        if pair is given:
            yield


def test_a_bucket_that_does_not_exist_is_named(maas36: Maas):
    maas36.change(lambda: maas36.model.set_config(site.S3_MAAS, {'bucket': 'no-such-bucket'}))

    error = maas36.refused()

    assert 'bucket no-such-bucket does not exist' in error
    assert f'juju config {site.S3_MAAS} bucket=' in error


def test_keys_that_may_only_read_are_refused_with_bucket_and_integrator(maas36: Maas):
    with keys(maas36, s3_gate.READER):
        error = maas36.refused()

    assert 'AccessDenied' in error
    assert 'maas-backups' in error
    assert site.S3_MAAS in error


def test_keys_that_s3_does_not_know_are_refused_with_bucket_and_integrator(maas36: Maas):
    with keys(maas36, ('nobodys-key', 'nobodys-secret')):
        error = maas36.refused()

    assert 'InvalidAccessKeyId' in error
    assert site.S3_MAAS in error
    assert 'nobodys-secret' not in error


# --- The site ------------------------------------------------------------------------------------


@pytest.mark.long
def test_blocked_maas_is_named_with_its_message(maas40: Maas):
    maas40.change(lambda: maas40.site.maas.block('no more disk'))

    error = maas40.refused()

    assert 'maas-region/0 is blocked (no more disk)' in error
    assert 'juju status maas-region' in error


def test_postgresql_without_a_primary_is_refused(maas40: Maas):
    maas40.running.postgresql.no_primary = True
    maas40.change(maas40.site.postgresql.poke)

    error = maas40.refused()

    assert 'postgresql shows 0 primaries instead of one' in error
    assert 'juju run postgresql/leader get-primary' in error


# --- The request ---------------------------------------------------------------------------------


def test_a_recipient_that_is_no_key_is_refused_at_once_without_repeating_it(maas40: Maas):
    wrong = {'recipients': 'hunter2-is-no-key'}
    maas40.change(lambda: maas40.model.set_config(charmed_maas.APP, wrong))

    error = maas40.refused_at_once()

    assert 'recipient 1 is not an age X25519 public key' in error
    assert 'juju config maas-backup-coordinator recipients=' in error
    assert 'hunter2' not in error


@pytest.mark.long
def test_a_unit_that_does_not_lead_refuses_and_names_the_command(trio: Maas):
    leader = trio.leader.name
    follower = next(name for name in trio.units(charmed_maas.APP) if name != leader)

    error = trio.refused_at_once(follower)

    assert error == f'{follower} is not the leader: juju run {charmed_maas.LEADER} backup-all'
