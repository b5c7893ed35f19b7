"""Failures on the embedded model: the operator types with the rehearsal's `juju` what is printed.

`tests/on_call` has all cases in virtual time; these are the ones that the whole charm plays here.
"""

from __future__ import annotations

import json
import pathlib
import re
import shlex

import pytest

from coordinator.unit import elapsed
from rehearsal import model, site, story
from rehearsal.juju import serving
from tests.embedded import charmed_maas

Maas = charmed_maas.CharmedMaas

pytestmark = pytest.mark.long

_UPDATE_STATUS = model.Event(model.Kind.UPDATE_STATUS, 'update-status')
_HOUR = 3600


def typed(maas: Maas, command: str) -> str:
    """Type a command; return what it prints."""
    juju, *words = shlex.split(command)
    assert juju == 'juju'
    running = maas.running
    reply = running.thread.run(serving.COMMANDS.carry_out(running.cloud, words, pathlib.Path()))
    assert reply.code == 0, reply.stderr
    return reply.stdout


def message(maas: Maas, words: str) -> str:
    """Return the coordinator's status message once it has these words."""

    def shown() -> str:
        found = maas.leader.workload.message
        return found if words in found else ''

    return maas.running.until(shown)


def after_a_while(maas: Maas, words: str) -> str:
    """Let Juju ask for the status; return the message once it has these words."""
    maas.running.call(lambda: maas.model.queue(maas.leader, _UPDATE_STATUS))
    return message(maas, words)


def command(text: str, pattern: str) -> str:
    """Return the command in a message that is like this."""
    (found,) = re.findall(pattern, text)
    return found


def let_time_pass(maas: Maas, seconds: int) -> None:
    """Let an operation be older, until it is over or at another step."""
    step = maas.record()['step']

    def older() -> bool:
        if maas.record()['step'] != step or maas.record()['status'] != 'open':
            return True
        (look,) = maas.running.root.glob(f'**/unit-{charmed_maas.APP}-*/charm/{elapsed.FILE}')
        # A dispatch may write it at this moment, so it is tried until it has worked.
        try:
            raw = json.loads(look.read_text())
        except ValueError:
            return False
        if raw['age'] < maas.record()['age'] + seconds:
            look.write_text(json.dumps({**raw, 'age': raw['age'] + seconds}))
        return False

    maas.running.until(older)


def test_a_unit_that_is_missing_after_a_backup_is_added_and_no_longer_asked_for(maas36: Maas):
    maas = maas36
    maas.begin()
    maas.until_step('back-up-maas')
    newest = maas.units(site.POSTGRESQL)[-1]
    maas.running.call(maas.model.remove_unit, newest)
    maas.until_step('restore-postgresql-scale', 'has 2 of 3 units')
    let_time_pass(maas, 3 * _HOUR)
    op = maas.until_ended()
    assert (op['status'], op['error']) == ('complete', '')

    said = after_a_while(maas, 'left to do')
    typed(maas, command(said, r'juju add-unit postgresql\b'))
    maas.settle()
    said = after_a_while(maas, 'juju remove-storage')
    typed(maas, command(said, r'juju remove-storage(?: [a-z]+/\d+)+'))

    assert after_a_while(maas, 'last complete backup set')
    assert story.units_back(maas.running) == ''
    assert maas.running.operation() == op, 'a record that has ended never changes'


def test_a_login_that_is_revoked_in_a_backup_is_granted_and_the_backup_goes_on(maas40: Maas):
    maas = maas40
    maas.running.postgresql.backup = 6.0
    maas.begin()
    maas.until_step('back-up-postgresql')
    maas.running.call(maas.login.grants.clear)

    said = message(maas, 'juju grant-secret')
    assert maas.leader.workload.current == 'blocked'
    typed(maas, command(said, r'juju grant-secret \S+ [a-z-]+'))

    op = maas.until_ended()
    assert (op['status'], op['error']) == ('complete', '')
    assert story.units_back(maas.running) == ''


def test_a_command_that_was_disabled_is_enabled_and_the_next_backup_is_complete(maas40: Maas):
    maas = maas40
    maas.running.call(lambda: maas.model.blocked.update({'remove-object': 'not on a Friday'}))
    assert maas.back_up()['status'] == 'failed'

    message(maas, 'not on a Friday')
    printed = typed(maas, f'juju run {charmed_maas.LEADER} show-operation')
    typed(maas, command(printed, r'error: .*`(juju enable-command remove-object)`'))
    typed(maas, command(printed, r'next: fix this, then (juju run .* backup-all)'))

    assert maas.until_ended()['status'] == 'complete'
    assert story.units_back(maas.running) == ''
