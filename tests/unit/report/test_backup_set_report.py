"""What show-backup prints of a set."""

from __future__ import annotations

import pytest
import yaml

from coordinator.report import backup_set_report
from coordinator.sets import rehearsal, signing
from coordinator.steps import checking
from tests import examples

SET = examples.backup_set()


def standing(
    *, pinned: bool = False, signature: str = '', rehearsed: rehearsal.Result | None = None
) -> backup_set_report.Standing:
    return backup_set_report.Standing('complete', pinned, signature, rehearsed)


def test_a_set_is_shown_part_by_part():
    lines = backup_set_report.set_text(SET, standing()).splitlines()
    assert lines[0] == f'backup set {examples.BACKUP_ID}: complete'
    for line in (
        '  model:     maas (deadbeef-0bad-400d-8000-4b1d0d06f00d), Juju 3.6.26',
        '  took:      back-up-postgresql 5 min',
        'MAAS 3.6.1: files backup 2026-08-22T10:25:00Z, 3.0 GiB',
        '  controllers: 4y3h7n, 8kpx6c, aqd3bw',
        'backup/2026-08-22T10:25:00Z/image-storage.tar.gz | 3.0 GiB',
        'PostgreSQL 16.9: database backup 2026-08-22T10:20:00Z, 1.0 GiB',
        '  application:   postgresql: charm postgresql from 16/stable, revision 843, 3 unit(s)',
        '  stanza, label: maas.postgresql, 20260822-102000F',
        '  WAL:           16-1: 000000010000000000000003 to 000000010000000000000004',
        'passwords: of operator',
        f'  sealed for: {examples.RECIPIENT}',
    ):
        assert line in lines


def test_a_pinned_set_is_shown_as_such():
    assert backup_set_report.set_text(SET, standing(pinned=True)).startswith(
        f'backup set {examples.BACKUP_ID}: complete, pinned\n'
    )


def test_its_signature_is_shown_with_the_fingerprint_of_the_key():
    key = signing.public_key(signing.new_key())
    shown = backup_set_report.set_text(SET.signed(key, 'x'), standing(signature='other key'))
    assert f'  signature: other key, key {signing.fingerprint(key)}' in shown.splitlines()
    unsigned = backup_set_report.set_text(SET, standing(signature='unsigned'))
    assert '  signature: unsigned' in unsigned.splitlines()


@pytest.mark.parametrize('form', ['json', 'yaml'])
def test_for_programs_a_set_is_its_manifest_without_hashes(form: str):
    shown = yaml.safe_load(backup_set_report.for_programs(SET, standing(pinned=True), form))
    assert (shown['backup-id'], shown['status'], shown['pinned']) == (
        examples.BACKUP_ID,
        'complete',
        True,
    )
    assert shown['postgresql']['wal-start'] == '000000010000000000000003'
    assert shown['passwords']['recipients'] == [examples.RECIPIENT]
    assert 'hashes' not in shown['passwords']


@pytest.mark.parametrize(
    ('outcome', 'identity'), [(checking.OK, ''), (checking.BAD, ' identity=secret:<id>')]
)
def test_the_command_asks_for_an_identity_unless_the_passwords_are_known(
    outcome: str, identity: str
):
    outcomes = [checking.Check('passwords', outcome, '')]
    assert backup_set_report.restore_command(SET, outcomes, 'backups') == (
        f'juju run backups/leader restore-all backup-id={examples.BACKUP_ID}{identity} '
        'confirm=true'
    )
    given = {'backup-id': 'latest', 'postgresql-units': '3'}
    assert backup_set_report.restore_command(SET, outcomes, 'backups', given) == (
        f'juju run backups/leader restore-all backup-id={examples.BACKUP_ID} '
        f'postgresql-units=3{identity} confirm=true'
    )


def test_the_command_has_the_identity_that_was_given():
    outcomes = [checking.Check('passwords', checking.BAD, 'it opens other passwords')]
    given = {'backup-id': 'latest', 'identity': 'secret:9m4e2mr0ui3e8a215n4g'}
    assert backup_set_report.restore_command(SET, outcomes, 'backups', given) == (
        f'juju run backups/leader restore-all backup-id={examples.BACKUP_ID} '
        'identity=secret:9m4e2mr0ui3e8a215n4g confirm=true'
    )


def test_a_set_that_was_never_rehearsed_says_how_to():
    shown = backup_set_report.set_text(SET, standing())
    assert (
        'rehearsed: never: juju run maas-backup-coordinator/leader restore-all '
        f'backup-id={examples.BACKUP_ID} rehearsal=true, in a throw-away model'
    ) in shown


def test_the_last_rehearsal_of_a_set_is_shown():
    result = examples.rehearsal_of()
    shown = backup_set_report.set_text(SET, standing(rehearsed=result))
    assert (
        'rehearsed: 2026-11-20, 34 min, proven; MAAS was down for 25 min; in model maas-rehearsal'
    ) in shown

    told = backup_set_report.for_programs(SET, standing(rehearsed=result), 'json')
    assert yaml.safe_load(told)['rehearsed'] == {
        'at': '2026-11-20T08:00:00Z',
        'minutes': 34,
        'proof': 'proven',
        'downtime-seconds': 1500,
        'seconds': {'restore-maas': 600},
        'told': 'proven: 0 differences',
    }


def test_a_rehearsal_that_did_not_prove_everything_says_why():
    result = examples.rehearsal_of().model_copy(
        update={
            'proof': 'unproven',
            'told': 'not proven: no key',
            'left': ('one unit is missing',),
        }
    )
    shown = backup_set_report.set_text(SET, standing(rehearsed=result))
    assert '34 min, not proven; MAAS was down' in shown
    assert 'not proven: no key; one unit is missing' in shown
