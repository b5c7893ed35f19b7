"""backup-all from end to end, by real processes: one backup on each Juju, seen from all sides."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

import pytest

import signer
from coordinator.record import history
from coordinator.sets import catalogue, sealing, signing
from rehearsal import embedded, model, s3_gate, site, story
from tests.embedded import charmed_maas, conftest, onlooker

Maas = charmed_maas.CharmedMaas
Shown = dict[str, str]


@dataclasses.dataclass
class Backup:
    """One backup on a site, and what was shown of it."""

    maas: Maas
    restarts: int
    """How often MAAS had been restarted before."""
    action: model.Task
    processes: onlooker.Onlooker
    messages: list[str]
    """The application's status messages, in their order."""
    during: Shown = dataclasses.field(default_factory=dict)
    """What show-operation printed during the backup, by format."""
    second: str = ''
    """What another backup-all said during the backup."""
    record: dict[str, Any] = dataclasses.field(default_factory=dict)
    after: Shown = dataclasses.field(default_factory=dict)
    listed: Shown = dataclasses.field(default_factory=dict)
    """What list-backups printed, by format."""

    @property
    def id(self) -> str:
        return self.action.output['backup-id']

    @property
    def running(self) -> embedded.Embedded:
        return self.maas.running


def shown(running: embedded.Embedded, action: str) -> Shown:
    """Return what an action prints in both of its formats."""
    texts: Shown = {}
    for form in ('table', 'json'):
        task = running.run_action(charmed_maas.LEADER, action, format=form)
        assert task.status == 'completed', task.message
        (texts[form],) = (text for key, text in task.output.items() if key != 'return-code')
    return texts


@pytest.fixture(
    scope='module', params=[conftest.on('juju-3.6'), conftest.on('juju-4.0')], name='backup'
)
def back_up(request: pytest.FixtureRequest, deployed: conftest.Deployed) -> Iterator[Backup]:
    """Back up and look on."""
    for maas in conftest.borrowed(deployed(request.param)):
        backup = begin(maas)
        with maas.holding('maas-region/0'):
            maas.until_step('back-up-maas', 'is backing up its files')
            backup.during = shown(maas.running, 'show-operation')
            backup.second = maas.refused_at_once()
        backup.record = maas.until_ended()
        backup.after = shown(maas.running, 'show-operation')
        backup.listed = shown(maas.running, 'list-backups')
        yield backup


def begin(maas: Maas) -> Backup:
    """Run backup-all, and have it watched."""
    running = maas.running
    application = running.model.application(charmed_maas.APP)
    messages: list[str] = []

    def note_status() -> None:
        if application.status.message not in messages[-1:]:
            messages.append(application.status.message)

    processes = onlooker.Onlooker(running)
    restarts = running.call(lambda: running.site.maas_restarts)
    running.call(lambda: running.model.on_change.append(note_status))
    action = running.run_action(charmed_maas.LEADER, 'backup-all')
    return Backup(maas, restarts, action, processes, messages)


def test_it_returns_at_once_with_the_id_and_the_command_to_follow_it(backup: Backup):
    assert backup.action.status == 'completed'
    assert {k: v for k, v in backup.action.output.items() if k != 'return-code'} == {
        'backup-id': backup.record['id'],
        'status': 'started',
        'follow': f'juju run {charmed_maas.LEADER} show-operation',
    }


def test_it_leaves_one_complete_set(backup: Backup):
    assert (backup.record['status'], backup.record['error']) == ('complete', '')
    assert backup.record['problems'] == []
    assert backup.maas.sets() == [backup.id]
    found = catalogue.opened(backup.running.maas_store, backup.id)
    assert len(found.maas.controllers) == backup.running.layout.regions
    assert found.model.juju_version == backup.running.layout.version


def test_postgresql_has_its_units_and_storage_back_and_no_more(backup: Backup):
    assert backup.maas.units(site.POSTGRESQL) == ['postgresql/0', 'postgresql/3', 'postgresql/4']
    assert story.units_back(backup.running) == ''
    assert story.no_storage_left(backup.running) == ''


def test_maas_is_not_restarted(backup: Backup):
    assert story.no_restart(backup.running, backup.restarts) == ''


def test_each_part_is_backed_up_once(backup: Backup):
    tasks = [backup.running.model.tasks[number] for number in backup.maas.backup_tasks()]
    assert [task.unit for task in tasks] == ['postgresql/0', 'maas-region/0']
    assert [task.status for task in tasks] == ['completed', 'completed']


def test_no_pacemaker_is_left(backup: Backup):
    assert backup.processes.services
    assert backup.maas.pacemakers() == []


def test_the_passwords_can_be_opened_with_the_identity_alone(backup: Backup):
    sealed = backup.running.maas_store.get(catalogue.sealed_key(backup.id))
    opened = sealing.unseal(sealed, str(backup.running.identity), backup.id)
    real = backup.running.site.passwords
    assert opened == {name: real[f'{name}-password'] for name in opened}
    assert set(opened) == {'operator', 'replication', 'rewind', 'monitoring'}


def test_the_set_is_signed_with_the_key_that_the_application_keeps(backup: Backup):
    secret = signing_key(backup)
    assert secret.owner == f'application-{charmed_maas.APP}'
    found = catalogue.opened(backup.running.maas_store, backup.id)
    key = signing.public_key(secret.content['private-key'])
    assert found.standing([key]) == signing.SIGNED
    assert f'| {signing.SIGNED} ' in backup.listed['table']


def signing_key(backup: Backup) -> model.Secret:
    secrets = backup.running.model.secrets.values()
    return next(secret for secret in secrets if secret.label == signer.LABEL)


def test_no_password_is_in_s3_logs_databags_or_results(backup: Backup):
    assert story.no_secret(backup.running) == ''


def test_no_secret_is_in_the_arguments_or_environment_of_a_process(backup: Backup):
    secrets = (
        *backup.running.site.passwords.values(),
        *backup.running.passwords.values(),
        s3_gate.WRITER[1],
        str(backup.running.identity),
        signing_key(backup).content['private-key'],
    )
    seen = backup.processes.seen
    assert backup.processes.dispatches > 10
    assert b'src/charm.py' in seen
    assert b'JUJU_UNIT_NAME' in seen
    assert b'juju-exec' in seen
    assert [secret for secret in secrets if secret.encode() in seen] == []


def place(backup: Backup, name: str) -> str:
    """Return how messages number a step of the plan."""
    steps = [entry['name'] for entry in backup.record['steps']]
    return f'step {steps.index(name) + 1} of {len(steps)}, '


def test_juju_status_alone_is_enough_to_follow(backup: Backup):
    places = [message.partition(': ')[2] for message in backup.messages]
    for name in ('check', 'scale-down-postgresql', 'back-up-postgresql', 'back-up-maas'):
        begin = f'{place(backup, name)}{name}'
        assert any(text.startswith(begin) for text in places), name
    waits = [text for text in places if 'is backing up the database (task ' in text]
    begin = place(backup, 'back-up-postgresql')
    assert waits[0].startswith(f'{begin}back-up-postgresql: postgresql/0')
    assert backup.messages[-1].startswith(f'last complete backup set {backup.id} (')


def test_show_operation_tells_during_the_backup_what_it_waits_for(backup: Backup):
    head, _, columns, _, *rows = backup.during['table'].splitlines()
    (task,) = (
        entry['task'] for entry in backup.record['steps'] if entry['name'] == 'back-up-maas'
    )
    assert head.startswith(f'backup-all {backup.id}: running, {place(backup, "back-up-maas")}')
    assert [cell.strip() for cell in columns.split('|')] == [
        'step', 'state', 'since', 'took', 'task', 'reason'
    ]  # fmt: skip
    (waiting,) = (row for row in rows if row.startswith('back-up-maas '))
    cells = [cell.strip() for cell in waiting.split('|')]
    assert cells[1] == 'doing'
    assert cells[4:] == [str(task), f'maas-region/0 is backing up its files (task {task})']
    assert [row.split('|')[1].strip() for row in rows[:5]] == ['done'] * 5


def test_show_operation_gives_programs_the_record_without_its_facts(backup: Backup):
    during, after = (json.loads(text['json']) for text in (backup.during, backup.after))
    assert (during['id'], during['status'], during['step']) == (backup.id, 'open', 'back-up-maas')
    assert after == {k: v for k, v in backup.record.items() if k != 'facts'}


def test_show_operation_tells_afterwards_how_it_ended_and_what_is_next(backup: Backup):
    lines = backup.after['table'].splitlines()
    assert lines[0].startswith(f'backup-all {backup.id}: complete, ')
    assert [line.split('|')[1].strip() for line in lines[4:13]] == ['done'] * 9
    assert lines[-1] == f'next: juju run {charmed_maas.LEADER} list-backups'


def test_list_backups_shows_the_set_to_people_and_to_programs(backup: Backup):
    title, _, columns, _, row = backup.listed['table'].splitlines()
    (listed,) = json.loads(backup.listed['json'])
    names, values = ([cell.strip() for cell in line.split('|')] for line in (columns, row))
    cells = dict(zip(names, values, strict=True))
    assert title == 'Backup sets in maas-backups/maas:'
    assert (cells['backup-id'], cells['status'], cells['model']) == (backup.id, 'complete', 'maas')
    assert (listed['backup-id'], listed['status']) == (backup.id, 'complete')
    assert cells['label'] == listed['postgresql-label']
    assert cells['maas'] == listed['maas-version'] == '3.6.1'
    assert cells['controllers'] == str(len(listed['controllers']))


def test_a_second_backup_is_refused_with_the_id_of_the_running_one(backup: Backup):
    assert backup.second == (
        f'backup-all {backup.id} is running, one operation at a time: '
        f'juju run {charmed_maas.LEADER} show-operation'
    )


def test_the_history_in_s3_ends_as_the_record_does(backup: Backup):
    juju = backup.running.model
    told = json.loads(backup.running.maas_store.get(history.key(backup.id, juju.uuid)))
    assert told.pop('model') == {'name': juju.name, 'uuid': juju.uuid}
    assert told.pop('messages') == []
    assert told == backup.record
