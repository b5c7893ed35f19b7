"""`juju status` alone says what is missing, with the command that gives it."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import re
import time

import pytest
from ops import testing

import charm
from coordinator.engine import operation
from coordinator.record import ended
from tests import charm_states, examples, worlds

pytestmark = pytest.mark.filterwarnings('ignore:JujuVersion.from_environ:DeprecationWarning')
APP = charm_states.APP


def status(state: testing.State) -> tuple[str, str]:
    """Return what a dispatch says that has nothing to advance."""
    context = charm_states.context()
    out = context.run(context.on.update_status(), state)
    if state.leader:
        assert out.app_status == out.unit_status
    return out.unit_status.name, out.unit_status.message


def test_when_all_is_there_it_is_ready():
    assert status(charm_states.state()) == (
        'active',
        f'ready, no backup set yet: juju run {APP}/leader backup-all',
    )


def test_units_that_do_not_lead_say_the_same():
    assert status(charm_states.state(leader=False)) == status(charm_states.state())


@pytest.mark.parametrize(
    ('without', 'command'),
    [
        (charm_states.OTHERS, f'juju integrate {APP}:maas-region maas-region:juju-info'),
        (['postgresql', 's3-maas'], f'juju integrate {APP}:postgresql postgresql:juju-info'),
        (['s3-maas', 's3-postgresql'], f'juju integrate {APP}:s3-maas s3-integrator-maas'),
        (['s3-postgresql'], f'juju integrate {APP}:s3-postgresql s3-integrator-postgresql'),
    ],
    ids=['all', 'postgresql', 's3-maas', 's3-postgresql'],
)
def test_missing_relations_are_asked_for_one_by_one(without: list[str], command: str):
    found = status(charm_states.state(without=without))
    assert found == ('blocked', f'missing relation: {command}')


@pytest.mark.parametrize('endpoint', charm_states.OTHERS)
def test_a_relation_that_goes_is_asked_for_at_once(endpoint: str):
    context = charm_states.context()
    state = charm_states.state()
    (relation,) = state.get_relations(endpoint)
    out = context.run(context.on.relation_broken(relation), state)
    assert out.unit_status.message.startswith(f'missing relation: juju integrate {APP}:{endpoint}')


def test_credentials_are_asked_for():
    assert status(charm_states.state(unset=['juju-credentials'])) == (
        'blocked',
        f'missing credentials: juju config {APP} juju-credentials=secret:<id>',
    )


def test_a_secret_that_is_not_granted_is_asked_for():
    assert status(charm_states.state(credentials=None)) == (
        'blocked',
        f'{charm_states.SECRET} cannot be read: juju grant-secret {charm_states.SECRET} {APP}',
    )


@pytest.mark.parametrize(
    ('content', 'missing'),
    [
        ({'username': 'backup-bot'}, 'no password'),
        ({'password': 'hunter2'}, 'no username'),
        ({'user': 'backup-bot'}, 'no username and no password'),
    ],
    ids=['password', 'username', 'both'],
)
def test_keys_that_the_secret_lacks_are_named(content: dict[str, str], missing: str):
    assert status(charm_states.state(credentials=content)) == (
        'blocked',
        f'the secret of juju-credentials has {missing}: '
        'juju update-secret <name> username=<user> password#file=<file>',
    )


@pytest.mark.parametrize(
    ('option', 'value', 'sentence'),
    [
        (
            'recipients',
            '',
            f'no recipients: create a key pair .* juju config {APP} recipients=age1',
        ),
        (
            'recipients',
            'age1garbage',
            f'recipient 1 is not an age .* juju config {APP} recipients=',
        ),
        ('recipients', f'{examples.RECIPIENT} x', 'recipient 2 is not an age'),
        ('recipients', str(examples.IDENTITY), 'recipient 1 is a secret key: remove it'),
        (
            'recipients',
            'age1x ' * 17,
            'recipients names 17, but at most 16 are allowed: juju config',
        ),
        (
            'postgresql-backup-strategy',
            'both',
            "is 'both', but must be auto, replica or scale-down",
        ),
        (
            'scaling-deadline',
            0,
            'scaling-deadline is 0, but must be a number of minutes, 1 or more',
        ),
        (
            'maas-backup-deadline',
            -1,
            'maas-backup-deadline is -1, but must be a number of minutes, 1 or more',
        ),
    ],
    ids=['none', 'garbage', 'second', 'secret-key', 'many', 'strategy', 'zero', 'negative'],
)
def test_options_without_a_usable_value_are_named(option: str, value: str | int, sentence: str):
    name, message = status(charm_states.state(config={option: value}))
    assert name == 'blocked'
    assert re.search(sentence, message), message


def test_no_status_repeats_a_secret():
    for state in (
        charm_states.state(config={'recipients': str(examples.IDENTITY)}),
        charm_states.state(credentials={'password': 'hunter2'}),
    ):
        message = status(state)[1]
        assert str(examples.IDENTITY) not in message
        assert 'hunter2' not in message


# --- With an operation ---------------------------------------------------------------------------


def test_an_operation_under_way_is_not_bothered_with_what_the_next_one_lacks():
    # Not leading, so that the dispatch leaves it where it is.
    op = charm_states.new_operation().beginning(0, {}, worlds.START)
    state = charm_states.state(op.waiting('units to settle', worlds.START), leader=False)
    lacking = charm_states.state(op, leader=False, config={'recipients': ''})
    assert status(state) == (
        'maintenance',
        f'backup-all {examples.BACKUP_ID}: step 1 of 12, check: units to settle',
    )
    assert status(lacking)[0] == 'maintenance'


@pytest.mark.parametrize('leader', [True, False])
def test_credentials_that_go_missing_block_an_operation_at_once(leader: bool):
    op = charm_states.new_operation().beginning(0, {}, worlds.START)
    state = charm_states.state(op, leader=leader, unset=['juju-credentials'])
    name, message = status(state)
    assert name == 'blocked'
    assert message == (
        f'backup-all {op.id} waits at check: missing credentials: juju config {APP} '
        'juju-credentials=secret:<id>'
    )


def test_credentials_that_are_malformed_block_an_operation_too():
    op = charm_states.new_operation().beginning(0, {}, worlds.START)
    wrong = {'username': 'backup bot', 'password': 'hunter2'}
    name, message = status(charm_states.state(op, leader=False, credentials=wrong))
    assert name == 'blocked'
    assert 'the secret of juju-credentials has unusable values: username' in message
    assert 'hunter2' not in message


def test_missing_credentials_are_warned_of_once(caplog: pytest.LogCaptureFixture):
    op = charm_states.new_operation().moving_to('scale-down-postgresql')
    op = op.beginning(0, {}, worlds.START)
    context = charm_states.context()
    found = charm_states.state(op, unset=['juju-credentials'])
    for _ in range(4):
        found = context.run(charm_states.ADVANCE, found)
    warned = [r for r in caplog.records if 'missing credentials' in r.getMessage()]
    assert len(warned) == 1
    assert warned[0].levelname == 'WARNING'


def test_a_unit_that_does_not_lead_tells_of_an_operation_that_nobody_goes_on_with(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
):
    memory = tmp_path / 'newest'
    monkeypatch.setattr(charm, '_NEWEST', memory)
    op = charm_states.new_operation().beginning(0, {}, worlds.START)
    state = charm_states.state(op, leader=False)
    assert status(state)[0] == 'maintenance'
    hours_ago = time.time() - 3 * 3600
    os.utime(memory, (hours_ago, hours_ago))
    name, message = status(state)
    assert name == 'waiting'
    assert 'no unit has continued it for 3 h' in message
    assert f'juju status {APP}' in message
    newer = dataclasses.replace(op, generation=1)
    assert status(charm_states.state(newer, leader=False))[0] == 'maintenance'


def test_undoing_is_shown():
    op = charm_states.new_operation().moving_to('scale-down-postgresql')
    undoing = op.turning_back('refused').undo_begins(worlds.START)
    found = status(charm_states.state(undoing, leader=False))
    assert found[0] == 'maintenance'
    assert found[1].endswith('step 4 of 12, undoing scale-down-postgresql')


def test_a_held_operation_asks_for_its_person_before_anything_else():
    held = charm_states.new_operation().held('S3 refuses')
    name, message = status(charm_states.state(held, without=['s3-maas']))
    assert name == 'blocked'
    assert f'is held at check: run juju run {APP}/leader resume-operation' in message


def test_a_failed_operation_shows_until_the_next_one_succeeds():
    failed = charm_states.new_operation().turning_back('check: MAAS is blocked')
    ended = failed.ending(operation.FAILED, worlds.START)
    name, message = status(charm_states.state(ended, last_complete='2026-08-01T00:00:00Z'))
    assert name == 'blocked'
    assert f'failed, see juju run {APP}/leader show-operation: check: MAAS is blocked' in message


def test_a_failed_operation_shows_after_a_later_one_was_aborted():
    failed = charm_states.new_operation().turning_back('check: MAAS is blocked')
    aborted = charm_states.new_operation('2026-08-23T10:15:00Z').aborting(worlds.START)
    state = charm_states.state(
        aborted.ending(operation.ABORTED, worlds.START),
        earlier=ended.adding((), failed.ending(operation.FAILED, worlds.START)),
    )
    name, message = status(state)
    assert name == 'blocked'
    assert f'backup-all {failed.id} failed, see juju run {APP}/leader show-operation' in message
    assert f'operation-id={failed.id}: check: MAAS is blocked' in message


def test_a_complete_operation_shows_the_age_of_its_set():
    complete = charm_states.new_operation('2020-01-01T00:00:00Z').ending(
        operation.COMPLETE, worlds.START
    )
    name, message = status(charm_states.state(complete, last_complete=complete.id))
    assert name == 'active'
    assert re.fullmatch(r'last complete backup set 2020-01-01T00:00:00Z \(\d+ d.* ago\)', message)


def test_what_the_next_backup_lacks_shows_after_a_complete_one():
    complete = charm_states.new_operation().ending(operation.COMPLETE, worlds.START)
    found = status(charm_states.state(complete, without=['s3-maas'], last_complete=complete.id))
    assert found[1].startswith('missing relation: ')
